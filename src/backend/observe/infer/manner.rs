//! How a thread waits: whether what its guards are of is what it holds.

use super::Sleeper;
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
