//! What two tasks share: `kcmp(2)`.
//!
//! The kernel asks for the same permission as for reading both tasks' memory
//! maps, and neither is stopped. A kernel built without `CONFIG_KCMP` does not
//! tell.

use rustix::io::Errno;

use crate::model::Pid;

const KCMP_VM: libc::c_int = 1;
const KCMP_FILES: libc::c_int = 2;

/// Whether two tasks share their memory: threads of one process, or a parent and
/// its child between vfork(2) and execve(2).
///
/// # Errors
/// `EPERM` without permission, `ESRCH` where one is gone, `ENOSYS` where the
/// kernel does not tell.
pub fn share_memory(one: Pid, other: Pid) -> Result<bool, Errno> {
    compare(one, other, KCMP_VM)
}

/// Whether two tasks share their table of descriptors.
///
/// # Errors
/// As [`share_memory`].
pub fn share_descriptors(one: Pid, other: Pid) -> Result<bool, Errno> {
    compare(one, other, KCMP_FILES)
}

fn compare(one: Pid, other: Pid, what: libc::c_int) -> Result<bool, Errno> {
    // SAFETY: kcmp takes five numbers and writes to no memory of ours.
    match unsafe { libc::syscall(libc::SYS_kcmp, one, other, what, 0_u64, 0_u64) } {
        0 => Ok(true),
        1..=3 => Ok(false),
        _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_share_and_children_do_not() {
        let me = std::process::id() as Pid;
        let own = std::thread::spawn(|| {
            // SAFETY: gettid has no preconditions.
            let tid = unsafe { libc::gettid() };
            (share_memory(std::process::id() as Pid, tid), share_descriptors(std::process::id() as Pid, tid))
        });
        let own = own.join().unwrap();
        if own.0 == Err(Errno::NOSYS) {
            println!("skipped: this kernel has no kcmp");
            return;
        }
        assert_eq!(own, (Ok(true), Ok(true)));
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        assert_eq!(share_memory(me, child.id() as Pid), Ok(false));
        assert_eq!(share_descriptors(me, child.id() as Pid), Ok(false));
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}
