//! The measured loop of a barrier: work, arrive, wait for the others, go on.
//!
//! Each thread writes down the phase at which it arrives before it waits, and
//! looks at everybody's after.

use std::marker::PhantomData;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32};

use super::Barrier;
use crate::backend::lab::locks::contend::{Contend, Seat};
use crate::backend::lab::locks::gate::{Gate, Plan};
use crate::backend::lab::locks::phases::{Padded, Phases};
use crate::backend::lab::locks::stamps::{Kernel, Ordered, Plain, Recorder, Stamps};
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
    fn meet(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64, mut one: impl FnMut(u64)) {
        let mine = &self.arrived[seat.index as usize].0;
        let mut left = laps;
        loop {
            let _ = plan.think.draw(&seat.dice).perform(go_on) && plan.hold.draw(&seat.dice).perform(go_on);
            let phase = mine.load(Relaxed) + 1;
            left = left.saturating_sub(1);
            self.phases.arrive(seat.index, phase, left == 0, go_on);
            one(phase);
            if seat.index == 0 {
                seat.tally.add_own(PHASES, 1);
            }
            let leaves_alone = !B::WAITS && (left == 0 || !go_on.load(Relaxed));
            if self.phases.is_over(phase) || leaves_alone {
                return;
            }
        }
    }

    fn recorded<S: Stamps>(&self, stamps: S, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        let Seat { index, ring, tally, .. } = seat;
        let mine = &self.arrived[*index as usize].0;
        self.meet(seat, plan, go_on, laps, |phase| {
            let wanted = stamps.wanted();
            ring.want(wanted);
            mine.store(phase, Release);
            let leads = self.barrier.wait();
            let got = stamps.got();
            ring.get(got);
            ring.release(got);
            ring.complete();
            let missing = self.arrived.iter().position(|arrived| arrived.0.load(Acquire) < phase);
            tally.check(ALL_ARRIVE, missing.map_or(0, |thread| thread as u32 + 1));
            if leads {
                self.leaders[phase as usize % KEPT].fetch_add(1, Relaxed);
            }
            if *index == 0 && phase > 1 {
                // All have arrived at this one: they have said who led the last.
                let leaders = self.leaders[(phase - 1) as usize % KEPT].swap(0, Relaxed);
                tally.check(ONE_LEADER, if leaders == 1 { 0 } else { index + 1 });
            }
            tally.record_wait(got.saturating_sub(wanted));
            tally.count(1, 0);
        });
    }
}

impl<B: Barrier> Contend for Meeting<B> {
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        match plan.recorder {
            Recorder::Off => self.meet(seat, plan, go_on, laps, |phase| {
                self.arrived[seat.index as usize].0.store(phase, Relaxed);
                if self.barrier.wait() {
                    // As the recorded loop would have left it.
                    for (slot, leaders) in self.leaders.iter().enumerate() {
                        leaders.store((slot == phase as usize % KEPT).into(), Relaxed);
                    }
                }
                seat.tally.count(1, 0);
            }),
            Recorder::Plain(tsc) => self.recorded(Plain(tsc), seat, plan, go_on, laps),
            Recorder::Ordered(tsc) => self.recorded(Ordered(tsc), seat, plan, go_on, laps),
            Recorder::Kernel => self.recorded(Kernel, seat, plan, go_on, laps),
        }
    }

    fn run(&self, seat: &Seat, gate: &Gate) {
        let mut passed = 0;
        while let Some(plan) = gate.pass(&mut passed) {
            self.laps(seat, &plan, gate.flag(), u64::MAX);
        }
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
