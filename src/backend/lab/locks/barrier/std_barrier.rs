//! `std::sync::Barrier`.

use std::borrow::Cow;
use std::sync::Barrier as Std;

use super::Barrier;
use crate::backend::lab::locks::{Family, Info};

/// The standard library's barrier.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct StdBarrier(Std);

impl Barrier for StdBarrier {
    const INFO: Info = Info {
        key: "barrier",
        name: "std::sync::Barrier",
        family: Family::Barrier,
        breaks: None,
        version: || Cow::Borrowed(concat!("Rust ", env!("CARGO_PKG_RUST_VERSION"), " or later")),
        explanation: "A Mutex around a count and a generation, and a Condvar. Who arrives adds one; the last one starts \
            the next generation, notifies all and is the leader; everybody else waits until the generation changes. \
            All that are woken have to take the mutex once more, one after the other. A phase lasts as long as its \
            slowest thread: give the think time a spread and see the others wait.",
    };

    fn of(threads: usize) -> Self {
        StdBarrier(Std::new(threads))
    }

    #[inline]
    fn wait(&self) -> bool {
        self.0.wait().is_leader()
    }
}
