//! What the decoders of file locks share: from a thread's call to its request
//! in `/proc/locks`, and from a lock to the processes that hold it.

use rustix::io::Errno;

use super::descriptor::Target;
use super::{Facts, World};
use crate::backend::observe::endpoints;
use crate::backend::observe::file_locks::{FileLock, FileLocks, LockKind, descriptor_holds};
use crate::backend::observe::privilege::{advice, may_trace};
use crate::model::Pid;
use crate::model::wait::{Certainty, Holder, Mode, Wait};

/// The inode of a descriptor's file, as its fdinfo tells (Linux 5.14).
pub(super) fn inode_of(facts: &Facts<'_>, world: &World, fd: i32) -> Option<u64> {
    let mut content = Vec::new();
    world.root.read_into(&format!("{}/task/{}/fdinfo/{fd}", facts.pid, facts.tid), &mut content).ok()?;
    let text = str::from_utf8(&content).ok()?;
    text.lines().find_map(|line| line.strip_prefix("ino:")?.trim().parse().ok())
}

/// The locks that stand in the way of `request`, named in `wait`.
pub(super) fn name_holders(facts: &Facts<'_>, world: &mut World, fd: i32, request: &FileLock, wait: &mut Wait) {
    let path = match Target::of(facts, world, fd) {
        Ok(Target::Path(path)) => path,
        _ => Vec::new(),
    };
    let locks = world.file_locks().map(|locks| locks.in_the_way(request)).unwrap_or_default();
    wait.evidence.push(format!("/proc/locks line {}: this request waits", request.line));
    // Each lock must go; of several processes that share the open file of one
    // lock, any one can let go of it.
    let mut shared = false;
    for lock in &locks {
        let before = wait.holders.len();
        match lock.kind {
            LockKind::Flock | LockKind::Ofd => name_sharers(world, lock, &path, wait),
            _ => name_process(world, lock, wait),
        }
        shared |= wait.holders.len() > before + 1;
    }
    wait.mode = if shared || wait.holders.len() < 2 { Mode::Any } else { Mode::All };
    if locks.is_empty() {
        wait.certainty = Certainty::Unknown;
        wait.partial = true;
        wait.evidence.push("no lock that stands in its way is visible".to_owned());
    }
}

/// A POSIX lock belongs to the process that took it.
pub(super) fn name_process(world: &World, lock: &FileLock, wait: &mut Wait) {
    match lock.pid.filter(|&pid| pid > 0 && world.has_thread(pid, pid)) {
        Some(pid) => {
            push(wait, pid);
            wait.evidence.push(format!("/proc/locks line {}: process {pid} holds it", lock.line));
        }
        None => hide(wait, lock, "its process is not visible from here"),
    }
}

/// A flock or OFD lock belongs to an open file, which forks share: whoever still
/// has it, whether or not the process that took it does.
fn name_sharers(world: &World, lock: &FileLock, path: &[u8], wait: &mut Wait) {
    if !world.is_precise() && name_taker(world, lock, path, wait) {
        return;
    }
    let mut found: Vec<(Pid, i32)> = Vec::new();
    let mut failed = 0;
    let unreadable = endpoints::with_name(&world.root, path, |pid, tid, fd| {
        match descriptor_holds(&world.root, pid, tid, fd, lock) {
            Ok(true) => found.push((pid, fd)),
            Ok(false) | Err(Errno::NOENT | Errno::SRCH) => {}
            Err(_) => failed += 1,
        }
    });
    let hidden = unreadable.map_or(1, |pids| pids.len()) + failed;
    for &(pid, fd) in &found {
        if push(wait, pid) {
            wait.evidence.push(format!(
                "/proc/locks line {}: held by the open file that is fd {fd} of process {pid}",
                lock.line
            ));
        }
    }
    if found.is_empty() {
        hide(wait, lock, "no process that may be read has the open file that holds it");
    }
    if let Some(taker) = lock.pid.filter(|taker| *taker > 0 && found.iter().all(|(pid, _)| pid != taker)) {
        wait.evidence.push(format!("process {taker} took the lock; it is gone, or no longer has the file"));
    }
    if hidden > 0 {
        wait.partial = true;
        wait.certainty = wait.certainty.max(Certainty::Derived);
        let way = advice(may_trace(), "run as root or with CAP_SYS_PTRACE");
        wait.evidence.push(format!(
            "the descriptors of {hidden} processes may not be read, any of them may share the open file: {way}"
        ));
    }
}

/// Names the process that took the lock if it still has the open file, and leaves
/// open who else has: finding out means reading every descriptor of the machine.
fn name_taker(world: &World, lock: &FileLock, path: &[u8], wait: &mut Wait) -> bool {
    let Some(taker) = lock.pid.filter(|&pid| pid > 0 && world.has_thread(pid, pid)) else { return false };
    let mut has = None;
    endpoints::with_name_in(&world.root, taker, path, |pid, tid, fd| {
        if descriptor_holds(&world.root, pid, tid, fd, lock) == Ok(true) {
            has = Some(fd);
        }
    });
    let Some(fd) = has else { return false };
    push(wait, taker);
    wait.partial = true;
    wait.evidence
        .push(format!("/proc/locks line {}: held by the open file that is fd {fd} of process {taker}", lock.line));
    wait.evidence.push("whether another process shares that open file is not looked for here".to_owned());
    true
}

fn push(wait: &mut Wait, pid: Pid) -> bool {
    let holder = Holder { pid, tid: None };
    let new = !wait.holders.contains(&holder);
    if new {
        wait.holders.push(holder);
    }
    new
}

fn hide(wait: &mut Wait, lock: &FileLock, why: &str) {
    wait.certainty = Certainty::Unknown;
    wait.partial = true;
    wait.evidence.push(format!("/proc/locks line {}: {why}", lock.line));
}

/// The request of this thread's process that fits `test`, if there is exactly
/// one kind of it.
pub(super) fn request(
    locks: &FileLocks,
    pid: Pid,
    kind: LockKind,
    test: impl Fn(&FileLock) -> bool,
) -> Option<FileLock> {
    locks.requests_of(pid, kind).find(|lock| test(lock)).copied()
}
