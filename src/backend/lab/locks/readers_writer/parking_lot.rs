//! The readers-writer lock of the crate `parking_lot`.

use std::borrow::Cow;

use parking_lot::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::ReadersWriter;
use crate::backend::lab::locks::{Family, Info};

/// The readers-writer lock of the crate `parking_lot`.
#[derive(Debug, Default)]
pub(in crate::backend::lab::locks) struct ParkingLotRw(RwLock<()>);

impl ReadersWriter for ParkingLotRw {
    const INFO: Info = Info {
        key: "parking_lot_rwlock",
        name: "parking_lot::RwLock",
        family: Family::ReadersWriter,
        breaks: None,
        version: || Cow::Borrowed(crate::backend::lab::locks::exclusion::PARKING_LOT),
        explanation: "One word: the number of readers and bits for a writer, for an upgradable reader and for sleepers, who \
            are parked in the table outside. A writer first takes the writer bit, then waits until the readers are \
            gone; new readers stay behind it, so readers do not starve writers (task-fair). All readers write the \
            same word. It has upgradable reads, which turn into writes without letting go.",
    };

    type Read<'a> = RwLockReadGuard<'a, ()>;
    type Write<'a> = RwLockWriteGuard<'a, ()>;

    #[inline]
    fn read(&self) -> Self::Read<'_> {
        self.0.read()
    }

    #[inline]
    fn write(&self) -> Self::Write<'_> {
        self.0.write()
    }

    #[inline]
    fn try_read(&self) -> Option<Self::Read<'_>> {
        self.0.try_read()
    }

    #[inline]
    fn try_write(&self) -> Option<Self::Write<'_>> {
        self.0.try_write()
    }

    #[inline]
    fn end_read(&self, held: Self::Read<'_>) {
        drop(held);
    }

    #[inline]
    fn end_write(&self, held: Self::Write<'_>) {
        drop(held);
    }
}
