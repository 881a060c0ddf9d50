//! Stops and continues of children, as SIGCHLD tells of them.
//!
//! A pidfd says nothing of a stop. SIGCHLD does, with the reason in `si_code`
//! (sigaction(2)); ends come by pidfds, so they wake nobody here a second time.
//! But signals of one number do not queue: one that tells of an end may stand
//! for a stop as well. Such a one leaves a mark, to be looked at with whatever
//! wakes the thread next.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{EventfdFlags, eventfd};
use signal_hook_registry::{SigId, register_sigaction, unregister};

/// Hears SIGCHLD as long as it lives; other handlers run too.
#[derive(Debug)]
pub struct Stops {
    /// Readable once a child stopped or went on.
    bell: Arc<OwnedFd>,
    /// A child ended, and another may have stopped at the same time.
    mark: Arc<AtomicBool>,
    handler: SigId,
}

impl Stops {
    /// Begins to hear.
    ///
    /// # Errors
    /// Where there are no descriptors left, or the handler cannot be set.
    pub fn hear() -> io::Result<Self> {
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let mark = Arc::new(AtomicBool::new(false));
        let (ring, leave) = (bell.clone(), mark.clone());
        let action = move |info: &libc::siginfo_t| match info.si_code {
            libc::CLD_EXITED | libc::CLD_KILLED | libc::CLD_DUMPED => leave.store(true, Ordering::Relaxed),
            // A counter that is full is loud enough.
            _ => drop(rustix::io::write(&*ring, &1u64.to_ne_bytes())),
        };
        // SAFETY: a store and a bare system call that leaves errno alone: both
        // async-signal-safe.
        let handler = unsafe { register_sigaction(libc::SIGCHLD, action)? };
        Ok(Stops { bell, mark, handler })
    }

    /// Whether the bell rang since the last time.
    pub fn rang(&self) -> bool {
        rustix::io::read(&*self.bell, &mut [0; 8]).is_ok()
    }

    /// Whether an end left its mark since the last time.
    pub fn marked(&self) -> bool {
        self.mark.swap(false, Ordering::Relaxed)
    }
}

impl AsFd for Stops {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

impl Drop for Stops {
    fn drop(&mut self) {
        unregister(self.handler);
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use rustix::event::{PollFd, PollFlags, poll};
    use rustix::process::{Pid, Signal, kill_process};

    use super::*;

    #[test]
    fn a_stop_rings_and_an_end_leaves_a_mark() {
        let stops = Stops::hear().expect("a handler");
        let mut child = Command::new("sleep").arg("1000").stdout(Stdio::null()).spawn().expect("a child");
        let pid = Pid::from_child(&child);
        kill_process(pid, Signal::STOP).expect("it is stopped");
        // Forever, if nobody rings: the test would not end. The signal interrupts it.
        while !stops.rang() {
            let _ = poll(&mut [PollFd::new(&stops, PollFlags::IN)], None);
        }
        kill_process(pid, Signal::KILL).expect("it is killed");
        child.wait().expect("its end");
        // Whichever thread takes the signal does so in its own time.
        while !stops.marked() {
            std::thread::yield_now();
        }
    }
}
