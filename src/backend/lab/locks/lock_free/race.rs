//! The measured loop: the operation, again and again.

use std::marker::PhantomData;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::Atomic;
use crate::backend::lab::locks::contend::{Contend, Seat};
use crate::backend::lab::locks::gate::Plan;
use crate::backend::lab::locks::pen::Pen;
use crate::backend::lab::locks::phases;
use crate::backend::lab::locks::{Info, Primitive, Sentence};

/// The places of its own counts.
const RETRIES: usize = 0;

/// The row of the registry for an atomic operation.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Of<A>(PhantomData<fn() -> A>);

impl<A> Of<A> {
    pub(in crate::backend::lab::locks) const ROW: Self = Of(PhantomData);
}

impl<A: Atomic> Primitive for Of<A> {
    fn info(&self) -> &'static Info {
        const { &A::INFO }
    }

    fn contend(&self, threads: usize) -> Box<dyn Contend> {
        let memory = A::of(threads);
        let memos: Box<[phases::Padded]> = (0..threads).map(|_| phases::Padded::default()).collect();
        for (me, memo) in memos.iter().enumerate() {
            memo.0.store(memory.first_memo(me), Relaxed);
        }
        Box::new(Race { memory, memos })
    }
}

struct Race<A> {
    memory: A,
    /// What each thread remembers from one operation to the next.
    memos: Box<[phases::Padded]>,
}

/// What came of some operations.
#[derive(Default)]
struct Account {
    did: u64,
    retries: u64,
    failed: u64,
}

impl Account {
    fn settle(&self, seat: &Seat) {
        seat.tally.count(self.did, self.did);
        seat.tally.add_own(RETRIES, self.retries);
        (0..self.failed).for_each(|_| seat.tally.violated(seat.index + 1));
    }
}

impl<A: Atomic> Race<A> {
    /// Operations with work between them, or recorded ones.
    fn race(&self, pen: &Pen<'_>, laps: u64) {
        let me = pen.me() as usize;
        let mut memo = self.memos[me].0.load(Relaxed);
        let mut account = Account::default();
        while account.did < laps {
            let done = if pen.writes() {
                let slot = pen.wants(false);
                let done = self.memory.operate(me, memo);
                pen.got(slot);
                pen.passed(slot);
                done
            } else {
                self.memory.operate(me, memo)
            };
            memo = done.memo;
            account.retries += done.retries;
            account.failed += u64::from(!done.well);
            account.did += 1;
            if !(pen.holds(pen.hold()) && pen.thinks()) {
                break;
            }
        }
        self.memos[me].0.store(memo, Relaxed);
        account.settle(pen.seat);
    }

    /// The operation alone, so often.
    fn bare(&self, seat: &Seat, laps: u64) {
        let me = seat.index as usize;
        let mut memo = self.memos[me].0.load(Relaxed);
        let (mut retries, mut failed) = (0, 0);
        for _ in 0..laps {
            let done = self.memory.operate(me, memo);
            memo = done.memo;
            retries += done.retries;
            failed += u64::from(!done.well);
        }
        self.memos[me].0.store(memo, Relaxed);
        Account { did: laps, retries, failed }.settle(seat);
    }
}

impl<A: Atomic> Contend for Race<A> {
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        let pen = Pen { seat, plan, go_on };
        if pen.writes() || !plan.hold.is_none() || !plan.think.is_none() {
            self.race(&pen, laps);
        } else {
            self.bare(seat, laps);
        }
    }

    fn counted(&self) -> Option<u64> {
        None
    }

    fn sentences(&self) -> &'static [Sentence] {
        const { &[A::SENTENCE] }
    }

    fn own_names(&self) -> &'static [&'static str] {
        if A::RETRIES { &["retries"] } else { &[] }
    }
}
