//! `std::sync::OnceLock`.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::OnceLock;

use super::{Making, Once};
use crate::backend::lab::locks::{Family, Info};

/// `std::sync::OnceLock`.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct StdOnceLock {
    cell: OnceLock<u64>,
    making: Arc<Making>,
}

impl Once for StdOnceLock {
    const INFO: Info = Info {
        key: "once_lock",
        name: "std::sync::OnceLock",
        family: Family::Once,
        breaks: None,
        version: || Cow::Borrowed(concat!("Rust ", env!("CARGO_PKG_RUST_VERSION"), " or later")),
        explanation: "A Once with the value inside. get_or_init runs the closure of the first that comes; set fails where \
            there is a value. Reading is an acquire load and a comparison. There is no way back but through &mut.",
    };

    fn of(making: Arc<Making>) -> Self {
        StdOnceLock { cell: OnceLock::new(), making }
    }

    #[inline]
    fn get(&self) -> u64 {
        *self.cell.get_or_init(|| self.making.make())
    }
}
