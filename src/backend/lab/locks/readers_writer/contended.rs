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
use std::sync::atomic::Ordering::Relaxed;

use super::ReadersWriter;
use crate::backend::lab::locks::contend::{Contend, Seat};
use crate::backend::lab::locks::gate::Plan;
use crate::backend::lab::locks::section::Section;
use crate::backend::lab::locks::stamps::{Kernel, Ordered, Plain, Recorder, Stamps};
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
    fn bare(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        let (mut done, mut reads) = (0, 0);
        while done < laps {
            let reading = seat.dice.below(1_000) < plan.reads;
            let hold = plan.hold.draw(&seat.dice);
            let went_on = if reading {
                let held = self.lock.read();
                hint::black_box(self.section.look());
                let went_on = hold.perform(go_on);
                self.lock.end_read(held);
                went_on
            } else {
                let held = self.lock.write();
                let went_on = hold.perform(go_on);
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
            if !plan.think.is_none() && !plan.think.draw(&seat.dice).perform(go_on) {
                break;
            }
        }
        seat.tally.count(done, 0);
        seat.tally.add_own(READS, reads);
    }

    fn recorded<S: Stamps>(&self, stamps: S, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        let (mut done, mut reads) = (0, 0);
        while done < laps {
            let reading = seat.dice.below(1_000) < plan.reads;
            let lap =
                if reading { self.read(stamps, seat, plan, go_on) } else { self.write(stamps, seat, plan, go_on) };
            match lap {
                Lap::Done => {
                    done += 1;
                    reads += u64::from(reading);
                }
                Lap::Failed => {
                    seat.tally.add_own(FAILURES, 1);
                    if !go_on.load(Relaxed) {
                        break;
                    }
                    hint::spin_loop();
                }
                Lap::Cut => break,
            }
            if !plan.think.is_none() && !plan.think.draw(&seat.dice).perform(go_on) {
                break;
            }
        }
        seat.tally.count(done, done);
        seat.tally.add_own(READS, reads);
    }

    #[inline]
    fn read<S: Stamps>(&self, stamps: S, seat: &Seat, plan: &Plan, go_on: &AtomicBool) -> Lap {
        let Seat { ring, tally, dice, .. } = seat;
        let hold = plan.hold.draw(dice);
        let wanted = stamps.wanted();
        ring.want_as(wanted, true);
        let held = if plan.tries {
            let Some(held) = self.lock.try_read() else {
                ring.abandon();
                return Lap::Failed;
            };
            held
        } else {
            self.lock.read()
        };
        let got = stamps.got();
        ring.get(got);
        let (count, writer) = self.section.look();
        if !hold.is_none() && !hold.perform(go_on) {
            ring.abandon();
            self.lock.end_read(held);
            return Lap::Cut;
        }
        let (counted, written) = self.section.look();
        let released = stamps.released();
        ring.release(released);
        self.lock.end_read(held);
        ring.complete();
        tally.record(got.saturating_sub(wanted), released.saturating_sub(got), None);
        if (count, 0, 0) != (counted, writer, written) {
            let last = self.section.last();
            let other = [writer, written, last].into_iter().find(|who| *who != 0).unwrap_or(seat.index + 1);
            tally.violated(other);
        }
        Lap::Done
    }

    #[inline]
    fn write<S: Stamps>(&self, stamps: S, seat: &Seat, plan: &Plan, go_on: &AtomicBool) -> Lap {
        let Seat { index, ring, tally, dice } = seat;
        let hold = plan.hold.draw(dice);
        let wanted = stamps.wanted();
        ring.want_as(wanted, false);
        let held = if plan.tries {
            let Some(held) = self.lock.try_write() else {
                ring.abandon();
                return Lap::Failed;
            };
            held
        } else {
            self.lock.write()
        };
        let got = stamps.got();
        ring.get(got);
        let entered = self.section.enter(*index);
        if !hold.is_none() && !hold.perform(go_on) {
            self.section.abandon();
            ring.abandon();
            self.lock.end_write(held);
            return Lap::Cut;
        }
        let intruder = self.section.leave(*index, entered);
        let released = stamps.released();
        ring.release(released);
        self.lock.end_write(held);
        ring.complete();
        tally.record(got.saturating_sub(wanted), released.saturating_sub(got), entered.previous());
        if intruder != 0 {
            tally.violated(intruder);
        }
        Lap::Done
    }
}

impl<L: ReadersWriter> Contend for Contended<L> {
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        match plan.recorder {
            Recorder::Off if !plan.tries => self.bare(seat, plan, go_on, laps),
            Recorder::Plain(tsc) => self.recorded(Plain(tsc), seat, plan, go_on, laps),
            Recorder::Ordered(tsc) => self.recorded(Ordered(tsc), seat, plan, go_on, laps),
            Recorder::Off | Recorder::Kernel => self.recorded(Kernel, seat, plan, go_on, laps),
        }
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
