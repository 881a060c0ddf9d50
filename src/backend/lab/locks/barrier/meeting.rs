//! The measured loop of a barrier: work, arrive, wait for the others, go on.
//!
//! Each thread writes down the phase at which it arrives before it waits, and
//! looks at everybody's after.

use std::marker::PhantomData;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32};

use super::Barrier;
use crate::backend::lab::locks::contend::{Contend, Seat};
use crate::backend::lab::locks::gate::Plan;
use crate::backend::lab::locks::pen::Pen;
use crate::backend::lab::locks::phases::{Padded, Phases};
use crate::backend::lab::locks::{Info, Primitive, Sentence};

const SENTENCES: &[Sentence] = &[
    Sentence {
        name: "all arrive first",
        formula: "∀ t₁,t₂,p  leaves(t₁,p) ⇒ arrived(t₂,p)",
        how: "each thread writes down its phase before it waits, and looks at all others' after",
        words: Some(|early, late| format!("t{early} left a phase at which t{late} had not arrived")),
    },
    Sentence {
        name: "one leader",
        formula: "∀ p  ∃! t  leader(t,p)",
        how: "the leaders of each phase, counted when all have arrived at the next",
        words: Some(|_, _| "a phase had no leader, or more than one".to_owned()),
    },
];
const ALL_ARRIVE: usize = 0;
const ONE_LEADER: usize = 1;

/// The places of its own counts.
const PHASES: usize = 0;

/// Leaders of so many phases are kept apart: threads are never more than one
/// phase away from each other.
const KEPT: usize = 4;

/// The row of the registry for a barrier.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Of<B>(PhantomData<fn() -> B>);

impl<B> Of<B> {
    pub(in crate::backend::lab::locks) const ROW: Self = Of(PhantomData);
}

impl<B: Barrier> Primitive for Of<B> {
    fn info(&self) -> &'static Info {
        const { &B::INFO }
    }

    fn contend(&self, threads: usize) -> Box<dyn Contend> {
        Box::new(Meeting {
            barrier: B::of(threads),
            phases: Phases::default(),
            arrived: (0..threads).map(|_| Padded::default()).collect(),
            leaders: Default::default(),
        })
    }
}

#[derive(Debug)]
struct Meeting<B> {
    barrier: B,
    phases: Phases,
    /// The phase at which each thread has arrived.
    arrived: Box<[Padded]>,
    /// How many leaders the last few phases had.
    leaders: [AtomicU32; KEPT],
}

impl<B: Barrier> Meeting<B> {
    /// Meets until the first thread has had enough. Work that is cut short is
    /// followed by a last phase: the others may be waiting already.
    fn meet(&self, pen: &Pen<'_>, laps: u64) {
        let (me, tally) = (pen.me(), &pen.seat.tally);
        let mine = &self.arrived[me as usize].0;
        let mut left = laps;
        loop {
            let _ = pen.thinks() && pen.holds(pen.hold());
            let phase = mine.load(Relaxed) + 1;
            left = left.saturating_sub(1);
            self.phases.arrive(me, phase, left == 0, pen.go_on);
            let slot = pen.wants(false);
            mine.store(phase, Release);
            let leads = self.barrier.wait();
            pen.got(slot);
            pen.passed(slot);
            if pen.writes() {
                self.check(pen, phase, leads);
            } else if leads {
                self.lead_unchecked(phase);
            }
            tally.count(1, 0);
            if me == 0 {
                tally.add_own(PHASES, 1);
            }
            let leaves_alone = !B::WAITS && (left == 0 || !pen.go_on.load(Relaxed));
            if self.phases.is_over(phase) || leaves_alone {
                return;
            }
        }
    }

    /// Looks at who has arrived at the phase that the thread has just left.
    fn check(&self, pen: &Pen<'_>, phase: u64, leads: bool) {
        let tally = &pen.seat.tally;
        let missing = self.arrived.iter().position(|arrived| arrived.0.load(Acquire) < phase);
        tally.check(ALL_ARRIVE, missing.map_or(0, |thread| thread as u32 + 1));
        if leads {
            self.leaders[phase as usize % KEPT].fetch_add(1, Relaxed);
        }
        if pen.me() == 0 && phase > 1 {
            // All have arrived at this one: they have said who led the last.
            let leaders = self.leaders[(phase - 1) as usize % KEPT].swap(0, Relaxed);
            tally.check(ONE_LEADER, if leaders == 1 { 0 } else { pen.me() + 1 });
        }
    }

    /// Leaves the leaders as [`Meeting::check`] would have left them.
    fn lead_unchecked(&self, phase: u64) {
        for (slot, leaders) in self.leaders.iter().enumerate() {
            leaders.store((slot == phase as usize % KEPT).into(), Relaxed);
        }
    }
}

impl<B: Barrier> Contend for Meeting<B> {
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        self.meet(&Pen { seat, plan, go_on }, laps);
    }

    fn meets(&self) -> bool {
        true
    }

    fn counted(&self) -> Option<u64> {
        None
    }

    fn sentences(&self) -> &'static [Sentence] {
        SENTENCES
    }

    fn own_names(&self) -> &'static [&'static str] {
        &["phases"]
    }
}
