//! System calls in words: `recvfrom(socket 48213 (fd 4), …)`.

use std::fmt::Write;

use super::descriptor::words;
use super::{Facts, World};
use crate::model::process::BlockedCall;

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
}

use Shape::{At, Fd, Hex, Int, Size};

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
    ("open", &[At, Hex, Hex]),
    ("openat", &[Int, At, Hex, Hex]),
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
    ("mount", &[At, At, At, Hex]),
    ("unlink", &[At]),
    ("rename", &[At, At]),
    ("execve", &[At, At, At]),
];

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
            At if value == 0 => write!(text, "NULL"),
            Hex | At => write!(text, "{value:#x}"),
        };
    }
    text.push(')');
    text
}
