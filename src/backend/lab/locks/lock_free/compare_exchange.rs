//! Compare-and-swap loops, which count their failures.

use std::borrow::Cow;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::{Atomic, Done, NO_LOST_UPDATE};
use crate::backend::lab::locks::{Family, Info, Sentence};

/// `compare_exchange` in a loop.
#[derive(Debug)]
#[repr(align(128))]
pub(in crate::backend::lab::locks) struct CompareExchange(AtomicU64);

impl Atomic for CompareExchange {
    const INFO: Info = Info {
        key: "cas",
        name: "compare_exchange loop",
        family: Family::LockFree,
        breaks: None,
        version: || Cow::Borrowed("the processor's, through std::sync::atomic"),
        explanation: "load; compare_exchange; again if another was faster. Any function can be applied that way, but under contention \
            most attempts fail: the retries are counted. Somebody always succeeds (lock-free), which is no promise for \
            any single thread (not wait-free). Compare fetch_add, which cannot fail.",
    };
    const SENTENCE: Sentence = NO_LOST_UPDATE;
    const RETRIES: bool = true;

    fn of(_threads: usize) -> Self {
        CompareExchange(AtomicU64::new(0))
    }

    #[inline]
    fn operate(&self, _me: usize, memo: u64) -> Done {
        let mut old = self.0.load(Relaxed);
        let mut retries = 0;
        while let Err(now) = self.0.compare_exchange(old, old + 1, Relaxed, Relaxed) {
            retries += 1;
            old = now;
        }
        Done { well: old >= memo, retries, memo: old + 1 }
    }
}

/// `compare_exchange_weak` in a loop.
#[derive(Debug)]
#[repr(align(128))]
pub(in crate::backend::lab::locks) struct Weak(AtomicU64);

impl Atomic for Weak {
    const INFO: Info = Info {
        key: "cas_weak",
        name: "compare_exchange_weak loop",
        family: Family::LockFree,
        breaks: None,
        version: || Cow::Borrowed("the processor's, through std::sync::atomic"),
        explanation: "compare_exchange_weak may fail although the value is as expected: on machines with exclusive loads and stores an \
            interrupt or a neighbour in the cache line is enough. In a loop, which is needed anyway, that saves an \
            inner loop. On x86-64 both are LOCK CMPXCHG and the retries come from other threads alone.",
    };
    const SENTENCE: Sentence = NO_LOST_UPDATE;
    const RETRIES: bool = true;

    fn of(_threads: usize) -> Self {
        Weak(AtomicU64::new(0))
    }

    #[inline]
    fn operate(&self, _me: usize, memo: u64) -> Done {
        let mut old = self.0.load(Relaxed);
        let mut retries = 0;
        while let Err(now) = self.0.compare_exchange_weak(old, old + 1, Relaxed, Relaxed) {
            retries += 1;
            old = now;
        }
        Done { well: old >= memo, retries, memo: old + 1 }
    }
}
