//! Who is kept from a reader-writer lock that others read: by a writer in front of it,
//! whom it has to let go first, and who waits for those readers.
//!
//! ```text
//! glibc          any writer, of a lock that prefers writers (pthread_rwlockattr_setkind_np(3))
//! Rust std       any writer
//! parking_lot    the writer that has its bit in the lock, and is parked at its address + 1
//! ```
//!
//! Where that writer gives up (a time-out), whoever is behind it goes on though the readers stay.

use std::collections::{BTreeSet, HashMap};

use super::Sleeper;
use super::held::Held;
use crate::backend::observe::wait::{World, parking_lot};
use crate::model::Pid;
use crate::model::wait::{Certainty, Holder, Make, Mode, Wait, WaitKind};

/// The writers of a process that wait, by the lock.
#[derive(Debug, Default)]
pub(super) struct Writers(HashMap<u64, BTreeSet<Pid>>);

impl Writers {
    pub(super) fn among(world: &World, pid: Pid, sleepers: &[Sleeper<'_>]) -> Self {
        let mut writers = Writers::default();
        for sleeper in sleepers {
            let Some((wait, lock)) = sleeper.wait.and_then(|wait| Some((wait, wait.address?))) else { continue };
            let writes = match wait.kind {
                WaitKind::RustRwlockWrite | WaitKind::PthreadRwlockWrite => true,
                WaitKind::ParkingLot => {
                    wait.make == Make::ParkingLotRwLock && parking_lot::is_in_front(world, pid, sleeper.call)
                }
                _ => false,
            };
            if writes {
                writers.0.entry(lock).or_default().insert(sleeper.tid);
            }
        }
        writers
    }

    /// Names the writers in front of a thread, if any has to be and that is why it waits;
    /// whether that is so.
    pub(super) fn name(
        &self,
        world: &World,
        (pid, tid): (Pid, Pid),
        wait: &mut Wait,
        (lock, held): (u64, Held),
    ) -> bool {
        let Held::Shared(_) = held else { return false };
        let in_front = self.0.get(&lock);
        let is_behind = match wait.kind {
            WaitKind::RustRwlockRead => true,
            WaitKind::PthreadRwlockRead => !wait.make.is_musls(),
            WaitKind::ParkingLot => {
                parking_lot::has_writer(world, pid, lock) && !in_front.is_some_and(|writers| writers.contains(&tid))
            }
            _ => false,
        };
        if !is_behind {
            return false;
        }
        for &writer in in_front.into_iter().flatten() {
            wait.holders.push(Holder { pid, tid: Some(writer) });
            wait.evidence.push(format!("inferred: thread {writer} waits to write, and is let go first"));
        }
        (wait.mode, wait.queued) = (Mode::All, !wait.holders.is_empty());
        wait.partial = wait.holders.is_empty();
        if wait.partial {
            wait.evidence.push("a writer is in front of it, which is not found".to_owned());
        } else {
            wait.certainty = Certainty::Inferred;
        }
        true
    }
}
