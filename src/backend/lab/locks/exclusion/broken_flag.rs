//! A lock that is none: a flag that is checked, and then set.

use std::borrow::Cow;
use std::hint;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::thread;

use super::Exclusion;
use crate::backend::lab::locks::{Family, Info};

/// Looks before the thread gives its processor away.
const LOOKS: u32 = 64;

/// Pauses between the check and the store: a door that stands open for some
/// tens of nanoseconds, so that nobody has to wait long to see two go through.
const DOOR: u32 = 4;

/// A flag that is checked and then set in two steps. Between the steps another
/// thread can pass the check too: then both hold the lock.
#[derive(Debug, Default)]
pub(in crate::backend::lab::locks) struct BrokenFlag {
    /// | value | meaning | who changes it |
    /// |---|---|---|
    /// | false | free | every thread that has read false, by a store of true |
    /// | true | held by one, or by several | any of them, by a store of false |
    held: AtomicBool,
}

impl Exclusion for BrokenFlag {
    const INFO: Info = Info {
        key: "broken_flag",
        name: "check-then-set flag",
        family: Family::Exclusion,
        breaks: Some("mutual exclusion"),
        version: || Cow::Borrowed("broken on purpose"),
        explanation: "What one writes before knowing that one must not: while held { wait }; held = true. The check and \
            the store are two steps, and two threads that both check before either stores are both inside. Compare \
            the spin lock, where a single swap does both at once.",
    };

    type Held<'a> = ();

    #[inline]
    fn lock(&self) {
        let mut looks = 0;
        while self.held.load(Acquire) {
            looks += 1;
            if looks > LOOKS {
                thread::yield_now();
            } else {
                hint::spin_loop();
            }
        }
        self.walk_in();
    }

    #[inline]
    fn try_lock(&self) -> Option<()> {
        if self.held.load(Acquire) {
            return None;
        }
        self.walk_in();
        Some(())
    }

    #[inline]
    fn unlock(&self, (): ()) {
        self.held.store(false, Release);
    }
}

impl BrokenFlag {
    #[inline]
    fn walk_in(&self) {
        for _ in 0..DOOR {
            hint::spin_loop();
        }
        self.held.store(true, Relaxed);
    }
}
