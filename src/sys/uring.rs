//! One operation after the other through `io_uring(7)`: what a system call
//! each would do, handed over in a ring that program and kernel share.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use io_uring::{IoUring, opcode, squeue, types};

/// A ring for one operation at a time.
pub struct Uring {
    ring: IoUring,
}

impl std::fmt::Debug for Uring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Uring")
    }
}

impl Uring {
    /// Makes one.
    ///
    /// # Errors
    /// `ENOSYS` before Linux 5.1, `EPERM` where `kernel.io_uring_disabled`
    /// forbids it, `ENOMEM`.
    pub fn new() -> io::Result<Self> {
        // A single thread submits, and waits for what it submitted.
        let ring =
            IoUring::builder().setup_single_issuer().setup_coop_taskrun().build(2).or_else(|error| {
                if error.raw_os_error() == Some(libc::EINVAL) { IoUring::new(2) } else { Err(error) }
            })?;
        Ok(Uring { ring })
    }

    /// Sends some of `bytes` through a socket and returns how many.
    ///
    /// # Errors
    /// As send(2), but `EINTR`.
    #[inline]
    pub fn send(&mut self, socket: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let entry = opcode::Send::new(types::Fd(socket.as_raw_fd()), bytes.as_ptr(), length);
        // SAFETY: socket and bytes are borrowed until `complete` returns, which
        // it does when the kernel is done with them.
        unsafe { self.complete(&entry.flags(libc::MSG_NOSIGNAL).build()) }
    }

    /// Receives some bytes from a socket and returns how many; 0 at the end.
    ///
    /// # Errors
    /// As recv(2), but `EINTR`.
    #[inline]
    pub fn receive(&mut self, socket: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<usize> {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let entry = opcode::Recv::new(types::Fd(socket.as_raw_fd()), bytes.as_mut_ptr(), length);
        // SAFETY: as in `send`.
        unsafe { self.complete(&entry.build()) }
    }

    /// Hands an operation to the kernel and waits until it is complete.
    ///
    /// # Safety
    /// What the operation refers to stays until this returns.
    #[inline]
    unsafe fn complete(&mut self, entry: &squeue::Entry) -> io::Result<usize> {
        loop {
            // SAFETY: the caller says so; the ring is never full, for there is
            // one operation at a time.
            if unsafe { self.ring.submission().push(entry) }.is_err() {
                return Err(io::Error::other("the submission ring is full"));
            }
            match self.wait()? {
                error if error == -libc::EINTR => {}
                error if error < 0 => return Err(io::Error::from_raw_os_error(-error)),
                done => return Ok(done as usize),
            }
        }
    }

    /// Waits for the one completion that is to come.
    #[inline]
    fn wait(&mut self) -> io::Result<i32> {
        loop {
            let entered = self.ring.submit_and_wait(1);
            if let Some(completion) = self.ring.completion().next() {
                return Ok(completion.result());
            }
            match entered {
                Ok(_) => {}
                Err(error) if matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN | libc::EBUSY)) => {}
                // The kernel has not taken the operation: it refers to nothing.
                Err(error) if !self.ring.submission().is_empty() => return Err(error),
                // It has, and must be waited for whatever else it says.
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn bytes_go_through_and_the_end_is_seen() {
        let (a, b) = UnixStream::pair().unwrap();
        let Ok(mut ring) = Uring::new() else {
            println!("not tested: no io_uring here");
            return;
        };
        let mut got = [0; 10];
        for _ in 0..5 {
            assert_eq!(ring.send(a.as_fd(), b"hello").unwrap(), 5);
            assert_eq!(ring.receive(b.as_fd(), &mut got).unwrap(), 5);
            assert_eq!(&got[..5], b"hello");
        }
        drop(a);
        assert_eq!(ring.receive(b.as_fd(), &mut got).unwrap(), 0);
        assert_eq!(ring.send(b.as_fd(), b"x").unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    }
}
