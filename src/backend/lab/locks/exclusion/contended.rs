//! The measured loop of a lock with one holder: want, get, be inside, let go,
//! think.

use std::hint;
use std::marker::PhantomData;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::Exclusion;
use super::several::Locks;
use crate::backend::lab::locks::contend::{Contend, Seat};
use crate::backend::lab::locks::gate::Plan;
use crate::backend::lab::locks::section::Section;
use crate::backend::lab::locks::stamps::{Kernel, Ordered, Plain, Recorder, Stamps};
use crate::backend::lab::locks::{Info, Primitive, Sentence};
use crate::model::lock::{OwnCount, Several};

/// What is checked of every lock with one holder.
const SENTENCES: &[Sentence] = &[Sentence {
    name: "mutual exclusion",
    formula: "∀ t₁,t₂,τ  holds(t₁,M,τ) ∧ holds(t₂,M,τ) ⇒ t₁ = t₂",
    how: "the words inside the lock, on entering and on leaving, every acquisition",
    words: None,
}];

/// The places of this family's own counts.
const FAILURES: usize = 0;

/// The row of the registry for a lock.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Of<L>(PhantomData<fn() -> L>);

impl<L> Of<L> {
    pub(in crate::backend::lab::locks) const ROW: Self = Of(PhantomData);
}

impl<L: Exclusion> Primitive for Of<L> {
    fn info(&self) -> &'static Info {
        const { &L::INFO }
    }

    fn contend(&self, _threads: usize) -> Box<dyn Contend> {
        Box::new(Contended::<L> { lock: L::default(), section: Section::default() })
    }

    fn contend_for_several(&self, several: Several, threads: usize) -> Option<Box<dyn Contend>> {
        Some(Box::new(Locks::<L>::new(several, threads)))
    }
}

/// The lock and what it protects, side by side as in a `Mutex<T>`.
#[derive(Debug)]
#[repr(C, align(128))]
struct Contended<L> {
    lock: L,
    section: Section,
}

impl<L: Exclusion> Contended<L> {
    /// Laps that write nothing down.
    fn bare(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        if plan.hold.is_none() && plan.think.is_none() {
            for _ in 0..laps {
                let held = self.lock.lock();
                self.section.count_one();
                self.lock.unlock(held);
            }
            return seat.tally.count(laps, 0);
        }
        let mut done = 0;
        while done < laps {
            let hold = plan.hold.draw(&seat.dice);
            let held = self.lock.lock();
            if !hold.is_none() && !hold.perform(go_on) {
                self.lock.unlock(held);
                break;
            }
            self.section.count_one();
            self.lock.unlock(held);
            done += 1;
            if !plan.think.is_none() && !plan.think.draw(&seat.dice).perform(go_on) {
                break;
            }
        }
        seat.tally.count(done, 0);
    }

    /// Laps that are recorded and checked. With `TRY`, who does not get the
    /// lock at once goes on without it, and thinks before trying again.
    fn recorded<S: Stamps, const TRY: bool>(&self, stamps: S, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        let Seat { index, ring, tally, dice } = seat;
        let mut done = 0;
        while done < laps {
            let hold = plan.hold.draw(dice);
            let wanted = stamps.wanted();
            ring.want(wanted);
            let held = if TRY {
                let Some(held) = self.lock.try_lock() else {
                    ring.abandon();
                    tally.add_own(FAILURES, 1);
                    if !plan.think.draw(dice).perform(go_on) || !go_on.load(Relaxed) {
                        break;
                    }
                    hint::spin_loop();
                    continue;
                };
                held
            } else {
                self.lock.lock()
            };
            let got = stamps.got();
            ring.get(got);
            let entered = self.section.enter(*index);
            if !hold.is_none() && !hold.perform(go_on) {
                self.section.abandon();
                ring.abandon();
                self.lock.unlock(held);
                break;
            }
            let intruder = self.section.leave(*index, entered);
            let released = stamps.released();
            ring.release(released);
            self.lock.unlock(held);
            ring.complete();
            // Plain stamps may be reordered by a few ticks.
            tally.record(got.saturating_sub(wanted), released.saturating_sub(got), entered.previous());
            if intruder != 0 {
                tally.violated(intruder);
            }
            done += 1;
            if !plan.think.is_none() && !plan.think.draw(dice).perform(go_on) {
                break;
            }
        }
        tally.count(done, done);
    }
}

impl<L: Exclusion> Contend for Contended<L> {
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        match (plan.recorder, plan.tries) {
            (Recorder::Off, false) => self.bare(seat, plan, go_on, laps),
            (Recorder::Off | Recorder::Kernel, true) => self.recorded::<_, true>(Kernel, seat, plan, go_on, laps),
            (Recorder::Plain(tsc), false) => self.recorded::<_, false>(Plain(tsc), seat, plan, go_on, laps),
            (Recorder::Plain(tsc), true) => self.recorded::<_, true>(Plain(tsc), seat, plan, go_on, laps),
            (Recorder::Ordered(tsc), false) => self.recorded::<_, false>(Ordered(tsc), seat, plan, go_on, laps),
            (Recorder::Ordered(tsc), true) => self.recorded::<_, true>(Ordered(tsc), seat, plan, go_on, laps),
            (Recorder::Kernel, false) => self.recorded::<_, false>(Kernel, seat, plan, go_on, laps),
        }
    }

    fn hold(&self, inside: &mut dyn FnMut()) -> bool {
        let held = self.lock.lock();
        inside();
        self.lock.unlock(held);
        true
    }

    fn try_lap(&self) -> bool {
        let Some(held) = self.lock.try_lock() else { return false };
        self.section.count_one();
        self.lock.unlock(held);
        true
    }

    fn counted(&self) -> Option<u64> {
        Some(self.section.counted())
    }

    fn excludes_in_time(&self) -> bool {
        true
    }

    fn sentences(&self) -> &'static [Sentence] {
        SENTENCES
    }

    fn own_names(&self) -> &'static [&'static str] {
        &["failures"]
    }

    fn futex_calls(&self) -> Option<u64> {
        self.lock.futex_calls()
    }

    fn own_counts(&self) -> Vec<OwnCount> {
        self.lock.own_counts()
    }
}
