//! Processes by descriptor: `pidfd_open(2)`, `pidfd_send_signal(2)`,
//! `waitid(2)` with `P_PIDFD`.
//!
//! A pidfd stands for one process for as long as it is open: once that process
//! is reaped the descriptor answers `ESRCH`, and never means another process
//! that got the same number.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{
    Pid as RawPid, PidfdFlags, PidfdGetfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, waitid,
};

use super::clock;
use crate::model::{Nanos, Pid};

/// Sends a signal, 1 to 64, to all of the process group that `leader` made:
/// kill(2). A group has no descriptor: its number is safe as long as the leader
/// is a child of ours that was not reaped, or the group has members.
///
/// # Errors
/// `EINVAL` as for [`Pidfd::send`], `EPERM` where it may be sent to none of
/// them, `ESRCH` where there is no such group.
pub fn send_to_group(leader: Pid, signal: i32) -> Result<(), Errno> {
    let group = if leader > 0 { RawPid::from_raw(leader) } else { None };
    rustix::process::kill_process_group(group.ok_or(Errno::INVAL)?, sendable(signal)?)
}

/// The signal of this number, where programs may send it.
fn sendable(signal: i32) -> Result<Signal, Errno> {
    match Signal::from_named_raw(signal) {
        Some(named) => Ok(named),
        None if (libc::SIGRTMIN()..=libc::SIGRTMAX()).contains(&signal) => {
            // SAFETY: the C library itself offers the numbers from
            // SIGRTMIN to SIGRTMAX to programs, so this is none of those
            // that it keeps for itself, and it is not zero.
            Ok(unsafe { Signal::from_raw_unchecked(signal) })
        }
        None => Err(Errno::INVAL),
    }
}

/// A process, held by descriptor (close-on-exec).
#[derive(Debug)]
pub struct Pidfd(OwnedFd);

impl Pidfd {
    /// Opens the process that has this number now.
    ///
    /// # Errors
    /// `ESRCH` where there is none, `EINVAL` where the number is not positive
    /// or is that of a thread which leads no process (`ENOENT` since Linux
    /// 6.15), `EMFILE` where no descriptor is left.
    pub fn open(pid: Pid) -> Result<Self, Errno> {
        // Zero and negative numbers mean groups elsewhere; never here.
        let pid = if pid > 0 { RawPid::from_raw(pid) } else { None };
        rustix::process::pidfd_open(pid.ok_or(Errno::INVAL)?, PidfdFlags::empty()).map(Pidfd)
    }

    /// A copy of descriptor `fd` of the process (`pidfd_getfd(2)`): both stand for
    /// the same open file.
    ///
    /// # Errors
    /// `EPERM` without the permission to read its memory, `EBADF` where the
    /// descriptor is not open, `ESRCH` where the process is gone, `ENOSYS` before
    /// Linux 5.6.
    pub fn copy_of(&self, fd: i32) -> Result<OwnedFd, Errno> {
        rustix::process::pidfd_getfd(&self.0, fd, PidfdGetfdFlags::empty())
    }

    /// Sends a signal, 1 to 64, the real-time signals among them.
    ///
    /// # Errors
    /// `EINVAL` where there is no such signal or the C library keeps it for
    /// itself, `EPERM` where it is not permitted, `ESRCH` where the process is
    /// gone.
    pub fn send(&self, signal: i32) -> Result<(), Errno> {
        rustix::process::pidfd_send_signal(&self.0, sendable(signal)?)
    }

    /// Waits until the process has ended, reaped or not; `false` where it has
    /// not within `timeout` (`None` waits for ever).
    ///
    /// # Errors
    /// Whatever poll(2) says, `EINTR` apart.
    pub fn ended(&self, timeout: Option<Duration>) -> Result<bool, Errno> {
        let deadline = timeout.map(|t| clock::monotonic() + Nanos::from(t));
        loop {
            let left = deadline.map(|d| Duration::from(d.since(clock::monotonic())));
            let left = left.map(|l| Timespec { tv_sec: l.as_secs() as i64, tv_nsec: i64::from(l.subsec_nanos()) });
            match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], left.as_ref()) {
                Ok(ready) => return Ok(ready > 0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// What became of a child of ours: `waitid(2)`. With
    /// [`WaitIdOptions::NOHANG`], `None` where there is no news.
    ///
    /// # Errors
    /// `ECHILD` where the process is no child of this one or has been reaped.
    pub fn wait(&self, options: WaitIdOptions) -> Result<Option<WaitIdStatus>, Errno> {
        loop {
            match waitid(WaitId::PidFd(self.0.as_fd()), options) {
                Err(Errno::INTR) => {}
                other => return other,
            }
        }
    }
}

impl From<OwnedFd> for Pidfd {
    /// Takes a descriptor that the kernel gave as a pidfd.
    fn from(fd: OwnedFd) -> Self {
        Pidfd(fd)
    }
}

impl AsFd for Pidfd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_child_is_signalled_awaited_and_reaped() {
        let mut child = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
        let pidfd = Pidfd::open(child.id() as Pid).unwrap();
        assert!(!pidfd.ended(Some(Duration::ZERO)).unwrap());
        assert!(pidfd.wait(WaitIdOptions::EXITED | WaitIdOptions::NOHANG).unwrap().is_none());
        pidfd.send(libc::SIGRTMIN()).unwrap();
        assert!(pidfd.ended(Some(Duration::from_secs(10))).unwrap());
        let status = pidfd.wait(WaitIdOptions::EXITED).unwrap().unwrap();
        assert_eq!(status.terminating_signal(), Some(libc::SIGRTMIN()));
        assert_eq!(pidfd.send(libc::SIGTERM), Err(Errno::SRCH), "a reaped child is never mistaken for another");
        assert_eq!(pidfd.wait(WaitIdOptions::EXITED).unwrap_err(), Errno::CHILD);
        assert!(child.wait().is_err(), "there is nothing left to reap");
    }

    #[test]
    fn numbers_that_mean_groups_and_signals_that_do_not_exist_are_refused() {
        for pid in [0, -1, Pid::MIN] {
            assert_eq!(Pidfd::open(pid).unwrap_err(), Errno::INVAL);
        }
        let me = Pidfd::open(std::process::id() as Pid).unwrap();
        for signal in [-1, 0, 32, 33, 65, 1000] {
            assert_eq!(me.send(signal), Err(Errno::INVAL), "signal {signal}");
        }
    }
}
