//! Whether a signal does anything to whom it is sent (signal(7)).
//!
//! ```text
//! ignored              SigIgn of proc_pid_status(5)
//! ignored by default   SIGCHLD, SIGURG, SIGWINCH without a handler
//! dropped              SIGTSTP, SIGTTIN, SIGTTOU without a handler in an orphaned
//!                      process group (POSIX 2.4.3), as that of a session's leader is
//! ```

use nix::unistd::getsid;

use crate::model::Pid;
use crate::model::life::Unheard;

/// Why a signal will do nothing to a process of ours that has not been reaped;
/// `None` where it will, or where that cannot be known. The process may change
/// its mind at any time.
pub(super) fn unheard(pid: Pid, signal: i32) -> Option<Unheard> {
    if matches!(signal, libc::SIGKILL | libc::SIGSTOP | libc::SIGCONT) {
        return None;
    }
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let leads = || {
        let session = getsid(Some(nix::unistd::Pid::from_raw(pid)));
        session.is_ok_and(|session| session.as_raw() == pid)
    };
    judge(&status, signal, leads)
}

fn judge(status: &str, signal: i32, leads_its_session: impl Fn() -> bool) -> Option<Unheard> {
    let has = |mask: &str| {
        let hexadecimal = status.lines().find_map(|line| line.strip_prefix(mask))?.trim();
        Some(u64::from_str_radix(hexadecimal, 16).ok()? >> (signal - 1) & 1 == 1)
    };
    if has("SigIgn:")? {
        return Some(Unheard::Ignored);
    }
    if has("SigCgt:")? {
        return None;
    }
    match signal {
        libc::SIGCHLD | libc::SIGURG | libc::SIGWINCH => Some(Unheard::ByDefault),
        libc::SIGTSTP | libc::SIGTTIN | libc::SIGTTOU if leads_its_session() => Some(Unheard::Orphaned),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_nothing_is_known_by_the_masks() {
        let masks = |ignored: i32, caught: i32| {
            format!("Name:\tx\nSigIgn:\t{:016x}\nSigCgt:\t{:016x}\n", 1_u64 << (ignored - 1), 1_u64 << (caught - 1))
        };
        let status = masks(libc::SIGTERM, libc::SIGTTIN);
        let cases = [
            (libc::SIGTERM, true, Some(Unheard::Ignored)),
            (libc::SIGTTIN, true, None),
            (libc::SIGTSTP, true, Some(Unheard::Orphaned)),
            (libc::SIGTSTP, false, None),
            (libc::SIGCHLD, false, Some(Unheard::ByDefault)),
            (libc::SIGUSR1, true, None),
            (64, true, None),
        ];
        for (signal, leads, expected) in cases {
            assert_eq!(judge(&status, signal, || leads), expected, "{signal}");
        }
        assert_eq!(judge("Name:\tx\n", libc::SIGTERM, || true), None, "unknown is not ignored");
    }
}
