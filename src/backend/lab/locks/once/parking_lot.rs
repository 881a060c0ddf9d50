//! `parking_lot::Once`, with the value beside it.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::{Making, Once};
use crate::backend::lab::locks::exclusion::PARKING_LOT;
use crate::backend::lab::locks::{Family, Info};

/// `parking_lot::Once`, with the value beside it.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct ParkingLotOnce {
    once: ::parking_lot::Once,
    /// Ordered by the Once: written before it is done, read after.
    value: AtomicU64,
    making: Arc<Making>,
}

impl Once for ParkingLotOnce {
    const INFO: Info = Info {
        key: "parking_lot_once",
        name: "parking_lot::Once",
        family: Family::Once,
        breaks: None,
        version: || Cow::Borrowed(PARKING_LOT),
        explanation: "One byte instead of four: done, poisoned, locked, parked. Whoever comes while it runs spins a little, \
            then is parked in the table outside. Else as the Once of std.",
    };

    fn of(making: Arc<Making>) -> Self {
        ParkingLotOnce { once: ::parking_lot::Once::new(), value: AtomicU64::new(0), making }
    }

    #[inline]
    fn get(&self) -> u64 {
        self.once.call_once(|| self.value.store(self.making.make(), Relaxed));
        self.value.load(Relaxed)
    }
}
