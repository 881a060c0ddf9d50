//! Internet sockets of a network namespace, `/proc/PID/net/tcp` and its kin
//! (`proc_pid_net(5)`, `net/ipv4/tcp_ipv4.c`):
//!
//! ```text
//!   sl  local_address rem_address   st tx_queue:rx_queue … uid timeout inode
//!    0: 0100007F:1538 00000000:0000 0A 00000000:00000000 …   0       0 48213
//! ```
//!
//! Addresses are words in the machine's byte order, in hexadecimal.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{Nanos, Pid};
use crate::sys::clock;
use crate::sys::procroot::ProcRoot;

/// `TCP_ESTABLISHED`, `TCP_CLOSE_WAIT`, `TCP_LISTEN`.
const CONNECTED: u8 = 1;
const CLOSED_THERE: u8 = 8;
const LISTENING: u8 = 10;

/// An address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// IPv4 addresses inside of IPv6 are shown as what they are.
    pub ip: IpAddr,
    /// The port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            IpAddr::V4(ip) => write!(f, "{ip}:{}", self.port),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.port),
        }
    }
}

/// An internet socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InetSocket {
    /// TCP, else UDP.
    pub tcp: bool,
    /// Its own address.
    pub local: Address,
    /// Where it is connected to; port 0 for nowhere.
    pub remote: Address,
    /// The kernel's state, 1 connected.
    pub state: u8,
    /// Its inode; 0 for one that no process has.
    pub inode: u64,
    /// The bytes that wait to be read; of one that listens, the connections that wait to be
    /// accepted.
    pub queue: u32,
}

impl fmt::Display for InetSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InetSocket { tcp, local, remote, .. } = self;
        write!(f, "{} {local}", if *tcp { "TCP" } else { "UDP" })?;
        if remote.port == 0 { Ok(()) } else { write!(f, " ↔ {remote}") }
    }
}

impl InetSocket {
    /// Whether it listens for connections.
    pub fn listens(&self) -> bool {
        self.tcp && self.state == LISTENING
    }

    /// Whether it is the server's end of a connection that nobody has accepted: one that was
    /// accepted, and closed, is in neither state.
    fn waits_to_be_accepted(&self) -> bool {
        self.tcp && self.inode == 0 && matches!(self.state, CONNECTED | CLOSED_THERE)
    }
}

/// The internet sockets of the network namespace of process `pid`; a table that
/// cannot be read is left out.
pub fn sockets_of(root: &ProcRoot, pid: Pid) -> Vec<InetSocket> {
    let mut all = Vec::new();
    let mut content = Vec::new();
    for (table, tcp) in [("tcp", true), ("tcp6", true), ("udp", false), ("udp6", false)] {
        if root.read_into(&format!("{pid}/net/{table}"), &mut content).is_ok() {
            let text = String::from_utf8_lossy(&content);
            all.extend(text.lines().skip(1).filter_map(|line| parse_line(line, tcp)));
        }
    }
    all
}

/// The internet sockets of one network namespace, to be looked up in.
#[derive(Debug)]
pub struct InetSockets {
    at: Nanos,
    by_inode: HashMap<u64, InetSocket>,
    /// Of TCP, by own address and the other's; only those that a process has, or may accept.
    by_pair: HashMap<(Address, Address), InetSocket>,
}

impl InetSockets {
    /// Reads those of the namespace of process `pid`.
    pub fn read(root: &ProcRoot, pid: Pid) -> Self {
        let at = clock::monotonic();
        let mut all = sockets_of(root, pid);
        all.retain(|socket| socket.inode != 0 || socket.waits_to_be_accepted());
        InetSockets {
            at,
            by_pair: all.iter().filter(|s| s.tcp).map(|socket| ((socket.local, socket.remote), *socket)).collect(),
            by_inode: all.into_iter().map(|socket| (socket.inode, socket)).collect(),
        }
    }

    /// When they were read, on `CLOCK_MONOTONIC`.
    pub fn at(&self) -> Nanos {
        self.at
    }

    /// The socket with this inode.
    pub fn of_inode(&self, inode: u64) -> Option<&InetSocket> {
        self.by_inode.get(&inode)
    }

    /// The other end of a TCP connection, if it is in the same namespace and
    /// some process has it.
    pub fn peer_of(&self, socket: &InetSocket) -> Option<&InetSocket> {
        let connected = socket.tcp && socket.remote.port != 0;
        self.by_pair.get(&(socket.remote, socket.local)).filter(|peer| connected && peer.inode != 0)
    }

    /// The listening socket at which a TCP connection waits to be accepted, if it does, and
    /// it is clear which one that is: several may listen at one port.
    pub fn waits_at(&self, socket: &InetSocket) -> Option<&InetSocket> {
        self.by_pair.get(&(socket.remote, socket.local)).filter(|peer| peer.waits_to_be_accepted())?;
        let at = |server: &InetSocket| server.local.ip.is_unspecified() || server.local.ip == socket.remote.ip;
        let may = |server: &&InetSocket| server.local.port == socket.remote.port && server.queue > 0 && at(server);
        let mut servers = self.by_inode.values().filter(|server| server.listens()).filter(may);
        servers.next().filter(|_| servers.next().is_none())
    }
}

fn parse_line(line: &str, tcp: bool) -> Option<InetSocket> {
    let mut fields = line.split_ascii_whitespace().skip(1);
    let local = parse_address(fields.next()?)?;
    let remote = parse_address(fields.next()?)?;
    let state = u8::from_str_radix(fields.next()?, 16).ok()?;
    let queue = u32::from_str_radix(fields.next()?.split(':').nth(1)?, 16).ok()?;
    let inode = fields.nth(4)?.parse().ok()?;
    Some(InetSocket { tcp, local, remote, state, inode, queue })
}

fn parse_address(text: &str) -> Option<Address> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let word = |at: usize| u32::from_str_radix(ip.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for (index, chunk) in bytes.chunks_exact_mut(4).enumerate() {
                chunk.copy_from_slice(&word(index * 8)?);
            }
            Ipv6Addr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some(Address { ip, port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_both_families_are_read() {
        let v4 = "   0: 0100007F:1538 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 48213 1 0";
        let socket = parse_line(v4, true).unwrap();
        assert_eq!((socket.local.to_string(), socket.inode), ("127.0.0.1:5432".to_owned(), 48213));
        let v6 = "0: 0000000000000000FFFF00000100007F:C350 0000000000000000FFFF00000100007F:1538 01 0:0 0:0 0 0 0 7 1";
        let other = parse_line(v6, true).unwrap();
        assert_eq!((other.local, other.remote), (socket.remote, socket.local), "a mapped address is the same address");
        assert_eq!(parse_address("00000000000000000000000001000000:0050").unwrap().to_string(), "[::1]:80");
        for broken in ["", "0: x", "0: 0100007F:1538 0100007F:C350 01", "0: 01:1 01:1 01 0 0 0 0 0 7"] {
            assert_eq!(parse_line(broken, true), None);
        }
    }

    #[test]
    fn a_client_waits_at_the_only_socket_that_listens_there_and_has_clients() {
        let read = |lines: &[&str]| {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(folder.path().join("7/net")).unwrap();
            std::fs::write(folder.path().join("7/net/tcp"), format!("header\n{}\n", lines.join("\n"))).unwrap();
            InetSockets::read(&ProcRoot::open(folder.path()).unwrap(), 7)
        };
        let client = "0: 0100007F:C350 0100007F:1538 01 0:0 0:0 0 0 0 7 1";
        let inner = "1: 0100007F:1538 0100007F:C350 01 0:0 0:0 0 0 0 0 1";
        let server = "2: 00000000:1538 00000000:0000 0A 0:1 0:0 0 0 0 9 1";
        let (idle, other) = (server.replace("0:1", "0:0").replace(" 9 ", " 8 "), server.replace(" 9 ", " 8 "));
        let waits_at = |lines: &[&str]| {
            let all = read(lines);
            let client = *all.of_inode(7).unwrap();
            assert_eq!(all.peer_of(&client).map(|peer| peer.inode), None);
            all.waits_at(&client).map(|server| server.inode)
        };
        assert_eq!(waits_at(&[client, inner, server, &idle]), Some(9));
        assert_eq!(waits_at(&[client, &inner.replace(" 01 ", " 08 "), server]), Some(9), "it has sent its end");
        assert_eq!(waits_at(&[client, inner, server, &other]), None, "either may be meant");
        assert_eq!(waits_at(&[client, inner, &idle]), None);
        assert_eq!(waits_at(&[client, inner, &server.replace("1538 ", "1539 ")]), None, "another port");
        assert_eq!(waits_at(&[client, inner, &server.replace("00000000:1538", "0200007F:1538")]), None);
        for state in [" 03 ", " 04 ", " 06 ", " 09 "] {
            assert_eq!(waits_at(&[client, &inner.replace(" 01 ", state), server]), None, "{state}");
        }
        assert_eq!(waits_at(&[client, server]), None, "on another machine");
    }

    #[test]
    fn a_listener_of_this_process_is_found() {
        use std::os::fd::AsRawFd;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let root = ProcRoot::open(std::path::Path::new("/proc")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let all = sockets_of(&root, std::process::id() as Pid);
        let found = all.iter().find(|socket| socket.local.port == port && socket.listens()).unwrap();
        let link = std::fs::read_link(format!("/proc/self/fd/{}", listener.as_raw_fd())).unwrap();
        assert_eq!(link.to_string_lossy(), format!("socket:[{}]", found.inode));
    }
}
