//! File locks, `/proc/locks` (`proc_locks(5)`, `fs/locks.c`):
//!
//! ```text
//! 7: FLOCK  ADVISORY  WRITE 4133 fd:00:131090 0 EOF
//! 7: -> FLOCK  ADVISORY  WRITE 4140 fd:00:131090 0 EOF
//! id waiter? kind, advisory, access, pid, device and inode, first and last byte
//! ```
//!
//! A waiter's line stands below the lock that it waits for, a waiter behind a
//! waiter one column deeper. The pid is that of the process that asked; it may
//! be gone while another still has the open file that holds the lock.

use rustix::io::Errno;

use super::target::maps::FileId;
use crate::model::Pid;
use crate::sys::procroot::ProcRoot;

/// The kind of a file lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockKind {
    /// flock(2): held by an open file description.
    Flock,
    /// fcntl(2) `F_SETLK`: held by a process.
    Posix,
    /// fcntl(2) `F_OFD_SETLK`: held by an open file description.
    Ofd,
    /// fcntl(2) `F_SETLEASE`.
    Lease,
    /// Something newer.
    Other,
}

/// One lock, or one request for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileLock {
    /// The kernel's number for this reading: waiters have their lock's.
    pub id: u64,
    /// Its line in `/proc/locks`, from 1.
    pub line: usize,
    /// Whether this is a request that waits.
    pub waiting: bool,
    /// The kind.
    pub kind: LockKind,
    /// Exclusive.
    pub write: bool,
    /// Who asked; `None` for a lock that belongs to no process (`-1`), 0 for one
    /// of another pid namespace.
    pub pid: Option<Pid>,
    /// The file.
    pub file: FileId,
    /// The first byte.
    pub start: u64,
    /// The last byte; `None` up to the end of the file.
    pub end: Option<u64>,
}

impl FileLock {
    /// Whether a request keeps another from being granted: same kind of lock on
    /// the same file, overlapping, and not both shared.
    pub fn conflicts(&self, other: &FileLock) -> bool {
        let ranges = |a: &FileLock, b: &FileLock| a.end.is_none_or(|end| b.start <= end);
        // POSIX and OFD locks keep each other out.
        let family = |kind| if kind == LockKind::Ofd { LockKind::Posix } else { kind };
        family(self.kind) == family(other.kind)
            && self.file == other.file
            && (self.write || other.write)
            && ranges(self, other)
            && ranges(other, self)
    }

    /// Whether both certainly have the same owner, whose locks never stand in the way
    /// of each other. An open file's are not told apart here.
    fn has_same_process(&self, other: &FileLock) -> bool {
        (self.kind, other.kind) == (LockKind::Posix, LockKind::Posix) && self.pid.is_some() && self.pid == other.pid
    }

    /// Whether two lines tell of the same lock, or of locks of two owners that have
    /// the same of the same file.
    pub fn is_alike(&self, other: &FileLock) -> bool {
        let what = |lock: &FileLock| (lock.kind, lock.write, lock.pid, lock.file, lock.start, lock.end);
        what(self) == what(other)
    }
}

/// All file locks of one reading.
#[derive(Clone, Debug, Default)]
pub struct FileLocks {
    all: Vec<FileLock>,
}

impl FileLocks {
    /// Reads `/proc/locks`.
    ///
    /// # Errors
    /// Whatever openat(2) or read(2) say.
    pub fn read(root: &ProcRoot) -> Result<Self, Errno> {
        let mut content = Vec::new();
        root.read_into("locks", &mut content)?;
        Ok(Self::parse(&content))
    }

    /// Understands the content of `/proc/locks`.
    pub fn parse(content: &[u8]) -> Self {
        let lines = content.split(|&byte| byte == b'\n').enumerate();
        FileLocks { all: lines.filter_map(|(index, line)| parse_line(str::from_utf8(line).ok()?, index + 1)).collect() }
    }

    /// All locks and requests.
    pub fn all(&self) -> &[FileLock] {
        &self.all
    }

    /// The requests of process `pid` that wait.
    pub fn requests_of(&self, pid: Pid, kind: LockKind) -> impl Iterator<Item = &FileLock> {
        self.all.iter().filter(move |lock| lock.waiting && lock.kind == kind && lock.pid == Some(pid))
    }

    /// The locks that are held and stand in the way of `request`, but for those that
    /// the process which asks has itself.
    pub fn in_the_way(&self, request: &FileLock) -> Vec<FileLock> {
        let others = self.all.iter().filter(|lock| !lock.waiting && !lock.has_same_process(request));
        others.filter(|lock| lock.conflicts(request)).copied().collect()
    }
}

/// One line, of `/proc/locks` or behind `lock:` in an fdinfo file.
fn parse_line(line: &str, number: usize) -> Option<FileLock> {
    let (id, rest) = line.trim().split_once(':')?;
    let mut fields = rest.split_ascii_whitespace().peekable();
    let waiting = fields.next_if_eq(&"->").is_some();
    let kind = match fields.next()? {
        "FLOCK" => LockKind::Flock,
        "POSIX" => LockKind::Posix,
        "OFDLCK" => LockKind::Ofd,
        "LEASE" | "DELEG" | "LAYOUT" => LockKind::Lease,
        _ => LockKind::Other,
    };
    let _advisory = fields.next()?;
    let write = fields.next()? == "WRITE";
    let pid = fields.next()?.parse().ok()?;
    let mut file = fields.next()?.split(':');
    let file = FileId {
        major: u32::from_str_radix(file.next()?, 16).ok()?,
        minor: u32::from_str_radix(file.next()?, 16).ok()?,
        inode: file.next()?.parse().ok()?,
    };
    let start = fields.next()?.parse().ok()?;
    let end = match fields.next()? {
        "EOF" => None,
        number => Some(number.parse().ok()?),
    };
    let pid = (pid != -1).then_some(pid);
    Some(FileLock { id: id.parse().ok()?, line: number, waiting, kind, write, pid, file, start, end })
}

/// The locks that a descriptor holds, from its fdinfo file (`lock:` lines).
pub fn of_descriptor(fdinfo: &[u8]) -> Vec<FileLock> {
    let Ok(text) = str::from_utf8(fdinfo) else { return Vec::new() };
    text.lines().filter_map(|line| parse_line(line.strip_prefix("lock:")?, 0)).collect()
}

/// Whether descriptor `fd` of thread `tid` of process `pid` holds `lock`.
///
/// # Errors
/// `EACCES` or `EPERM` without permission; `ENOENT` or `ESRCH` where the process
/// or the descriptor is gone.
pub fn descriptor_holds(root: &ProcRoot, pid: Pid, tid: Pid, fd: i32, lock: &FileLock) -> Result<bool, Errno> {
    let mut content = Vec::new();
    let table = if tid == pid { format!("{pid}") } else { format!("{pid}/task/{tid}") };
    root.read_into(&format!("{table}/fdinfo/{fd}"), &mut content)?;
    let same = |held: &FileLock| {
        let range = (held.start, held.end) == (lock.start, lock.end);
        // The kernel keeps who took it with the lock, whoever has it now.
        held.kind == lock.kind && held.file == lock.file && held.pid == lock.pid && range
    };
    Ok(of_descriptor(&content).iter().any(same))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"\
1: FLOCK  ADVISORY  WRITE 4133 fd:00:131090 0 EOF\n\
1: -> FLOCK  ADVISORY  WRITE 4140 fd:00:131090 0 EOF\n\
1:  -> FLOCK  ADVISORY  READ 4150 fd:00:131090 0 EOF\n\
2: POSIX  ADVISORY  READ 99 00:1b:12 100 199\n\
3: OFDLCK ADVISORY  WRITE -1 00:1b:12 150 150\n\
4: POSIX  *NOINODE* broken\n";

    #[test]
    fn locks_and_waiters_are_told_apart() {
        let locks = FileLocks::parse(TEXT);
        assert_eq!(locks.all().len(), 5);
        let request = *locks.requests_of(4150, LockKind::Flock).next().unwrap();
        assert_eq!((request.line, request.waiting, request.write), (3, true, false));
        let held: Vec<_> = locks.in_the_way(&request).iter().map(|lock| lock.pid).collect();
        assert_eq!(held, [Some(4133)], "who waits ahead does not hold");
        assert_eq!(locks.requests_of(4133, LockKind::Flock).count(), 0, "the holder does not wait");
        assert_eq!(locks.all()[4].pid, None);
    }

    #[test]
    fn ranges_and_kinds_conflict_as_the_kernel_has_it() {
        let locks = FileLocks::parse(TEXT);
        let (posix, ofd, flock) = (locks.all()[3], locks.all()[4], locks.all()[0]);
        assert!(posix.conflicts(&ofd) && ofd.conflicts(&posix));
        let behind = FileLock { start: 200, end: None, write: true, ..posix };
        assert!(!posix.conflicts(&behind) && !behind.conflicts(&posix));
        let shared = FileLock { start: 0, end: None, ..posix };
        assert!(!posix.conflicts(&shared), "two readers");
        assert!(!FileLock { file: flock.file, ..posix }.conflicts(&flock), "flock and fcntl ignore each other");
    }

    #[test]
    fn fdinfo_tells_the_locks_of_a_descriptor() {
        let text = b"pos:\t0\nflags:\t0100000\nlock:\t1: FLOCK  ADVISORY  WRITE 4133 fd:00:131090 0 EOF\n";
        let held = of_descriptor(text);
        assert_eq!(held.len(), 1);
        assert_eq!((held[0].kind, held[0].file.inode), (LockKind::Flock, 131_090));
        assert!(of_descriptor(b"pos:\t0\n").is_empty());
    }
}
