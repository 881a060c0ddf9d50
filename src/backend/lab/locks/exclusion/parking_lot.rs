//! `parking_lot::Mutex`.

use std::borrow::Cow;

use parking_lot::{Mutex, MutexGuard};

use super::Exclusion;
use crate::backend::lab::locks::{Family, Info};

/// The version that Cargo.lock fixes; a test compares.
pub(in crate::backend::lab::locks) const VERSION: &str = "0.13.0";

/// The mutex of the crate `parking_lot`.
#[derive(Debug, Default)]
pub(in crate::backend::lab::locks) struct ParkingLot(Mutex<()>);

impl Exclusion for ParkingLot {
    const INFO: Info = Info {
        key: "parking_lot",
        name: "parking_lot::Mutex",
        family: Family::Exclusion,
        breaks: None,
        version: || Cow::Borrowed(VERSION),
        explanation: "One byte: bit 0 held, bit 1 somebody is parked. A waiting thread spins briefly, yields a few \
            times, then parks in a queue that lies outside the lock, in a table keyed by the lock's address; under it \
            is one futex for each thread. Unlocking with bit 1 set takes the first out of the queue and wakes it. \
            A running thread may barge in. Since 0.13 the lock is no longer handed over now and then for fairness' \
            sake: that takes FairMutex or unlock_fair.",
    };

    type Held<'a> = MutexGuard<'a, ()>;

    #[inline]
    fn lock(&self) -> MutexGuard<'_, ()> {
        self.0.lock()
    }

    #[inline]
    fn try_lock(&self) -> Option<MutexGuard<'_, ()>> {
        self.0.try_lock()
    }

    #[inline]
    fn unlock(&self, held: MutexGuard<'_, ()>) {
        drop(held);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_shown_is_the_one_in_cargo_lock() {
        let row = format!("name = \"parking_lot\"\nversion = \"{}\"\n", super::VERSION);
        assert!(include_str!("../../../../../Cargo.lock").contains(&row));
    }
}
