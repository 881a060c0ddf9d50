//! Ways to make a process, as an experiment: fork(2) of the C library and of
//! the kernel alone, `posix_spawn(3)`, clone3(2).
//!
//! The program itself starts processes by [`spawn`](super::spawn) only. What
//! is here runs in worker processes that have nothing to lose: after a fork of
//! a process with more than one thread, whatever another thread held stays
//! held in the child for ever, and that is what the experiments show.

mod clone3;
mod mutex;

use std::ffi::{CStr, c_char, c_int};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

pub use self::clone3::clone3;
pub use self::mutex::PlainMutex;
use super::pidfd::Pidfd;
use crate::model::Pid;

/// How to fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fork {
    /// fork(3) of the C library: it takes the locks of its own parts, the
    /// allocator's among them, before, and gives them back on both sides.
    Library,
    /// The bare system call, which knows of no lock.
    Kernel,
}

/// Forks; the child does `work` and ends with the code it returns.
///
/// # Errors
/// Whatever the kernel says.
pub fn fork(how: Fork, work: impl FnOnce() -> i32) -> io::Result<(Pid, Pidfd)> {
    let none = 0usize;
    // SAFETY: the child gets a copy of everything; all it does is `work`, and
    // then it ends without running anything of ours. What of the copied state
    // another thread was changing is in the state in which it stood: this is
    // what is looked at, in a process that is thrown away.
    let pid = unsafe {
        match how {
            Fork::Library => i64::from(libc::fork()),
            Fork::Kernel => libc::syscall(libc::SYS_clone, libc::SIGCHLD, none, none, none, none),
        }
    };
    match pid {
        0 => {
            let code = work();
            // SAFETY: ends the child at once.
            unsafe { libc::_exit(code) }
        }
        pid if pid > 0 => Ok((pid as Pid, Pidfd::open(pid as Pid)?)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Allocates and frees once through the C library's allocator, past what each
/// thread has for itself.
pub fn allocate() -> bool {
    const SIZE: usize = 6_000;
    // SAFETY: what malloc gave goes back to free, and is written to once so
    // that the pair is not optimised away.
    unsafe {
        let memory = libc::malloc(SIZE).cast::<u8>();
        if memory.is_null() {
            return false;
        }
        memory.write_volatile(1);
        libc::free(memory.cast());
    }
    true
}

/// Has all threads allocate from one arena, so that they share its lock.
pub fn share_one_arena() {
    super::heap::keep_small();
}

/// Forks and executes `path` as one does by hand.
///
/// # Errors
/// Whatever the kernel says of the fork.
pub fn fork_and_execute(path: &CStr) -> io::Result<(Pid, Pidfd)> {
    let argv = [path.as_ptr(), ptr::null()];
    fork(Fork::Library, || {
        // SAFETY: a C string and two lists that end with a null pointer.
        unsafe { libc::execve(path.as_ptr(), argv.as_ptr(), argv[1..].as_ptr()) };
        127
    })
}

/// Starts `path` by `posix_spawn(3)`.
///
/// # Errors
/// Whatever it says.
pub fn posix_spawn(path: &CStr) -> io::Result<(Pid, Pidfd)> {
    let argv: [*mut c_char; 2] = [path.as_ptr().cast_mut(), ptr::null_mut()];
    let mut pid: c_int = 0;
    // SAFETY: writes the pid; the lists end with a null pointer, and nobody
    // writes to the string.
    let error = unsafe {
        libc::posix_spawn(&raw mut pid, path.as_ptr(), ptr::null(), ptr::null(), argv.as_ptr(), argv[1..].as_ptr())
    };
    if error == 0 { Ok((pid, Pidfd::open(pid)?)) } else { Err(io::Error::from_raw_os_error(error)) }
}

/// Has `command` do something between fork and exec that is not
/// async-signal-safe.
pub fn before_exec(command: &mut Command, work: impl FnMut() -> io::Result<()> + Send + Sync + 'static) {
    // SAFETY: it is unsafe, and shown to be, in a process that is thrown away:
    // it may wait for ever for what no thread of the child holds.
    unsafe { command.pre_exec(work) };
}
