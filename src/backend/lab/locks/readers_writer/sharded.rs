//! The sharded readers-writer lock of the crate crossbeam.

use std::borrow::Cow;
use std::sync::{PoisonError, TryLockError};

use crossbeam_utils::sync::{ShardedLock, ShardedLockReadGuard, ShardedLockWriteGuard};

use super::ReadersWriter;
use crate::backend::lab::locks::{Family, Info};

/// The sharded readers-writer lock of the crate crossbeam.
#[derive(Debug, Default)]
pub(in crate::backend::lab::locks) struct Sharded(ShardedLock<()>);

impl ReadersWriter for Sharded {
    const INFO: Info = Info {
        key: "sharded_lock",
        name: "crossbeam ShardedLock",
        family: Family::ReadersWriter,
        breaks: None,
        version: || Cow::Borrowed(VERSION),
        explanation: "Eight std RwLocks, each on cache lines of its own. A reader takes only the one that its thread was \
            given, so that readers on different processors seldom write the same line; a writer takes all eight, one \
            after the other. Reading scales, writing costs eight times as much: for data that is read nearly always.",
    };

    type Read<'a> = ShardedLockReadGuard<'a, ()>;
    type Write<'a> = ShardedLockWriteGuard<'a, ()>;

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
}

/// The version that Cargo.lock fixes; a test compares.
const VERSION: &str = "crossbeam-utils 0.8.23";

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_shown_is_the_one_in_cargo_lock() {
        let (name, version) = super::VERSION.split_once(' ').unwrap();
        let row = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        assert!(include_str!("../../../../../Cargo.lock").contains(&row));
    }
}
