//! What a thread holds that waits in a condition variable: there a guard is alive
//! whose lock has been let go of.
//!
//! ```text
//! std, parking_lot    one mutex of the same library, by its guard: which of those alive is it?
//! pthread, by hand    any lock: only what the thread would do next tells
//! ```
//!
//! Of the first it is clear where the thread takes that mutex again before anything
//! else; or where one of the guards alive is of a mutex that the thread does not
//! hold: because nobody does, or because another thread holds it.

use super::Asked;
use super::held::Held;
use super::manner::Manner;
use super::release::{Release, Unclear, takes};
use crate::backend::observe::wait::CodeOf;
use crate::model::sorting;
use crate::model::wait::WaitKind;

/// The mutexes of this kind whose guards are alive in a thread.
pub(super) fn alive(asked: &Asked, kind: WaitKind) -> Vec<u64> {
    let mut found: Vec<u64> = asked
        .unwound
        .iter()
        .flat_map(|cleanup| cleanup.outcome.ways.iter().flatten())
        .map(|event| event.address)
        .collect();
    sorting::by(&mut found, Ord::cmp);
    found.dedup();
    found.retain(|&lock| {
        let release = Release::by_cleanup(asked, kind, Held::Alone, lock);
        matches!(release, Ok(Some(release)) if asked.manner.may_lack(kind, release.event.size))
    });
    found
}

/// Which of these mutexes nobody holds, if it is one.
pub(super) fn free(code: &CodeOf<'_>, kind: WaitKind, locks: &[u64]) -> Option<u64> {
    let is_free = |&&lock: &&u64| {
        let mut word = [0; 4];
        let length = if kind == WaitKind::ParkingLot { 1 } else { 4 };
        let read = code.memory.fill(lock, &mut word[..length]) == length;
        // One of parking_lot has a bit for those who wait beside it.
        read && if length == 1 { word[0] & 1 == 0 } else { word == [0; 4] }
    };
    let mut free = locks.iter().filter(is_free);
    free.next().copied().filter(|_| free.next().is_none())
}

/// The mutex that the thread takes first of all, if that is clear.
pub(super) fn taken_again(asked: &Asked) -> Option<u64> {
    asked.onward.first_of_all().filter(|event| takes(&event.act)).map(|event| event.address)
}

impl<'n> Release<'n> {
    /// The release by a thread that may have let go of anything: only if it does
    /// nothing else with the lock first, and its frames do not say otherwise.
    pub(super) fn by_going_on(asked: &'n Asked, kind: WaitKind, held: Held, lock: u64) -> Option<Self> {
        if matches!(asked.manner, Manner::Any { relocks: true }) && kind == WaitKind::PthreadMutex {
            return None;
        }
        let onward = Self::onward(asked, kind, held, lock)?;
        match Self::by_cleanup(asked, kind, held, lock) {
            Ok(_) => Some(onward),
            Err(Unclear) => None,
        }
    }
}
