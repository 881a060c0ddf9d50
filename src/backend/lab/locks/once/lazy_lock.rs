//! `std::sync::LazyLock`.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::LazyLock;

use super::{Making, Once};
use crate::backend::lab::locks::{Family, Info};

type Closure = Box<dyn FnOnce() -> u64 + Send>;

/// `std::sync::LazyLock`.
pub(in crate::backend::lab::locks) struct StdLazyLock {
    lazy: LazyLock<u64, Closure>,
}

impl fmt::Debug for StdLazyLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StdLazyLock").finish_non_exhaustive()
    }
}

impl Once for StdLazyLock {
    const INFO: Info = Info {
        key: "lazy_lock",
        name: "std::sync::LazyLock",
        family: Family::Once,
        breaks: None,
        version: || Cow::Borrowed(concat!("Rust ", env!("CARGO_PKG_RUST_VERSION"), " or later")),
        explanation: "A Once with the value inside and, until then, the closure that makes it: both share the memory. It is \
            made when it is looked at first, by whoever looks. If making panics, it is poisoned for good, since the \
            closure is gone.",
    };

    fn of(making: Arc<Making>) -> Self {
        let make: Closure = Box::new(move || making.make());
        StdLazyLock { lazy: LazyLock::new(make) }
    }

    #[inline]
    fn get(&self) -> u64 {
        *self.lazy
    }
}
