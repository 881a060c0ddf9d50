//! What two tasks share: `kcmp(2)`.
//!
//! The kernel asks for the same permission as for reading both tasks' memory
//! maps, and neither is stopped. A kernel built without `CONFIG_KCMP` does not
//! tell.

use rustix::io::Errno;

use crate::model::Pid;

const KCMP_FILE: libc::c_int = 0;
const KCMP_VM: libc::c_int = 1;
const KCMP_FILES: libc::c_int = 2;
const KCMP_EPOLL_TFD: libc::c_int = 7;

/// Whether two tasks share their memory: threads of one process, or a parent and
/// its child between vfork(2) and execve(2).
///
/// # Errors
/// `EPERM` without permission, `ESRCH` where one is gone, `ENOSYS` where the
/// kernel does not tell.
pub fn share_memory(one: Pid, other: Pid) -> Result<bool, Errno> {
    compare(one, other, KCMP_VM, (0, 0))
}

/// Whether two tasks share their table of descriptors.
///
/// # Errors
/// As [`share_memory`].
pub fn share_descriptors(one: Pid, other: Pid) -> Result<bool, Errno> {
    compare(one, other, KCMP_FILES, (0, 0))
}

/// Whether descriptors of two tasks, each given by its task and number, stand for the
/// same open file: one is a copy of the other (dup(2), fork(2), a socket message).
///
/// # Errors
/// As [`share_memory`]; `EBADF` where a descriptor is not open.
pub fn share_open_file(one: (Pid, i32), other: (Pid, i32)) -> Result<bool, Errno> {
    compare(one.0, other.0, KCMP_FILE, (one.1 as u64, other.1 as u64))
}

/// Whether a descriptor of a task is what the epoll instance behind its descriptor `epoll`
/// has registered by the same number: the `nth` of those, from 0 on, as its fdinfo lists
/// them.
///
/// # Errors
/// As [`share_open_file`]; `ENOENT` where nothing is registered by that number.
pub fn is_registered(task: Pid, fd: i32, epoll: i32, nth: u32) -> Result<bool, Errno> {
    // struct kcmp_epoll_slot
    let slot = [epoll as u32, fd as u32, nth];
    compare(task, task, KCMP_EPOLL_TFD, (fd as u64, slot.as_ptr() as u64))
}

fn compare(one: Pid, other: Pid, what: libc::c_int, index: (u64, u64)) -> Result<bool, Errno> {
    // SAFETY: kcmp takes five numbers, of which the last may be the address of what it reads,
    // alive in the caller, and writes to no memory of ours.
    match unsafe { libc::syscall(libc::SYS_kcmp, one, other, what, index.0, index.1) } {
        0 => Ok(true),
        1..=3 => Ok(false),
        _ => Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::INVAL)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_of_a_descriptor_is_the_same_open_file() {
        use std::os::fd::AsRawFd;
        let me = std::process::id() as Pid;
        let file = std::fs::File::open("/proc/self/status").unwrap();
        let (copy, again) = (file.try_clone().unwrap(), std::fs::File::open("/proc/self/status").unwrap());
        let same = |other: &std::fs::File| share_open_file((me, file.as_raw_fd()), (me, other.as_raw_fd()));
        if same(&copy) == Err(Errno::NOSYS) {
            println!("skipped: this kernel has no kcmp");
            return;
        }
        assert_eq!((same(&copy), same(&again)), (Ok(true), Ok(false)));
        assert_eq!(share_open_file((me, file.as_raw_fd()), (me, 1 << 20)), Err(Errno::BADF));
    }

    #[test]
    fn what_is_registered_by_a_number_is_told_apart_from_what_has_it_now() {
        use std::os::fd::AsRawFd;

        use rustix::event::epoll;
        let me = std::process::id() as Pid;
        let all = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        let (reader, _writer) = std::io::pipe().unwrap();
        let fd = reader.as_raw_fd();
        epoll::add(&all, &reader, epoll::EventData::new_u64(0), epoll::EventFlags::IN).unwrap();
        let asked = |nth| is_registered(me, fd, all.as_raw_fd(), nth);
        if asked(0) == Err(Errno::NOSYS) {
            println!("skipped: this kernel has no kcmp");
            return;
        }
        assert_eq!((asked(0), asked(1)), (Ok(true), Err(Errno::NOENT)));
        let _copy = reader.try_clone().unwrap();
        let (other, _) = std::io::pipe().unwrap();
        // SAFETY: the number stays that of `reader`, which closes what is there then.
        assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), fd) }, fd);
        assert_eq!(asked(0), Ok(false));
    }

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
