//! Counters of which each thread has one: what sharing a cache line costs where
//! nothing else is shared.

use std::borrow::Cow;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::{Atomic, Done, NO_LOST_UPDATE, done};
use crate::backend::lab::locks::{Family, Info, Sentence, phases};

/// One counter a thread, on cache lines of its own.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Padded(Box<[phases::Padded]>);

impl Atomic for Padded {
    const INFO: Info = Info {
        key: "sharded_padded",
        name: "sharded counter, padded",
        family: Family::LockFree,
        breaks: None,
        version: || Cow::Borrowed("the processor's, through std::sync::atomic"),
        explanation: "One counter a thread, each on cache lines of its own (128 bytes, since the prefetcher fetches lines in pairs): \
            an addition stays in this processor's cache and costs the same with any number of threads. Reading the \
            total means adding up all of them, and is never exact while they run.",
    };
    const SENTENCE: Sentence = NO_LOST_UPDATE;

    fn of(threads: usize) -> Self {
        Padded((0..threads).map(|_| phases::Padded::default()).collect())
    }

    #[inline]
    fn operate(&self, me: usize, memo: u64) -> Done {
        let old = self.0[me].0.fetch_add(1, Relaxed);
        done(old >= memo, old + 1)
    }
}

/// One counter a thread, side by side.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Unpadded(Box<[AtomicU64]>);

impl Atomic for Unpadded {
    const INFO: Info = Info {
        key: "sharded_unpadded",
        name: "sharded counter, unpadded",
        family: Family::LockFree,
        breaks: None,
        version: || Cow::Borrowed("the processor's, through std::sync::atomic"),
        explanation: "The same counters, side by side: eight share a cache line. No two threads ever touch the same counter, and yet \
            the line travels between them as if they did: false sharing. Compare the padded one, with two threads and \
            more.",
    };
    const SENTENCE: Sentence = NO_LOST_UPDATE;

    fn of(threads: usize) -> Self {
        Unpadded((0..threads).map(|_| AtomicU64::new(0)).collect())
    }

    #[inline]
    fn operate(&self, me: usize, memo: u64) -> Done {
        let old = self.0[me].fetch_add(1, Relaxed);
        done(old >= memo, old + 1)
    }
}
