//! A barrier for threads that should leave it at the same moment.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Turns in the loop before a waiter gives its CPU away: some 20 µs. Whoever it
/// waits for may have lost its own to another program.
const PATIENCE: u32 = 4_000;

#[derive(Debug, Default)]
#[repr(align(128))]
struct Padded(AtomicUsize);

/// Threads spin here until all have come. Where there are fewer CPUs than
/// threads they yield at once.
#[derive(Debug)]
pub(super) struct Barrier {
    threads: usize,
    patience: u32,
    /// How many have come.
    arrived: Padded,
    /// How often all have come.
    round: Padded,
}

impl Barrier {
    pub(super) fn new(threads: usize, spin: bool) -> Self {
        let patience = if spin { PATIENCE } else { 0 };
        Barrier { threads, patience, arrived: Padded::default(), round: Padded::default() }
    }

    /// Waits for all the others. What was written before is seen by all after.
    pub(super) fn wait(&self) {
        let round = self.round.0.load(Ordering::Relaxed);
        if self.arrived.0.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.arrived.0.store(0, Ordering::Relaxed);
            // A swap leaves the store buffer at once, so that this thread does
            // not run ahead of those it wakes.
            self.round.0.swap(round + 1, Ordering::SeqCst);
            return;
        }
        let mut turns = 0;
        while self.round.0.load(Ordering::Acquire) == round {
            if turns < self.patience {
                turns += 1;
                std::hint::spin_loop();
            } else {
                std::thread::yield_now();
            }
        }
    }
}
