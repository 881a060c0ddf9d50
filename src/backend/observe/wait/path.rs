//! Paths that a thread hands to the kernel.
//!
//! ```text
//! open(path, flags)   creat(path)   openat(directory, path, flags)   openat2(directory, path, struct: flags 8)
//! ```

use rustix::fs::{AtFlags, Stat, major, minor, statat};

use super::{Facts, World};

/// A call that opens a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Open {
    /// The directory that a relative path begins at.
    pub(super) directory: i32,
    /// Where the path stands in memory.
    pub(super) address: u64,
    /// `O_RDONLY` and so on.
    pub(super) flags: i32,
}

impl Open {
    /// The arguments, if the thread is opening a file.
    pub(super) fn of(facts: &Facts<'_>, world: &World) -> Option<Self> {
        let call = facts.blocked()?;
        let (directory, address, flags) = match (call.number, call.args) {
            (libc::SYS_open, [address, flags, ..]) => (libc::AT_FDCWD, address, flags),
            (libc::SYS_creat, [address, ..]) => (libc::AT_FDCWD, address, libc::O_WRONLY as u64),
            (libc::SYS_openat, [directory, address, flags, ..]) => (directory as i32, address, flags),
            (libc::SYS_openat2, [directory, address, how, ..]) => {
                (directory as i32, address, world.longs::<1>(facts.pid, how).ok()?[0])
            }
            _ => return None,
        };
        Some(Open { directory, address, flags: flags as i32 })
    }
}

/// What the file is that a path of the thread leads to; `None` where it cannot
/// be followed.
pub(super) fn status(facts: &Facts<'_>, world: &World, directory: i32, name: &[u8]) -> Option<Stat> {
    let Facts { pid, tid, .. } = facts;
    let from = match directory {
        _ if name.starts_with(b"/") => format!("{pid}/root"),
        libc::AT_FDCWD => format!("{pid}/cwd/"),
        fd => format!("{pid}/task/{tid}/fd/{fd}/"),
    };
    let path = [from.as_bytes(), name].concat();
    statat(world.root.directory(), path, AtFlags::NO_AUTOMOUNT).ok()
}

/// A device as the kernel numbers it inside: major × 2²⁰ + minor.
pub(super) fn device(status: &Stat) -> u32 {
    major(status.st_dev) << 20 | minor(status.st_dev)
}

/// A string in the thread's memory, read by pieces that do not cross a page.
pub(super) fn string(facts: &Facts<'_>, world: &World, mut address: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while bytes.len() < 4096 {
        let mut piece = vec![0; (256 - address % 256) as usize];
        world.memory(facts.pid, address, &mut piece).ok()?;
        if let Some(end) = piece.iter().position(|&byte| byte == 0) {
            bytes.extend_from_slice(&piece[..end]);
            return Some(bytes);
        }
        address += piece.len() as u64;
        bytes.extend(piece);
    }
    None
}
