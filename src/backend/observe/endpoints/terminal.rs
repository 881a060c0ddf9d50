//! The two ends of a pseudo-terminal (`pty(7)`): what descriptors say of them.
//!
//! ```text
//! slave    /dev/pts/3     device 136:3 on a devpts file system: number 3 of it
//! master   /dev/ptmx      fdinfo: tty-index: 3, mnt_id: 24
//!                         mount 24 is a devpts: that one; else the one at its side, /dev/pts
//! ```
//!
//! Each devpts counts for itself (`Documentation/filesystems/devpts.rst`), so a number
//! alone does not make a pair: a container has a terminal 3 of its own.

use rustix::fs::{AtFlags, FileType, major, makedev, minor, statat};

use crate::model::Pid;
use crate::sys::procroot::ProcRoot;

/// The major number of slaves (`Documentation/admin-guide/devices.txt`).
const SLAVES: u32 = 136;
/// Says that a file system or a number is not known.
const UNKNOWN: u64 = u64::MAX;

/// Which end of a pseudo-terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Of the program that shows it: a terminal emulator, sshd, tmux.
    Master,
    /// Of the programs that run in it.
    Slave,
}

/// One end of a pseudo-terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TerminalEnd {
    /// Which.
    pub side: Side,
    /// Its number, as in `/dev/pts/3`; [`u64::MAX`] where it is not known.
    pub index: u64,
    /// The devpts file system, as `stat(2)` numbers it; [`u64::MAX`] where it is not known.
    pub devpts: u64,
}

impl TerminalEnd {
    /// The other end of the same pair.
    #[must_use]
    pub fn other(self) -> Self {
        let side = match self.side {
            Side::Master => Side::Slave,
            Side::Slave => Side::Master,
        };
        TerminalEnd { side, ..self }
    }

    /// What may be this end as well, for all that is known of it.
    pub(super) fn unsure(self) -> [Self; 2] {
        let nowhere = TerminalEnd { devpts: UNKNOWN, ..self };
        [nowhere, TerminalEnd { index: UNKNOWN, ..nowhere }]
    }
}

/// The end of a pseudo-terminal that a thread's descriptor with this link is; `None` for
/// anything else.
pub fn terminal(root: &ProcRoot, (pid, tid): (Pid, Pid), fd: i32, link: &[u8]) -> Option<TerminalEnd> {
    let side = side_of(link).filter(|_| root.is_real())?;
    match side {
        Side::Slave => slave_at(root, &format!("{pid}/task/{tid}/fd/{fd}")),
        Side::Master => {
            let mut content = Vec::new();
            root.read_into(&format!("{pid}/task/{tid}/fdinfo/{fd}"), &mut content).ok()?;
            let index = number(&content, b"tty-index:")?;
            let mount = number(&content, b"mnt_id:");
            let mut mounts = Vec::new();
            let read = root.read_into(&format!("{pid}/mountinfo"), &mut mounts);
            let devpts = mount.filter(|_| read.is_ok()).and_then(|mount| devpts_of(&mounts, mount, link));
            Some(TerminalEnd { side, index, devpts: devpts.unwrap_or(UNKNOWN) })
        }
    }
}

/// As [`terminal`], of a file that is registered with an `io_uring`, of which only the
/// link is told.
pub(super) fn registered_terminal(link: &[u8]) -> Option<TerminalEnd> {
    let side = side_of(link)?;
    Some(TerminalEnd { side, index: UNKNOWN, devpts: UNKNOWN })
}

/// The slave that the link at this path below the root leads to.
pub fn slave_at(root: &ProcRoot, path: &str) -> Option<TerminalEnd> {
    let status = statat(root.directory(), path, AtFlags::empty()).ok()?;
    let device = FileType::from_raw_mode(status.st_mode) == FileType::CharacterDevice;
    let index = u64::from(minor(status.st_rdev));
    let is_slave = device && major(status.st_rdev) == SLAVES;
    is_slave.then_some(TerminalEnd { side: Side::Slave, index, devpts: status.st_dev })
}

/// The number of a slave by the encoding in `/proc/PID/stat`; `None` for another device.
pub fn index_of(device: i32) -> Option<u64> {
    // New encoding of dev_t: the lower 8 bits of the minor number, 12 of the major one,
    // the upper 12 of the minor one.
    let device = device.cast_unsigned();
    let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xf_ff00);
    (major == SLAVES).then_some(u64::from(minor))
}

/// Which end a link may be of: of the master, `ptmx`; of a slave, a number in a
/// directory `pts`, or the console of a container, which is one.
fn side_of(link: &[u8]) -> Option<Side> {
    let mut parts = link.rsplit(|&byte| byte == b'/');
    let (name, directory) = (parts.next()?, parts.next()?);
    let is_number = !name.is_empty() && name.iter().all(u8::is_ascii_digit);
    match (directory, name) {
        (_, b"ptmx") => Some(Side::Master),
        (b"pts", _) if is_number => Some(Side::Slave),
        (b"dev", b"console") => Some(Side::Slave),
        _ => None,
    }
}

/// The devpts that a master was opened in: the one that its own file lies on, or the
/// topmost at `pts` beside it (`devpts_acquire` in `fs/devpts/inode.c`).
fn devpts_of(mounts: &[u8], mount: u64, link: &[u8]) -> Option<u64> {
    let lines = || mounts.split(|&byte| byte == b'\n').filter_map(Mount::parse);
    let own = lines().find(|line| line.id == mount)?;
    if own.is_devpts {
        return Some(own.device);
    }
    let directory = &link[..link.iter().rposition(|&byte| byte == b'/')?];
    let beside = [directory, b"/pts"].concat();
    let last = lines().rfind(|line| line.at == beside)?;
    last.is_devpts.then_some(last.device)
}

/// A line of `mountinfo` (`proc_pid_mountinfo(5)`):
/// `26 24 0:24 / /dev/pts rw,relatime - devpts devpts rw`.
struct Mount<'l> {
    id: u64,
    device: u64,
    at: &'l [u8],
    is_devpts: bool,
}

impl<'l> Mount<'l> {
    fn parse(line: &'l [u8]) -> Option<Self> {
        let fields: Vec<&[u8]> = line.split(|&byte| byte == b' ').collect();
        let text = |at: usize| str::from_utf8(fields.get(at)?).ok();
        let (major, minor) = text(2)?.split_once(':')?;
        let device = makedev(major.parse().ok()?, minor.parse().ok()?);
        let dash = fields.iter().position(|field| *field == b"-")?;
        Some(Mount { id: text(0)?.parse().ok()?, device, at: fields.get(4)?, is_devpts: text(dash + 1)? == "devpts" })
    }
}

/// The number behind a key at the beginning of a line.
fn number(content: &[u8], key: &[u8]) -> Option<u64> {
    let line = content.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(key))?;
    str::from_utf8(line).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_told_apart() {
        let cases: [(&[u8], Option<Side>); 8] = [
            (b"/dev/ptmx", Some(Side::Master)),
            (b"/dev/pts/ptmx", Some(Side::Master)),
            (b"/dev/pts/12", Some(Side::Slave)),
            (b"/dev/console", Some(Side::Slave)),
            (b"/dev/pts/", None),
            (b"/dev/pts/3x", None),
            (b"/dev/tty3", None),
            (b"socket:[3]", None),
        ];
        for (link, side) in cases {
            assert_eq!(side_of(link), side, "{}", String::from_utf8_lossy(link));
        }
    }

    #[test]
    fn a_master_belongs_to_the_devpts_it_was_opened_in() {
        let mounts = b"24 1 0:6 / /dev rw - devtmpfs devtmpfs rw\n\
            26 24 0:24 / /dev/pts rw,relatime - devpts devpts rw\n\
            29 26 0:26 / /dev/pts rw,relatime shared:3 - devpts devpts rw\n\
            31 1 0:30 / /c/dev/pts rw - devpts devpts rw\n\
            40 1 0:31 / /odd/pts rw - tmpfs tmpfs rw\n";
        assert_eq!(devpts_of(mounts, 24, b"/dev/ptmx"), Some(makedev(0, 26)), "the topmost");
        assert_eq!(devpts_of(mounts, 31, b"/dev/pts/ptmx"), Some(makedev(0, 30)), "its own, wherever it says it is");
        assert_eq!(devpts_of(mounts, 99, b"/dev/ptmx"), None, "a mount of another namespace");
        assert_eq!(devpts_of(mounts, 24, b"/odd/ptmx"), None, "no devpts beside it");
        assert_eq!(devpts_of(mounts, 24, b"/elsewhere/ptmx"), None);
    }

    #[test]
    fn the_controlling_terminal_is_understood_or_refused() {
        assert_eq!(index_of(34_816), Some(0));
        assert_eq!(index_of(34_819), Some(3));
        assert_eq!(index_of(i32::from_be_bytes([0, 0x10, 0x88, 1])), Some(257));
        assert_eq!(index_of(0), None);
        assert_eq!(index_of(1_025), None, "a virtual console");
    }

    #[test]
    fn both_ends_of_an_own_pair_belong_together() {
        use std::os::fd::AsRawFd;
        use std::os::unix::ffi::OsStrExt;
        let pair = nix::pty::openpty(None, None).unwrap();
        let me = std::process::id() as Pid;
        let root = ProcRoot::open(std::path::Path::new("/proc")).unwrap();
        let end = |fd: i32| {
            let link = std::fs::read_link(format!("/proc/self/fd/{fd}")).unwrap();
            terminal(&root, (me, me), fd, link.as_os_str().as_bytes()).unwrap()
        };
        let (master, slave) = (end(pair.master.as_raw_fd()), end(pair.slave.as_raw_fd()));
        assert_eq!((master.side, slave.side), (Side::Master, Side::Slave));
        assert_eq!(master.other(), slave);
        assert_ne!(slave.devpts, UNKNOWN);
    }
}
