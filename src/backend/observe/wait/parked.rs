//! What `parking_lot` keeps of a thread while it is parked, and for what it can be.

use super::{Facts, World};
use crate::model::wait::Make;

/// Where the key stands, seen from the futex word.
pub(super) const KEY: u64 = 32;

/// What a thread can be parked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Primitive {
    /// A mutex: one byte.
    Mutex,
    /// A mutex that a condition variable takes again, where whoever notified has put the
    /// thread among those that wait for it; or of which only that is not excluded.
    Relock,
    /// A reader-writer lock: a word.
    RwLock,
    /// A condition variable: the address of its mutex, while anybody waits.
    Condvar,
    /// A one-time initialisation: one byte.
    Once,
}

impl Primitive {
    pub(super) const NAMED: [Primitive; 4] = [Primitive::Mutex, Primitive::RwLock, Primitive::Condvar, Primitive::Once];

    /// Its module in `parking_lot`, as mangled names have it, of 0.12 and of 0.13.
    pub(super) fn modules(self) -> &'static [&'static str] {
        match self {
            Primitive::Mutex | Primitive::Relock => &["9raw_mutex"],
            Primitive::RwLock => &["10raw_rwlock"],
            Primitive::Condvar => &["7condvar", "11raw_condvar"],
            Primitive::Once => &["11parking_lot4once"],
        }
    }

    pub(super) fn words(self) -> &'static str {
        match self {
            Primitive::Mutex | Primitive::Relock => "parking_lot Mutex",
            Primitive::RwLock => "parking_lot RwLock",
            Primitive::Condvar => "parking_lot Condvar",
            Primitive::Once => "parking_lot Once",
        }
    }

    pub(super) fn make(self) -> Make {
        match self {
            Primitive::Mutex => Make::ParkingLotMutex,
            Primitive::Relock => Make::ParkingLotRelock,
            Primitive::RwLock => Make::ParkingLotRwLock,
            Primitive::Condvar => Make::ParkingLotCondvar,
            Primitive::Once => Make::ParkingLotOnce,
        }
    }
}

/// A thread's parking data while it is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parked {
    /// The word that it sleeps on.
    pub(super) futex: u64,
    /// The key.
    pub(super) key: u64,
    /// The next that is parked behind it.
    pub(super) next: u64,
    /// How it was woken last: 1 handed a lock over.
    pub(super) woken: u64,
    /// How it wants an `RwLock`: a reader 16, a writer 8, an upgradable reader 20.
    pub(super) token: u64,
    /// The lock.
    pub(super) lock: u64,
    /// The mutex whose address a condition variable at that place would have.
    pub(super) mutex: Option<u64>,
}

impl Parked {
    pub(super) fn read(facts: &Facts<'_>, world: &mut World, futex: u64) -> Option<Self> {
        let [key, next, woken, token] = world.longs(facts.pid, futex.checked_sub(KEY)?).ok()?;
        let lock = lock_of(key, token);
        let word = world.longs(facts.pid, lock).map_or(0, |[word]| word);
        let has_mutex = token == 0 && lock.is_multiple_of(8) && world.is_data(facts.pid, word);
        let mutex = has_mutex.then_some(word);
        world.is_data(facts.pid, lock).then_some(Parked { futex, key, next, woken, token, lock, mutex })
    }

    /// What memory holds when the thread has been woken, without having been handed
    /// anything: address, number, bytes.
    pub(super) fn woken(&self) -> [(u64, u64, usize); 3] {
        [(self.futex, 0, 4), (self.futex - 24, 0, 8), (self.futex - 16, 0, 8)]
    }
}

/// The lock that a thread is parked for. A mutex is one byte and may lie
/// anywhere; at an odd address a token tells the waiting writer of an `RwLock`.
fn lock_of(key: u64, token: u64) -> u64 {
    if token == 0 { key } else { key & !1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_token_makes_an_odd_key_a_writers() {
        assert_eq!((lock_of(0x101, 0), lock_of(0x101, 8)), (0x101, 0x100), "a mutex may lie at an odd address");
        assert_eq!(lock_of(0x100, 16), 0x100);
    }
}
