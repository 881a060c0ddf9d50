//! From the thread id in a lock to the thread that holds it.

use super::futex::FutexCall;
use super::shared::{Found, identity, thread_in};
use super::{Facts, World};
use crate::model::Pid;
use crate::model::wait::{Certainty, Holder, Wait};

/// What it means that a lock's holder does not live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dead {
    /// Nobody will ever let go of the lock.
    Orphaned,
    /// The kernel hands such a lock on.
    HandedOn,
}

/// Names the thread with number `owner`, as the waiting process numbers it, as
/// the holder. A private lock is held by a thread of the same process, a shared
/// one by a thread whose process maps the same memory.
pub(super) fn name(
    facts: &Facts<'_>,
    world: &mut World,
    call: &FutexCall,
    owner: u32,
    (private, dead): (bool, Dead),
    wait: &mut Wait,
) {
    let owner = owner as Pid;
    // glibc marks every robust mutex as shared: the memory decides.
    let maps = world.maps(facts.pid);
    let in_private_memory = maps.is_some_and(|maps| maps.find(call.address).is_some_and(|mapping| !mapping.shared));
    if in_private_memory {
        in_process(facts, world, owner, dead, wait);
    } else if private {
        // It was not made to be shared, but its memory is.
        match world.thread_by_inner_number(facts.pid, owner) {
            Some(_) => in_process(facts, world, owner, dead, wait),
            None => anywhere(facts, world, call, owner, dead, wait),
        }
        if wait.holders.iter().any(|holder| holder.pid != facts.pid) {
            let why = "but the lock is private to each process: letting go of it wakes nobody in another";
            wait.evidence.push(why.to_owned());
        }
    } else {
        anywhere(facts, world, call, owner, dead, wait);
    }
}

fn in_process(facts: &Facts<'_>, world: &mut World, owner: Pid, dead: Dead, wait: &mut Wait) {
    let Some(tid) = world.thread_by_inner_number(facts.pid, owner) else {
        let why = format!("{owner} is no living thread of process {}", facts.pid);
        nobody(&format!("{why}: it ended, or stayed behind at a fork, with the lock held"), dead, wait);
        // In a copy of another process it may be the number of a thread there: whose copy
        // the first thread here is, and lets go for it of what both held (pthread_atfork(3)).
        if wait.orphaned && world.is_copy(facts.pid) {
            wait.add_besides([facts.pid]);
            let copy = "the first thread of the process is a copy of one of the other's, and may let go of it for that";
            wait.evidence.push(copy.to_owned());
        }
        return;
    };
    wait.holders.push(Holder { pid: facts.pid, tid: Some(tid) });
    if tid != owner {
        wait.evidence.push(format!("thread {owner} of its pid namespace is thread {tid} here"));
    }
    if tid == facts.tid {
        wait.evidence.push("the thread holds it itself".to_owned());
    }
}

fn anywhere(facts: &Facts<'_>, world: &mut World, call: &FutexCall, owner: Pid, dead: Dead, wait: &mut Wait) {
    let Some(identity) = identity(world, facts.pid, call.address) else {
        hidden("which memory it lies in cannot be told".to_owned(), wait);
        return;
    };
    wait.evidence.push(format!("shared between processes: {identity}"));
    match thread_in(world, facts.pid, owner, &identity) {
        Found::Thread(holder) => wait.holders.push(holder),
        Found::Nobody => nobody(&format!("{owner} is no living thread: it ended with the lock held"), dead, wait),
        Found::Hidden(why) => hidden(why, wait),
    }
}

fn nobody(why: &str, dead: Dead, wait: &mut Wait) {
    match dead {
        Dead::Orphaned => {
            wait.orphaned = true;
            wait.certainty = Certainty::Derived;
            wait.evidence.push(why.to_owned());
        }
        Dead::HandedOn => hidden(format!("{why}; the kernel is about to hand it on"), wait),
    }
}

fn hidden(why: String, wait: &mut Wait) {
    wait.certainty = Certainty::Unknown;
    wait.partial = true;
    wait.evidence.push(why);
}
