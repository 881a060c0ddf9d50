//! Starts a process without ever copying the parent's page tables.
//!
//! clone3(2) with `CLONE_VM | CLONE_VFORK`, or clone(2) where there is none:
//! the child runs on a stack of its own in the parent's memory while the
//! calling thread stands still, so the price does not grow with the parent.
//! `pre_exec` of std would switch to fork(2), whose price does. On top of what
//! `posix_spawn` offers, the child can announce itself over a socket before it
//! executes the program, hand back a pidfd, and say exactly which step failed.

mod child;
mod error;
pub mod gate;
mod request;
mod search;
pub mod trace;

use std::borrow::Cow;
use std::cell::Cell;
use std::ffi::{CString, OsStr, OsString, c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::ptr;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use self::child::{NO_FD, Plan, User};
pub use self::error::{SpawnError, Step, reason};
pub use self::request::{Attributes, Credentials, Group, Limits, Register, Spawn, Stdio};
use self::trace::Call;
pub use self::trace::Trail;
use super::brand;
use super::clone3;
use super::limits;
use super::pidfd::Pidfd;
use super::signals;
use crate::model::Pid;

/// The child's stack. It runs a few small functions and no signal handler.
const STACK: usize = 64 << 10;

/// A child that executes its program.
#[derive(Debug)]
pub struct Spawned {
    /// Its process id, valid until it is reaped.
    pub pid: Pid,
    /// Its pidfd, close-on-exec.
    pub pidfd: Pidfd,
    /// What this took.
    pub trail: Trail,
}

/// Starts a child and returns once it executes its program.
///
/// Signals: handlers go back to the default, ignored ones stay ignored save
/// `SIGPIPE`, which Rust's runtime ignores on its own account; none is blocked.
/// The soft limit of descriptors is what [`limits::original_nofile`] says. A
/// text file without `#!` is handed to `/bin/sh`, as execvp(3) does; a binary
/// file of a kind the kernel does not know is an error.
///
/// # Errors
/// Which step failed, and the kernel's reason.
pub fn spawn(request: &Spawn<'_>) -> Result<Spawned, SpawnError> {
    let env = environment(request);
    let env = env.as_deref();
    let candidates = search::candidates(request.program, search_path(env).as_deref())?;
    match attempt(request, env, &candidates, &[]) {
        Err(mut error) if error.step == Step::Execute && error.errno == Errno::NOEXEC => {
            let script = request.cwd.map_or_else(|| error.path.clone(), |cwd| cwd.join(&error.path));
            if !search::is_text(&script) {
                return Err(error);
            }
            let mut trail = std::mem::take(&mut error.trail);
            let shell = [OsString::from("sh"), error.path.into_os_string()];
            match attempt(request, env, &[PathBuf::from("/bin/sh")], &shell) {
                Ok(spawned) => {
                    trail.add(spawned.trail);
                    Ok(Spawned { trail: *trail, ..spawned })
                }
                Err(error) => {
                    trail.add(*error.trail);
                    Err(SpawnError { trail, ..error })
                }
            }
        }
        other => other,
    }
}

/// One clone. `interpreter` replaces the program's name in the arguments.
fn attempt(
    request: &Spawn<'_>,
    env: Option<&[(OsString, OsString)]>,
    candidates: &[PathBuf],
    interpreter: &[OsString],
) -> Result<Spawned, SpawnError> {
    let program = OsStr::from_bytes(request.program);
    let named = [request.arg0.unwrap_or(program).to_owned()];
    let leading = if interpreter.is_empty() { &named[..] } else { interpreter };
    let args = strings(leading.iter().chain(request.args).map(|arg| arg.as_bytes().to_vec()))?;
    let variable = |(key, value): &(OsString, OsString)| [key.as_bytes(), b"=", value.as_bytes()].concat();
    let env = env.map(|env| strings(env.iter().map(variable))).transpose()?;
    let paths = strings(candidates.iter().map(|path| path.as_os_str().as_bytes().to_vec()))?;
    let cwd = request.cwd.map(|cwd| string(cwd.as_os_str().as_bytes().to_vec())).transpose()?;
    let (args, env, paths_raw) = (pointers(&args), env.as_deref().map(pointers), pointers(&paths));

    let mut keep = Vec::new();
    let mut stdio = [NO_FD; 3];
    for (target, (slot, wanted)) in stdio.iter_mut().zip(request.stdio).enumerate() {
        *slot = stream(target as c_int, wanted, &mut keep).map_err(|e| SpawnError::new(Step::Stdio, e))?;
    }
    let limits = limits(request);
    let cpus = request.attributes.cpus.map(bits);
    let user = request.attributes.user.map(|user| User {
        uid: user.uid,
        gid: user.gid,
        groups: user.groups.map_or(ptr::null(), <[u32]>::as_ptr),
        group_count: user.groups.map(<[u32]>::len),
    });
    let plan = Plan {
        candidates: paths_raw.as_ptr(),
        argv: args.as_ptr(),
        envp: env.as_ref().map_or_else(ours, Vec::as_ptr),
        cwd: cwd.as_ref().map_or(ptr::null(), |cwd| cwd.as_ptr()),
        stdio,
        group: request.group,
        handlers_are_reset: Cell::new(true),
        ignore: ignored(request),
        limits: limits.as_ptr(),
        limit_count: limits.len(),
        nice: request.attributes.nice,
        cpus: cpus.as_ref().map_or(ptr::null(), Vec::as_ptr),
        cpu_bytes: cpus.as_ref().map_or(0, |bits| size_of_val(bits.as_slice())),
        umask: request.attributes.umask,
        terminal: request.attributes.terminal,
        user,
        socket: request.register.map_or(NO_FD, |register| register.socket.as_raw_fd()),
        message: request.register.map_or(ptr::null(), |register| register.message.as_ptr()),
        message_length: request.register.map_or(0, |register| register.message.len()),
        failure: child::Failure::default(),
        trace: trace::Trace::default(),
    };
    let mut spawned = keeping_dumpable(user.is_some(), || clone_and_wait(&plan))?;
    spawned.trail.calls.extend(plan.trace.calls());
    spawned.trail.candidates = candidates.to_vec();
    let Some((step, errno, candidate)) = plan.failure.get() else {
        return Ok(spawned);
    };
    // It has left a code and is a zombie; nobody else knows of it yet.
    let _ = super::reap::wait(&spawned.pidfd);
    let path = match step {
        Step::Directory => request.cwd.map(Path::to_owned),
        // Found nowhere: the name itself, unless a file is there whose
        // interpreter is not.
        Step::Execute if errno == Errno::NOENT => candidates.iter().find(|path| path.exists()).cloned(),
        Step::Execute => candidates.get(candidate).cloned(),
        _ => None,
    };
    let path = path.unwrap_or_else(|| PathBuf::from(program));
    Err(SpawnError { step, errno, path, trail: Box::new(spawned.trail) })
}

/// Clones; returns when the child has executed its program or has ended.
fn clone_and_wait(plan: &Plan) -> Result<Spawned, SpawnError> {
    let mut stack = Vec::<u128>::with_capacity(STACK / size_of::<u128>());
    let stack = stack.spare_capacity_mut();
    let blocked = child::SignalsBlocked::all();
    let (started, number) = gate::while_open(|| match by_clone3(stack, plan) {
        // Too old a kernel, or a sandbox that cannot look into its arguments.
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => (by_clone(stack, plan), libc::SYS_clone),
        other => (other, libc::SYS_clone3),
    });
    drop(blocked);
    let (pid, pidfd) = started.map_err(|errno| SpawnError::new(Step::Clone, errno))?;
    let clone = Call { number, result: i64::from(pid), times: 1, returned: true, ..Call::default() };
    Ok(Spawned { pid, pidfd, trail: Trail { calls: vec![clone], candidates: Vec::new() } })
}

fn by_clone3(stack: &mut [MaybeUninit<u128>], plan: &Plan) -> Result<(Pid, Pidfd), Errno> {
    plan.handlers_are_reset.set(true);
    // SAFETY: `child::main` gets a `Plan` whose pointers all live in our
    // callers' frames, makes raw system calls only, and writes nothing but the
    // cells of `plan` and this thread's errno. All signals are blocked, so no
    // handler runs in the shared memory.
    unsafe { clone3::start(stack, child::main, ptr::from_ref(plan).cast_mut().cast::<c_void>()) }
}

fn by_clone(stack: &mut [MaybeUninit<u128>], plan: &Plan) -> Result<(Pid, Pidfd), Errno> {
    plan.handlers_are_reset.set(false);
    // The stack grows downward; u128 keeps its top 16-byte aligned.
    let top = stack.as_mut_ptr_range().end;
    let mut pidfd: c_int = NO_FD;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: as above; the stack outlives the child, for CLONE_VFORK holds
    // this thread until that has left our memory. CLONE_PIDFD stores the
    // descriptor where the first variadic argument points.
    let pid = unsafe {
        libc::clone(
            child::main,
            top.cast::<c_void>(),
            flags,
            ptr::from_ref(plan).cast_mut().cast::<c_void>(),
            &raw mut pidfd,
        )
    };
    if pid < 0 {
        return Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::AGAIN));
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok((pid, Pidfd::from(unsafe { OwnedFd::from_raw_fd(pidfd) })))
}

/// Who changes its user makes its memory undumpable (`commit_creds` in the
/// kernel's `kernel/cred.c`), and until execve(2) that memory is ours too: our
/// own /proc files would be root's from then on.
fn keeping_dumpable<T>(changes: bool, start: impl FnOnce() -> T) -> T {
    let before = if changes { rustix::process::dumpable_behavior().ok() } else { None };
    let started = start();
    if let Some(before) = before {
        // Fails for a value that cannot be set back: then it was not ours.
        let _ = rustix::process::set_dumpable_behavior(before);
    }
    started
}

/// The parent's environment with the changes on top; `None` where there are
/// none.
fn environment(request: &Spawn<'_>) -> Option<Vec<(OsString, OsString)>> {
    if !request.clear && request.env.is_empty() && request.unset.is_empty() {
        return None;
    }
    let mut env: Vec<_> = if request.clear { Vec::new() } else { std::env::vars_os().collect() };
    env.retain(|(key, _)| !request.unset.contains(key));
    for (key, value) in request.env {
        match env.iter_mut().find(|(known, _)| known == key) {
            Some(entry) => entry.1.clone_from(value),
            None => env.push((key.clone(), value.clone())),
        }
    }
    Some(env)
}

/// Where the child's environment says that programs are.
fn search_path(env: Option<&[(OsString, OsString)]>) -> Option<Cow<'_, OsStr>> {
    match env {
        None => std::env::var_os("PATH").map(Cow::Owned),
        Some(env) => env.iter().find(|(key, _)| key == "PATH").map(|(_, value)| Cow::Borrowed(value.as_os_str())),
    }
}

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// The parent's environment as it is: copying it takes longer than all else that
/// is made ready for a child.
fn ours() -> *const *const c_char {
    // SAFETY: environ(7). Nobody changes it while other threads run, which is
    // what `std::env::set_var` asks of its callers.
    unsafe { environ }
}

/// The descriptor to duplicate onto `target`. One that is itself among the
/// standard three is moved out of the way first, so that the order of
/// duplication does not matter.
fn stream(target: c_int, wanted: Stdio<'_>, keep: &mut Vec<OwnedFd>) -> Result<c_int, Errno> {
    let fd = match wanted {
        Stdio::Inherit => return Ok(NO_FD),
        Stdio::Null => rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())?,
        Stdio::Fd(fd) if fd.as_raw_fd() > 2 || fd.as_raw_fd() == target => return Ok(fd.as_raw_fd()),
        Stdio::Fd(fd) => rustix::io::fcntl_dupfd_cloexec(fd, 3)?,
    };
    let raw = fd.as_raw_fd();
    keep.push(fd);
    Ok(raw)
}

/// The signals to be ignored, as a set: those that are asked for, and SIGCHLD
/// where we found it so.
fn ignored(request: &Spawn<'_>) -> u64 {
    let found = signals::children_were_ignored().then_some(&libc::SIGCHLD);
    request.ignore.iter().chain(found).fold(0, |mask, signal| mask | 1 << (signal - 1))
}

/// The limit of descriptors that we found, the brand, and what is asked for on
/// top.
fn limits(request: &Spawn<'_>) -> Vec<(c_int, libc::rlimit64)> {
    let kernel = |(soft, hard): Limits| libc::rlimit64 {
        rlim_cur: soft.unwrap_or(libc::RLIM64_INFINITY),
        rlim_max: hard.unwrap_or(libc::RLIM64_INFINITY),
    };
    let found = limits::original_nofile();
    let own = (libc::RLIMIT_NOFILE as c_int, kernel((found.current, found.maximum)));
    let brand = request.brand.map(|brand| (brand::RESOURCE, kernel(brand.limits())));
    let asked = request.attributes.limits.iter().map(|&(resource, limits)| (resource, kernel(limits)));
    std::iter::once(own).chain(brand).chain(asked).collect()
}

/// CPUs as the kernel's set of bits.
fn bits(cpus: &[usize]) -> Vec<u64> {
    let mut set = vec![0u64; cpus.iter().max().map_or(1, |last| last / 64 + 1)];
    for cpu in cpus {
        set[cpu / 64] |= 1 << (cpu % 64);
    }
    set
}

fn strings(all: impl Iterator<Item = Vec<u8>>) -> Result<Vec<CString>, SpawnError> {
    all.map(string).collect()
}

fn string(bytes: Vec<u8>) -> Result<CString, SpawnError> {
    CString::new(bytes).map_err(|error| SpawnError {
        step: Step::Nul,
        errno: Errno::INVAL,
        path: PathBuf::from(OsString::from_vec(error.into_vec())),
        trail: Box::default(),
    })
}

fn pointers(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([ptr::null()]).collect()
}

#[cfg(test)]
mod tests;
