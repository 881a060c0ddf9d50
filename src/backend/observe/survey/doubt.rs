//! Locks that say who holds them, in memory that several processes share altogether.
//!
//! A C library writes into a lock what it has noted down as the number of its thread. A
//! process made by clone(2) with `CLONE_VM`, but neither as a thread nor with a thread
//! pointer of its own, finds there the number of the thread that made it: what it locks
//! says that the other holds it. Between two such processes the word tells nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Surveyor;
use crate::model::Pid;
use crate::model::graph::ThreadId;
use crate::model::wait::{Certainty, Wait, WaitKind};

impl Surveyor {
    /// Names nobody any more for those locks that these threads wait for where the word
    /// may be another's; whether there are any.
    pub(super) fn doubt(&mut self, ids: Vec<ThreadId>) -> bool {
        let mut sharing: BTreeMap<Pid, Option<Pid>> = BTreeMap::new();
        let mut any = false;
        for id in ids {
            let Some(wait) = self.threads.get(&id).and_then(|seen| seen.wait.as_deref()) else { continue };
            if !is_said(wait) {
                continue;
            }
            let world = &self.source.world;
            let mut other_of = |pid: Pid| *sharing.entry(pid).or_insert_with(|| world.shares_space_with(pid));
            let mut pids = std::iter::once(id.pid).chain(wait.holders.iter().map(|holder| holder.pid));
            let Some(other) = pids.find_map(&mut other_of) else { continue };
            if let Some(wait) = self.threads.get_mut(&id).and_then(|seen| seen.wait.as_mut()) {
                let wait = Arc::make_mut(wait);
                wait.holders.clear();
                (wait.orphaned, wait.partial, wait.certainty) = (false, true, Certainty::Unknown);
                wait.evidence.push(format!(
                    "process {other} shares this address space, perhaps with its thread pointer: the word may be its"
                ));
                any = true;
            }
        }
        any
    }
}

/// Whether the lock itself has said who holds it, or that nobody does any more.
fn is_said(wait: &Wait) -> bool {
    use WaitKind::{PthreadMutex, PthreadMutexPi, PthreadMutexRobust, PthreadMutexRobustPi};
    use WaitKind::{PthreadRwlockRead, PthreadRwlockWrite, StdioLock};
    let mutex = matches!(wait.kind, PthreadMutex | PthreadMutexPi | PthreadMutexRobust | PthreadMutexRobustPi);
    let kind = mutex || matches!(wait.kind, PthreadRwlockRead | PthreadRwlockWrite | StdioLock);
    kind && wait.certainty != Certainty::Inferred && (wait.orphaned || !wait.holders.is_empty())
}
