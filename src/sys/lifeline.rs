//! A process that must not outlive another: while [armed](Lifeline::arm), the
//! kernel tells it by SIGIO (fcntl(2), `O_ASYNC`) that something happened on
//! the socket to the other, and the handler ends it if the socket was closed.
//!
//! The signal alone proves nothing: a sender queues its message first and
//! announces it afterwards, so a reader that was awake may have read the
//! message and armed the lifeline before the announcement arrives.
//!
//! This costs the guarded code nothing: no second thread, which would make
//! every system call on a descriptor take a reference, and no parent-death
//! signal, which fires when the parent's *thread* ends.

use std::ffi::c_int;
use std::io;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// Standard input, where a worker's socket is.
#[derive(Debug)]
pub struct Lifeline {
    idle: OFlags,
}

impl Lifeline {
    /// Takes standard input as the lifeline, unarmed, and SIGIO for its own.
    ///
    /// # Errors
    /// Whatever sigaction(2) or fcntl(2) say.
    pub fn of_stdin() -> io::Result<Self> {
        let idle = fcntl_getfl(rustix::stdio::stdin())? - OFlags::from_bits_retain(libc::O_ASYNC as u32);
        // SAFETY: plain calls on values of our own; `end_if_closed` does only
        // what signal-safety(7) permits.
        let owned = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = end_if_closed as *const () as libc::sighandler_t;
            action.sa_flags = libc::SA_RESTART;
            if libc::sigaction(libc::SIGIO, &raw const action, std::ptr::null_mut()) < 0 {
                return Err(io::Error::last_os_error());
            }
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGIO);
            libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
            libc::fcntl(0, libc::F_SETOWN, libc::getpid())
        };
        if owned < 0 { Err(io::Error::last_os_error()) } else { Ok(Lifeline { idle }) }
    }

    /// From now on the process ends when the socket is closed.
    ///
    /// # Errors
    /// Whatever fcntl(2) or poll(2) say; `UnexpectedEof` where it is closed
    /// already, or the other speaks out of turn.
    pub fn arm(&self) -> io::Result<()> {
        fcntl_setfl(rustix::stdio::stdin(), self.idle | OFlags::from_bits_retain(libc::O_ASYNC as u32))?;
        let stdin = rustix::stdio::stdin();
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        let happened = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))?;
        if happened > 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// From now on it does not.
    ///
    /// # Errors
    /// Whatever fcntl(2) says.
    pub fn disarm(&self) -> io::Result<()> {
        Ok(fcntl_setfl(rustix::stdio::stdin(), self.idle)?)
    }
}

/// The handler of SIGIO: ends the process where standard input was closed.
extern "C" fn end_if_closed(_signal: c_int) {
    let mut socket = libc::pollfd { fd: 0, events: libc::POLLRDHUP, revents: 0 };
    // SAFETY: poll(2) and _exit(2) are safe in a handler, `socket` is our own,
    // and errno is given back to the code that was interrupted as it was.
    unsafe {
        let errno = libc::__errno_location();
        let before = *errno;
        let happened = libc::poll(&raw mut socket, 1, 0);
        if happened > 0 && socket.revents & (libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR) != 0 {
            libc::_exit(128 + libc::SIGIO);
        }
        *errno = before;
    }
}
