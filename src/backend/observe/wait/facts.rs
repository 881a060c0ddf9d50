//! What is known of a blocked thread before any decoder looks at it.

use crate::model::process::{BlockedCall, State};
use crate::model::{Nanos, Pid};
use crate::sys::syscalls;

/// What is known of a blocked thread before any decoder looks at it.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// Its process.
    pub pid: Pid,
    /// The thread.
    pub tid: Pid,
    /// Its state.
    pub state: State,
    /// The system call it is in, with stack pointer and program counter; or
    /// why that is not known.
    pub call: &'a Call,
    /// Where in the kernel it sleeps: the content of `wchan`, empty or `0`
    /// where the kernel does not tell.
    pub wchan: &'a str,
    /// Since when it has been seen in this very wait.
    pub since: Option<Nanos>,
}

/// The content of `/proc/PID/task/TID/syscall`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// It was running.
    Running,
    /// It is blocked in a system call.
    Blocked {
        /// Number, name and arguments.
        call: BlockedCall,
        /// User stack pointer.
        sp: u64,
        /// User program counter.
        pc: u64,
    },
    /// It is blocked, but not in a system call: mostly in a page fault.
    Outside,
    /// It is a thread of the kernel, which is in no system call and has no
    /// registers of a program's.
    Kernel,
    /// The file could not be read; mostly `EACCES` or `EPERM`.
    Unreadable(rustix::io::Errno),
}

impl Call {
    /// Understands the content of a `syscall` file (`proc_pid_syscall(5)`):
    /// `running`; `-1 SP PC` outside of any call, all zero for a thread of the
    /// kernel; or the number, six arguments,
    /// SP and PC. `None` for anything else.
    pub fn parse(content: &[u8]) -> Option<Self> {
        let text = str::from_utf8(content).ok()?.trim();
        if text == "running" {
            return Some(Call::Running);
        }
        let mut fields = text.split_ascii_whitespace();
        let number: i64 = fields.next()?.parse().ok()?;
        let mut hex = || u64::from_str_radix(fields.next()?.strip_prefix("0x")?, 16).ok();
        if number == -1 {
            let registers = (hex(), hex());
            return Some(if registers == (Some(0), Some(0)) { Call::Kernel } else { Call::Outside });
        }
        let mut args = [0; 6];
        for arg in &mut args {
            *arg = hex()?;
        }
        let (sp, pc) = (hex()?, hex()?);
        if (sp, pc) == (0, 0) {
            return Some(Call::Kernel);
        }
        let name = syscalls::name(number).map_or_else(|| format!("syscall {number}").into(), Into::into);
        Some(Call::Blocked { call: BlockedCall { number, name, args }, sp, pc })
    }
}

impl Facts<'_> {
    /// The system call, if it is blocked in one.
    pub fn blocked(&self) -> Option<&BlockedCall> {
        match self.call {
            Call::Blocked { call, .. } => Some(call),
            _ => None,
        }
    }

    /// The arguments, if the call is one of `numbers`.
    pub fn call_in(&self, numbers: &[i64]) -> Option<&[u64; 6]> {
        self.blocked().filter(|call| numbers.contains(&call.number)).map(|call| &call.args)
    }

    /// Whether the kernel tells where the thread sleeps.
    pub fn has_wchan(&self) -> bool {
        !matches!(self.wchan, "" | "0")
    }

    /// Whether the call has not come to what it is for: it is held back by the supervisor of a
    /// filter (seccomp(2)), or a page of memory that it needs is not there (userfaultfd(2)).
    pub fn is_held_back(&self) -> bool {
        self.has_wchan() && self.may_sleep_in(&["seccomp_do_user_notification", "handle_userfault"])
    }

    /// Whether the thread sleeps in one of these kernel functions, or the
    /// kernel does not tell where it sleeps.
    pub fn may_sleep_in(&self, functions: &[&str]) -> bool {
        !self.has_wchan() || functions.iter().any(|function| self.wchan.contains(function))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_syscall_file_is_understood_or_refused() {
        assert_eq!(Call::parse(b"running\n"), Some(Call::Running));
        assert_eq!(Call::parse(b"-1 0x7fff 0x55d0\n"), Some(Call::Outside));
        assert_eq!(Call::parse(b"-1 0x0 0x0\n"), Some(Call::Kernel));
        assert_eq!(Call::parse(b"0 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n"), Some(Call::Kernel));
        let Some(Call::Blocked { call, sp, pc }) =
            Call::parse(b"202 0x564ad3f89060 0x80 0x2 0x0 0x0 0x0 0x7f58a5d38ea8 0x7f58a5dc312b\n")
        else {
            panic!("a blocked thread");
        };
        assert_eq!((call.number, &call.args[..3]), (202, &[0x564a_d3f8_9060, 0x80, 2][..]));
        assert_eq!((sp, pc), (0x7f58_a5d3_8ea8, 0x7f58_a5dc_312b));
        for broken in [&b""[..], b"x", b"202 0x1", b"202 1 2 3 4 5 6 7 8", b"\xff"] {
            assert_eq!(Call::parse(broken), None);
        }
    }
}
