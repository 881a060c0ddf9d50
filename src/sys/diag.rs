//! Who is connected to whom: the kernel's socket diagnosis over netlink,
//! `sock_diag(7)`, for Unix sockets (`<linux/unix_diag.h>`).
//!
//! ```text
//! request   nlmsghdr 16 | family 1, protocol 1, pad 2, states 4, inode 4, show 4, cookie 8
//! answer    nlmsghdr 16 | family 1, type 1, state 1, pad 1, inode 4, cookie 8 | attributes
//! attribute length 2, type 2, value, padded to 4
//! ```
//!
//! A dump shows the sockets of the caller's own network namespace only.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const UDIAG_SHOW_NAME: u32 = 1;
const UDIAG_SHOW_VFS: u32 = 2;
const UDIAG_SHOW_PEER: u32 = 4;
const UDIAG_SHOW_ICONS: u32 = 8;
const UDIAG_SHOW_RQLEN: u32 = 16;
const UNIX_DIAG_NAME: u16 = 0;
const UNIX_DIAG_VFS: u16 = 1;
const UNIX_DIAG_PEER: u16 = 2;
const UNIX_DIAG_ICONS: u16 = 3;
const UNIX_DIAG_RQLEN: u16 = 4;
const HEADER: usize = 16;
const ANSWER: usize = 16;

/// `TCP_LISTEN` as the kernel numbers a listening Unix socket's state.
pub const LISTENING: u8 = 10;

/// One Unix socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnixSocket {
    /// Its inode, as `socket:[N]` in a descriptor's link says it.
    pub inode: u64,
    /// The inode of the socket it is connected to; it has none before it is accepted.
    pub peer: Option<u64>,
    /// `SOCK_STREAM` 1, `SOCK_DGRAM` 2, `SOCK_SEQPACKET` 5.
    pub kind: u8,
    /// `TCP_ESTABLISHED` 1, [`LISTENING`] 10, unconnected 7.
    pub state: u8,
    /// The path that it is bound to: the lower half of its inode, and the
    /// device as the kernel numbers it (major × 2²⁰ + minor).
    pub bound: Option<(u32, u32)>,
    /// Of one that listens: connections not yet accepted, and how many there may
    /// be before another has to wait.
    pub queue: Option<(u32, u32)>,
    /// Whether anything waits to be received, or anybody to be accepted.
    pub unread: bool,
}

/// What a dump tells.
#[derive(Debug, Default)]
pub struct UnixSockets {
    /// All sockets.
    pub all: Vec<UnixSocket>,
    /// The inodes of those that are connected and wait to be accepted, each with that of the
    /// listening socket at which it waits.
    pub waiting: Vec<(u64, u64)>,
}

/// All Unix sockets of this network namespace.
///
/// # Errors
/// Whatever socket(2), sendto(2) and recv(2) say; `EPROTONOSUPPORT` or `ENOENT`
/// on a kernel without `CONFIG_UNIX_DIAG`.
pub fn unix_sockets() -> io::Result<UnixSockets> {
    let socket = open()?;
    let all = request(NLM_F_DUMP, 0, UDIAG_SHOW_VFS | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS | UDIAG_SHOW_RQLEN);
    sendto(&socket, &all, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    let mut found = UnixSockets::default();
    let mut buffer = vec![0; 32 * 1024];
    while receive(&socket, &mut buffer, &mut found)? {}
    Ok(found)
}

/// Asks the kernel for the names of single Unix sockets.
#[derive(Debug)]
pub struct UnixNames {
    socket: OwnedFd,
    buffer: [u8; 512],
}

impl UnixNames {
    /// Ready to ask.
    ///
    /// # Errors
    /// Whatever socket(2) says.
    pub fn open() -> io::Result<Self> {
        Ok(UnixNames { socket: open()?, buffer: [0; 512] })
    }

    /// What this socket is bound to, as it stands in `sun_path`: a name that
    /// begins with a NUL is in no file system, unix(7). `None` for one that has no
    /// name, or is of another network namespace.
    pub fn of(&mut self, inode: u64) -> Option<Vec<u8>> {
        let one = request(0, u32::try_from(inode).ok()?, UDIAG_SHOW_NAME);
        sendto(&self.socket, &one, SendFlags::empty(), &SocketAddrNetlink::new(0, 0)).ok()?;
        let (count, _) = recv(&self.socket, &mut self.buffer[..], RecvFlags::empty()).ok()?;
        let length = u32_at(&self.buffer, 0)? as usize;
        let message = self.buffer[..count].get(HEADER..length)?;
        if u16_at(&self.buffer, 4) == Some(NLMSG_ERROR) || u64::from(u32_at(message, 4)?) != inode {
            return None;
        }
        let mut name = None;
        attributes(message, |kind, value| {
            if kind == UNIX_DIAG_NAME {
                name = Some(value.to_vec());
            }
        })?;
        name
    }
}

fn open() -> io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(SOCK_DIAG))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_secs(2)))?;
    Ok(socket)
}

/// A request for the socket with this inode, or, as a dump, for all.
fn request(flags: u16, inode: u32, show: u32) -> [u8; HEADER + 24] {
    let mut bytes = [0; HEADER + 24];
    bytes[0..4].copy_from_slice(&((HEADER + 24) as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&(NLM_F_REQUEST | flags).to_ne_bytes());
    bytes[16] = AddressFamily::UNIX.as_raw() as u8;
    bytes[20..24].copy_from_slice(&u32::MAX.to_ne_bytes());
    bytes[24..28].copy_from_slice(&inode.to_ne_bytes());
    bytes[28..32].copy_from_slice(&show.to_ne_bytes());
    // No cookie: any socket.
    bytes[32..40].copy_from_slice(&[0xff; 8]);
    bytes
}

/// Takes one datagram of answers; `false` when the dump is complete.
fn receive(socket: &OwnedFd, buffer: &mut [u8], found: &mut UnixSockets) -> io::Result<bool> {
    let (count, _) = recv(socket, &mut *buffer, RecvFlags::empty())?;
    parse(&buffer[..count], found)
}

fn parse(mut bytes: &[u8], found: &mut UnixSockets) -> io::Result<bool> {
    while let (Some(length), Some(kind)) = (u32_at(bytes, 0), u16_at(bytes, 4)) {
        let length = length as usize;
        if length < HEADER || length > bytes.len() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a netlink message that is cut off"));
        }
        match kind {
            NLMSG_DONE => return Ok(false),
            NLMSG_ERROR => {
                let code = u32_at(bytes, HEADER).unwrap_or(0) as i32;
                return Err(io::Error::from_raw_os_error(-code));
            }
            _ => drop(answer(&bytes[HEADER..length], found)),
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Ok(true)
}

fn answer(bytes: &[u8], found: &mut UnixSockets) -> Option<()> {
    let inode = u64::from(u32_at(bytes, 4)?);
    let (mut peer, mut bound, mut queue) = (None, None, None);
    attributes(bytes, |kind, value| {
        let pair = || u32_at(value, 0).zip(u32_at(value, 4));
        match kind {
            UNIX_DIAG_VFS => bound = pair(),
            // Zero stands for a peer that is gone or not yet accepted.
            UNIX_DIAG_PEER => peer = u32_at(value, 0).map(u64::from).filter(|&inode| inode != 0),
            UNIX_DIAG_RQLEN => queue = pair(),
            UNIX_DIAG_ICONS => {
                let clients = value.chunks_exact(4).filter_map(|client| u32_at(client, 0)).map(u64::from);
                found.waiting.extend(clients.map(|client| (client, inode)));
            }
            _ => {}
        }
    })?;
    let (kind, state) = (*bytes.get(1)?, *bytes.get(2)?);
    let unread = queue.is_some_and(|(waiting, _)| waiting > 0);
    let queue = queue.filter(|_| state == LISTENING);
    found.all.push(UnixSocket { inode, peer, kind, state, bound, queue, unread });
    Some(())
}

/// Hands on each attribute of an answer: its type and its value.
fn attributes<'b>(answer: &'b [u8], mut each: impl FnMut(u16, &'b [u8])) -> Option<()> {
    let mut rest = answer.get(ANSWER..)?;
    while let (Some(length), Some(kind)) = (u16_at(rest, 0), u16_at(rest, 2)) {
        let length = usize::from(length);
        // One whose length is nonsense ends the list.
        let Some(value) = rest.get(4..length) else { break };
        each(kind, value);
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Some(())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn inode(socket: &UnixStream) -> u64 {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
        let text = link.to_string_lossy();
        text.trim_start_matches("socket:[").trim_end_matches(']').parse().unwrap()
    }

    #[test]
    fn a_socket_pair_is_each_others_peer() {
        let (a, b) = UnixStream::pair().unwrap();
        let all = unix_sockets().unwrap().all;
        let of = |inode| all.iter().find(|s| s.inode == inode).unwrap();
        assert_eq!(of(inode(&a)).peer, Some(inode(&b)));
        assert_eq!(of(inode(&b)).peer, Some(inode(&a)));
        assert_eq!((of(inode(&a)).kind, of(inode(&a)).state), (1, 1));
    }

    #[test]
    fn a_client_waits_at_the_listening_socket_until_it_is_accepted() {
        let folder = tempfile::tempdir().unwrap();
        let listener = std::os::unix::net::UnixListener::bind(folder.path().join("s")).unwrap();
        let client = UnixStream::connect(folder.path().join("s")).unwrap();
        let waits_at = || {
            let found = unix_sockets().unwrap();
            let own = found.waiting.iter().find(|(waits, _)| *waits == inode(&client)).map(|(_, at)| *at);
            (own, found.all.iter().find(|socket| socket.inode == inode(&client)).unwrap().peer)
        };
        let copy = UnixStream::from(OwnedFd::from(listener.try_clone().unwrap()));
        assert_eq!(waits_at(), (Some(inode(&copy)), None));
        let (accepted, _) = listener.accept().unwrap();
        assert_eq!(waits_at(), (None, Some(inode(&accepted))));
    }

    #[test]
    fn a_name_is_told_byte_by_byte() {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::{SocketAddr, UnixListener};
        let hostile = format!("syncscope-diag-{}\n\u{1b}[2J", std::process::id());
        let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&hostile).unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let bound = UnixListener::bind(&path).unwrap();
        let client = UnixStream::connect(&path).unwrap();
        let of_fd = |fd| {
            let link = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap();
            link.to_string_lossy().trim_start_matches("socket:[").trim_end_matches(']').parse::<u64>().unwrap()
        };
        let mut names = UnixNames::open().unwrap();
        assert_eq!(names.of(of_fd(listener.as_raw_fd())), Some([b"\0", hostile.as_bytes()].concat()));
        let path = path.to_str().unwrap().as_bytes();
        assert!(names.of(of_fd(bound.as_raw_fd())).unwrap().starts_with(path));
        assert_eq!(names.of(of_fd(client.as_raw_fd())), None, "it has none");
        assert_eq!(names.of(u64::from(u32::MAX)), None, "there is no such socket");
    }

    #[test]
    fn answers_that_are_cut_off_are_errors_not_panics() {
        let mut found = UnixSockets::default();
        assert!(parse(&[200, 0, 0, 0, 20, 0, 0, 0], &mut found).is_err());
        assert!(parse(&[4, 0, 0, 0, 20, 0, 0, 0], &mut found).is_err());
        assert!(matches!(parse(&[1, 0], &mut found), Ok(true)));
        assert!(found.all.is_empty());
        // An attribute whose length is nonsense ends the list.
        assert!(answer(&[0u8; 20], &mut found).is_some() && found.all[0].peer.is_none());
    }
}
