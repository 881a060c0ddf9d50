//! System V message queues and shared memory: sysvipc(7).
//!
//! They are made under a key, which is known before they are there, so that
//! who is to remove them can be told first.

use std::io;
use std::ptr::NonNull;

use rustix::io::Errno;

/// Makes a message queue under a key that nobody uses; returns its id.
///
/// # Errors
/// `EEXIST` where the key is in use, `ENOSPC` above `kernel.msgmni`.
pub fn make_queue(key: i32) -> io::Result<i32> {
    // SAFETY: two numbers.
    id(unsafe { libc::msgget(key, libc::IPC_CREAT | libc::IPC_EXCL | 0o600) })
}

/// Makes a segment of `len` bytes, all zero, under a key that nobody uses;
/// returns its id.
///
/// # Errors
/// `EEXIST` where the key is in use, `EINVAL` above `kernel.shmmax`, `ENOSPC`
/// above `kernel.shmmni` or `kernel.shmall`, `ENOMEM`.
pub fn make_segment(key: i32, len: usize) -> io::Result<i32> {
    // SAFETY: three numbers.
    id(unsafe { libc::shmget(key, len, libc::IPC_CREAT | libc::IPC_EXCL | 0o600) })
}

/// The id of the segment that somebody made under this key.
///
/// # Errors
/// `ENOENT` where there is none.
pub fn segment(key: i32) -> io::Result<i32> {
    // SAFETY: three numbers.
    id(unsafe { libc::shmget(key, 0, 0) })
}

fn id(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// How full a message queue is, and how full it may be, in bytes.
///
/// # Errors
/// `EINVAL` or `EIDRM` where it is gone.
pub fn queue_fill(queue: i32) -> io::Result<(u64, u64)> {
    let state = queue_state(queue)?;
    // `msg_cbytes`, which POSIX does not know, has a reserved name.
    Ok((state.__msg_cbytes, state.msg_qbytes))
}

/// Sets how many bytes a message queue may hold.
///
/// # Errors
/// `EPERM` above `kernel.msgmnb` without `CAP_SYS_RESOURCE`.
pub fn resize_queue(queue: i32, bytes: u64) -> io::Result<()> {
    let mut state = queue_state(queue)?;
    state.msg_qbytes = bytes;
    // SAFETY: `state` is our own and whole.
    if unsafe { libc::msgctl(queue, libc::IPC_SET, &raw mut state) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn queue_state(queue: i32) -> io::Result<libc::msqid_ds> {
    // SAFETY: numbers alone, for which zero is valid.
    let mut state: libc::msqid_ds = unsafe { std::mem::zeroed() };
    // SAFETY: `state` is our own to write to.
    if unsafe { libc::msgctl(queue, libc::IPC_STAT, &raw mut state) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(state)
}

/// The buffer that the calls want: the message's type, then its bytes.
#[derive(Debug)]
pub struct Envelope {
    words: Vec<libc::c_long>,
}

const WORD: usize = size_of::<libc::c_long>();

impl Envelope {
    /// One that holds up to `size` bytes.
    pub fn new(size: usize) -> Self {
        let mut words = vec![0; 1 + size.div_ceil(WORD)];
        // The type must be positive.
        words[0] = 1;
        Envelope { words }
    }

    fn room(&self) -> usize {
        (self.words.len() - 1) * WORD
    }

    /// Sends a message through `queue`.
    ///
    /// # Errors
    /// `EINVAL` where it is too long for the queue, `E2BIG` for the envelope;
    /// `EAGAIN` where the queue is full and `waits` is not set; `EIDRM` where
    /// it was removed; `EINTR`.
    #[inline]
    pub fn send(&mut self, queue: i32, message: &[u8], waits: bool) -> Result<(), Errno> {
        if message.len() > self.room() {
            return Err(Errno::TOOBIG);
        }
        // SAFETY: the bytes behind the type have room for the message, as was
        // just looked at, and the kernel reads no further.
        let done = unsafe {
            let body: *mut u8 = self.words.as_mut_ptr().add(1).cast();
            body.copy_from_nonoverlapping(message.as_ptr(), message.len());
            libc::msgsnd(queue, self.words.as_ptr().cast(), message.len(), flags(waits))
        };
        if done < 0 { Err(last()) } else { Ok(()) }
    }

    /// Takes the next message from `queue` into `message` and returns how long
    /// it was.
    ///
    /// # Errors
    /// `E2BIG` where it is longer than the slice or the envelope; the others
    /// as in [`Envelope::send`].
    #[inline]
    pub fn receive(&mut self, queue: i32, message: &mut [u8], waits: bool) -> Result<usize, Errno> {
        if message.len() > self.room() {
            return Err(Errno::TOOBIG);
        }
        // SAFETY: as in `send`; the kernel writes no more than `message.len()`
        // bytes and says how many.
        let got = unsafe {
            let got = libc::msgrcv(queue, self.words.as_mut_ptr().cast(), message.len(), 0, flags(waits));
            let body: *const u8 = self.words.as_ptr().add(1).cast();
            body.copy_to_nonoverlapping(message.as_mut_ptr(), usize::try_from(got).unwrap_or(0));
            got
        };
        usize::try_from(got).map_err(|_| last())
    }
}

fn flags(waits: bool) -> libc::c_int {
    if waits { 0 } else { libc::IPC_NOWAIT }
}

fn last() -> Errno {
    match Errno::from_io_error(&io::Error::last_os_error()) {
        // What IPC_NOWAIT says of an empty queue.
        Some(Errno::NOMSG) => Errno::AGAIN,
        Some(error) => error,
        None => Errno::INVAL,
    }
}

/// Attaches a segment; it stays so until [`detach`].
///
/// # Errors
/// `EINVAL` or `EIDRM` where it is gone.
pub(super) fn attach(segment: i32) -> io::Result<(NonNull<u8>, usize)> {
    // SAFETY: numbers alone, for which zero is valid.
    let mut state: libc::shmid_ds = unsafe { std::mem::zeroed() };
    // SAFETY: `state` is our own to write to.
    if unsafe { libc::shmctl(segment, libc::IPC_STAT, &raw mut state) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a fresh attachment at an address of the kernel's choice.
    let start = unsafe { libc::shmat(segment, std::ptr::null(), 0) };
    if start.addr() == usize::MAX {
        return Err(io::Error::last_os_error());
    }
    let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::InvalidData)?;
    Ok((start, state.shm_segsz))
}

/// Detaches a segment.
///
/// # Safety
/// `start` came from [`attach`], and nobody uses the memory any more.
pub(super) unsafe fn detach(start: NonNull<u8>) {
    // SAFETY: the caller says so.
    let _ = unsafe { libc::shmdt(start.as_ptr().cast()) };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::names::Name;

    #[test]
    fn a_queue_is_made_under_a_key_and_removed_by_it() {
        let key = 0x5ca1_0000 | (std::process::id() as i32 & 0xffff);
        let queue = make_queue(key).unwrap();
        assert!(make_queue(key).is_err(), "it is ours alone");
        let mut envelope = Envelope::new(10);
        envelope.send(queue, b"hello", true).unwrap();
        assert_eq!(queue_fill(queue).unwrap().0, 5);
        let mut got = [0; 10];
        assert_eq!(envelope.receive(queue, &mut got, true), Ok(5));
        assert_eq!(&got[..5], b"hello");
        assert_eq!(envelope.receive(queue, &mut got, false), Err(Errno::AGAIN));
        assert_eq!(envelope.send(queue, &[0; 17], true), Err(Errno::TOOBIG));
        for _ in 0..2 {
            Name::SysvQueueKey(key).remove().unwrap();
            assert!(queue_fill(queue).is_err());
        }
    }
}
