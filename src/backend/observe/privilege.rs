//! A refusal in words, and the way out of it, as it depends on what this program may do already.
//!
//! To read another's system call, memory or descriptors takes the same user and
//! a process that may be dumped, or `CAP_SYS_PTRACE` (ptrace(2), "Ptrace access
//! mode checking"; capabilities(7)). Who has that and is refused nevertheless
//! gains nothing by becoming root.

use rustix::io::Errno;
use rustix::thread::{CapabilitySet, capabilities};

/// What is left where the capability did not help.
const IN_SPITE: &str = "in spite of CAP_SYS_PTRACE: a security module or a user namespace forbids it";

/// An error of the kernel in words, with its name.
pub fn explain(error: Errno) -> String {
    match error {
        Errno::ACCESS => "permission denied (EACCES)".to_owned(),
        Errno::PERM => "not permitted (EPERM)".to_owned(),
        Errno::NOENT => "there is no such file (ENOENT)".to_owned(),
        Errno::NOTDIR => "it is not a directory (ENOTDIR)".to_owned(),
        Errno::INVAL => "the kernel's answer is not understood (EINVAL)".to_owned(),
        Errno::MFILE => "too many open descriptors (EMFILE)".to_owned(),
        other => std::io::Error::from(other).to_string(),
    }
}

/// Whether this program has `CAP_SYS_PTRACE`.
pub fn may_trace() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_PTRACE))
}

/// The advice for a refusal that `CAP_SYS_PTRACE` would lift.
pub fn advice(may_trace: bool, without: &'static str) -> &'static str {
    if may_trace { IN_SPITE } else { without }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_who_is_root_is_told_to_become_root() {
        assert_eq!(advice(false, "run as root"), "run as root");
        assert!(advice(true, "run as root").contains("in spite of CAP_SYS_PTRACE"));
    }

    #[test]
    fn the_kernel_says_the_same_of_us() {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap();
        let effective = u64::from_str_radix(line.trim(), 16).unwrap();
        // CAP_SYS_PTRACE is number 19, linux/capability.h.
        assert_eq!(may_trace(), effective >> 19 & 1 == 1);
    }
}
