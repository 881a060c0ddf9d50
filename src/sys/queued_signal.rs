//! Real-time signals that carry a value: sigqueue(3), sigwaitinfo(2),
//! signal(7). They queue, in order, up to `RLIMIT_SIGPENDING` of a user.
//!
//! They go to a pidfd, so a recycled pid is never hit; with `PIDFD_THREAD`
//! (Linux 6.9) to a single thread.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;

/// A descriptor of the calling thread, or where the kernel knows none, of its
/// process.
///
/// # Errors
/// Whatever `pidfd_open(2)` says.
pub fn myself() -> io::Result<OwnedFd> {
    let open = |id: i32, flags: libc::c_int| {
        // SAFETY: two numbers.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, id, flags) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel has just opened it for us.
        Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
    };
    // PIDFD_THREAD has the number of O_EXCL.
    open(rustix::thread::gettid().as_raw_pid(), libc::O_EXCL).or_else(|_| open(std::process::id() as i32, 0))
}

/// Keeps a signal from being delivered to the calling thread, so that it can
/// wait for it.
///
/// # Errors
/// `EINVAL` where there is no such signal.
pub fn block(signal: i32) -> io::Result<()> {
    let set = set_of(signal);
    // SAFETY: a set of our own.
    match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut()) } {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

/// `siginfo_t` as `<asm-generic/siginfo.h>` lays it out for `SI_QUEUE` where
/// pointers have 64 bits.
#[repr(C)]
struct Info {
    signal: i32,
    error: i32,
    code: i32,
    pad: i32,
    pid: i32,
    user: u32,
    value: u64,
    rest: [u64; 12],
}

const _: () = assert!(size_of::<Info>() == size_of::<libc::siginfo_t>());

/// Queues a signal with a value.
///
/// # Errors
/// `EAGAIN` where `RLIMIT_SIGPENDING` is reached, `ESRCH` where the target is
/// gone, `EPERM`.
#[inline]
pub fn send(target: BorrowedFd<'_>, signal: i32, value: u64) -> Result<(), Errno> {
    let (pid, user) = (std::process::id() as i32, rustix::process::getuid().as_raw());
    let info = Info { signal, error: 0, code: libc::SI_QUEUE, pad: 0, pid, user, value, rest: [0; 12] };
    // SAFETY: the kernel reads one siginfo, which is our own.
    let done = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, target.as_raw_fd(), signal, &raw const info, 0) };
    if done < 0 { Err(last()) } else { Ok(()) }
}

/// Takes the value of the next such signal, which must be
/// [blocked](block); waits for it if `waits`.
///
/// # Errors
/// `EINTR` where another signal came first, `EAGAIN` where none is there.
#[inline]
pub fn receive(signal: i32, waits: bool) -> Result<u64, Errno> {
    let set = set_of(signal);
    let mut info = MaybeUninit::<libc::siginfo_t>::uninit();
    let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let timeout = if waits { std::ptr::null() } else { &raw const now };
    // SAFETY: all three are our own and outlive the call; the value is a plain
    // number whoever sent it.
    unsafe {
        if libc::sigtimedwait(&raw const set, info.as_mut_ptr(), timeout) < 0 {
            return Err(last());
        }
        Ok(info.assume_init().si_value().sival_ptr.addr() as u64)
    }
}

fn set_of(signal: i32) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the set; a signal that is none changes
    // nothing.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        libc::sigaddset(set.as_mut_ptr(), signal);
        set.assume_init()
    }
}

fn last() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn values_queue_in_order_for_the_thread_that_waits() {
        let signal = libc::SIGRTMIN() + 9;
        std::thread::spawn(move || {
            block(signal).unwrap();
            let me = myself().unwrap();
            for value in [1, u64::MAX, 0x0123_4567_89ab_cdef] {
                send(me.as_fd(), signal, value).unwrap();
            }
            assert_eq!(receive(signal, true), Ok(1));
            assert_eq!(receive(signal, true), Ok(u64::MAX));
            assert_eq!(receive(signal, false), Ok(0x0123_4567_89ab_cdef));
            assert_eq!(receive(signal, false), Err(Errno::AGAIN));
        })
        .join()
        .unwrap();
    }
}
