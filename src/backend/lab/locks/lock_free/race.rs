//! The measured loop: the operation, again and again.

use std::marker::PhantomData;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::Atomic;
use crate::backend::lab::locks::contend::{Contend, Seat};
use crate::backend::lab::locks::gate::Plan;
use crate::backend::lab::locks::phases;
use crate::backend::lab::locks::stamps::{Kernel, Ordered, Plain, Recorder, Stamps};
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

impl<A: Atomic> Race<A> {
    fn race(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64, mut record: impl FnMut(&mut dyn FnMut())) {
        let me = seat.index as usize;
        let mut memo = self.memos[me].0.load(Relaxed);
        let (mut did, mut retries, mut failed) = (0, 0, 0);
        while did < laps {
            let mut operate = || {
                let done = self.memory.operate(me, memo);
                memo = done.memo;
                retries += done.retries;
                failed += u64::from(!done.well);
            };
            record(&mut operate);
            did += 1;
            let work = plan.hold.draw(&seat.dice).perform(go_on) && plan.think.draw(&seat.dice).perform(go_on);
            if !work {
                break;
            }
        }
        self.memos[me].0.store(memo, Relaxed);
        seat.tally.count(did, did);
        seat.tally.add_own(RETRIES, retries);
        (0..failed).for_each(|_| seat.tally.violated(seat.index + 1));
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
        seat.tally.count(laps, laps);
        seat.tally.add_own(RETRIES, retries);
        (0..failed).for_each(|_| seat.tally.violated(seat.index + 1));
    }

    fn recorded<S: Stamps>(&self, stamps: S, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        let Seat { ring, tally, .. } = seat;
        self.race(seat, plan, go_on, laps, |operate| {
            let wanted = stamps.wanted();
            ring.want(wanted);
            operate();
            let got = stamps.got();
            ring.get(got);
            ring.release(got);
            ring.complete();
            tally.record_wait(got.saturating_sub(wanted));
        });
    }
}

impl<A: Atomic> Contend for Race<A> {
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        match plan.recorder {
            Recorder::Off if plan.hold.is_none() && plan.think.is_none() => self.bare(seat, laps),
            Recorder::Off => self.race(seat, plan, go_on, laps, |operate| operate()),
            Recorder::Plain(tsc) => self.recorded(Plain(tsc), seat, plan, go_on, laps),
            Recorder::Ordered(tsc) => self.recorded(Ordered(tsc), seat, plan, go_on, laps),
            Recorder::Kernel => self.recorded(Kernel, seat, plan, go_on, laps),
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
