//! A flag that is checked, and then set: no Once.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Release};

use super::{Making, Once};
use crate::backend::lab::locks::{Family, Info};

/// A flag that is checked, and then set: no Once.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct BrokenOnce {
    /// 0 until it is made.
    value: AtomicU64,
    making: Arc<Making>,
}

impl Once for BrokenOnce {
    const INFO: Info = Info {
        key: "once_unchecked",
        name: "check-then-make",
        family: Family::Once,
        breaks: Some("one initialisation"),
        version: || Cow::Borrowed("broken on purpose"),
        explanation: "if !made { value = make(); made = true }: the check and the making are two steps, and two threads that \
            check before either is done both make the value. Each may go on with a value of its own: two connections, \
            two caches, two singletons.",
    };

    fn of(making: Arc<Making>) -> Self {
        BrokenOnce { value: AtomicU64::new(0), making }
    }

    #[inline]
    fn get(&self) -> u64 {
        if self.value.load(Acquire) == 0 {
            self.value.store(self.making.make(), Release);
        }
        self.value.load(Acquire)
    }
}
