//! Counters and bits, changed by one instruction.

use std::borrow::Cow;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::{Atomic, Done, NO_LOST_UPDATE, done};
use crate::backend::lab::locks::{Family, Info, MAX_THREADS, Sentence};

/// `fetch_add`.
#[derive(Debug)]
#[repr(align(128))]
pub(in crate::backend::lab::locks) struct FetchAdd(AtomicU64);

impl Atomic for FetchAdd {
    const INFO: Info = Info {
        key: "fetch_add",
        name: "fetch_add",
        family: Family::LockFree,
        breaks: None,
        version: || Cow::Borrowed("the processor's, through std::sync::atomic"),
        explanation: "One locked instruction (LOCK XADD on x86-64; LDADD or a loop of exclusive loads and stores on Arm). It never \
            fails and waits for nobody, but the cache line has to be here, alone: with several threads it travels, and \
            each addition costs a transfer. So a shared counter gets slower in all with every processor that counts.",
    };
    const SENTENCE: Sentence = NO_LOST_UPDATE;

    fn of(_threads: usize) -> Self {
        FetchAdd(AtomicU64::new(0))
    }

    #[inline]
    fn operate(&self, _me: usize, memo: u64) -> Done {
        let old = self.0.fetch_add(1, Relaxed);
        done(old >= memo, old + 1)
    }
}

/// `fetch_sub`.
#[derive(Debug)]
#[repr(align(128))]
pub(in crate::backend::lab::locks) struct FetchSub(AtomicU64);

impl Atomic for FetchSub {
    const INFO: Info = Info {
        key: "fetch_sub",
        name: "fetch_sub",
        family: Family::LockFree,
        breaks: None,
        version: || Cow::Borrowed("the processor's, through std::sync::atomic"),
        explanation: "fetch_add of the negative: the same instruction at the same price. The way down is where reference counts end: \
            whoever gets 1 back was the last, needs Acquire to see what the others did before they let go, and the \
            others Release.",
    };
    const SENTENCE: Sentence = NO_LOST_UPDATE;

    fn of(_threads: usize) -> Self {
        FetchSub(AtomicU64::new(u64::MAX))
    }

    #[inline]
    fn operate(&self, _me: usize, memo: u64) -> Done {
        // It counts down; what it has counted goes up.
        let old = u64::MAX - self.0.fetch_sub(1, Relaxed);
        done(old >= memo, old + 1)
    }
}

/// Words of bits, in one cache line: no two of the most threads there can be
/// share a bit.
const WORDS: usize = MAX_THREADS / 64;

fn bit(me: usize) -> u64 {
    1 << (me % 64)
}

/// `fetch_xor`.
#[derive(Debug)]
#[repr(align(128))]
pub(in crate::backend::lab::locks) struct FetchXor([AtomicU64; WORDS]);

impl Atomic for FetchXor {
    const INFO: Info = Info {
        key: "fetch_xor",
        name: "fetch_xor",
        family: Family::LockFree,
        breaks: None,
        version: || Cow::Borrowed("the processor's, through std::sync::atomic"),
        explanation: "Each thread turns a bit of its own over, and finds it as it left it. x86-64 has no instruction that does that \
            and returns the old value: it becomes a loop of LOCK CMPXCHG, which can fail. Where nobody looks at the \
            old value, the compiler takes LOCK XOR.",
    };
    const SENTENCE: Sentence = NO_LOST_UPDATE;

    fn of(_threads: usize) -> Self {
        FetchXor(Default::default())
    }

    #[inline]
    fn operate(&self, me: usize, memo: u64) -> Done {
        let bit = bit(me);
        let old = self.0[me / 64 % WORDS].fetch_xor(bit, Relaxed);
        done(old & bit == memo, !old & bit)
    }
}

/// `fetch_or` and `fetch_and`.
#[derive(Debug)]
#[repr(align(128))]
pub(in crate::backend::lab::locks) struct FetchBits([AtomicU64; WORDS]);

impl Atomic for FetchBits {
    const INFO: Info = Info {
        key: "fetch_or_and",
        name: "fetch_or, fetch_and",
        family: Family::LockFree,
        breaks: None,
        version: || Cow::Borrowed("the processor's, through std::sync::atomic"),
        explanation: "Each thread sets a bit of its own, then clears it, and finds it each time as it left it. As with xor, x86-64 \
            needs a loop of LOCK CMPXCHG for the old value; for a single bit the compiler takes LOCK BTS and BTR.",
    };
    const SENTENCE: Sentence = NO_LOST_UPDATE;

    fn of(_threads: usize) -> Self {
        FetchBits(Default::default())
    }

    #[inline]
    fn operate(&self, me: usize, memo: u64) -> Done {
        let (bit, word) = (bit(me), &self.0[me / 64 % WORDS]);
        let old = if memo == 0 { word.fetch_or(bit, Relaxed) } else { word.fetch_and(!bit, Relaxed) };
        done(old & bit == memo, memo ^ bit)
    }
}
