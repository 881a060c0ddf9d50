//! A test-and-test-and-set spin lock with exponential back-off.
//!
//! L. Rudolph, Z. Segall: Dynamic Decentralized Cache Schemes for MIMD Parallel
//! Processors, ISCA 1984 (test-and-test-and-set); T. E. Anderson: The
//! Performance of Spin Lock Alternatives for Shared-Memory Multiprocessors,
//! IEEE TPDS 1(1), 1990 (back-off).

use std::borrow::Cow;
use std::hint;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::thread;

use super::Exclusion;
use crate::backend::lab::locks::{Family, Info};

/// The most pauses between two looks at the lock; beyond it, the thread gives
/// its processor away.
const MAX_PAUSES: u32 = 64;

/// A test-and-test-and-set spin lock.
#[derive(Debug, Default)]
pub(in crate::backend::lab::locks) struct TtasSpin {
    /// | value | meaning | who changes it |
    /// |---|---|---|
    /// | false | free | any thread, by a swap to true (acquire) |
    /// | true | held | the holder, by a store of false (release) |
    held: AtomicBool,
}

impl Exclusion for TtasSpin {
    const INFO: Info = Info {
        key: "ttas_spin",
        name: "TTAS spin lock",
        family: Family::Exclusion,
        breaks: None,
        version: || Cow::Borrowed("Rudolph and Segall 1984, back-off after Anderson 1990"),
        explanation: "One flag. A waiting thread reads it until it looks free (test), which costs nothing outside its \
            own cache, and only then tries to swap it (test-and-set). After each look in vain it pauses twice as long, \
            up to 64 pauses, then yields its processor. Nobody queues: whoever looks at the right moment wins, and \
            the last holder has the flag in its cache. It never sleeps, so a holder that is preempted lets the others \
            burn their time slices.",
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
        (!self.held.load(Relaxed) && !self.held.swap(true, Acquire)).then_some(())
    }

    #[inline]
    fn unlock(&self, (): ()) {
        self.held.store(false, Release);
    }
}

impl TtasSpin {
    #[cold]
    fn lock_contended(&self) {
        let mut pauses = 1;
        loop {
            while self.held.load(Relaxed) {
                for _ in 0..pauses {
                    hint::spin_loop();
                }
                if pauses < MAX_PAUSES {
                    pauses *= 2;
                } else {
                    thread::yield_now();
                }
            }
            if !self.held.swap(true, Acquire) {
                return;
            }
        }
    }
}
