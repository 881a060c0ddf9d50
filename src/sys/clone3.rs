//! clone3(2) with `CLONE_VM | CLONE_VFORK`: no C library offers it, and none
//! could as a plain function, for the child begins on a stack of its own, to
//! which nobody has ever called.
//!
//! What it has over clone(2) is `CLONE_CLEAR_SIGHAND` (Linux 5.5): the
//! handlers of all signals go back to the default within the call, which
//! otherwise takes the child a system call for each of 64.

use std::arch::asm;
use std::ffi::{c_int, c_long, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};

use rustix::io::Errno;

use super::pidfd::Pidfd;
use crate::model::Pid;

/// `CLONE_VM | CLONE_VFORK | CLONE_PIDFD | CLONE_CLEAR_SIGHAND`.
pub(super) const FLAGS: u64 =
    libc::CLONE_VM as u64 | libc::CLONE_VFORK as u64 | libc::CLONE_PIDFD as u64 | 0x1_0000_0000;

/// struct `clone_args`, as of Linux 5.3.
#[repr(C, align(8))]
#[derive(Default)]
struct Arguments {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

/// What the child runs; it ends with what that returns.
pub(super) type Main = extern "C" fn(*mut c_void) -> c_int;

/// Starts a child that runs `main` with `data`; returns when it has executed
/// another program or has ended.
///
/// # Errors
/// Whatever the kernel says; `ENOSYS`, `EPERM` or `EINVAL` where it is too old
/// or a sandbox forbids the call.
///
/// # Safety
/// The child runs in this memory, on `stack`, while the calling thread stands
/// still: `main` may do nothing to it that the caller does not expect, and
/// `data` must be what it takes.
pub(super) unsafe fn start(
    stack: &mut [MaybeUninit<u128>],
    main: Main,
    data: *mut c_void,
) -> Result<(Pid, Pidfd), Errno> {
    let mut pidfd: c_int = -1;
    let arguments = Arguments {
        flags: FLAGS,
        pidfd: (&raw mut pidfd).expose_provenance() as u64,
        exit_signal: libc::SIGCHLD as u64,
        stack: stack.as_mut_ptr().expose_provenance() as u64,
        stack_size: size_of_val(stack) as u64,
        ..Arguments::default()
    };
    // SAFETY: as our caller promises; `arguments` lives until the call returns,
    // which CLONE_VFORK holds back until the child has left our memory.
    let result = unsafe { call(&raw const arguments, main, data) };
    if result < 0 {
        return Err(Errno::from_raw_os_error(-result as i32));
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok((result as Pid, Pidfd::from(unsafe { OwnedFd::from_raw_fd(pidfd) })))
}

/// # Safety
/// As [`start`].
#[cfg(target_arch = "x86_64")]
unsafe fn call(arguments: *const Arguments, main: Main, data: *mut c_void) -> c_long {
    let result: c_long;
    // SAFETY: the child continues behind the call too, on its new stack, whose
    // top is aligned as a function call wants it, and never comes back.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "mov edi, eax",
            "mov eax, {exit}",
            "syscall",
            "ud2",
            "2:",
            exit = const libc::SYS_exit,
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") arguments,
            in("rsi") size_of::<Arguments>(),
            in("r12") data,
            in("r13") main,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}

/// # Safety
/// As [`start`].
#[cfg(target_arch = "aarch64")]
unsafe fn call(arguments: *const Arguments, main: Main, data: *mut c_void) -> c_long {
    let result: c_long;
    // SAFETY: as for x86-64.
    unsafe {
        asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x20",
            "blr x21",
            "mov x8, {exit}",
            "svc #0",
            "brk #1",
            "2:",
            exit = const libc::SYS_exit,
            in("x8") libc::SYS_clone3,
            inlateout("x0") arguments => result,
            in("x1") size_of::<Arguments>(),
            in("x20") data,
            in("x21") main,
        );
    }
    result
}
