//! A ticket lock.
//!
//! J. M. Mellor-Crummey, M. L. Scott: Algorithms for Scalable Synchronization
//! on Shared-Memory Multiprocessors, ACM TOCS 9(1), 1991, section 2.2.

use std::borrow::Cow;
use std::hint;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::thread;

use super::Exclusion;
use crate::backend::lab::locks::{Family, Info};

/// Pauses for each thread that stands before us in the queue.
const PAUSES_A_PLACE: u32 = 8;
/// How often to look before giving the processor away: the thread whose turn
/// it is may need it.
const LOOKS: u32 = 32;

/// A ticket lock: strictly first come, first served.
///
/// | `next` | `serving` | meaning |
/// |---|---|---|
/// | n | n | free |
/// | n + 1 | n | held, nobody waits |
/// | n + k | n | held, k − 1 wait |
///
/// Both wrap round; only their difference counts.
#[derive(Debug, Default)]
pub(in crate::backend::lab::locks) struct Ticket {
    /// The next ticket to be drawn; every thread that wants the lock adds 1.
    next: AtomicU32,
    /// The ticket that may enter; only the holder adds 1 (release).
    serving: AtomicU32,
}

impl Exclusion for Ticket {
    const INFO: Info = Info {
        key: "ticket",
        name: "ticket lock",
        family: Family::Exclusion,
        breaks: None,
        version: || Cow::Borrowed("Mellor-Crummey and Scott 1991"),
        explanation: "Two counters: draw a ticket with fetch_add, wait until it is served, unlock by serving the next. \
            Strictly first come, first served: nobody starves, Jain's index is 1. The price: the lock goes to the next \
            in the queue even if that thread is not running. With more threads than processors every hand-off may \
            wait for the scheduler, and throughput collapses.",
    };

    type Held<'a> = ();

    #[inline]
    fn lock(&self) {
        let ticket = self.next.fetch_add(1, Relaxed);
        if self.serving.load(Acquire) != ticket {
            self.wait_for(ticket);
        }
    }

    #[inline]
    fn try_lock(&self) -> Option<()> {
        // The ticket that is served now can be drawn only while nobody holds
        // the lock, and drawing it is taking the lock. Acquire, since the last
        // holder's writes were released to `serving`.
        let ticket = self.serving.load(Acquire);
        self.next.compare_exchange(ticket, ticket.wrapping_add(1), Relaxed, Relaxed).ok().map(drop)
    }

    #[inline]
    fn unlock(&self, (): ()) {
        self.serving.store(self.serving.load(Relaxed).wrapping_add(1), Release);
    }
}

impl Ticket {
    #[cold]
    fn wait_for(&self, ticket: u32) {
        let mut looks = 0;
        loop {
            let before_us = ticket.wrapping_sub(self.serving.load(Acquire));
            if before_us == 0 {
                return;
            }
            looks += 1;
            if looks > LOOKS {
                thread::yield_now();
            } else {
                for _ in 0..before_us.min(16) * PAUSES_A_PLACE {
                    hint::spin_loop();
                }
            }
        }
    }
}
