//! How children end, stop and go on: waitid(2) by pidfd.
//!
//! Waiting by `P_PIDFD` takes notice of one child only: nobody else's is
//! stolen, and a recycled pid is never meant.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

use crate::model::child::Usage;
use crate::model::life::Exit;
use crate::model::process::Switches;
use crate::model::{Bytes, Nanos};

/// What became of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A signal stopped it.
    Stopped(i32),
    /// It goes on.
    Continued,
}

/// Reaps a child that has ended; `None` where it has not. The wall time of the
/// usage is left at zero: only the caller knows the beginning.
///
/// # Errors
/// `ECHILD` where it was reaped before.
pub fn try_wait(pidfd: &impl AsFd) -> Result<Option<(Exit, Usage)>, Errno> {
    let Some((info, usage)) = waitid(pidfd, libc::WEXITED | libc::WNOHANG)? else { return Ok(None) };
    Ok(Some((exit(info), usage)))
}

/// Waits until a child ends, and reaps it.
///
/// # Errors
/// `ECHILD` where it was reaped before.
pub fn wait(pidfd: &impl AsFd) -> Result<(Exit, Usage), Errno> {
    loop {
        match waitid(pidfd, libc::WEXITED) {
            Ok(Some((info, usage))) => return Ok((exit(info), usage)),
            Ok(None) | Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

/// Whether a child was stopped or continued since the last time; the latest
/// of both. Never blocks.
///
/// # Errors
/// `ECHILD` where it was reaped.
pub fn change(pidfd: &impl AsFd) -> Result<Option<Change>, Errno> {
    let Some((info, _)) = waitid(pidfd, libc::WSTOPPED | libc::WCONTINUED | libc::WNOHANG)? else { return Ok(None) };
    Ok(Some(if info.code == libc::CLD_CONTINUED { Change::Continued } else { Change::Stopped(info.status) }))
}

#[derive(Clone, Copy)]
struct Info {
    code: i32,
    status: i32,
}

fn exit(info: Info) -> Exit {
    match info.code {
        libc::CLD_EXITED => Exit { code: Some(info.status), signal: None, core: false },
        code => Exit { code: None, signal: Some(info.status), core: code == libc::CLD_DUMPED },
    }
}

fn waitid(pidfd: &impl AsFd, options: i32) -> Result<Option<(Info, Usage)>, Errno> {
    let mut info = MaybeUninit::<libc::siginfo_t>::zeroed();
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    let fd = pidfd.as_fd().as_raw_fd();
    // The C library's wrapper lacks the fifth argument.
    // SAFETY: the kernel writes a siginfo_t and a rusage.
    let result =
        unsafe { libc::syscall(libc::SYS_waitid, libc::P_PIDFD, fd, info.as_mut_ptr(), options, usage.as_mut_ptr()) };
    if result < 0 {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::CHILD));
    }
    // SAFETY: both were zeroed, which is valid, and perhaps written.
    let (info, usage) = unsafe { (info.assume_init(), usage.assume_init()) };
    // SAFETY: of a SIGCHLD siginfo, or all zero where nothing is to be told.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    Ok((pid != 0).then(|| (Info { code: info.si_code, status }, translate(&usage))))
}

/// Our own peak, which a child that we start inherits (`exec_mmap` in the
/// kernel's `fs/exec.c`).
fn own_max_rss() -> libc::c_long {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: writes one rusage; zeroed memory is a valid one.
    unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init().ru_maxrss
    }
}

fn translate(usage: &libc::rusage) -> Usage {
    let nanos = |time: libc::timeval| Nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_usec as u64 * 1_000);
    Usage {
        wall: Nanos::ZERO,
        user: nanos(usage.ru_utime),
        system: nanos(usage.ru_stime),
        max_rss: Bytes(usage.ru_maxrss as u64 * 1024),
        max_rss_is_ours: usage.ru_maxrss <= own_max_rss(),
        switches: Switches { voluntary: usage.ru_nvcsw as u64, involuntary: usage.ru_nivcsw as u64 },
        minor_faults: usage.ru_minflt as u64,
        major_faults: usage.ru_majflt as u64,
    }
}

/// Ends whatever is left of a child when it goes out of scope of a test.
#[cfg(test)]
pub(crate) fn kill_and_wait(pidfd: &impl AsFd) -> (Exit, Usage) {
    rustix::process::pidfd_send_signal(pidfd, rustix::process::Signal::KILL).unwrap();
    wait(pidfd).unwrap()
}
