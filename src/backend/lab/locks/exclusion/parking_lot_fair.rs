//! `parking_lot::FairMutex`.

use std::borrow::Cow;

use parking_lot::{FairMutex, FairMutexGuard};

use super::Exclusion;
use super::parking_lot::VERSION;
use crate::backend::lab::locks::{Family, Info};

/// The fair mutex of the crate `parking_lot`.
#[derive(Debug, Default)]
pub(in crate::backend::lab::locks) struct ParkingLotFair(FairMutex<()>);

impl Exclusion for ParkingLotFair {
    const INFO: Info = Info {
        key: "parking_lot_fair",
        name: "parking_lot::FairMutex",
        family: Family::Exclusion,
        breaks: None,
        version: || Cow::Borrowed(VERSION),
        explanation: "parking_lot's mutex with another unlock: where somebody is parked, the lock is not set free but \
            handed to the first in the queue, which wakes up holding it. Nobody barges in and nobody starves. The \
            price is a context switch for every hand-off, since the lock stays taken while the woken thread is not \
            running yet: the convoy that barging avoids.",
    };

    type Held<'a> = FairMutexGuard<'a, ()>;

    #[inline]
    fn lock(&self) -> FairMutexGuard<'_, ()> {
        self.0.lock()
    }

    #[inline]
    fn try_lock(&self) -> Option<FairMutexGuard<'_, ()>> {
        self.0.try_lock()
    }

    #[inline]
    fn unlock(&self, held: FairMutexGuard<'_, ()>) {
        drop(held);
    }
}
