//! clone3(2), as an experiment: a child that does nothing but execute a
//! program.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::io;
use std::ptr;

use crate::model::Pid;
use crate::sys::clone3::start;
use crate::sys::pidfd::Pidfd;

/// The child's stack: it makes two system calls.
const STACK: usize = 16 << 10;

struct Program {
    path: *const c_char,
    argv: [*const c_char; 2],
}

extern "C" fn execute(program: *mut c_void) -> c_int {
    // SAFETY: the parent's, which stands still until we have executed.
    let program = unsafe { &*program.cast::<Program>() };
    let env = ptr::from_ref(&program.argv[1]);
    // SAFETY: a C string and two lists that end with a null pointer.
    unsafe { libc::syscall(libc::SYS_execve, program.path, program.argv.as_ptr(), env) };
    127
}

/// Starts `path`.
///
/// # Errors
/// Whatever the kernel says; `ENOSYS` where it has no such call, or the sandbox
/// forbids it.
pub fn clone3(path: &CStr) -> io::Result<(Pid, Pidfd)> {
    let mut stack = Vec::<u128>::with_capacity(STACK / size_of::<u128>());
    let program = Program { path: path.as_ptr(), argv: [path.as_ptr(), ptr::null()] };
    // SAFETY: `program` and the stack live until the call returns; the child
    // reads the one, on the other, and writes nothing but this thread's errno.
    let started =
        unsafe { start(stack.spare_capacity_mut(), execute, (&raw const program).cast_mut().cast::<c_void>()) };
    Ok(started?)
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
