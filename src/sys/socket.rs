//! What a socket holds: `SIOCOUTQ` (unix(7), tcp(7)).

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

#[cfg(test)]
mod tests {
    use super::*;
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
