//! A value that is read and written whole.

use std::borrow::Cow;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

use super::{Atomic, Done, NO_TORN_VALUE, done};
use crate::backend::lab::locks::{Family, Info, Sentence};

/// A number, twice.
fn twice(number: u64) -> u64 {
    let number = number & 0xffff_ffff;
    number << 32 | number
}

/// Whether both halves are of one number.
fn is_whole(value: u64) -> bool {
    value >> 32 == value & 0xffff_ffff
}

/// `load` with one writer.
#[derive(Debug)]
#[repr(align(128))]
pub(in crate::backend::lab::locks) struct Load(AtomicU64);

impl Atomic for Load {
    const INFO: Info = Info {
        key: "load",
        name: "load, one writer",
        family: Family::LockFree,
        breaks: None,
        version: || Cow::Borrowed("the processor's, through std::sync::atomic"),
        explanation: "The first thread stores, all others load. On x86-64 a load is a plain move, whatever its ordering, and costs \
            nothing as long as the line stays in this cache; each store takes the line away from all readers, who \
            fetch it again.",
    };
    const SENTENCE: Sentence = NO_TORN_VALUE;

    fn of(_threads: usize) -> Self {
        Load(AtomicU64::new(0))
    }

    #[inline]
    fn operate(&self, me: usize, memo: u64) -> Done {
        if me == 0 {
            self.0.store(twice(memo + 1), Release);
            return done(true, memo + 1);
        }
        done(is_whole(self.0.load(Acquire)), memo)
    }
}

/// `store`.
#[derive(Debug)]
#[repr(align(128))]
pub(in crate::backend::lab::locks) struct Store(AtomicU64);

impl Atomic for Store {
    const INFO: Info = Info {
        key: "store",
        name: "store",
        family: Family::LockFree,
        breaks: None,
        version: || Cow::Borrowed("the processor's, through std::sync::atomic"),
        explanation: "Every thread stores. A Release or Relaxed store is a plain move on x86-64 and goes through the store buffer, so \
            the thread runs on while the line is on its way; SeqCst makes it an XCHG, which waits. The last writer \
            wins, and nobody learns what was overwritten. Each sixteenth time the value is looked at.",
    };
    const SENTENCE: Sentence = NO_TORN_VALUE;

    fn of(_threads: usize) -> Self {
        Store(AtomicU64::new(0))
    }

    #[inline]
    fn operate(&self, _me: usize, memo: u64) -> Done {
        self.0.store(twice(memo), Release);
        done(!memo.is_multiple_of(16) || is_whole(self.0.load(Relaxed)), memo + 1)
    }
}

/// `swap`.
#[derive(Debug)]
#[repr(align(128))]
pub(in crate::backend::lab::locks) struct Swap(AtomicU64);

impl Atomic for Swap {
    const INFO: Info = Info {
        key: "swap",
        name: "swap",
        family: Family::LockFree,
        breaks: None,
        version: || Cow::Borrowed("the processor's, through std::sync::atomic"),
        explanation: "XCHG on x86-64, which locks without being told. Unlike a store it says what was there before, so nothing is \
            overwritten unseen; unlike a compare-and-swap it never fails. The building block of TAS, MCS and CLH.",
    };
    const SENTENCE: Sentence = NO_TORN_VALUE;

    fn of(_threads: usize) -> Self {
        Swap(AtomicU64::new(0))
    }

    #[inline]
    fn operate(&self, _me: usize, memo: u64) -> Done {
        done(is_whole(self.0.swap(twice(memo), Relaxed)), memo + 1)
    }
}
