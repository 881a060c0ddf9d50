//! Who has which end of a pipe or a socket open.
//!
//! An index over the descriptors of all processes that may be read
//! (`/proc/PID/fd`), and the kernel's word on which Unix sockets are connected
//! ([`diag`]). Building it means reading every descriptor of the machine, so
//! [`World::ends`](super::wait::World::ends) does it only for a decoder that
//! asks, and keeps it for a while. A process whose descriptors may not be read
//! can hold any end: [`Ends::unreadable`].
//!
//! Who did not run has opened and closed nothing, so an index is renewed
//! ([`Ends::renew`]) by reading only those whose CPU clock moved.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, openat, readlinkat_raw, statat};
use rustix::io::Errno;

use super::source::is_own_namespace;
use crate::model::{Nanos, Pid};
use crate::sys::procroot::ProcRoot;
use crate::sys::{clock, diag, kcmp};

/// How a descriptor may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Access {
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
}

/// One open end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct End {
    /// The process that has it.
    pub pid: Pid,
    /// The thread in whose table of descriptors it is: the main thread, but for
    /// a thread with a table of its own (`CLONE_FILES` left out), or where the
    /// main thread has ended.
    pub tid: Pid,
    /// Its descriptor.
    pub fd: i32,
    /// What it may do there.
    pub access: Access,
}

/// Ends by inode.
#[derive(Debug, Default)]
struct ByInode {
    inodes: Vec<u64>,
    ends: Vec<End>,
}

impl ByInode {
    fn new(mut pairs: Vec<(u64, End)>) -> Self {
        pairs.sort_unstable();
        let (inodes, ends) = pairs.into_iter().unzip();
        ByInode { inodes, ends }
    }

    fn of(&self, inode: u64) -> &[End] {
        let from = self.inodes.partition_point(|&other| other < inode);
        let to = self.inodes.partition_point(|&other| other <= inode);
        &self.ends[from..to]
    }
}

/// What one process has open.
#[derive(Debug)]
struct Holder {
    pid: Pid,
    /// Its CPU time just before its descriptors were read.
    ran: Option<Nanos>,
    readable: bool,
    pipes: Vec<(u64, End)>,
    sockets: Vec<(u64, End)>,
}

/// All open ends of pipes and sockets, at one time.
#[derive(Debug)]
pub struct Ends {
    at: Nanos,
    /// Whether the processes listed here have CPU clocks.
    clocks: bool,
    holders: Vec<Holder>,
    pipes: ByInode,
    sockets: ByInode,
    unreadable: Vec<Pid>,
    unix: OnceLock<Result<HashMap<u64, diag::UnixSocket>, String>>,
    real: bool,
}

impl Ends {
    /// Reads the descriptors of all processes.
    ///
    /// # Errors
    /// Where the proc file system itself cannot be listed.
    pub fn read(root: &ProcRoot) -> Result<Self, Errno> {
        let mut ends = Ends {
            at: Nanos::ZERO,
            clocks: root.is_real() && is_own_namespace(root),
            holders: Vec::new(),
            pipes: ByInode::default(),
            sockets: ByInode::default(),
            unreadable: Vec::new(),
            unix: OnceLock::new(),
            real: root.is_real(),
        };
        ends.renew(root)?;
        Ok(ends)
    }

    /// Brings it up to date: reads those that ran since, and the new ones.
    ///
    /// # Errors
    /// As [`Ends::read`]; it is as it was then.
    pub fn renew(&mut self, root: &ProcRoot) -> Result<(), Errno> {
        let mut pids = Vec::new();
        numbers(root.directory(), ".", &mut pids)?;
        pids.sort_unstable();
        self.at = clock::monotonic();
        self.unix = OnceLock::new();
        let mut known = std::mem::take(&mut self.holders).into_iter().peekable();
        let (mut kept, before) = (0, known.len());
        for &pid in &pids {
            while known.next_if(|holder| holder.pid < pid).is_some() {}
            let ran = if self.clocks { clock::cpu_of_process(pid).ok() } else { None };
            let holder = known.next_if(|holder| holder.pid == pid);
            let still = holder.filter(|holder| ran.is_some() && holder.ran == ran);
            kept += usize::from(still.is_some());
            self.holders.push(still.unwrap_or_else(|| Holder::read(root, pid, ran)));
        }
        if (kept, kept) != (before, pids.len()) {
            self.pipes = ByInode::new(self.holders.iter().flat_map(|holder| holder.pipes.iter().copied()).collect());
            self.sockets =
                ByInode::new(self.holders.iter().flat_map(|holder| holder.sockets.iter().copied()).collect());
            self.unreadable = self.holders.iter().filter(|holder| !holder.readable).map(|holder| holder.pid).collect();
        }
        Ok(())
    }

    /// When it was read, on `CLOCK_MONOTONIC`.
    pub fn at(&self) -> Nanos {
        self.at
    }

    /// The open ends of the anonymous pipe with this inode, both kinds.
    pub fn of_pipe(&self, inode: u64) -> &[End] {
        self.pipes.of(inode)
    }

    /// The descriptors open on the socket with this inode.
    pub fn of_socket(&self, inode: u64) -> &[End] {
        self.sockets.of(inode)
    }

    /// The descriptors open on the socket that the Unix socket with this inode
    /// is connected to; `None` where the kernel names no such socket.
    pub fn peer_of_unix(&self, inode: u64) -> Option<&[End]> {
        let peer = self.unix_socket(inode)?.peer?;
        Some(self.of_socket(peer))
    }

    /// What the kernel tells of a Unix socket; `None` for one that is of another
    /// kind or of another network namespace, and on a kernel that does not tell.
    pub fn unix_socket(&self, inode: u64) -> Option<&diag::UnixSocket> {
        self.unix_sockets().as_ref().ok()?.get(&inode)
    }

    /// The Unix socket that listens at this path: the lower half of its inode, and
    /// its device as the kernel numbers it.
    pub fn unix_listener(&self, bound: (u32, u32)) -> Option<&diag::UnixSocket> {
        let mut all = self.unix_sockets().as_ref().ok()?.values();
        all.find(|socket| socket.state == diag::LISTENING && socket.bound == Some(bound))
    }

    /// Why the kernel does not tell of Unix sockets, if so.
    pub fn unix_fault(&self) -> Option<&str> {
        self.unix_sockets().as_ref().err().map(String::as_str)
    }

    /// Processes whose descriptors may not be read, kernel threads and zombies
    /// left out: any of them may hold any end.
    pub fn unreadable(&self) -> &[Pid] {
        &self.unreadable
    }

    fn unix_sockets(&self) -> &Result<HashMap<u64, diag::UnixSocket>, String> {
        self.unix.get_or_init(|| {
            if !self.real {
                return Err("this is not the kernel's own /proc".to_owned());
            }
            match diag::unix_sockets() {
                Ok(all) => Ok(all.into_iter().map(|socket| (socket.inode, socket)).collect()),
                Err(error) => Err(format!("asking the kernel for Unix sockets (sock_diag): {error}")),
            }
        })
    }
}

/// Calls `each` with process, thread and number of every descriptor whose link has
/// the same last part as `path`; returns the processes that may not be read.
///
/// # Errors
/// Where the proc file system itself cannot be listed.
pub fn with_name(root: &ProcRoot, path: &[u8], mut each: impl FnMut(Pid, Pid, i32)) -> Result<Vec<Pid>, Errno> {
    let name = last_part(path);
    each_descriptor(root, |_, (pid, tid), fd, link| {
        if link.starts_with(b"/") && last_part(link) == name {
            each(pid, tid, fd);
        }
    })
}

/// As [`with_name`], among the descriptors of one process only; false where it
/// may not be read.
pub fn with_name_in(root: &ProcRoot, pid: Pid, path: &[u8], mut each: impl FnMut(Pid, Pid, i32)) -> bool {
    let name = last_part(path);
    descriptors_of(root, pid, |_, tid, fd, link| {
        if link.starts_with(b"/") && last_part(link) == name {
            each(pid, tid, fd);
        }
    })
}

/// The open ends of a named pipe, found by its device and inode among the
/// descriptors whose link has the same last part; and who may not be read.
///
/// # Errors
/// Where the proc file system itself cannot be listed.
pub fn of_fifo(root: &ProcRoot, path: &[u8], device: u64, inode: u64) -> Result<(Vec<End>, Vec<Pid>), Errno> {
    let name = last_part(path);
    let mut ends = Vec::new();
    let unreadable = each_descriptor(root, |directory, table, fd, link| {
        // Only a link of that name is followed: following others could wait
        // for a file server that does not answer.
        if !link.starts_with(b"/") || last_part(link) != name {
            return;
        }
        let Ok(status) = statat(directory, decimal(fd).as_str(), AtFlags::empty()) else { return };
        let is_fifo = FileType::from_raw_mode(status.st_mode) == FileType::Fifo;
        if is_fifo && (status.st_dev, status.st_ino) == (device, inode) {
            ends.push(End { pid: table.0, tid: table.1, fd, access: access_of(directory, fd) });
        }
    })?;
    Ok((ends, unreadable))
}

/// Who has the same file open as the descriptor whose link is at `own` below the
/// root, and leads to `path`.
///
/// # Errors
/// Where that descriptor or the proc file system cannot be read.
pub fn of_file(root: &ProcRoot, path: &[u8], own: &str) -> Result<Vec<End>, Errno> {
    let same = statat(root.directory(), own, AtFlags::empty())?;
    let name = last_part(path);
    let mut ends = Vec::new();
    each_descriptor(root, |directory, (pid, tid), fd, link| {
        if !link.starts_with(b"/") || last_part(link) != name {
            return;
        }
        let Ok(status) = statat(directory, decimal(fd).as_str(), AtFlags::empty()) else { return };
        if (status.st_dev, status.st_ino) == (same.st_dev, same.st_ino) {
            ends.push(End { pid, tid, fd, access: access_of(directory, fd) });
        }
    })?;
    Ok(ends)
}

/// The last part of a path, without the kernel's remark that it is deleted.
fn last_part(path: &[u8]) -> &[u8] {
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

impl Holder {
    fn read(root: &ProcRoot, pid: Pid, ran: Option<Nanos>) -> Self {
        let (mut pipes, mut sockets) = (Vec::new(), Vec::new());
        let readable = descriptors_of(root, pid, |directory, tid, fd, link| {
            if let Some(inode) = inode_in(link, b"pipe:[") {
                let access = access_of(directory, fd);
                pipes.push((inode, End { pid, tid, fd, access }));
            } else if let Some(inode) = inode_in(link, b"socket:[") {
                sockets.push((inode, End { pid, tid, fd, access: Access { read: true, write: true } }));
            }
        });
        pipes.shrink_to_fit();
        sockets.shrink_to_fit();
        Holder { pid, ran, readable, pipes, sockets }
    }
}

/// Calls `each` with the directory, process and thread, number and link of every
/// descriptor of every process; returns the processes that may not be read.
fn each_descriptor(root: &ProcRoot, mut each: impl FnMut(&OwnedFd, (Pid, Pid), i32, &[u8])) -> Result<Vec<Pid>, Errno> {
    let mut pids = Vec::new();
    numbers(root.directory(), ".", &mut pids)?;
    pids.retain(|&pid| !descriptors_of(root, pid, |directory, tid, fd, link| each(directory, (pid, tid), fd, link)));
    Ok(pids)
}

/// Calls `each` with the directory, thread, number and link of every descriptor
/// of one process; false where it may not be read.
fn descriptors_of(root: &ProcRoot, pid: Pid, mut each: impl FnMut(&OwnedFd, Pid, i32, &[u8])) -> bool {
    let mut tables = Tables::new(root, pid);
    let readable =
        match descriptors_in(root, &format!("{pid}/fd"), |directory, fd, link| each(directory, pid, fd, link)) {
            // Its main thread may have ended before others: it has none left.
            Ok(count) => {
                if count > 0 {
                    tables.seen.push(pid);
                }
                true
            }
            Err(Errno::ACCESS | Errno::PERM) => return !may_hold_descriptors(root, pid),
            Err(_) => true,
        };
    for tid in tables.others() {
        let _ = descriptors_in(root, &format!("{pid}/task/{tid}/fd"), |directory, fd, link| {
            each(directory, tid, fd, link);
        });
    }
    readable
}

/// Calls `each` for the descriptors in one directory; how many there are.
fn descriptors_in(root: &ProcRoot, path: &str, mut each: impl FnMut(&OwnedFd, i32, &[u8])) -> Result<usize, Errno> {
    let mut open = Vec::new();
    let mut link = [0; 512];
    let directory = openat(root.directory(), path, DIRECTORY, Mode::empty())?;
    numbers(&directory, ".", &mut open)?;
    for &fd in &open {
        if let Ok(length) = readlinkat_raw(&directory, decimal(fd).as_str(), &mut link[..]) {
            each(&directory, fd, &link[..length]);
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
}

impl<'r> Tables<'r> {
    fn new(root: &'r ProcRoot, pid: Pid) -> Self {
        Tables { root, pid, seen: Vec::new() }
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
pub(super) fn is_fifo(root: &ProcRoot, path: &str) -> bool {
    statat(root.directory(), path, AtFlags::empty())
        .is_ok_and(|status| FileType::from_raw_mode(status.st_mode) == FileType::Fifo)
}

/// What the descriptor whose link is at `path` below the root may be used for.
pub(super) fn access_of_path(root: &ProcRoot, path: &str) -> Access {
    match statat(root.directory(), path, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(status) => Access { read: status.st_mode & 0o400 != 0, write: status.st_mode & 0o200 != 0 },
        Err(_) => Access { read: false, write: false },
    }
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// Lists the entries of a directory that are numbers.
fn numbers(parent: &OwnedFd, name: &str, into: &mut Vec<i32>) -> Result<(), Errno> {
    let directory = openat(parent, name, DIRECTORY, Mode::empty())?;
    let mut buffer = Vec::with_capacity(16 * 1024);
    let mut entries = RawDir::new(&directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry?;
        into.extend(str::from_utf8(entry.file_name().to_bytes()).ok().and_then(|name| name.parse::<i32>().ok()));
    }
    Ok(())
}

fn decimal(number: i32) -> String {
    number.to_string()
}

/// `N` of `pipe:[N]`.
pub(super) fn inode_in(link: &[u8], prefix: &[u8]) -> Option<u64> {
    str::from_utf8(link.strip_prefix(prefix)?.strip_suffix(b"]")?).ok()?.parse().ok()
}

/// The kernel shows a descriptor's access as the owner's permission bits of its
/// link (`proc_pid_fd(5)`).
fn access_of(directory: &OwnedFd, fd: i32) -> Access {
    match statat(directory, decimal(fd).as_str(), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(status) => Access { read: status.st_mode & 0o400 != 0, write: status.st_mode & 0o200 != 0 },
        Err(_) => Access { read: false, write: false },
    }
}

/// Kernel threads and zombies have no descriptors.
fn may_hold_descriptors(root: &ProcRoot, pid: Pid) -> bool {
    let mut content = Vec::new();
    if root.read_into(&format!("{pid}/stat"), &mut content).is_err() {
        return false;
    }
    let Some(end) = content.iter().rposition(|&byte| byte == b')') else { return true };
    let fields = OsStr::from_bytes(&content[end + 1..]).to_string_lossy();
    let mut fields = fields.split_ascii_whitespace();
    let (state, parent) = (fields.next(), fields.next());
    !(pid == 2 || parent == Some("2") || matches!(state, Some("Z" | "X")))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::path::Path;

    use super::*;

    fn me() -> Pid {
        std::process::id() as Pid
    }

    fn inode(fd: &impl AsRawFd, prefix: &[u8]) -> u64 {
        let link = std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap();
        inode_in(link.as_os_str().as_bytes(), prefix).unwrap()
    }

    #[test]
    fn both_ends_of_an_own_pipe_are_found_with_their_access() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        let ends = Ends::read(&ProcRoot::open(Path::new("/proc")).unwrap()).unwrap();
        let of = |fd: &OwnedFd| {
            let all = ends.of_pipe(inode(fd, b"pipe:["));
            all.iter().find(|end| end.pid == me() && end.fd == fd.as_raw_fd()).copied().unwrap().access
        };
        assert_eq!(of(&read), Access { read: true, write: false });
        assert_eq!(of(&write), Access { read: false, write: true });
        assert!(ends.of_pipe(0).is_empty());
    }

    #[test]
    fn a_renewed_index_has_what_came_and_not_what_went() {
        let root = ProcRoot::open(Path::new("/proc")).unwrap();
        let (first, _) = rustix::pipe::pipe().unwrap();
        let mut ends = Ends::read(&root).unwrap();
        let gone = inode(&first, b"pipe:[");
        assert!(ends.of_pipe(gone).iter().any(|end| end.pid == me()));
        drop(first);
        let (second, _) = rustix::pipe::pipe().unwrap();
        // The clock of a process that runs is brought up to date at its ticks.
        let began = clock::cpu_of_process(me()).unwrap();
        while clock::cpu_of_process(me()).unwrap() == began {}
        ends.renew(&root).unwrap();
        assert!(ends.of_pipe(gone).is_empty());
        assert!(ends.of_pipe(inode(&second, b"pipe:[")).iter().any(|end| end.pid == me()));
        let read = Ends::read(&root).unwrap();
        let own = |ends: &Ends| ends.holders.iter().find(|holder| holder.pid == me()).unwrap().pipes.clone();
        assert_eq!(own(&ends).is_empty(), own(&read).is_empty());
    }

    #[test]
    fn the_peer_of_a_unix_socket_is_found() {
        let (a, b) = std::os::unix::net::UnixStream::pair().unwrap();
        let ends = Ends::read(&ProcRoot::open(Path::new("/proc")).unwrap()).unwrap();
        let peer = ends.peer_of_unix(inode(&a, b"socket:[")).unwrap();
        assert!(peer.iter().any(|end| end.pid == me() && end.fd == b.as_raw_fd()), "{peer:?}");
        assert_eq!(ends.peer_of_unix(1), None);
    }

    #[test]
    fn a_fifo_is_found_by_what_it_is_not_by_its_name() {
        let directory = tempfile::tempdir().unwrap();
        let make = |name: &str| {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
            (std::fs::File::options().read(true).write(true).open(&path).unwrap(), path)
        };
        let ((one, path), (_other, _)) = (make("f"), make("sub/f"));
        let status = rustix::fs::fstat(&one).unwrap();
        let root = ProcRoot::open(Path::new("/proc")).unwrap();
        let (ends, _) = of_fifo(&root, path.as_os_str().as_bytes(), status.st_dev, status.st_ino).unwrap();
        let mine: Vec<_> = ends.iter().filter(|end| end.pid == me()).collect();
        assert_eq!(mine.len(), 1, "the other FIFO has the same name");
        assert_eq!(mine[0].access, Access { read: true, write: true });
    }

    #[test]
    fn a_tree_without_processes_has_no_ends() {
        let directory = tempfile::tempdir().unwrap();
        let ends = Ends::read(&ProcRoot::open(directory.path()).unwrap()).unwrap();
        assert!(ends.unreadable().is_empty() && ends.of_pipe(1).is_empty());
        assert!(ends.unix_fault().is_some(), "a made-up tree says nothing about real sockets");
    }
}
