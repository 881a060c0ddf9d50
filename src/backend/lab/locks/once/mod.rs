//! Initialisation that happens once, whoever comes first.

mod broken_once;
mod lazy_lock;
mod once_lock;
mod parking_lot;
mod race;
mod std_once;

pub(super) use self::broken_once::BrokenOnce;
pub(super) use self::lazy_lock::StdLazyLock;
pub(super) use self::once_lock::StdOnceLock;
pub(super) use self::parking_lot::ParkingLotOnce;
pub(super) use self::race::Of;
pub(super) use self::std_once::StdOnce;

use std::hint;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::Info;

/// A value that is made once.
pub(super) trait Once: Send + Sync + 'static {
    /// What a person reads about it.
    const INFO: Info;

    /// One that is made by that when it is wanted first.
    fn of(making: Arc<Making>) -> Self;

    /// The value, made now if nobody has made it.
    fn get(&self) -> u64;
}

/// How a value is made, and how often it was.
#[derive(Debug, Default)]
pub(super) struct Making(AtomicU64);

impl Making {
    /// Makes it: the first is 1, a second would be 2. It takes about as long as
    /// a small allocation.
    pub(super) fn make(&self) -> u64 {
        (0..32).for_each(|_| hint::spin_loop());
        self.0.fetch_add(1, Relaxed) + 1
    }

    /// How often it was made.
    pub(super) fn made(&self) -> u64 {
        self.0.load(Relaxed)
    }
}
