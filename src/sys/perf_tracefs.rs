//! The numbers and fields of tracepoints, from the tracing file system
//! (`Documentation/trace/events.rst` of the kernel).
//!
//! It is looked for where it is mounted by custom. Where it is mounted nowhere,
//! whoever may mount gets a mount of his own that appears in no directory
//! (`fsopen(2)`, `fsmount(2)`) and that is gone with its descriptor: nothing of
//! the system is changed.

use std::collections::HashMap;
use std::ffi::CStr;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use rustix::fs::{Mode, OFlags, open, openat};
use rustix::io::Errno;

/// Where it is mounted by custom.
pub const PLACES: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// The tracing file system, opened.
#[derive(Debug)]
pub struct Tracefs {
    root: OwnedFd,
}

/// A tracepoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracepoint {
    /// Its number.
    pub id: u64,
    /// Offset and size of each field.
    pub fields: HashMap<String, (usize, usize)>,
}

impl Tracefs {
    /// Opens it.
    ///
    /// # Errors
    /// `EACCES` where it may not be entered; otherwise why it cannot be mounted:
    /// `EPERM` without the permission, `ENODEV` on a kernel that has none.
    pub fn open() -> Result<Self, Errno> {
        let mut refused = None;
        for place in PLACES {
            match open(place, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
                Ok(root) => match openat(&root, "events", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
                    Ok(_) => return Ok(Tracefs { root }),
                    Err(Errno::NOENT) => {}
                    Err(error) => refused = refused.or(Some(error)),
                },
                Err(Errno::NOENT) => {}
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match detached_mount() {
            Ok(root) => Ok(Tracefs { root }),
            Err(error) => Err(refused.unwrap_or(error)),
        }
    }

    /// A tracepoint, by its system and name.
    ///
    /// # Errors
    /// `ENOENT` where this kernel has none of that name, `EACCES` where its
    /// files may not be read.
    pub fn tracepoint(&self, system: &str, name: &str) -> Result<Tracepoint, Errno> {
        let read = |file: &str| {
            let path = format!("events/{system}/{name}/{file}");
            let file = openat(&self.root, path.as_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
            io::read_to_string(std::fs::File::from(file))
                .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))
        };
        let id = read("id")?.trim().parse().map_err(|_| Errno::INVAL)?;
        Ok(Tracepoint { id, fields: fields(&read("format")?) })
    }
}

/// The fields of a `format` file: `field:pid_t prev_pid; offset:24; size:4; signed:1;`.
fn fields(format: &str) -> HashMap<String, (usize, usize)> {
    let field = |line: &str| {
        let mut parts = line.trim().strip_prefix("field:")?.split(';').map(str::trim);
        let name = parts.next()?.rsplit(' ').next()?.split('[').next()?.to_owned();
        let mut number = |key: &str| parts.next()?.strip_prefix(key)?.parse().ok();
        Some((name, (number("offset:")?, number("size:")?)))
    };
    format.lines().filter_map(field).collect()
}

/// A mount that is nowhere.
fn detached_mount() -> Result<OwnedFd, Errno> {
    const FSOPEN_CLOEXEC: libc::c_uint = 1;
    const FSCONFIG_CMD_CREATE: libc::c_uint = 6;
    const FSMOUNT_CLOEXEC: libc::c_uint = 1;
    const READ_ONLY: libc::c_uint = 1;
    let name: &CStr = c"tracefs";
    // SAFETY: a string that ends in zero, and a number.
    let context = owned(unsafe { libc::syscall(libc::SYS_fsopen, name.as_ptr(), FSOPEN_CLOEXEC) })?;
    let raw = std::os::fd::AsRawFd::as_raw_fd(&context);
    let none = std::ptr::null::<libc::c_char>();
    // SAFETY: a descriptor of ours, a command that takes neither key nor value.
    let made = unsafe { libc::syscall(libc::SYS_fsconfig, raw, FSCONFIG_CMD_CREATE, none, none, 0) };
    if made < 0 {
        return Err(last());
    }
    // SAFETY: a descriptor of ours and numbers.
    owned(unsafe { libc::syscall(libc::SYS_fsmount, raw, FSMOUNT_CLOEXEC, READ_ONLY) })
}

fn owned(result: libc::c_long) -> Result<OwnedFd, Errno> {
    if result < 0 {
        return Err(last());
    }
    // SAFETY: a new descriptor of our own.
    Ok(unsafe { OwnedFd::from_raw_fd(result as RawFd) })
}

fn last() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_a_tracepoint_are_found() {
        let format = "name: sched_waking\nID: 375\nformat:\n\
            \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n\
            \tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;\n\
            \tfield:pid_t pid;\toffset:24;\tsize:4;\tsigned:1;\n\n\
            print fmt: \"comm=%s pid=%d\", REC->comm, REC->pid\n";
        let fields = fields(format);
        assert_eq!(fields["pid"], (24, 4));
        assert_eq!(fields["comm"], (8, 16));
        assert_eq!((fields["common_type"], fields.len()), ((0, 2), 3));
    }
}
