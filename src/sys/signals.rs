//! Signals as messages instead of interruptions: signalfd(2).

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::io::Errno;

/// Whether the program was started to ignore SIGCHLD.
static CHILDREN_IGNORED: AtomicBool = AtomicBool::new(false);

/// Takes SIGCHLD as usual though the program was started to ignore it: then the
/// kernel reaps each child itself, nobody learns how it ended, and its number is
/// free while we still think it is ours (waitpid(2), NOTES). To be called before
/// the first child is started.
pub fn heed_children() {
    // SAFETY: the default action runs no code of ours.
    let before = unsafe { signal(Signal::SIGCHLD, SigHandler::SigDfl) };
    CHILDREN_IGNORED.store(matches!(before, Ok(SigHandler::SigIgn)), Ordering::Relaxed);
}

/// Whether the programs that we start are to ignore SIGCHLD, as we found it.
pub fn children_were_ignored() -> bool {
    CHILDREN_IGNORED.load(Ordering::Relaxed)
}

/// Signals that are read instead of acted upon, as long as this lives. They
/// are blocked in the thread that made it and in those it starts afterwards;
/// other threads must not exist yet.
#[derive(Debug)]
pub struct Signals {
    descriptor: SignalFd,
    blocked: SigSet,
}

/// A signal that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived {
    /// Its number.
    pub number: i32,
    /// Whether the kernel sent it, as for Ctrl-C, and not a process.
    pub by_kernel: bool,
}

impl Signals {
    /// Takes these signals over, save those that the program was started to
    /// ignore: under nohup(1), SIGHUP stays ignored.
    ///
    /// # Errors
    /// Whatever signalfd(2) says.
    pub fn take(wanted: &[Signal]) -> Result<Self, Errno> {
        let ignored = ignored();
        let heard = wanted.iter().filter(|signal| ignored >> (**signal as i32 - 1) & 1 == 0);
        let blocked: SigSet = heard.copied().collect();
        let failed = |error: nix::errno::Errno| Errno::from_raw_os_error(error as i32);
        blocked.thread_block().map_err(failed)?;
        let descriptor = SignalFd::with_flags(&blocked, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK);
        Ok(Signals { descriptor: descriptor.map_err(failed)?, blocked })
    }

    /// The next one, if one came.
    pub fn next(&self) -> Option<Arrived> {
        let info = self.descriptor.read_signal().ok()??;
        Some(Arrived { number: info.ssi_signo as i32, by_kernel: info.ssi_code > 0 })
    }

    /// From now on they act as ever on this thread.
    pub fn give_back(&self) {
        // Can only fail for a wrong argument.
        let _ = self.blocked.thread_unblock();
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// The signals that are ignored, bit n − 1 for signal n; `/proc/self/status`.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}
