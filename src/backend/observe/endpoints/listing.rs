//! The descriptors of processes, as `/proc/PID/fd` lists them (`proc_pid_fd(5)`).

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, openat, readlinkat_raw, statat};
use rustix::io::Errno;

use super::Access;
use crate::backend::observe::privilege::may_trace;
use crate::model::Pid;
use crate::sys::kcmp;
use crate::sys::procroot::ProcRoot;

/// What is called for the directory, process and thread, number and link of a descriptor.
type EachOfAll<'e> = dyn FnMut(&OwnedFd, (Pid, Pid), i32, &[u8]) + 'e;

/// Calls `each` with the directory, process and thread, number and link of every
/// descriptor of every process; returns the processes that may not be read.
pub(super) fn each_descriptor(root: &ProcRoot, each: &mut EachOfAll<'_>) -> Result<Vec<Pid>, Errno> {
    let mut pids = Vec::new();
    numbers(root.directory(), ".", &mut pids)?;
    let hidden = hidden(root, &pids);
    pids.retain(|&pid| !descriptors_of(root, pid, |directory, tid, fd, link| each(directory, (pid, tid), fd, link)));
    pids.extend(hidden);
    Ok(pids)
}

/// A number that stands for all processes that are not among those listed, if any may be
/// hidden (`hidepid` in `proc(5)`): the first of all is, or whoever else is not this user's.
pub(super) fn hidden(root: &ProcRoot, listed: &[Pid]) -> Option<Pid> {
    let mut mounts = Vec::new();
    let mut hides = || root.read_into("self/mountinfo", &mut mounts).is_ok() && hides(&mounts, is_in_group);
    (root.is_real() && (!listed.contains(&1) || !may_trace() && hides())).then_some(0)
}

/// Whether `/proc`, as it is mounted last, hides processes from whoever is not in its group:
/// `22 27 0:21 / /proc rw,relatime - proc proc rw,gid=27,hidepid=invisible`.
fn hides(mounts: &[u8], is_in_group: impl Fn(u32) -> bool) -> bool {
    let mounts = String::from_utf8_lossy(mounts);
    let proc = mounts.lines().rfind(|line| line.split(' ').nth(4) == Some("/proc"));
    let option = |key| proc?.rsplit([' ', ',']).find_map(|option| option.strip_prefix(key));
    let group = option("gid=").and_then(|group| group.parse().ok()).unwrap_or(0);
    // In the strictest way the group makes no difference.
    let how = option("hidepid=").unwrap_or("off");
    !matches!(how, "0" | "off") && (matches!(how, "4" | "ptraceable") || !is_in_group(group))
}

fn is_in_group(group: u32) -> bool {
    let other = rustix::process::getgroups().unwrap_or_default();
    rustix::process::getegid().as_raw() == group || other.iter().any(|other| other.as_raw() == group)
}

/// Calls `each` with the directory, thread, number and link of every descriptor
/// of one process; false where it may not be read.
pub(super) fn descriptors_of(root: &ProcRoot, pid: Pid, mut each: impl FnMut(&OwnedFd, Pid, i32, &[u8])) -> bool {
    each_of(root, pid, &mut each)
}

/// What is called for the directory, thread, number and link of a descriptor.
type Each<'e> = dyn FnMut(&OwnedFd, Pid, i32, &[u8]) + 'e;

/// As [`descriptors_of`], compiled once.
fn each_of(root: &ProcRoot, pid: Pid, each: &mut Each<'_>) -> bool {
    let mut tables = Tables::new(root, pid);
    let mut readable = true;
    match descriptors_in(root, &format!("{pid}/fd"), pid, each) {
        // Its main thread may have ended before others: it has none left.
        Ok(0) => {}
        Ok(_) => tables.seen.push(pid),
        Err(Errno::ACCESS | Errno::PERM) => match who_may_hold(root, pid) {
            Holding::Nobody => return true,
            Holding::Main => return false,
            // Of a main thread that has ended only root may ask anything.
            Holding::Others => (tables.without_main, readable) = (true, false),
        },
        Err(_) => {}
    }
    for tid in tables.others() {
        let read = descriptors_in(root, &format!("{pid}/task/{tid}/fd"), tid, each);
        readable |= read.is_ok();
    }
    readable
}

/// Calls `each` for the descriptors of a thread in one directory; how many there are.
fn descriptors_in(root: &ProcRoot, path: &str, tid: Pid, each: &mut Each<'_>) -> Result<usize, Errno> {
    let mut open = Vec::new();
    let mut link = [0; 512];
    let directory = openat(root.directory(), path, DIRECTORY, Mode::empty())?;
    numbers(&directory, ".", &mut open)?;
    for &fd in &open {
        if let Ok(length) = readlinkat_raw(&directory, decimal(fd).as_str(), &mut link[..]) {
            each(&directory, tid, fd, &link[..length]);
        }
    }
    Ok(open.len())
}

/// The tables of descriptors of one process: mostly one, that all its threads
/// share.
struct Tables<'r> {
    root: &'r ProcRoot,
    pid: Pid,
    /// Threads with different tables, all of which are known.
    seen: Vec<Pid>,
    /// The main thread has ended, and says nothing.
    without_main: bool,
}

impl<'r> Tables<'r> {
    fn new(root: &'r ProcRoot, pid: Pid) -> Self {
        Tables { root, pid, seen: Vec::new(), without_main: false }
    }

    /// The first thread of each further table.
    fn others(mut self) -> Vec<Pid> {
        let task = format!("{}/task", self.pid);
        // A directory has a link for each thread in it, and two of its own.
        let threads =
            statat(self.root.directory(), task.as_str(), AtFlags::empty()).map_or(0, |status| status.st_nlink);
        if threads <= 3 || !self.root.is_real() {
            return Vec::new();
        }
        let (mut tids, mut others) = (Vec::new(), Vec::new());
        let _ = numbers(self.root.directory(), &task, &mut tids);
        tids.sort_unstable();
        tids.retain(|&tid| tid != self.pid || !self.without_main);
        for tid in tids {
            if self.seen.iter().all(|&known| kcmp::share_descriptors(known, tid) == Ok(false)) {
                self.seen.push(tid);
                others.push(tid);
            }
        }
        others
    }
}

/// Whether what the link at `path` below the root leads to is a FIFO. Only a
/// link to a path that says so itself may be followed without waiting for a file
/// server: this one belongs to a thread that waits for it.
pub(in crate::backend::observe) fn is_fifo(root: &ProcRoot, path: &str) -> bool {
    statat(root.directory(), path, AtFlags::empty())
        .is_ok_and(|status| FileType::from_raw_mode(status.st_mode) == FileType::Fifo)
}

/// What the descriptor whose link is at `path` below the root may be used for.
pub(in crate::backend::observe) fn access_of_path(root: &ProcRoot, path: &str) -> Access {
    match statat(root.directory(), path, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(status) => Access { read: status.st_mode & 0o400 != 0, write: status.st_mode & 0o200 != 0 },
        Err(_) => Access { read: false, write: false },
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Lists the entries of a directory that are numbers.
pub(super) fn numbers(parent: &OwnedFd, name: &str, into: &mut Vec<i32>) -> Result<(), Errno> {
    let directory = openat(parent, name, DIRECTORY, Mode::empty())?;
    let mut buffer = Vec::with_capacity(16 * 1024);
    let mut entries = RawDir::new(&directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        into.extend(str::from_utf8(entry.file_name().to_bytes()).ok().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(())
}

/// A number as the name of a file.
pub(super) fn decimal(number: i32) -> String {
    number.to_string()
}

/// `N` of `pipe:[N]`.
pub(in crate::backend::observe) fn inode_in(link: &[u8], prefix: &[u8]) -> Option<u64> {
    str::from_utf8(link.strip_prefix(prefix)?.strip_suffix(b"]")?).ok()?.parse().ok()
}

/// The kernel shows a descriptor's access as the owner's permission bits of its
/// link (`proc_pid_fd(5)`).
pub(super) fn access_of(directory: &OwnedFd, fd: i32) -> Access {
    match statat(directory, decimal(fd).as_str(), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(status) => Access { read: status.st_mode & 0o400 != 0, write: status.st_mode & 0o200 != 0 },
        Err(_) => Access { read: false, write: false },
    }
}

/// Who of a process can have descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holding {
    /// Kernel threads and zombies have none.
    Nobody,
    /// The main thread, and with it mostly all.
    Main,
    /// The main thread has ended before others.
    Others,
}

fn who_may_hold(root: &ProcRoot, pid: Pid) -> Holding {
    let mut content = Vec::new();
    match root.read_into(&format!("{pid}/stat"), &mut content) {
        Ok(()) => {}
        Err(Errno::ACCESS | Errno::PERM) => return Holding::Main,
        Err(_) => return Holding::Nobody,
    }
    let Some(end) = content.iter().rposition(|&byte| byte == b')') else { return Holding::Main };
    let fields = OsStr::from_bytes(&content[end + 1..]).to_string_lossy();
    let mut fields = fields.split_ascii_whitespace();
    let (state, parent) = (fields.next(), fields.next());
    // The number of threads is the twentieth field of all, the first two of which
    // are before these (proc_pid_stat(5)).
    let threads = fields.nth(15).and_then(|threads| threads.parse::<u32>().ok());
    match state {
        _ if pid == 2 || parent == Some("2") => Holding::Nobody,
        Some("Z" | "X") if threads.is_some_and(|threads| threads > 1) => Holding::Others,
        Some("Z" | "X") => Holding::Nobody,
        _ => Holding::Main,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proc_that_hides_processes_is_told_by_its_mount() {
        let proc = |options: &str| {
            let mounts = format!("21 1 0:5 / / rw - ext4 /dev/vda rw\n22 21 0:21 / /proc rw - proc proc {options}\n");
            hides(mounts.as_bytes(), |group| group == 27)
        };
        assert!(proc("rw,hidepid=2") && proc("rw,hidepid=invisible") && proc("rw,gid=5,hidepid=noaccess"));
        assert!(!proc("rw") && !proc("rw,hidepid=0") && !proc("rw,hidepid=off") && !proc("rw,gid=27,hidepid=2"));
        assert!(proc("rw,gid=27,hidepid=ptraceable"));
        assert!(!hides(b"22 21 0:21 / /mnt rw - proc proc rw,hidepid=2\n", |_| false), "another place");
    }

    /// As the kernel has told of a process that sleeps, a zombie, one whose main
    /// thread has ended before another, and a kernel thread.
    #[test]
    fn who_may_hold_descriptors_is_told_by_the_state_and_the_number_of_threads() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("7")).unwrap();
        let root = ProcRoot::open(directory.path()).unwrap();
        assert_eq!(who_may_hold(&root, 7), Holding::Nobody, "it is gone");
        let rest = "7 7 0 -1 4194304 104 0 0 0 0 0 0 0 20 0";
        let cases = [
            (format!("7 (a) b) S 1 {rest} 1 0 9"), Holding::Main),
            (format!("7 (a) b) Z 1 {rest} 1 0 9"), Holding::Nobody),
            (format!("7 (a) b) Z 1 {rest} 2 0 9"), Holding::Others),
            (format!("7 (kworker) I 2 {rest} 1 0 9"), Holding::Nobody),
            ("7 (cut".to_owned(), Holding::Main),
        ];
        for (stat, expected) in cases {
            std::fs::write(directory.path().join("7/stat"), &stat).unwrap();
            assert_eq!(who_may_hold(&root, 7), expected, "{stat}");
        }
    }
}
