//! The measured loop of a readers-writer lock: so many of a thousand
//! acquisitions read.
//!
//! A reader looks at what the lock protects when it enters and before it
//! leaves: nobody may be writing, and nothing may have changed. That finds
//! every writer that was inside together with it, and readers write nothing
//! that another would have to wait for.

use std::hint;
use std::marker::PhantomData;
use std::sync::atomic::AtomicBool;

use super::ReadersWriter;
use crate::backend::lab::locks::contend::{Contend, Seat};
use crate::backend::lab::locks::gate::Plan;
use crate::backend::lab::locks::pen::Pen;
use crate::backend::lab::locks::quiet::Row;
use crate::backend::lab::locks::section::Section;
use crate::backend::lab::locks::streak::Streak;
use crate::backend::lab::locks::{Info, Primitive, Sentence};

/// What is checked of every readers-writer lock.
const SENTENCES: &[Sentence] = &[Sentence {
    name: "writer exclusion",
    formula: "∀ t₁≠t₂,τ  writes(t₁,L,τ) ⇒ ¬writes(t₂,L,τ) ∧ ¬reads(t₂,L,τ)",
    how: "the words inside the lock, on entering and on leaving, by writers and by readers",
    words: None,
}];

/// The places of this family's own counts.
const READS: usize = 0;
const FAILURES: usize = 1;

/// How a lap went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lap {
    Done,
    /// It was not free, and only tried.
    Failed,
    /// It was cut short.
    Cut,
}

/// The row of the registry for a readers-writer lock.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Of<L>(PhantomData<fn() -> L>);

impl<L> Of<L> {
    pub(in crate::backend::lab::locks) const ROW: Self = Of(PhantomData);
}

impl<L: ReadersWriter> Primitive for Of<L> {
    fn info(&self) -> &'static Info {
        const { &L::INFO }
    }

    fn contend(&self, _threads: usize) -> Box<dyn Contend> {
        Box::new(Contended::<L> { lock: L::default(), section: Section::default() })
    }
}

#[derive(Debug)]
#[repr(C, align(128))]
struct Contended<L> {
    lock: L,
    section: Section,
}

impl<L: ReadersWriter> Contended<L> {
    fn bare(&self, pen: &Pen<'_>, laps: u64) {
        let plan = pen.plan;
        if plan.reads == 0 && plan.hold.is_none() && plan.think.is_none() {
            self.lock.write_laps(&self.section, laps);
            return pen.seat.tally.count(laps, 0);
        }
        let (mut done, mut reads) = (0, 0);
        while done < laps {
            let reading = pen.reads();
            let hold = pen.hold();
            let went_on = if reading {
                let held = self.lock.read();
                hint::black_box(self.section.look());
                let went_on = pen.holds(hold);
                self.lock.end_read(held);
                went_on
            } else {
                let held = self.lock.write();
                let went_on = pen.holds(hold);
                if went_on {
                    self.section.count_one();
                }
                self.lock.end_write(held);
                went_on
            };
            if !went_on {
                break;
            }
            done += 1;
            reads += u64::from(reading);
            if !pen.thinks() {
                break;
            }
        }
        pen.seat.tally.count(done, 0);
        pen.seat.tally.add_own(READS, reads);
    }

    fn recorded(&self, pen: &Pen<'_>, laps: u64) {
        let (mut done, mut reads) = (0, 0);
        let mut streak = pen.seat.streak.take_up();
        while done < laps {
            // A writer may have waited for readers, who leave no trace; and it may wake
            // them when it lets go. Only where nobody reads is its row a quiet one.
            if pen.plan.reads == 0 {
                let actions = (|| self.lock.write(), |held| self.lock.end_write(held));
                let row = Row::of(pen, &self.section, &mut streak, laps - done, actions);
                done += row.done;
                if row.cut || done == laps {
                    break;
                }
            }
            let reading = pen.reads();
            let lap = if reading { self.read(pen, &mut streak) } else { self.write(pen, &mut streak) };
            match lap {
                Lap::Done => {
                    done += 1;
                    reads += u64::from(reading);
                }
                Lap::Failed | Lap::Cut => {
                    streak.end();
                    if lap == Lap::Failed && pen.failed(FAILURES) {
                        continue;
                    }
                    break;
                }
            }
            if !pen.thinks() {
                break;
            }
        }
        pen.seat.streak.keep(streak);
        pen.seat.tally.count(done, done);
        pen.seat.tally.add_own(READS, reads);
    }

    /// A reader has not waited where nobody wrote since it had the lock last.
    #[inline]
    fn read(&self, pen: &Pen<'_>, streak: &mut Streak) -> Lap {
        let hold = pen.hold();
        let slot = pen.wants_again(true, *streak);
        let held = if pen.plan.tries {
            let Some(held) = self.lock.try_read() else { return Lap::Failed };
            held
        } else {
            self.lock.read()
        };
        let skip = pen.may_skip(*streak);
        if !skip {
            pen.got(slot);
        }
        let (count, writer) = self.section.look();
        let last = self.section.last();
        let alone = last == 0 || last == pen.me() + 1;
        if skip {
            pen.got_after(slot, alone);
        }
        if !pen.holds(hold) {
            pen.abandon();
            self.lock.end_read(held);
            return Lap::Cut;
        }
        let (counted, written) = self.section.look();
        pen.releases(slot);
        self.lock.end_read(held);
        streak.lap(alone, pen.done(slot, 0), pen.at_once());
        if (count, 0, 0) != (counted, writer, written) {
            self.disturbed(pen, writer, written);
        }
        Lap::Done
    }

    /// Somebody wrote while the thread read.
    #[cold]
    fn disturbed(&self, pen: &Pen<'_>, writer: u32, written: u32) {
        let others = [writer, written, self.section.last()];
        pen.seat.tally.violated(others.into_iter().find(|who| *who != 0).unwrap_or(pen.me() + 1));
    }

    #[inline]
    fn write(&self, pen: &Pen<'_>, streak: &mut Streak) -> Lap {
        let (me, only_writers) = (pen.me(), pen.plan.reads == 0);
        let hold = pen.hold();
        let slot = pen.wants(false);
        let held = if pen.plan.tries {
            let Some(held) = self.lock.try_write() else { return Lap::Failed };
            held
        } else {
            self.lock.write()
        };
        pen.got(slot);
        let entered = self.section.enter(me);
        let alone = entered.previous() == me + 1;
        if !pen.holds(hold) {
            self.section.abandon();
            pen.abandon();
            self.lock.end_write(held);
            return Lap::Cut;
        }
        let intruder = self.section.leave(me, entered);
        pen.releases(slot);
        self.lock.end_write(held);
        let released = pen.done(slot, entered.previous());
        streak.lap(alone, released, only_writers && pen.at_once());
        if intruder != 0 {
            pen.seat.tally.violated(intruder);
        }
        Lap::Done
    }
}

impl<L: ReadersWriter> Contend for Contended<L> {
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        let pen = Pen { seat, plan, go_on };
        if pen.writes() || plan.tries { self.recorded(&pen, laps) } else { self.bare(&pen, laps) }
    }

    fn counted(&self) -> Option<u64> {
        Some(self.section.counted())
    }

    fn countable(&self, seat: &Seat) -> u64 {
        seat.tally.laps() - seat.tally.own(READS)
    }

    fn excludes_in_time(&self) -> bool {
        true
    }

    fn sentences(&self) -> &'static [Sentence] {
        SENTENCES
    }

    fn own_names(&self) -> &'static [&'static str] {
        &["reads", "failures"]
    }

    fn hold(&self, inside: &mut dyn FnMut()) -> bool {
        let held = self.lock.write();
        inside();
        self.lock.end_write(held);
        true
    }

    fn try_lap(&self) -> bool {
        let Some(held) = self.lock.try_write() else { return false };
        self.section.count_one();
        self.lock.end_write(held);
        true
    }

    fn hold_shared(&self, inside: &mut dyn FnMut()) -> bool {
        let held = self.lock.read();
        inside();
        self.lock.end_read(held);
        true
    }

    fn try_shared(&self) -> bool {
        let Some(held) = self.lock.try_read() else { return false };
        self.lock.end_read(held);
        true
    }
}
