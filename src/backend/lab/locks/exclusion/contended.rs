//! The measured loop of a lock with one holder: want, get, be inside, let go,
//! think.

use std::marker::PhantomData;
use std::sync::atomic::AtomicBool;

use super::Exclusion;
use super::several::Locks;
use crate::backend::lab::locks::contend::{Contend, Seat};
use crate::backend::lab::locks::gate::Plan;
use crate::backend::lab::locks::pen::Pen;
use crate::backend::lab::locks::section::Section;
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
    fn bare(&self, pen: &Pen<'_>, laps: u64) {
        let plan = pen.plan;
        if plan.hold.is_none() && plan.think.is_none() {
            self.lock.laps(&self.section, laps);
            return pen.seat.tally.count(laps, 0);
        }
        let mut done = 0;
        while done < laps {
            let hold = pen.hold();
            let held = self.lock.lock();
            if !pen.holds(hold) {
                self.lock.unlock(held);
                break;
            }
            self.section.count_one();
            self.lock.unlock(held);
            done += 1;
            if !pen.thinks() {
                break;
            }
        }
        pen.seat.tally.count(done, 0);
    }

    /// Laps that are recorded and checked. Who only tries, and does not get the
    /// lock at once, goes on without it, and thinks before trying again.
    fn recorded(&self, pen: &Pen<'_>, laps: u64) {
        let (me, tries, at_once) = (pen.me(), pen.plan.tries, pen.at_once());
        let mut streak = pen.seat.streak.take_up();
        let mut done = 0;
        while done < laps {
            let row = self.lock.row(pen, &self.section, &mut streak, laps - done);
            done += row.done;
            if row.cut || done == laps {
                break;
            }
            let hold = pen.hold();
            let slot = pen.wants(false);
            let held = if tries {
                let Some(held) = self.lock.try_lock() else {
                    streak.end();
                    if pen.failed(FAILURES) {
                        continue;
                    }
                    break;
                };
                held
            } else {
                self.lock.lock()
            };
            pen.got(slot);
            let entered = self.section.enter(me);
            if !pen.holds(hold) {
                self.section.abandon();
                pen.abandon();
                streak.end();
                self.lock.unlock(held);
                break;
            }
            let intruder = self.section.leave(me, entered);
            pen.releases(slot);
            self.lock.unlock(held);
            streak.lap(entered.previous() == me + 1, pen.done(slot, entered.previous()), at_once);
            if intruder != 0 {
                pen.seat.tally.violated(intruder);
            }
            done += 1;
            if !pen.thinks() {
                break;
            }
        }
        pen.seat.streak.keep(streak);
        pen.seat.tally.count(done, done);
    }
}

impl<L: Exclusion> Contend for Contended<L> {
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        let pen = Pen { seat, plan, go_on };
        if pen.writes() || plan.tries { self.recorded(&pen, laps) } else { self.bare(&pen, laps) }
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
