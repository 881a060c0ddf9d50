//! Open descriptors: `/proc/PID/fd` and `/proc/PID/fdinfo`, `proc_pid_fd(5)`,
//! `proc_pid_fdinfo(5)`.
//!
//! ```text
//! fd/5 -> pipe:[48213]       what it is
//! fdinfo/5  pos:    0        position
//!           flags:  02000001 octal: access mode and O_CLOEXEC, open(2)
//!           ino:    48213
//! ```

use std::fs::File;
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, getxattr, readlinkat, statat};
use rustix::io::Errno;
use std::os::fd::AsRawFd;

use super::ends;
use super::source::Source;
use crate::backend::observe::wait::World;
use crate::model::Pid;
use crate::model::detail::{Descriptor, DescriptorKind, Section};
use crate::model::process::ProcessTable;
use crate::model::text::visible_arc;

/// The open descriptors, by number. One that is closed meanwhile is left out.
pub(super) fn read(source: &Source, pid: Pid, table: &ProcessTable, world: &mut World) -> Section<Vec<Descriptor>> {
    let numbers = source.numbers("fd")?;
    let directory = source.file("fd")?;
    let mut descriptors = Vec::with_capacity(numbers.len());
    for fd in numbers {
        let link = match readlinkat(&directory, fd.to_string(), Vec::new()) {
            Ok(link) => link,
            Err(Errno::NOENT) => continue,
            Err(errno) => return Err(source.errno(&format!("fd/{fd}"), errno)),
        };
        let Some(info) = source.bytes_if_there(&format!("fdinfo/{fd}"))? else { continue };
        let Some(info) = Info::parse(&info) else { continue };
        let kind = kind(&directory, fd, link.to_bytes());
        let descriptor = Descriptor {
            fd,
            kind,
            target: visible_arc(link.to_bytes()),
            address: None,
            access: info.access(),
            position: has_position(kind).then_some(info.position),
            cloexec: info.flags & libc::O_CLOEXEC != 0,
            other_ends: Vec::new(),
        };
        descriptors.push((descriptor, link.into_bytes()));
    }
    ends::name(&mut descriptors, source, pid, table, world);
    Ok(descriptors.into_iter().map(|(descriptor, _)| descriptor).collect())
}

/// What is taken from `fdinfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Info {
    position: u64,
    flags: i32,
}

impl Info {
    fn parse(text: &[u8]) -> Option<Self> {
        let text = str::from_utf8(text).ok()?;
        let value = |key: &str| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        let flags = u32::from_str_radix(value("flags:")?, 8).ok()?;
        Some(Info { position: value("pos:")?.parse().ok()?, flags: flags.cast_signed() })
    }

    fn access(self) -> Arc<str> {
        let access = match self.flags & (libc::O_ACCMODE | libc::O_PATH) {
            libc::O_RDONLY => "r",
            libc::O_WRONLY => "w",
            libc::O_RDWR => "rw",
            // O_PATH, and the fourth access mode, which permits only ioctl(2).
            _ => "-",
        };
        access.into()
    }
}

fn has_position(kind: DescriptorKind) -> bool {
    matches!(kind, DescriptorKind::File | DescriptorKind::Directory | DescriptorKind::Memfd)
}

fn kind(directory: &File, fd: i32, link: &[u8]) -> DescriptorKind {
    let anonymous = link.strip_prefix(b"anon_inode:").map(|name| name.strip_prefix(b"[").unwrap_or(name));
    match (anonymous, link) {
        (Some(name), _) => anonymous_kind(name.strip_suffix(b"]").unwrap_or(name)),
        (None, link) if link.starts_with(b"socket:") => socket_kind(directory, fd),
        (None, link) if link.starts_with(b"pipe:") => DescriptorKind::Pipe,
        // A file system of their own since Linux 6.9.
        (None, link) if link.starts_with(b"pidfd:") => DescriptorKind::Pidfd,
        (None, link) if link.starts_with(b"/memfd:") => DescriptorKind::Memfd,
        (None, link) if link.starts_with(b"/") => file_kind(directory, fd),
        _ => DescriptorKind::Other,
    }
}

/// The kernel's names for what has no file, `anon_inode_getfile` in its source.
fn anonymous_kind(name: &[u8]) -> DescriptorKind {
    match name {
        b"eventfd" => DescriptorKind::Eventfd,
        b"eventpoll" => DescriptorKind::Epoll,
        b"timerfd" => DescriptorKind::Timerfd,
        b"signalfd" => DescriptorKind::Signalfd,
        b"inotify" => DescriptorKind::Inotify,
        b"io_uring" => DescriptorKind::IoUring,
        b"pidfd" => DescriptorKind::Pidfd,
        _ => DescriptorKind::Other,
    }
}

/// The kind of file behind the descriptor, by following its link.
fn file_kind(directory: &File, fd: i32) -> DescriptorKind {
    let Ok(stat) = statat(directory, fd.to_string(), AtFlags::empty()) else { return DescriptorKind::File };
    // Consoles and serial lines, /dev/tty and /dev/console, pseudo-terminals:
    // Documentation/admin-guide/devices.txt of the kernel.
    let terminal = matches!(rustix::fs::major(stat.st_rdev), 4 | 5 | 136..=143);
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => DescriptorKind::Directory,
        FileType::Fifo => DescriptorKind::Fifo,
        FileType::CharacterDevice if terminal => DescriptorKind::Terminal,
        FileType::CharacterDevice | FileType::BlockDevice => DescriptorKind::Device,
        _ => DescriptorKind::File,
    }
}

/// The family of a socket. The kernel tells the protocol's name as an extended
/// attribute of the socket (`sockfs_xattr_handlers`), in any network namespace.
fn socket_kind(directory: &File, fd: i32) -> DescriptorKind {
    let mut name = [0; 64];
    let path = format!("/proc/self/fd/{}/{fd}", directory.as_raw_fd());
    let Ok(length) = getxattr(path, "system.sockprotoname", &mut name) else { return DescriptorKind::Socket };
    let name = &name[..length.min(name.len())];
    match name.split(|&b| b == 0).next().unwrap_or_default() {
        name if name.starts_with(b"UNIX") => DescriptorKind::UnixSocket,
        name if [&b"TCP"[..], b"UDP", b"MPTCP", b"RAW", b"PING", b"SCTP"].iter().any(|p| name.starts_with(p)) => {
            DescriptorKind::InetSocket
        }
        _ => DescriptorKind::Socket,
    }
}
