//! TCP over the loopback interface: tcp(7).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::ioctl_fionread;
use rustix::net::sockopt::{
    set_socket_recv_buffer_size, set_socket_send_buffer_size, set_tcp_nodelay, socket_recv_buffer_size,
    socket_send_buffer_size,
};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, getsockname, listen, socket_with};

use super::pipe::{StreamReceiver, StreamSender, set_nonblocking};
use super::{About, Duty, End, Ends, Family, Gauge, Setup, Sizes, Transport};
use crate::model::Fault;
use crate::model::channel::{Fill, Measure, Waiting};
use crate::sys::socket::unsent;

macro_rules! about {
    ($key:literal, $name:literal) => {
        About {
            key: $key,
            name: $name,
            family: Family::Stream,
            model: "Two FIFO queues of bytes, one each way, through the whole network stack and the loopback \
                    interface. The bound is the send buffer and the window that the receiver grants; both grow by \
                    themselves unless a size is set. Boundaries are not kept; TCP_NODELAY is set, so nothing waits \
                    for more.",
            guarantees: &[
                "bytes arrive once, in order, unharmed",
                "the same code works between machines",
                "either direction can be closed by itself (shutdown)",
            ],
            failures: &[
                "the peer is gone: the end of the stream on reading; ECONNRESET, then EPIPE on writing",
                "without TCP_NODELAY small messages wait for the acknowledgement of the one before (Nagle)",
                "a port that was in use stays so for a minute (TIME_WAIT)",
                "any user of the machine can connect to a port",
            ],
            loses: false,
            waits: &[Waiting::Block, Waiting::Spin],
        }
    };
}

/// The transport, over one version of the Internet Protocol.
#[derive(Debug)]
pub struct Tcp {
    about: &'static About,
    host: IpAddr,
}

/// Over IPv4.
pub static V4: Tcp = Tcp { about: &about!("tcp4", "TCP, IPv4"), host: IpAddr::V4(Ipv4Addr::LOCALHOST) };
/// Over IPv6.
pub static V6: Tcp = Tcp { about: &about!("tcp6", "TCP, IPv6"), host: IpAddr::V6(Ipv6Addr::LOCALHOST) };

impl Transport for Tcp {
    fn about(&self) -> &'static About {
        self.about
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        let key = self.about.key;
        let (asker, answerer) = self.connected(setup.buffer).map_err(|error| unavailable(key, self.host, &error))?;
        let fault = |error: io::Error| Fault::new(key, format!("cannot make a connection: {error}"));
        let sizes = sizes_of(&asker, &answerer).map_err(fault)?;
        if let Some(bytes) = setup.buffer {
            check(key, bytes, sizes.0, "net.core.wmem_max")?;
            check(key, bytes, sizes.1, "net.core.rmem_max")?;
        }
        let gauge = Both { sender: asker.try_clone().map_err(fault)?, receiver: answerer.try_clone().map_err(fault)? };
        Ok(Ends {
            asker: End::of([asker]),
            answerer: End::of([answerer]),
            buffer: sizes.0 + sizes.1,
            sizes: Sizes::ANY,
            names: Vec::new(),
            gauge: Box::new(gauge),
        })
    }

    fn attach(&self, end: End, setup: &Setup, duty: Duty) -> io::Result<()> {
        let [socket] = end.take()?;
        if setup.wait == Waiting::Spin {
            set_nonblocking(socket.as_fd())?;
        }
        let same = socket.try_clone()?;
        duty.serve(StreamSender(socket), StreamReceiver(same))
    }
}

impl Tcp {
    /// Two connected sockets. The buffers' sizes are set first: the window is
    /// agreed upon when they connect.
    fn connected(&self, buffer: Option<u64>) -> io::Result<(OwnedFd, OwnedFd)> {
        let new = || -> io::Result<OwnedFd> {
            let socket = socket_of(self.host, SocketType::STREAM)?;
            if let Some(bytes) = buffer {
                let size = usize::try_from(bytes).unwrap_or(usize::MAX).min(i32::MAX as usize);
                set_socket_send_buffer_size(&socket, size)?;
                set_socket_recv_buffer_size(&socket, size)?;
            }
            Ok(socket)
        };
        let (listener, asker) = (new()?, new()?);
        bind(&listener, &SocketAddr::new(self.host, 0))?;
        listen(&listener, 1)?;
        connect(&asker, &getsockname(&listener)?)?;
        // Whoever else connects to the port is not taken for our own.
        let ours = getsockname(&asker)?;
        let answerer = loop {
            let (accepted, from) = rustix::net::acceptfrom_with(&listener, SocketFlags::CLOEXEC)?;
            if from.as_ref() == Some(&ours) {
                break accepted;
            }
        };
        for socket in [&asker, &answerer] {
            set_tcp_nodelay(socket, true)?;
        }
        Ok((asker, answerer))
    }
}

/// A socket for this version of the Internet Protocol.
pub(super) fn socket_of(host: IpAddr, kind: SocketType) -> io::Result<OwnedFd> {
    let family = if host.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    Ok(socket_with(family, kind, SocketFlags::CLOEXEC, None)?)
}

/// Why there is no loopback.
pub(super) fn unavailable(key: &'static str, host: IpAddr, error: &io::Error) -> Fault {
    let hint = if host.is_ipv4() { "bring lo up" } else { "bring lo up, and look at net.ipv6.conf.lo.disable_ipv6" };
    Fault::new(key, format!("cannot connect over {host}: {error}")).hint(hint)
}

/// The kernel doubles what is asked for and silently stops at a limit.
pub(super) fn check(key: &'static str, asked: u64, got: u64, limit: &'static str) -> Result<(), Fault> {
    if got >= asked {
        return Ok(());
    }
    let path = format!("/proc/sys/{}", limit.replace('.', "/"));
    let most = std::fs::read_to_string(path).unwrap_or_default();
    Err(Fault::new(key, format!("a buffer of {asked} bytes is above the limit {limit}, {}", most.trim()))
        .hint(format!("raise {limit}")))
}

fn sizes_of(sender: &OwnedFd, receiver: &OwnedFd) -> io::Result<(u64, u64)> {
    Ok((socket_send_buffer_size(sender)? as u64, socket_recv_buffer_size(receiver)? as u64))
}

/// What the receiver has not read, and what was sent and is not acknowledged.
#[derive(Debug)]
struct Both {
    sender: OwnedFd,
    receiver: OwnedFd,
}

impl Gauge for Both {
    fn fill(&self) -> Option<Fill> {
        let (send, receive) = sizes_of(&self.sender, &self.receiver).ok()?;
        let queued = unsent(self.sender.as_fd()).ok()? + ioctl_fionread(&self.receiver).ok()?;
        Some(Fill { queued, capacity: send + receive, by: Measure::SiocoutqFionread })
    }
}
