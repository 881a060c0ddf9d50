//! POSIX message queues: `mq_overview(7)`. On Linux a queue's descriptor is a
//! file descriptor like any other; it can be handed over and polled.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::io::Errno;

/// A queue's sizes and how full it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attributes {
    /// How many messages fit.
    pub depth: usize,
    /// The longest message, in bytes.
    pub size: usize,
    /// How many messages are in it.
    pub queued: usize,
}

/// Makes a queue that nobody else has, for reading and writing.
///
/// # Errors
/// `EINVAL` where it is above `fs.mqueue.msg_max` or `msgsize_max`, `EMFILE`
/// where it is above `RLIMIT_MSGQUEUE`, `ENOSPC` above `fs.mqueue.queues_max`.
pub fn make(name: &str, depth: usize, size: usize) -> io::Result<OwnedFd> {
    let name = CString::new(name)?;
    // SAFETY: all fields are numbers, for which zero is valid.
    let mut attributes: libc::mq_attr = unsafe { std::mem::zeroed() };
    (attributes.mq_maxmsg, attributes.mq_msgsize) = (depth as libc::c_long, size as libc::c_long);
    let flags = libc::O_CREAT | libc::O_EXCL | libc::O_RDWR | libc::O_CLOEXEC;
    // SAFETY: a C string, and attributes that outlive the call.
    let fd = unsafe { libc::mq_open(name.as_ptr(), flags, 0o600 as libc::mode_t, &raw const attributes) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just opened it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Asks a queue what it is.
///
/// # Errors
/// `EBADF` where it is none.
pub fn attributes(queue: BorrowedFd<'_>) -> io::Result<Attributes> {
    // SAFETY: as in `make`.
    let mut attributes: libc::mq_attr = unsafe { std::mem::zeroed() };
    // SAFETY: `attributes` is our own to write to.
    if unsafe { libc::mq_getattr(queue.as_raw_fd(), &raw mut attributes) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Attributes {
        depth: attributes.mq_maxmsg as usize,
        size: attributes.mq_msgsize as usize,
        queued: attributes.mq_curmsgs as usize,
    })
}

/// Sends a message; all have the same priority, so they keep their order.
///
/// # Errors
/// `EMSGSIZE` where it is too long, `EAGAIN` where the queue is full and the
/// descriptor does not block, `EINTR`.
#[inline]
pub fn send(queue: BorrowedFd<'_>, message: &[u8]) -> Result<(), Errno> {
    // SAFETY: the kernel reads no more than the slice.
    let done = unsafe { libc::mq_send(queue.as_raw_fd(), message.as_ptr().cast(), message.len(), 0) };
    if done < 0 { Err(last()) } else { Ok(()) }
}

/// Takes a message and returns its length. The buffer must hold the longest
/// one that the queue takes.
///
/// # Errors
/// `EMSGSIZE` where the buffer is too short, `EAGAIN` where the queue is empty
/// and the descriptor does not block, `EINTR`.
#[inline]
pub fn receive(queue: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the kernel writes no more than the slice.
    let got =
        unsafe { libc::mq_receive(queue.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), std::ptr::null_mut()) };
    usize::try_from(got).map_err(|_| last())
}

fn last() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::names::Name;
    use std::os::fd::AsFd;

    #[test]
    fn messages_come_whole_and_in_order_and_the_name_goes() {
        let name = format!("/syncscope-test-{}", std::process::id());
        let queue = make(&name, 4, 100).unwrap();
        assert!(make(&name, 4, 100).is_err(), "it is ours alone");
        Name::PosixQueue(name.clone().into()).remove().unwrap();
        send(queue.as_fd(), b"one").unwrap();
        send(queue.as_fd(), b"three").unwrap();
        assert_eq!(attributes(queue.as_fd()).unwrap(), Attributes { depth: 4, size: 100, queued: 2 });
        let mut buffer = [0; 100];
        assert_eq!(receive(queue.as_fd(), &mut buffer), Ok(3));
        assert_eq!(receive(queue.as_fd(), &mut buffer), Ok(5));
        assert_eq!(&buffer[..5], b"three");
        assert_eq!(receive(queue.as_fd(), &mut buffer[..99]), Err(Errno::MSGSIZE));
        assert_eq!(send(queue.as_fd(), &[0; 101]), Err(Errno::MSGSIZE));
    }
}
