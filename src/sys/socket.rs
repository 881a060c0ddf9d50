//! What a socket holds: `SIOCOUTQ` (unix(7), tcp(7)) and `SO_MEMINFO`
//! (`<linux/sock_diag.h>`).

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// How much was sent and not yet received, in the units of `SO_SNDBUF`; of a
/// Unix socket that is the kernel's memory for it, bookkeeping included.
///
/// # Errors
/// Whatever ioctl(2) says; `ENOTTY` where `socket` is none.
pub fn unsent(socket: BorrowedFd<'_>) -> io::Result<u64> {
    let mut queued: libc::c_int = 0;
    // SAFETY: the request writes one int, into `queued`. TIOCOUTQ is the same
    // number.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut queued) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(u64::try_from(queued).unwrap_or(0)) }
}

/// The memory of what a socket has received and nobody has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// How much there is, bookkeeping included.
    pub queued: u64,
    /// What there may be: `SO_RCVBUF`.
    pub limit: u64,
    /// How many messages were dropped for want of it.
    pub drops: u32,
}

/// Asks a socket for it.
///
/// # Errors
/// Whatever getsockopt(2) says; `ENOPROTOOPT` before Linux 4.12.
pub fn received(socket: BorrowedFd<'_>) -> io::Result<Received> {
    // SK_MEMINFO_RMEM_ALLOC, SK_MEMINFO_RCVBUF, …, SK_MEMINFO_DROPS
    let mut memory = [0_u32; 9];
    let mut length = size_of_val(&memory) as libc::socklen_t;
    // SAFETY: `memory` and `length` are our own, and the kernel writes no more
    // than `length` bytes.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_MEMINFO,
            memory.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Received { queued: u64::from(memory[0]), limit: u64::from(memory[1]), drops: memory[8] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_datagram_socket_has_received_counts_and_so_does_what_it_dropped() {
        let receiver = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        sender.connect(receiver.local_addr().unwrap()).unwrap();
        let empty = received(receiver.as_fd()).unwrap();
        assert_eq!((empty.queued, empty.drops), (0, 0));
        sender.send(&[1; 1000]).unwrap();
        assert!(received(receiver.as_fd()).unwrap().queued >= 1000);
        for _ in 0..2 * empty.limit / 1000 {
            sender.send(&[1; 1000]).unwrap();
        }
        let full = received(receiver.as_fd()).unwrap();
        assert!(full.drops > 0 && full.queued <= 2 * full.limit, "{full:?}");
    }
    use std::io::{Read, Write};
    use std::os::fd::AsFd;

    #[test]
    fn what_was_written_counts_until_it_is_read() {
        let (mut a, mut b) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(unsent(a.as_fd()).unwrap(), 0);
        a.write_all(&[1; 1000]).unwrap();
        assert!(unsent(a.as_fd()).unwrap() >= 1000);
        b.read_exact(&mut [0; 1000]).unwrap();
        assert_eq!(unsent(a.as_fd()).unwrap(), 0);
    }
}
