//! A process that must not outlive another: while [armed](Lifeline::arm), the
//! kernel ends it by SIGIO (fcntl(2), `O_ASYNC`) as soon as anything happens
//! on the socket to the other, above all its closing.
//!
//! This costs the guarded code nothing: no second thread, which would make
//! every system call on a descriptor take a reference, and no parent-death
//! signal, which fires when the parent's *thread* ends.

use std::io;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// Standard input, where a worker's socket is.
#[derive(Debug)]
pub struct Lifeline {
    idle: OFlags,
}

impl Lifeline {
    /// Takes standard input as the lifeline, unarmed. SIGIO gets its default
    /// action, which is to end the process.
    ///
    /// # Errors
    /// Whatever fcntl(2) says.
    pub fn of_stdin() -> io::Result<Self> {
        let idle = fcntl_getfl(rustix::stdio::stdin())? - OFlags::from_bits_retain(libc::O_ASYNC as u32);
        // SAFETY: plain calls with constant arguments; the default action
        // runs no code of ours.
        let owned = unsafe {
            libc::signal(libc::SIGIO, libc::SIG_DFL);
            let mut set = std::mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, libc::SIGIO);
            libc::sigprocmask(libc::SIG_UNBLOCK, &raw const set, std::ptr::null_mut());
            libc::fcntl(0, libc::F_SETOWN, libc::getpid())
        };
        if owned < 0 { Err(io::Error::last_os_error()) } else { Ok(Lifeline { idle }) }
    }

    /// From now on the process ends when something happens.
    ///
    /// # Errors
    /// Whatever fcntl(2) or poll(2) say; `UnexpectedEof` where it has happened
    /// already.
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
