//! Who has a file or a named pipe open: found by the last part of its path among
//! the links of all descriptors, and made sure of by what it is.

use rustix::fs::{AtFlags, FileType, statat};
use rustix::io::Errno;

use super::End;
use super::listing::{access_of, decimal, descriptors_of, each_descriptor};
use crate::model::Pid;
use crate::sys::procroot::ProcRoot;

/// Calls `each` with process, thread and number of every descriptor whose link has
/// the same last part as `path`; returns the processes that may not be read.
///
/// # Errors
/// Where the proc file system itself cannot be listed.
pub fn with_name(root: &ProcRoot, path: &[u8], mut each: impl FnMut(Pid, Pid, i32)) -> Result<Vec<Pid>, Errno> {
    let name = last_part(path);
    each_descriptor(root, &mut |_, (pid, tid), fd, link| {
        if link.starts_with(b"/") && last_part(link) == name {
            each(pid, tid, fd);
        }
    })
}

/// Calls `each` with process, thread and number of every descriptor with this link,
/// `anon_inode:[eventpoll]`; returns the processes that may not be read.
///
/// # Errors
/// Where the proc file system itself cannot be listed.
pub fn with_link(root: &ProcRoot, wanted: &[u8], mut each: impl FnMut(Pid, Pid, i32)) -> Result<Vec<Pid>, Errno> {
    each_descriptor(root, &mut |_, (pid, tid), fd, link| {
        if link == wanted {
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
    open_on(root, path, (device, inode), Some(FileType::Fifo))
}

/// Who has the same file open as the descriptor whose link is at `own` below the
/// root, and leads to `path`.
///
/// # Errors
/// Where that descriptor or the proc file system cannot be read.
pub fn of_file(root: &ProcRoot, path: &[u8], own: &str) -> Result<Vec<End>, Errno> {
    let same = statat(root.directory(), own, AtFlags::empty())?;
    Ok(open_on(root, path, (same.st_dev, same.st_ino), None)?.0)
}

/// The descriptors open on a file, of this type if one is asked for.
fn open_on(
    root: &ProcRoot,
    path: &[u8],
    file: (u64, u64),
    wanted: Option<FileType>,
) -> Result<(Vec<End>, Vec<Pid>), Errno> {
    let name = last_part(path);
    let mut ends = Vec::new();
    let unreadable = each_descriptor(root, &mut |directory, (pid, tid), fd, link| {
        // Only a link of that name is followed: following others could wait
        // for a file server that does not answer.
        if !link.starts_with(b"/") || last_part(link) != name {
            return;
        }
        let Ok(status) = statat(directory, decimal(fd).as_str(), AtFlags::empty()) else { return };
        let is_wanted = wanted.is_none_or(|wanted| FileType::from_raw_mode(status.st_mode) == wanted);
        if is_wanted && (status.st_dev, status.st_ino) == file {
            ends.push(End { pid, tid, fd, access: access_of(directory, fd), ring: false });
        }
    })?;
    Ok((ends, unreadable))
}

/// The last part of a path, without the kernel's remark that it is deleted.
fn last_part(path: &[u8]) -> &[u8] {
    let path = path.strip_suffix(b" (deleted)").unwrap_or(path);
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}
