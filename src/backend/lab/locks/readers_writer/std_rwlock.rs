//! The standard library's readers-writer lock.

use std::any::Any;
use std::borrow::Cow;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use super::ReadersWriter;
use crate::backend::lab::locks::section::Section;
use crate::backend::lab::locks::{Family, Info};

/// The standard library's readers-writer lock.
#[derive(Debug, Default)]
pub(in crate::backend::lab::locks) struct StdRwLock(RwLock<()>);

impl ReadersWriter for StdRwLock {
    const INFO: Info = Info {
        key: "std_rwlock",
        name: "std::sync::RwLock",
        family: Family::ReadersWriter,
        breaks: None,
        version: || Cow::Borrowed(concat!("Rust ", env!("CARGO_PKG_RUST_VERSION"), " or later, futex")),
        explanation: "Eight bytes: a word with the number of readers (30 bits) and two bits for readers and writers that \
            sleep, and a counter on which writers sleep. A reader takes it with a compare-and-swap that adds one, so \
            all readers write the same cache line and reading does not scale. Once a writer waits, new readers wait \
            too: writers are not starved, but reading a lock that one reads already can deadlock.",
    };

    type Read<'a> = RwLockReadGuard<'a, ()>;
    type Write<'a> = RwLockWriteGuard<'a, ()>;

    #[inline]
    fn read(&self) -> Self::Read<'_> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn write(&self) -> Self::Write<'_> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    #[inline]
    fn try_read(&self) -> Option<Self::Read<'_>> {
        match self.0.try_read() {
            Ok(held) => Some(held),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    #[inline]
    fn try_write(&self) -> Option<Self::Write<'_>> {
        match self.0.try_write() {
            Ok(held) => Some(held),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    #[inline]
    fn end_read(&self, held: Self::Read<'_>) {
        drop(held);
    }

    #[inline]
    fn end_write(&self, held: Self::Write<'_>) {
        drop(held);
    }

    /// As [`StdMutex`](crate::backend::lab::locks::exclusion::StdMutex) does: `write` and
    /// the guard's `drop` have one caller, and are put into the loop.
    #[inline(never)]
    fn write_laps(&self, section: &Section, laps: u64) {
        let only_here: &RwLock<dyn Any + Send + Sync> = &self.0;
        for _ in 0..laps {
            let held = only_here.write().unwrap_or_else(PoisonError::into_inner);
            section.count_one();
            drop(held);
        }
    }
}
