//! The child's half, between clone(2) and execve(2).
//!
//! It shares the parent's memory and, while the parent's thread stands still,
//! that thread's errno. So: system calls and arithmetic, no allocation, no
//! lock, nothing that could panic.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_long, c_void};
use std::ptr;

use rustix::io::Errno;

use super::trace::{Call, Trace};
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
    /// Whether the kernel has set the handlers of all signals back.
    pub(super) handlers_are_reset: Cell<bool>,
    /// Bit n − 1 for signal n.
    pub(super) ignore: u64,
    /// Resource limits: `RLIMIT_NOFILE` first, then what was asked for.
    pub(super) limits: *const (c_int, libc::rlimit64),
    pub(super) limit_count: usize,
    pub(super) nice: Option<c_int>,
    /// The CPUs as a set of bits; null where all the parent's are allowed.
    pub(super) cpus: *const u64,
    pub(super) cpu_bytes: usize,
    pub(super) umask: Option<u32>,
    /// Makes standard input the terminal of the new session.
    pub(super) terminal: bool,
    pub(super) user: Option<User>,
    pub(super) socket: c_int,
    pub(super) message: *const u8,
    pub(super) message_length: usize,
    pub(super) failure: Failure,
    pub(super) trace: Trace,
}

/// Whom it runs as; the groups as a pointer and a count.
#[derive(Clone, Copy)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) groups: *const u32,
    /// `None` leaves the supplementary groups as they are.
    pub(super) group_count: Option<usize>,
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
    let trace = &plan.trace;
    reset_signals(trace, plan);
    let step = |step: Step| move |errno: c_int| (step, errno, 0);
    match plan.group {
        Group::Inherit => {}
        Group::Own => drop(call(trace, libc::SYS_setpgid, [0; 5]).map_err(step(Step::Group))?),
        Group::Session => drop(call(trace, libc::SYS_setsid, [0; 5]).map_err(step(Step::Session))?),
    }
    if plan.socket != NO_FD {
        announce(plan).map_err(step(Step::Register))?;
    }
    restrict(plan)?;
    for (source, target) in plan.stdio.into_iter().zip(0..) {
        connect(trace, source, target).map_err(step(Step::Stdio))?;
    }
    if plan.terminal {
        call(trace, libc::SYS_ioctl, [0, libc::TIOCSCTTY as usize, 0, 0, 0]).map_err(step(Step::Terminal))?;
    }
    if let Some(user) = plan.user {
        become_user(trace, user).map_err(step(Step::User))?;
    }
    // As the new user, who may not be allowed to go there.
    if !plan.cwd.is_null() {
        call(trace, libc::SYS_chdir, [plan.cwd.expose_provenance(), 0, 0, 0, 0]).map_err(step(Step::Directory))?;
    }
    mask(0, ptr::null_mut());
    trace.note(Call { number: libc::SYS_rt_sigprocmask, args: [2, 0, 0], returned: true, ..Call::default() });
    Err(execute(plan))
}

/// Limits, priority, CPUs and file mode mask: while we may still raise them.
fn restrict(plan: &Plan) -> Result<(), Failed> {
    let trace = &plan.trace;
    let step = |step: Step| move |errno: c_int| (step, errno, 0);
    for index in 0..plan.limit_count {
        // SAFETY: the parent's list has so many entries.
        let (resource, limit) = unsafe { &*plan.limits.add(index) };
        let limit = ptr::from_ref(limit).expose_provenance();
        call(trace, libc::SYS_prlimit64, [0, *resource as usize, limit, 0, 0]).map_err(step(Step::Limit))?;
    }
    if let Some(nice) = plan.nice {
        let args = [libc::PRIO_PROCESS as usize, 0, nice as usize, 0, 0];
        call(trace, libc::SYS_setpriority, args).map_err(step(Step::Nice))?;
    }
    if !plan.cpus.is_null() {
        let args = [0, plan.cpu_bytes, plan.cpus.expose_provenance(), 0, 0];
        call(trace, libc::SYS_sched_setaffinity, args).map_err(step(Step::Affinity))?;
    }
    if let Some(umask) = plan.umask {
        // Cannot fail.
        let _ = call(trace, libc::SYS_umask, [umask as usize, 0, 0, 0, 0]);
    }
    Ok(())
}

/// Groups first: who has become somebody else may not change them any more.
fn become_user(trace: &Trace, user: User) -> Result<(), c_int> {
    let (uid, gid) = (user.uid as usize, user.gid as usize);
    if let Some(count) = user.group_count {
        call(trace, libc::SYS_setgroups, [count, user.groups.expose_provenance(), 0, 0, 0])?;
    }
    call(trace, libc::SYS_setresgid, [gid, gid, gid, 0, 0])?;
    call(trace, libc::SYS_setresuid, [uid, uid, uid, 0, 0])?;
    Ok(())
}

/// Handlers are the parent's code: none may run here. Ignored signals stay so,
/// save `SIGPIPE` and with those of `ignore`. Where the kernel has reset the
/// handlers, these are all that is left to do.
fn reset_signals(trace: &Trace, plan: &Plan) {
    let ignore = plan.ignore;
    let handlers_are_reset = plan.handlers_are_reset.get();
    // struct sigaction as the kernel has it on x86-64 and aarch64: handler,
    // flags, restorer, mask.
    let default = [libc::SIG_DFL as u64, 0, 0, 0];
    let ignored = [libc::SIG_IGN as u64, 0, 0, 0];
    let mut signal: c_int = 1;
    while signal <= 64 {
        let mut now = default;
        let number = signal as usize;
        let wanted = if ignore >> (signal - 1) & 1 == 1 {
            Some(&ignored)
        } else if handlers_are_reset {
            (signal == libc::SIGPIPE).then_some(&default)
        } else {
            let query = [number, 0, (&raw mut now).expose_provenance(), SET as usize, 0];
            let _ = call(trace, libc::SYS_rt_sigaction, query);
            let keep = now[0] == default[0] || (now[0] == ignored[0] && signal != libc::SIGPIPE);
            (!keep).then_some(&default)
        };
        if let Some(action) = wanted {
            // Fails for SIGKILL and SIGSTOP only.
            let _ = call(
                trace,
                libc::SYS_rt_sigaction,
                [number, ptr::from_ref(action).expose_provenance(), 0, SET as usize, 0],
            );
        }
        signal += 1;
    }
}

/// Sends `message` with our own pidfd. The parent may be killed at any moment:
/// the receiver sees the end of the socket only when we have closed our copy
/// of it too, that is after this message.
fn announce(plan: &Plan) -> Result<(), c_int> {
    let trace = &plan.trace;
    let pid = call(trace, libc::SYS_getpid, [0; 5])?;
    let pidfd = call(trace, libc::SYS_pidfd_open, [pid, 0, 0, 0, 0])? as c_int;
    let mut part = libc::iovec { iov_base: plan.message.cast_mut().cast(), iov_len: plan.message_length };
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
        let args = [plan.socket as usize, (&raw mut header).expose_provenance(), libc::MSG_NOSIGNAL as usize, 0, 0];
        match call(trace, libc::SYS_sendmsg, args) {
            Ok(_) => return Ok(()),
            // Full, or too many descriptors on their way.
            Err(libc::EAGAIN | libc::ETOOMANYREFS | libc::EINTR) if patience > 0 => {
                patience -= 1;
                let pause = libc::timespec { tv_sec: 0, tv_nsec: 1_000_000 };
                let _ = call(trace, libc::SYS_nanosleep, [(&raw const pause).expose_provenance(), 0, 0, 0, 0]);
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

fn connect(trace: &Trace, source: c_int, target: c_int) -> Result<(), c_int> {
    if source == NO_FD {
        return Ok(());
    }
    let (from, to) = (source as usize, target as usize);
    if source == target {
        // Already in its place; it only has to survive execve.
        call(trace, libc::SYS_fcntl, [from, libc::F_SETFD as usize, 0, 0, 0])?;
    } else {
        call(trace, libc::SYS_dup3, [from, to, 0, 0, 0])?;
    }
    Ok(())
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
        let mut call = Call { number: libc::SYS_execve, args: [index, 0, 0], ..Call::default() };
        // Noted before: where it works it does not return.
        plan.trace.note(call);
        // SAFETY: lists and strings of the parent's; returns on failure only.
        let errno = match value(unsafe { libc::syscall(libc::SYS_execve, path, plan.argv, plan.envp) }) {
            Ok(_) => 0,
            Err(errno) => errno,
        };
        (call.result, call.returned) = (-i64::from(errno), true);
        plan.trace.returned(call);
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

/// Makes a system call whose pointers, where it has any, are of the parent's
/// frames or ours, and notes it.
fn call(trace: &Trace, number: c_long, args: [usize; 5]) -> Result<usize, c_int> {
    // SAFETY: every caller passes what this call takes; memory that it writes
    // is exposed and lives until it returns.
    let result = unsafe { libc::syscall(number, args[0], args[1], args[2], args[3], args[4]) };
    let outcome = value(result);
    let result = match outcome {
        Ok(value) => value,
        Err(errno) => -i64::from(errno),
    };
    trace.note(Call { number, args: [args[0], args[1], args[2]], result, times: 1, returned: true });
    outcome.map(|value| value as usize)
}
