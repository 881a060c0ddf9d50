//! `std::sync::Once`, with the value beside it.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::Once as Std;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::{Making, Once};
use crate::backend::lab::locks::{Family, Info};

/// `std::sync::Once`, with the value beside it.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct StdOnce {
    once: Std,
    /// Ordered by the Once: written before it is complete, read after.
    value: AtomicU64,
    making: Arc<Making>,
}

impl Once for StdOnce {
    const INFO: Info = Info {
        key: "once",
        name: "std::sync::Once",
        family: Family::Once,
        breaks: None,
        version: || Cow::Borrowed(concat!("Rust ", env!("CARGO_PKG_RUST_VERSION"), " or later")),
        explanation: "A word with the states incomplete, running, complete (and poisoned), and whether somebody sleeps. The \
            first to swap in running makes the value; whoever comes meanwhile sleeps in futex(2); the end wakes all. \
            Afterwards a call is one acquire load that finds complete. If making panics, the Once is poisoned.",
    };

    fn of(making: Arc<Making>) -> Self {
        StdOnce { once: Std::new(), value: AtomicU64::new(0), making }
    }

    #[inline]
    fn get(&self) -> u64 {
        self.once.call_once(|| self.value.store(self.making.make(), Relaxed));
        self.value.load(Relaxed)
    }
}
