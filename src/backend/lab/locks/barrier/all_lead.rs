//! A barrier with several leaders.

use std::borrow::Cow;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::thread;

use super::{Barrier, StdBarrier};
use crate::backend::lab::locks::{Family, Info};

/// A barrier whose leader is whoever has not seen another one.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct AllLead {
    barrier: StdBarrier,
    threads: u64,
    /// Who has left, and who of them took itself for the leader, in all phases.
    left: AtomicU64,
    led: AtomicBool,
}

impl Barrier for AllLead {
    const INFO: Info = Info {
        key: "barrier_leaders",
        name: "barrier, leader by look",
        family: Family::Barrier,
        breaks: Some("one leader"),
        version: || Cow::Borrowed("broken on purpose"),
        explanation: "A sound barrier, and a leader that is found afterwards: whoever leaves takes itself for the leader \
            unless it has seen another one, which is check-then-act once more. Work that one thread is to do between \
            two phases is done by several.",
    };

    fn of(threads: usize) -> Self {
        AllLead {
            barrier: StdBarrier::of(threads),
            threads: threads as u64,
            left: AtomicU64::new(0),
            led: AtomicBool::new(false),
        }
    }

    fn wait(&self) -> bool {
        self.barrier.wait();
        let led = self.led.load(Relaxed);
        // The step between looking and acting.
        thread::yield_now();
        if !led {
            self.led.store(true, Relaxed);
        }
        if (self.left.fetch_add(1, Relaxed) + 1).is_multiple_of(self.threads) {
            self.led.store(false, Relaxed);
        }
        !led
    }
}
