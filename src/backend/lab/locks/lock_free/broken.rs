//! What looks like an atomic operation, and is two.

use std::borrow::Cow;
use std::hint;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

use super::{Atomic, Done, NO_LOST_UPDATE, NO_TORN_VALUE, done};
use crate::backend::lab::locks::{Family, Info, Sentence};

/// `load`, add, `store`.
#[derive(Debug)]
#[repr(align(128))]
pub(in crate::backend::lab::locks) struct LostUpdate(AtomicU64);

impl Atomic for LostUpdate {
    const INFO: Info = Info {
        key: "lost_update",
        name: "load, add, store",
        family: Family::LockFree,
        breaks: Some("no lost update"),
        version: || Cow::Borrowed("broken on purpose"),
        explanation: "An atomic type alone does not make an operation atomic: x.store(x.load() + 1) is two, and what another thread has \
            added in between is overwritten. A thread finds less than it had left itself.",
    };
    const SENTENCE: Sentence = NO_LOST_UPDATE;

    fn of(_threads: usize) -> Self {
        LostUpdate(AtomicU64::new(0))
    }

    #[inline]
    fn operate(&self, _me: usize, memo: u64) -> Done {
        let old = self.0.load(Relaxed);
        (0..4).for_each(|_| hint::spin_loop());
        self.0.store(old + 1, Relaxed);
        done(old >= memo, old + 1)
    }
}

/// Two halves, stored one after the other.
#[derive(Debug)]
#[repr(align(128))]
pub(in crate::backend::lab::locks) struct Torn([AtomicU32; 2]);

impl Atomic for Torn {
    const INFO: Info = Info {
        key: "torn",
        name: "two halves",
        family: Family::LockFree,
        breaks: Some("no torn value"),
        version: || Cow::Borrowed("broken on purpose"),
        explanation: "A value of 64 bits in two atomics of 32, as on a machine without wide atomics: each half is whole, both together \
            are not. A reader between the two stores sees a value that nobody has ever written.",
    };
    const SENTENCE: Sentence = NO_TORN_VALUE;

    fn of(_threads: usize) -> Self {
        Torn(Default::default())
    }

    #[inline]
    fn operate(&self, me: usize, memo: u64) -> Done {
        let number = (memo as u32) << 8 | me as u32;
        self.0[0].store(number, Relaxed);
        (0..4).for_each(|_| hint::spin_loop());
        self.0[1].store(number, Relaxed);
        done(self.0[0].load(Relaxed) == self.0[1].load(Relaxed), memo + 1)
    }
}
