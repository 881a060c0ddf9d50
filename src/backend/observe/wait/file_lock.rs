//! What the decoders of file locks share: from a thread's call to its request
//! in `/proc/locks`, and from a lock to the processes that hold it.

use rustix::io::Errno;

use super::caught::calls;
use super::descriptor::Target;
use super::{Facts, World};
use crate::backend::observe::endpoints;
use crate::backend::observe::file_locks::{FileLock, FileLocks, LockKind, descriptor_holds, of_descriptor};
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
    let mut locks = world.file_locks().map(|locks| locks.in_the_way(request)).unwrap_or_default();
    let own = own_locks(facts, world, fd, request);
    for held in &own {
        if let Some(at) = locks.iter().position(|lock| lock.is_alike(held)) {
            locks.remove(at);
        }
    }
    // Who shares the table of descriptors is one owner to the kernel.
    let is_one = |lock: &FileLock| {
        (lock.kind, request.kind) == (LockKind::Posix, LockKind::Posix)
            && lock.pid.is_some_and(|pid| world.shares_table(facts.pid, pid))
    };
    locks.retain(|lock| !is_one(lock));
    let asker = Asker { tid: facts.tid, fd, own };
    wait.evidence.push(format!("/proc/locks line {}: this request waits", request.line));
    // Each lock must go; of several processes that share the open file of one
    // lock, any one can let go of it.
    let mut shared = false;
    for lock in &locks {
        let before = wait.holders.len();
        match lock.kind {
            LockKind::Flock | LockKind::Ofd => name_sharers(world, lock, &path, &asker, wait),
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
    // Whoever receives the open file of one may let go of it.
    let is_files = |lock: &FileLock| matches!(lock.kind, LockKind::Flock | LockKind::Ofd);
    if let Some(inode) = inode_of(facts, world, fd).filter(|_| locks.iter().any(is_files)) {
        let receivers = world.receivers_of(inode);
        wait.add_besides(receivers.iter().map(|receiver| receiver.pid));
        wait.evidence.extend(receivers.iter().map(|receiver| receiver.words("the open file that holds it")));
    }
    // As flock(1) does with a time limit.
    let by_handler =
        calls(world, facts.pid).map(|signal| format!("the process catches {signal}: its handler may end the wait"));
    let by_ring = at_work(world, wait);
    if by_handler.is_some() || by_ring.is_some() {
        wait.partial = true;
        if wait.mode == Mode::All {
            wait.certainty = Certainty::Unknown;
        }
        wait.evidence.extend([by_handler, by_ring].into_iter().flatten());
    }
}

/// That a holder has an `io_uring` at work, which may close the file or take the lock off, in
/// words. Asked only before somebody is called stuck.
fn at_work(world: &World, wait: &Wait) -> Option<String> {
    let mut pids = wait.holders.iter().map(|holder| holder.pid);
    let pid = pids.find(|&pid| world.is_thorough() && endpoints::is_at_work(&world.root, pid))?;
    Some(format!("an io_uring of process {pid} has work under way, which may close the file"))
}

/// Who asks for a lock: through which descriptor, and what that open file holds of the
/// kind already.
struct Asker {
    tid: Pid,
    fd: i32,
    own: Vec<FileLock>,
}

/// The locks that the open file which asks has itself: a part of them may change from
/// shared to exclusive, which they do not hinder.
fn own_locks(facts: &Facts<'_>, world: &World, fd: i32, request: &FileLock) -> Vec<FileLock> {
    let mut content = Vec::new();
    let path = format!("{}/task/{}/fdinfo/{fd}", facts.pid, facts.tid);
    if request.kind != LockKind::Ofd || world.root.read_into(&path, &mut content).is_err() {
        return Vec::new();
    }
    of_descriptor(&content).into_iter().filter(|lock| lock.kind == LockKind::Ofd).collect()
}

/// A POSIX lock belongs to the process that took it, and to whoever shares its table of
/// descriptors: that is looked for only before somebody is called stuck.
pub(super) fn name_process(world: &World, lock: &FileLock, wait: &mut Wait) {
    match lock.pid.filter(|&pid| pid > 0 && world.has_thread(pid, pid)) {
        Some(pid) => {
            push(wait, pid);
            wait.evidence.push(format!("/proc/locks line {}: process {pid} holds it", lock.line));
            let others = if world.is_thorough() { world.with_table_of(pid) } else { Vec::new() };
            for other in others.into_iter().filter(|&other| other != pid) {
                push(wait, other);
                wait.evidence.push(format!("process {other} shares its descriptors (CLONE_FILES), and so the lock"));
            }
        }
        None => hide(wait, lock, "its process is not visible from here"),
    }
}

/// A flock or OFD lock belongs to an open file, which forks share: whoever still
/// has it, whether or not the process that took it does.
fn name_sharers(world: &World, lock: &FileLock, path: &[u8], asker: &Asker, wait: &mut Wait) {
    if !world.is_precise() && name_taker(world, lock, path, wait) {
        return;
    }
    let mut found: Vec<(Pid, i32)> = Vec::new();
    let mut failed = 0;
    let has_the_same = asker.own.iter().any(|own| own.is_alike(lock));
    let unreadable = endpoints::with_name(&world.root, path, |pid, tid, fd| {
        match descriptor_holds(&world.root, pid, tid, fd, lock) {
            // Its own lock looks the same, and is in nobody's way but others'.
            Ok(true) if has_the_same => match world.shares_open_file((asker.tid, asker.fd), (tid, fd)) {
                Some(true) => {}
                Some(false) => found.push((pid, fd)),
                None => failed += 1,
            },
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
            "the descriptors of at least {hidden} processes may not be read, any of them may share the open file: {way}"
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
