//! System calls in words: `openat("/mnt/photos/a.jpg", O_RDONLY)`.

use std::fmt::Write;

use super::resource::words;
use super::{Facts, World, path};
use crate::model::process::BlockedCall;
use crate::model::text::visible;

/// How an argument is shown.
#[derive(Clone, Copy, Debug)]
enum Shape {
    /// A descriptor, with what it is.
    Fd,
    /// A signed number.
    Int,
    /// A number of bytes or things.
    Size,
    /// Flags or a command.
    Hex,
    /// An address in the thread's memory.
    At,
    /// The address of a path.
    Path,
    /// The directory that a relative path begins at.
    Directory,
    /// How a file is opened.
    Open,
}

use Shape::{At, Directory, Fd, Hex, Int, Open, Path, Size};

/// The arguments of calls that block, by name. Others are shown with all six
/// registers, which hold whatever was there before.
const CALLS: &[(&str, &[Shape])] = &[
    ("read", &[Fd, At, Size]),
    ("write", &[Fd, At, Size]),
    ("pread64", &[Fd, At, Size, Size]),
    ("pwrite64", &[Fd, At, Size, Size]),
    ("readv", &[Fd, At, Size]),
    ("writev", &[Fd, At, Size]),
    ("preadv", &[Fd, At, Size, Size]),
    ("pwritev", &[Fd, At, Size, Size]),
    ("open", &[Path, Open]),
    ("creat", &[Path]),
    ("openat", &[Directory, Path, Open]),
    ("openat2", &[Directory, Path, At, Size]),
    ("close", &[Fd]),
    ("fsync", &[Fd]),
    ("fdatasync", &[Fd]),
    ("sync", &[]),
    ("syncfs", &[Fd]),
    ("ftruncate", &[Fd, Size]),
    ("fallocate", &[Fd, Hex, Size, Size]),
    ("sendfile", &[Fd, Fd, At, Size]),
    ("splice", &[Fd, At, Fd, At, Size, Hex]),
    ("tee", &[Fd, Fd, Size, Hex]),
    ("copy_file_range", &[Fd, At, Fd, At, Size, Hex]),
    ("ioctl", &[Fd, Hex, Hex]),
    ("fcntl", &[Fd, Hex, Hex]),
    ("flock", &[Fd, Hex]),
    ("getdents64", &[Fd, At, Size]),
    ("recvfrom", &[Fd, At, Size, Hex]),
    ("recvmsg", &[Fd, At, Hex]),
    ("recvmmsg", &[Fd, At, Size, Hex, At]),
    ("sendto", &[Fd, At, Size, Hex]),
    ("sendmsg", &[Fd, At, Hex]),
    ("sendmmsg", &[Fd, At, Size, Hex]),
    ("accept", &[Fd, At, At]),
    ("accept4", &[Fd, At, At, Hex]),
    ("connect", &[Fd, At, Size]),
    ("poll", &[At, Size, Int]),
    ("ppoll", &[At, Size, At]),
    ("select", &[Size, At, At, At, At]),
    ("pselect6", &[Size, At, At, At, At]),
    ("epoll_wait", &[Fd, At, Size, Int]),
    ("epoll_pwait", &[Fd, At, Size, Int]),
    ("epoll_pwait2", &[Fd, At, Size, At]),
    ("wait4", &[Int, At, Hex]),
    ("waitid", &[Int, Int, At, Hex]),
    ("futex", &[At, Hex, Int, At]),
    ("futex_wait", &[At, Size, Hex, Hex]),
    ("futex_waitv", &[At, Size, Hex, At]),
    ("io_uring_enter", &[Fd, Size, Size, Hex]),
    ("io_getevents", &[At, Size, Size, At, At]),
    ("pause", &[]),
    ("rt_sigsuspend", &[At, Size]),
    ("rt_sigtimedwait", &[At, At, At, Size]),
    ("nanosleep", &[At, At]),
    ("clock_nanosleep", &[Int, Hex, At, At]),
    ("msgrcv", &[Int, At, Size, Int, Hex]),
    ("msgsnd", &[Int, At, Size, Hex]),
    ("semop", &[Int, At, Size]),
    ("semtimedop", &[Int, At, Size, At]),
    ("mq_timedreceive", &[Fd, At, Size, At, At]),
    ("mq_timedsend", &[Fd, At, Size, Size, At]),
    ("vfork", &[]),
    ("clone", &[Hex, At]),
    ("clone3", &[At, Size]),
    ("ptrace", &[Hex, Int, At, At]),
    ("restart_syscall", &[]),
    ("exit", &[Int]),
    ("exit_group", &[Int]),
    ("mount", &[Path, Path, Path, Hex]),
    ("umount2", &[Path, Hex]),
    ("stat", &[Path, At]),
    ("lstat", &[Path, At]),
    ("fstat", &[Fd, At]),
    ("newfstatat", &[Directory, Path, At, Hex]),
    ("statx", &[Directory, Path, Hex, Hex, At]),
    ("statfs", &[Path, At]),
    ("access", &[Path, Hex]),
    ("faccessat", &[Directory, Path, Hex]),
    ("faccessat2", &[Directory, Path, Hex, Hex]),
    ("readlink", &[Path, At, Size]),
    ("readlinkat", &[Directory, Path, At, Size]),
    ("chdir", &[Path]),
    ("mkdir", &[Path, Hex]),
    ("mkdirat", &[Directory, Path, Hex]),
    ("rmdir", &[Path]),
    ("truncate", &[Path, Size]),
    ("unlink", &[Path]),
    ("unlinkat", &[Directory, Path, Hex]),
    ("rename", &[Path, Path]),
    ("renameat", &[Directory, Path, Directory, Path]),
    ("renameat2", &[Directory, Path, Directory, Path, Hex]),
    ("execve", &[Path, At, At]),
    ("execveat", &[Directory, Path, At, At, Hex]),
    ("msync", &[At, Size, Hex]),
    ("mmap", &[At, Size, Hex, Hex, Int, Size]),
    ("munmap", &[At, Size]),
    ("madvise", &[At, Size, Int]),
    ("mlock", &[At, Size]),
    ("getrandom", &[At, Size, Hex]),
    ("kill", &[Int, Int]),
    ("tgkill", &[Int, Int, Int]),
    ("process_vm_readv", &[Int, At, Size, At, Size, Hex]),
    ("process_vm_writev", &[Int, At, Size, At, Size, Hex]),
    ("request_key", &[Path, Path, At, Int]),
    ("finit_module", &[Fd, At, Hex]),
    ("quotactl", &[Hex, Path, Int, At]),
    ("reboot", &[Hex, Hex, Hex, At]),
    ("setns", &[Fd, Hex]),
    ("membarrier", &[Int, Hex, Int]),
];

/// Bits of how a file is opened that tell why it may block.
const OPEN: [(i32, &str); 8] = [
    (libc::O_CREAT, "O_CREAT"),
    (libc::O_EXCL, "O_EXCL"),
    (libc::O_TRUNC, "O_TRUNC"),
    (libc::O_APPEND, "O_APPEND"),
    (libc::O_NONBLOCK, "O_NONBLOCK"),
    (libc::O_DIRECTORY, "O_DIRECTORY"),
    (libc::O_CLOEXEC, "O_CLOEXEC"),
    (libc::O_DSYNC, "O_DSYNC"),
];

/// `O_WRONLY|O_CREAT|0x8000`.
fn opened(flags: i32) -> String {
    let mut words = vec![match flags & libc::O_ACCMODE {
        libc::O_RDONLY => "O_RDONLY".to_owned(),
        libc::O_WRONLY => "O_WRONLY".to_owned(),
        libc::O_RDWR => "O_RDWR".to_owned(),
        _ => "3".to_owned(),
    }];
    let mut rest = flags & !libc::O_ACCMODE;
    for (bit, word) in OPEN {
        if rest & bit != 0 {
            rest &= !bit;
            words.push(word.to_owned());
        }
    }
    if rest != 0 {
        words.push(format!("{rest:#x}"));
    }
    words.join("|")
}

/// A path in the thread's memory, its end where it is long; else its address.
fn quoted(facts: &Facts<'_>, world: &World, address: u64) -> String {
    const LONGEST: usize = 120;
    let Some(name) = path::string(facts, world, address) else { return format!("{address:#x}") };
    let shown = visible(&name);
    match shown.char_indices().rev().nth(LONGEST) {
        Some((cut, _)) => format!("\"…{}\"", &shown[cut..]),
        None => format!("\"{shown}\""),
    }
}

/// The call with its arguments in words.
pub(super) fn render(facts: &Facts<'_>, world: &World, call: &BlockedCall) -> String {
    let shapes = CALLS.iter().find(|(name, _)| *name == call.name).map_or(&[Hex; 6][..], |(_, shapes)| shapes);
    let mut text = format!("{}(", call.name);
    for (index, (shape, &value)) in shapes.iter().zip(&call.args).enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        // Writing to a String cannot fail.
        let _ = match shape {
            Fd => write!(text, "{}", words(facts, world, value as i32)),
            Int => write!(text, "{}", value as i32),
            Size => write!(text, "{value}"),
            At | Path if value == 0 => write!(text, "NULL"),
            Hex | At => write!(text, "{value:#x}"),
            Path => write!(text, "{}", quoted(facts, world, value)),
            Directory if value as i32 == libc::AT_FDCWD => write!(text, "AT_FDCWD"),
            Directory => write!(text, "{}", words(facts, world, value as i32)),
            Open => write!(text, "{}", opened(value as i32)),
        };
    }
    text.push(')');
    text
}

#[cfg(test)]
mod tests {
    use crate::backend::observe::wait::fixture::{DATA, Machine, PID};

    #[test]
    fn a_path_and_how_it_is_opened_are_told() {
        let machine = Machine::new(&format!("257 0xffffff9c {DATA:#x} 0x80241 0x1b6 0x0 0x0"), "lookup_slow");
        machine.set_bytes(PID, DATA, b"/mnt/\x1bphotos/a.jpg\0");
        machine.set_bytes(PID, DATA + 19, &[0; 512]);
        let says = || machine.decode().unwrap().resource.to_string();
        assert_eq!(says(), r#"openat(AT_FDCWD, "/mnt/\x1bphotos/a.jpg", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC)"#);
        machine.set_bytes(PID, DATA, &[b'x'; 300]);
        assert_eq!(says().matches('x').count(), 120 + 1, "its end: {}", says());
        let machine = Machine::new("257 0xffffff9c 0x10 0x0 0x0 0x0 0x0", "lookup_slow");
        assert_eq!(&*machine.decode().unwrap().resource, "openat(AT_FDCWD, 0x10, O_RDONLY)");
    }
}
