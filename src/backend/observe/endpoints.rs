//! Who has which end of a pipe or a socket open.
//!
//! An index over the descriptors of all processes that may be read
//! (`/proc/PID/fd`), and the kernel's word on which Unix sockets are connected
//! ([`diag`]). Building it means reading every descriptor of the machine, so
//! [`World::ends`](super::wait::World::ends) does it only for a decoder that
//! asks, and keeps it for a while. A process whose descriptors may not be read
//! can hold any end: [`Ends::unreadable`].

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::sync::OnceLock;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir, openat, readlinkat_raw, statat};
use rustix::io::Errno;

use crate::model::{Nanos, Pid};
use crate::sys::procroot::ProcRoot;
use crate::sys::{clock, diag};

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

/// All open ends of pipes and sockets, at one time.
#[derive(Debug)]
pub struct Ends {
    at: Nanos,
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
        let (mut pipes, mut sockets) = (Vec::new(), Vec::new());
        let unreadable = each_descriptor(root, |directory, pid, fd, link| {
            if let Some(inode) = inode_in(link, b"pipe:[") {
                let access = access_of(directory, fd);
                pipes.push((inode, End { pid, fd, access }));
            } else if let Some(inode) = inode_in(link, b"socket:[") {
                sockets.push((inode, End { pid, fd, access: Access { read: true, write: true } }));
            }
        })?;
        Ok(Ends {
            at: clock::monotonic(),
            pipes: ByInode::new(pipes),
            sockets: ByInode::new(sockets),
            unreadable,
            unix: OnceLock::new(),
            real: root.is_real(),
        })
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

/// Calls `each` with process and descriptor of every descriptor whose link has
/// the same last part as `path`; returns the processes that may not be read.
///
/// # Errors
/// Where the proc file system itself cannot be listed.
pub fn with_name(root: &ProcRoot, path: &[u8], mut each: impl FnMut(Pid, i32)) -> Result<Vec<Pid>, Errno> {
    let name = last_part(path);
    each_descriptor(root, |_, pid, fd, link| {
        if link.starts_with(b"/") && last_part(link) == name {
            each(pid, fd);
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
    let unreadable = each_descriptor(root, |directory, pid, fd, link| {
        // Only a link of that name is followed: following others could wait
        // for a file server that does not answer.
        if !link.starts_with(b"/") || last_part(link) != name {
            return;
        }
        let Ok(status) = statat(directory, decimal(fd).as_str(), AtFlags::empty()) else { return };
        let is_fifo = FileType::from_raw_mode(status.st_mode) == FileType::Fifo;
        if is_fifo && (status.st_dev, status.st_ino) == (device, inode) {
            ends.push(End { pid, fd, access: access_of(directory, fd) });
        }
    })?;
    Ok((ends, unreadable))
}

/// The last part of a path, without the kernel's remark that it is deleted.
fn last_part(path: &[u8]) -> &[u8] {
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// Calls `each` with the directory, pid, number and link of every descriptor of
/// every process; returns the processes that may not be read.
fn each_descriptor(root: &ProcRoot, mut each: impl FnMut(&OwnedFd, Pid, i32, &[u8])) -> Result<Vec<Pid>, Errno> {
    let mut unreadable = Vec::new();
    let mut pids = Vec::new();
    numbers(root.directory(), ".", &mut pids)?;
    let mut numbers_open = Vec::new();
    let mut link = [0; 512];
    for pid in pids {
        let path = format!("{pid}/fd");
        let directory = openat(root.directory(), path.as_str(), DIRECTORY, Mode::empty());
        let listed = directory.and_then(|directory| {
            numbers_open.clear();
            numbers(&directory, ".", &mut numbers_open).map(|()| directory)
        });
        match listed {
            // Listing may be permitted (CAP_DAC_READ_SEARCH) where following the
            // links is not.
            Ok(directory) => {
                let mut denied = false;
                for &fd in &numbers_open {
                    match readlinkat_raw(&directory, decimal(fd).as_str(), &mut link[..]) {
                        Ok(length) => each(&directory, pid, fd, &link[..length]),
                        Err(error) => denied |= matches!(error, Errno::ACCESS | Errno::PERM),
                    }
                }
                if denied {
                    unreadable.push(pid);
                }
            }
            Err(Errno::ACCESS | Errno::PERM) if may_hold_descriptors(root, pid) => unreadable.push(pid),
            Err(_) => {}
        }
    }
    Ok(unreadable)
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
