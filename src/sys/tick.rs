//! Interrupting a thread that waits in the kernel, again and again:
//! `timer_create(2)` with `SIGEV_THREAD_ID`.
//!
//! Some waits do not end when the process that would end them is gone (an
//! eventfd, a message queue, a UDP socket). While a [`Tick`] is armed, such a
//! call returns `EINTR` every [`TICK`], so that the caller can look around. No
//! second thread is needed, and none of the calls takes a time-out, which
//! would cost each of them a timer.

use std::io;
use std::time::Duration;

use nix::sys::signal::{SigEvent, SigevNotify, Signal};
use nix::sys::time::TimeSpec;
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::ClockId;

use crate::model::{Nanos, Pid};

/// How often.
pub const TICK: Nanos = Nanos::from_millis(50);

/// Nobody else here uses it, and its handler does nothing.
const SIGNAL: Signal = Signal::SIGVTALRM;

/// Interrupts the thread that made it, while armed.
#[derive(Debug)]
pub struct Tick(Timer);

impl Tick {
    /// Makes one for the calling thread, unarmed.
    ///
    /// # Errors
    /// Whatever sigaction(2) or `timer_create(2)` say; `EAGAIN` where
    /// `RLIMIT_SIGPENDING` is used up.
    pub fn new() -> io::Result<Self> {
        heed()?;
        let thread_id = rustix::thread::gettid().as_raw_nonzero().get();
        let event = SigEvent::new(SigevNotify::SigevThreadId { signal: SIGNAL, thread_id, si_value: 0 });
        Ok(Tick(Timer::new(ClockId::CLOCK_MONOTONIC, event)?))
    }

    /// From now on.
    ///
    /// # Errors
    /// Whatever `timer_settime(2)` says.
    pub fn arm(&mut self) -> io::Result<()> {
        self.set(TICK.into())
    }

    /// No longer.
    ///
    /// # Errors
    /// Whatever `timer_settime(2)` says.
    pub fn disarm(&mut self) -> io::Result<()> {
        self.set(Duration::ZERO)
    }

    fn set(&mut self, every: Duration) -> io::Result<()> {
        let every = Expiration::Interval(TimeSpec::from_duration(every));
        Ok(self.0.set(every, TimerSetTimeFlags::empty())?)
    }
}

/// Interrupts another thread of this process, once, if it waits in the kernel.
///
/// # Errors
/// Whatever sigaction(2) or tgkill(2) say; `ESRCH` where there is no such thread.
pub fn interrupt(thread: Pid) -> io::Result<()> {
    heed()?;
    // SAFETY: three numbers.
    match unsafe { libc::syscall(libc::SYS_tgkill, std::process::id(), thread, SIGNAL as libc::c_int) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// From now on the signal interrupts, and does nothing else.
fn heed() -> io::Result<()> {
    // SAFETY: a handler that does nothing, on values of our own; without
    // SA_RESTART the interrupted call returns.
    let done = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = nothing as *const () as libc::sighandler_t;
        libc::sigaction(SIGNAL as libc::c_int, &raw const action, std::ptr::null_mut())
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

extern "C" fn nothing(_signal: libc::c_int) {}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn a_wait_without_end_is_interrupted_while_it_is_armed() {
        let (reader, _writer) = io::pipe().unwrap();
        let mut tick = Tick::new().unwrap();
        for _ in 0..2 {
            tick.arm().unwrap();
            for _ in 0..2 {
                assert_eq!(rustix::io::read(&reader, &mut [0; 1]), Err(Errno::INTR));
            }
            tick.disarm().unwrap();
        }
        let begin = crate::sys::clock::monotonic();
        std::thread::sleep(Duration::from_millis(120));
        assert!(crate::sys::clock::monotonic() - begin >= Nanos::from_millis(120));
    }
}
