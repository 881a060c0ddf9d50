//! Things that go from hand to hand.

use std::borrow::Cow;
use std::hint;
use std::ptr;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32};

use super::{Atomic, Done, ONE_OWNER, done};
use crate::backend::lab::locks::exclusion::spin_while;
use crate::backend::lab::locks::{Family, Info, Sentence};

/// Who has a thing: nobody (0), or a thread's number plus 1. Plain loads and
/// stores: only the handing over orders them.
#[derive(Debug, Default)]
struct Owner(AtomicU32);

impl Owner {
    /// Thread `me` has it; whether nobody else has.
    fn take(&self, me: usize) -> bool {
        let free = self.0.load(Relaxed) == 0;
        self.0.store(me as u32 + 1, Relaxed);
        free
    }

    /// Thread `me` is about to give it away; whether it is still its own.
    fn give(&self, me: usize) -> bool {
        let ours = self.0.load(Relaxed) == me as u32 + 1;
        self.0.store(0, Relaxed);
        ours
    }
}

/// `AtomicBool`.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(in crate::backend::lab::locks) struct Flag {
    up: AtomicBool,
    owner: Owner,
}

impl Atomic for Flag {
    const INFO: Info = Info {
        key: "atomic_bool",
        name: "AtomicBool, swap",
        family: Family::LockFree,
        breaks: None,
        version: || Cow::Borrowed("the processor's, through std::sync::atomic"),
        explanation: "A flag of one byte: whoever swaps in true and gets false back has it, and stores false when done. \
            Swaps in vain are counted as retries. It is the simplest lock there is, and shows how near an atomic flag \
            is to one: nothing else here is ever waited for.",
    };
    const SENTENCE: Sentence = ONE_OWNER;
    const RETRIES: bool = true;

    fn of(_threads: usize) -> Self {
        Flag::default()
    }

    #[inline]
    fn operate(&self, me: usize, memo: u64) -> Done {
        let mut retries = 0;
        spin_while(|| {
            let up = self.up.swap(true, Acquire);
            retries += u64::from(up);
            up
        });
        let well = self.owner.take(me) & self.owner.give(me);
        self.up.store(false, Release);
        Done { well, retries, memo }
    }
}

/// Broken: an `AtomicBool` that is looked at, then set.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(in crate::backend::lab::locks) struct FlagUnswapped(Flag);

impl Atomic for FlagUnswapped {
    const INFO: Info = Info {
        key: "atomic_bool_unswapped",
        name: "AtomicBool, load then store",
        family: Family::LockFree,
        breaks: Some("one owner"),
        version: || Cow::Borrowed("broken on purpose"),
        explanation: "if !up.load() { up.store(true) } instead of swap. Each of the two is atomic, and between them another \
            thread finds the flag down too. An atomic type orders single operations; what has to happen together must \
            be one of them.",
    };
    const SENTENCE: Sentence = ONE_OWNER;

    fn of(_threads: usize) -> Self {
        FlagUnswapped::default()
    }

    #[inline]
    fn operate(&self, me: usize, memo: u64) -> Done {
        spin_while(|| self.0.up.load(Acquire));
        (0..4).for_each(|_| hint::spin_loop());
        self.0.up.store(true, Relaxed);
        let free = self.0.owner.take(me);
        (0..4).for_each(|_| hint::spin_loop());
        let ours = self.0.owner.give(me);
        self.0.up.store(false, Release);
        done(free && ours, memo)
    }
}

/// `AtomicPtr`.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Pointer {
    /// What lies on the table.
    table: AtomicPtr<Thing>,
    /// One for each thread, and one on the table.
    things: Box<[Thing]>,
}

#[derive(Debug, Default)]
#[repr(align(128))]
struct Thing(Owner);

impl Atomic for Pointer {
    const INFO: Info = Info {
        key: "atomic_ptr",
        name: "AtomicPtr, swap",
        family: Family::LockFree,
        breaks: None,
        version: || Cow::Borrowed("the processor's, through std::sync::atomic"),
        explanation: "Each thread lays what it has on the table and takes what lies there: one swap of a pointer, AcqRel, \
            since the pointee changes hands with it. Nothing is freed here; with compare-and-swap instead of swap one \
            would have to ask whether an equal pointer is still the same thing (ABA).",
    };
    const SENTENCE: Sentence = ONE_OWNER;

    fn of(threads: usize) -> Self {
        let things: Box<[Thing]> = (0..=threads).map(|_| Thing::default()).collect();
        let table = AtomicPtr::new(ptr::from_ref(&things[threads]).cast_mut());
        Pointer { table, things }
    }

    fn first_memo(&self, me: usize) -> u64 {
        self.things[me].0.take(me);
        me as u64
    }

    #[inline]
    fn operate(&self, me: usize, memo: u64) -> Done {
        let ours = &self.things[memo as usize];
        let kept = ours.0.give(me);
        let got = self.table.swap(ptr::from_ref(ours).cast_mut(), AcqRel);
        let index = (got.addr() - self.things.as_ptr().addr()) / size_of::<Thing>();
        done(self.things[index].0.take(me) && kept, index as u64)
    }
}
