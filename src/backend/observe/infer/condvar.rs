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

use super::held::Held;
use super::release::{Release, Unclear, takes};
use super::{Asked, Sleeper};
use crate::backend::observe::wait::CodeOf;
use crate::model::wait::{Make, WaitKind};

/// How a thread waits, as far as its guards are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// What its guards are of it holds.
    Plain,
    /// It has let go of one mutex of this kind.
    Condvar(WaitKind),
    /// It may have let go of anything.
    Any {
        /// Whether the C library takes a mutex again before it returns.
        relocks: bool,
    },
}

impl Manner {
    /// How this thread waits; `None` where nothing can be said.
    pub(super) fn of(sleeper: &Sleeper<'_>) -> Option<Self> {
        let Some(wait) = sleeper.wait else { return Some(Manner::Plain) };
        Some(match wait.kind {
            WaitKind::Futex => Manner::Any { relocks: false },
            WaitKind::PthreadCond => Manner::Any { relocks: true },
            WaitKind::RustCondvar => Manner::Condvar(WaitKind::RustMutex),
            WaitKind::ParkingLot => match wait.make {
                Make::ParkingLotCondvar | Make::ParkingLotRelock => Manner::Condvar(WaitKind::ParkingLot),
                Make::ParkingLotMutex | Make::ParkingLotRwLock | Make::ParkingLotOnce => Manner::Plain,
                _ => return None,
            },
            _ => Manner::Plain,
        })
    }

    /// Whether a thread that waits so may have let go of a lock of this kind,
    /// although its guard is alive; of `parking_lot` mutexes are one byte.
    pub(super) fn may_lack(self, kind: WaitKind, size: usize) -> bool {
        self == Manner::Condvar(kind) && (kind != WaitKind::ParkingLot || size == 1)
    }
}

/// The mutexes of this kind whose guards are alive in a thread.
pub(super) fn alive(asked: &Asked, kind: WaitKind) -> Vec<u64> {
    let mut found: Vec<u64> = asked
        .unwound
        .iter()
        .flat_map(|cleanup| cleanup.outcome.ways.iter().flatten())
        .map(|event| event.address)
        .collect();
    found.sort_unstable();
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
