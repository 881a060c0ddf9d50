//! Locks that say who holds them, in memory that several processes share altogether.
//!
//! A C library writes into a lock what it has noted down as the number of its thread. A
//! process made by clone(2) with `CLONE_VM`, but neither as a thread nor with a thread
//! pointer of its own, finds there the number of the thread that made it: what it locks
//! says that the other holds it. Between two such processes the word tells nothing.

use super::world::Sharer;
use super::{Facts, World};
use crate::model::wait::{Certainty, Holder, Wait, WaitKind};

/// Whether the lock itself has said who holds it, or that nobody does any more.
pub(in crate::backend::observe) fn says_holder(wait: &Wait) -> bool {
    use WaitKind::{PthreadMutex, PthreadMutexPi, PthreadMutexRobust, PthreadMutexRobustPi};
    use WaitKind::{PthreadRwlockRead, PthreadRwlockWrite, StdioLock};
    let mutex = matches!(wait.kind, PthreadMutex | PthreadMutexPi | PthreadMutexRobust | PthreadMutexRobustPi);
    let kind = mutex || matches!(wait.kind, PthreadRwlockRead | PthreadRwlockWrite | StdioLock);
    kind && wait.certainty != Certainty::Inferred && (wait.orphaned || !wait.holders.is_empty())
}

/// Names nobody any more: the word may be that of another process.
pub(in crate::backend::observe) fn forget_holder(wait: &mut Wait, other: Sharer) {
    wait.holders.clear();
    (wait.orphaned, wait.partial, wait.certainty) = (false, true, Certainty::Unknown);
    wait.evidence.push(format!("{other}, perhaps with its thread pointer: the word may be its"));
}

/// For the process table, where nobody goes through all waits once more: a lock that is held
/// by its waiter itself, or by nobody any more, is looked at again.
pub(super) fn and_shared(facts: &Facts<'_>, world: &World, wait: &mut Wait) {
    let own = [Holder { pid: facts.pid, tid: Some(facts.tid) }];
    if world.is_precise() || !says_holder(wait) || !(wait.orphaned || wait.holders == own) {
        return;
    }
    if let Some(other) = world.shares_space_with(facts.pid) {
        forget_holder(wait, other);
    }
}
