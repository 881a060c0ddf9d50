//! clone3(2) with `CLONE_VM | CLONE_VFORK`: no C library offers it, and none
//! could as a function, for the child begins on a stack of its own, to which
//! nobody has ever called.

use std::arch::asm;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};
use std::ptr;

use crate::model::Pid;
use crate::sys::pidfd::Pidfd;

/// `CLONE_CLEAR_SIGHAND`: handlers go back to the default, in one call.
const CLEAR_HANDLERS: u64 = 0x1_0000_0000;
/// The child's stack: it makes two system calls.
const STACK: usize = 16 << 10;

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

struct Program {
    path: *const c_char,
    argv: [*const c_char; 2],
}

extern "C" fn execute(program: *mut c_void) -> ! {
    // SAFETY: the parent's, which stands still until we have executed.
    let program = unsafe { &*program.cast::<Program>() };
    let env = ptr::from_ref(&program.argv[1]);
    // SAFETY: a C string and two lists that end with a null pointer; the
    // second call does not return.
    unsafe {
        libc::syscall(libc::SYS_execve, program.path, program.argv.as_ptr(), env);
        libc::_exit(127)
    }
}

/// Starts `path`.
///
/// # Errors
/// Whatever the kernel says; `ENOSYS` where it has no such call, or the sandbox
/// forbids it.
pub fn clone3(path: &CStr) -> io::Result<(Pid, Pidfd)> {
    let mut stack = Vec::<u128>::with_capacity(STACK / size_of::<u128>());
    let program = Program { path: path.as_ptr(), argv: [path.as_ptr(), ptr::null()] };
    let mut pidfd: c_int = -1;
    let arguments = Arguments {
        flags: libc::CLONE_VM as u64 | libc::CLONE_VFORK as u64 | libc::CLONE_PIDFD as u64 | CLEAR_HANDLERS,
        pidfd: (&raw mut pidfd).expose_provenance() as u64,
        exit_signal: libc::SIGCHLD as u64,
        stack: stack.spare_capacity_mut().as_mut_ptr().expose_provenance() as u64,
        stack_size: STACK as u64,
        ..Arguments::default()
    };
    // SAFETY: `arguments`, `program` and the stack live until the call
    // returns, which CLONE_VFORK holds back until the child has left our
    // memory; the child runs `execute` only, on that stack.
    let result = unsafe { call(&raw const arguments, (&raw const program).cast_mut().cast()) };
    drop(stack);
    if result < 0 {
        return Err(io::Error::from_raw_os_error(-result as i32));
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok((result as Pid, Pidfd::from(unsafe { OwnedFd::from_raw_fd(pidfd) })))
}

/// # Safety
/// As [`clone3`] says of what both point to.
#[cfg(target_arch = "x86_64")]
unsafe fn call(arguments: *const Arguments, program: *mut c_void) -> isize {
    let result: isize;
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
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 as isize => result,
            in("rdi") arguments,
            in("rsi") size_of::<Arguments>(),
            in("r12") program,
            in("r13") execute as extern "C" fn(*mut c_void) -> !,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    result
}

/// # Safety
/// As [`clone3`] says of what both point to.
#[cfg(target_arch = "aarch64")]
unsafe fn call(arguments: *const Arguments, program: *mut c_void) -> isize {
    let result: isize;
    // SAFETY: as for x86-64.
    unsafe {
        asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x20",
            "blr x21",
            "brk #1",
            "2:",
            in("x8") libc::SYS_clone3 as isize,
            inlateout("x0") arguments => result,
            in("x1") size_of::<Arguments>(),
            in("x20") program,
            in("x21") execute as extern "C" fn(*mut c_void) -> !,
        );
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::reap;

    #[test]
    fn it_starts_a_program_and_says_what_it_cannot() {
        let (pid, pidfd) = clone3(c"/bin/true").unwrap();
        assert!(pid > 0);
        assert_eq!(reap::wait(&pidfd).unwrap().0.code, Some(0));
        let (_, pidfd) = clone3(c"/no/such/program").unwrap();
        assert_eq!(reap::wait(&pidfd).unwrap().0.code, Some(127), "the child runs, and cannot execute it");
    }
}
