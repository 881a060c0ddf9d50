//! The child's half, between clone(2) and execve(2).
//!
//! It shares the parent's memory and, while the parent's thread stands still,
//! that thread's errno. So: system calls and arithmetic, no allocation, no
//! lock, nothing that could panic.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_long, c_void};
use std::ptr;

use rustix::io::Errno;

use super::{Group, Step};

/// Stands for "no descriptor".
pub(super) const NO_FD: c_int = -1;

/// `KERNEL_SIGSET_SIZE`: 64 signals.
const SET: c_long = 8;

/// How long to wait for a full socket, 1 ms a turn: the other end is a
/// process that does nothing but read.
const PATIENCE: u32 = 2_000;

/// All the child needs, made ready by the parent. The three lists end with a
/// null pointer.
pub(super) struct Plan {
    pub(super) candidates: *const *const c_char,
    pub(super) argv: *const *const c_char,
    pub(super) envp: *const *const c_char,
    pub(super) cwd: *const c_char,
    pub(super) stdio: [c_int; 3],
    pub(super) group: Group,
    /// Bit n − 1 for signal n.
    pub(super) ignore: u64,
    pub(super) nofile: libc::rlimit64,
    pub(super) socket: c_int,
    pub(super) message: u8,
    pub(super) failure: Failure,
}

/// Where the child leaves what went wrong, in the memory that both share.
#[derive(Default)]
pub(super) struct Failure(Cell<Option<(Step, c_int, usize)>>);

impl Failure {
    /// Step, reason, and the index of the candidate path.
    pub(super) fn get(&self) -> Option<(Step, Errno, usize)> {
        let cell = self.0.as_ptr();
        // SAFETY: the child has ended or left our memory. Volatile, because
        // the compiler does not know that a call into `clone` wrote it.
        let found = unsafe { cell.read_volatile() };
        found.map(|(step, errno, candidate)| (step, Errno::from_raw_os_error(errno), candidate))
    }

    fn set(&self, step: Step, errno: c_int, candidate: usize) {
        // SAFETY: the parent's thread, the only other user, stands still.
        unsafe { self.0.as_ptr().write_volatile(Some((step, errno, candidate))) }
    }
}

/// All signals blocked in this thread, those of the C library included; the
/// former mask comes back on drop.
pub(super) struct SignalsBlocked(u64);

impl SignalsBlocked {
    pub(super) fn all() -> Self {
        let mut before = 0u64;
        mask(u64::MAX, &raw mut before);
        SignalsBlocked(before)
    }
}

impl Drop for SignalsBlocked {
    fn drop(&mut self) {
        mask(self.0, ptr::null_mut());
    }
}

fn mask(new: u64, old: *mut u64) {
    // SAFETY: both are 8 bytes as the last argument says; `old` may be null.
    // Cannot fail with these arguments.
    unsafe { libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const new, old, SET) };
}

/// The child's whole life before it becomes another program.
pub(super) extern "C" fn main(plan: *mut c_void) -> c_int {
    // SAFETY: `clone_and_wait` passes a `Plan` that outlives us.
    let plan = unsafe { &*plan.cast::<Plan>() };
    if let Err((step, errno, candidate)) = become_program(plan) {
        plan.failure.set(step, errno, candidate);
    }
    127
}

type Failed = (Step, c_int, usize);

fn become_program(plan: &Plan) -> Result<(), Failed> {
    reset_signals(plan.ignore);
    let step = |step: Step| move |errno: c_int| (step, errno, 0);
    match plan.group {
        Group::Inherit => {}
        // SAFETY: plain numbers.
        Group::Own => check(unsafe { libc::syscall(libc::SYS_setpgid, 0, 0) }).map_err(step(Step::Group))?,
        // SAFETY: no arguments.
        Group::Session => check(unsafe { libc::syscall(libc::SYS_setsid) }).map_err(step(Step::Session))?,
    }
    if plan.socket != NO_FD {
        announce(plan.socket, plan.message).map_err(step(Step::Register))?;
    }
    if !plan.cwd.is_null() {
        // SAFETY: a C string of the parent's.
        check(unsafe { libc::syscall(libc::SYS_chdir, plan.cwd) }).map_err(step(Step::Directory))?;
    }
    for (source, target) in plan.stdio.into_iter().zip(0..) {
        connect(source, target).map_err(step(Step::Stdio))?;
    }
    let limit: *const libc::rlimit64 = &raw const plan.nofile;
    let none: *mut libc::rlimit64 = ptr::null_mut();
    // SAFETY: `limit` is read, nothing is written.
    check(unsafe { libc::syscall(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, limit, none) })
        .map_err(step(Step::Limit))?;
    mask(0, ptr::null_mut());
    Err(execute(plan))
}

/// Handlers are the parent's code: none may run here. Ignored signals stay so,
/// save `SIGPIPE` and with those of `ignore`.
fn reset_signals(ignore: u64) {
    // struct sigaction as the kernel has it on x86-64 and aarch64: handler,
    // flags, restorer, mask.
    let default = [libc::SIG_DFL as u64, 0, 0, 0];
    let ignored = [libc::SIG_IGN as u64, 0, 0, 0];
    let nothing: *mut [u64; 4] = ptr::null_mut();
    let mut signal: c_int = 1;
    while signal <= 64 {
        let mut now = default;
        let wanted = if ignore >> (signal - 1) & 1 == 1 {
            Some(&ignored)
        } else {
            let query: *const [u64; 4] = ptr::null();
            // SAFETY: writes 32 bytes into `now`.
            unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, query, &raw mut now, SET) };
            let keep = now[0] == default[0] || (now[0] == ignored[0] && signal != libc::SIGPIPE);
            (!keep).then_some(&default)
        };
        if let Some(action) = wanted {
            // SAFETY: reads 32 bytes. Fails for SIGKILL and SIGSTOP only.
            unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, ptr::from_ref(action), nothing, SET) };
        }
        signal += 1;
    }
}

/// Sends `message` with our own pidfd. The parent may be killed at any moment:
/// the receiver sees the end of the socket only when we have closed our copy
/// of it too, that is after this message.
fn announce(socket: c_int, message: u8) -> Result<(), c_int> {
    // SAFETY: no arguments; cannot fail.
    let pid = unsafe { libc::syscall(libc::SYS_getpid) };
    // SAFETY: plain numbers.
    let pidfd = value(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })? as c_int;
    let mut body = message;
    let mut part = libc::iovec { iov_base: (&raw mut body).cast(), iov_len: 1 };
    // cmsghdr with one descriptor: length, level, type, descriptor, padding.
    let mut control = Control { length: 20, level: libc::SOL_SOCKET, kind: libc::SCM_RIGHTS, fd: pidfd, padding: 0 };
    // SAFETY: all zero is a valid msghdr.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = (&raw mut control).cast();
    header.msg_controllen = size_of::<Control>() as _;
    let mut patience = PATIENCE;
    loop {
        // SAFETY: `header` points to live data of the sizes it states.
        let sent = unsafe { libc::syscall(libc::SYS_sendmsg, socket, &raw const header, libc::MSG_NOSIGNAL) };
        match value(sent) {
            Ok(_) => return Ok(()),
            // Full, or too many descriptors on their way.
            Err(libc::EAGAIN | libc::ETOOMANYREFS | libc::EINTR) if patience > 0 => {
                patience -= 1;
                let pause = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
                let rest: *mut libc::timespec = ptr::null_mut();
                // SAFETY: reads `pause`.
                unsafe { libc::syscall(libc::SYS_nanosleep, &raw const pause, rest) };
            }
            Err(errno) => return Err(errno),
        }
    }
}

#[repr(C)]
struct Control {
    length: usize,
    level: c_int,
    kind: c_int,
    fd: c_int,
    padding: c_int,
}

fn connect(source: c_int, target: c_int) -> Result<(), c_int> {
    if source == NO_FD {
        return Ok(());
    }
    let done = if source == target {
        // Already in its place; it only has to survive execve.
        // SAFETY: plain numbers.
        unsafe { libc::syscall(libc::SYS_fcntl, source, libc::F_SETFD, 0) }
    } else {
        // SAFETY: plain numbers.
        unsafe { libc::syscall(libc::SYS_dup3, source, target, 0) }
    };
    check(done)
}

/// Tries the candidates by the rules of execvpe(3): a missing one is passed
/// over, a forbidden one is remembered, anything else ends the search.
fn execute(plan: &Plan) -> Failed {
    let mut denied: Option<usize> = None;
    let mut last = (libc::ENOENT, 0);
    let mut index = 0;
    loop {
        // SAFETY: the list ends with a null pointer, where we stop.
        let path = unsafe { *plan.candidates.add(index) };
        if path.is_null() {
            break;
        }
        // SAFETY: lists and strings of the parent's; returns on failure only.
        let errno = match value(unsafe { libc::syscall(libc::SYS_execve, path, plan.argv, plan.envp) }) {
            Ok(_) => 0,
            Err(errno) => errno,
        };
        last = (errno, index);
        match errno {
            libc::EACCES => denied = denied.or(Some(index)),
            libc::ENOENT | libc::ESTALE | libc::ENOTDIR | libc::ENODEV | libc::ETIMEDOUT => {}
            _ => return (Step::Execute, errno, index),
        }
        index += 1;
    }
    match denied {
        Some(index) => (Step::Execute, libc::EACCES, index),
        None => (Step::Execute, last.0, last.1),
    }
}

fn value(result: c_long) -> Result<c_long, c_int> {
    if result >= 0 {
        return Ok(result);
    }
    // SAFETY: the address is this thread's own: that of the parent's thread,
    // which stands still.
    Err(unsafe { *libc::__errno_location() })
}

fn check(result: c_long) -> Result<(), c_int> {
    value(result).map(|_| ())
}
