//! A test-and-set spin lock: the simplest that works.

use std::borrow::Cow;
use std::hint;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Release};
use std::thread;

use super::Exclusion;
use crate::backend::lab::locks::{Family, Info};

/// Swaps in vain before the thread gives its processor away: the holder may
/// need it.
const SWAPS: u32 = 64;

/// A test-and-set spin lock without back-off.
#[derive(Debug, Default)]
pub(in crate::backend::lab::locks) struct TasSpin {
    /// | value | meaning | who changes it |
    /// |---|---|---|
    /// | false | free | any thread, by a swap to true (acquire) |
    /// | true | held | the holder, by a store of false (release) |
    held: AtomicBool,
}

impl Exclusion for TasSpin {
    const INFO: Info = Info {
        key: "tas_spin",
        name: "TAS spin lock",
        family: Family::Exclusion,
        breaks: None,
        version: || Cow::Borrowed("test-and-set, yields after 64 swaps"),
        explanation: "One flag, and nothing but swaps: while swap(true) returns true, swap again. Every attempt takes \
            the flag's cache line for writing, the holder's own included, so that waiting threads slow down the very \
            unlock that they wait for, and the more of them the worse. Compare the TTAS lock, which looks before it \
            swaps.",
    };

    type Held<'a> = ();

    #[inline]
    fn lock(&self) {
        if self.held.swap(true, Acquire) {
            self.lock_contended();
        }
    }

    #[inline]
    fn try_lock(&self) -> Option<()> {
        (!self.held.swap(true, Acquire)).then_some(())
    }

    #[inline]
    fn unlock(&self, (): ()) {
        self.held.store(false, Release);
    }
}

impl TasSpin {
    #[cold]
    #[inline(never)]
    fn lock_contended(&self) {
        let mut swaps = 0;
        loop {
            swaps += 1;
            if swaps % SWAPS == 0 {
                thread::yield_now();
            } else {
                hint::spin_loop();
            }
            if !self.held.swap(true, Acquire) {
                return;
            }
        }
    }
}
