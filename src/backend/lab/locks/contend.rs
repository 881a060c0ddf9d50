//! What every primitive looks like to the threads that use it, its type erased.

use super::Sentence;
use super::dice::Dice;
use super::gate::{Gate, Plan};
use super::ring::Ring;
use super::streak::{Kept, Streak};
use super::taking::Taking;
use super::tally::Tally;
use crate::model::lock::{OwnCount, WaitSteps};

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

/// Laps between two looks at the gate, where a lap is short, and where it is nothing
/// but an acquisition: then the looks would be seen in its rate.
const LAPS: u64 = 32;
const BARE_LAPS: u64 = 256;

/// A thread's place: its number and what it writes down. Aligned so that no two
/// share a cache line, nor the pair that the prefetcher takes.
#[derive(Debug)]
#[repr(align(128))]
pub struct Seat {
    pub(super) index: u32,
    pub(super) ring: Ring,
    pub(super) tally: Tally,
    pub(super) dice: Dice,
    pub(super) streak: Kept,
}

impl Seat {
    /// The place of thread `index` of `threads`.
    pub fn new(index: usize, threads: usize) -> Self {
        Seat {
            index: index as u32,
            ring: Ring::for_one_of(threads),
            tally: Tally::for_one_of(threads),
            dice: Dice::numbered(index),
            streak: Kept::default(),
        }
    }

    /// Memory of ring and counters in bytes.
    pub(super) fn memory(&self) -> usize {
        self.ring.memory() + self.tally.memory()
    }
}

/// A primitive with what it protects or orders, its type erased: what is
/// called on it runs monomorphised.
pub trait Contend: Send + Sync {
    /// So many laps, or until `go_on` is false.
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64);

    /// Whether threads meet in each lap: then they decide together which is the
    /// last, and go through them once for each opening of the gate.
    fn meets(&self) -> bool {
        false
    }

    /// Wakes whoever waits inside for another thread, once the gate is to be
    /// closed: the other may have gone.
    fn interrupt(&self) {}

    /// Laps counted inside by plain loads and stores, exact while nobody is
    /// inside; nothing where nothing keeps others out.
    fn counted(&self) -> Option<u64>;

    /// How many of a thread's laps are counted inside.
    fn countable(&self, seat: &Seat) -> u64 {
        seat.tally.laps()
    }

    /// Whether recorded intervals of two holders must not overlap.
    fn excludes_in_time(&self) -> bool {
        false
    }

    /// The sentences that the laps are checked against, in the order in which
    /// the tally counts them.
    fn sentences(&self) -> &'static [Sentence];

    /// What the tallies count besides, in their order.
    fn own_names(&self) -> &'static [&'static str] {
        &[]
    }

    /// What the primitive itself counts besides.
    fn own_counts(&self) -> Vec<OwnCount> {
        Vec::new()
    }

    /// Calls of futex(2) so far, where they are counted.
    fn futex_calls(&self) -> Option<u64> {
        None
    }

    /// Where there are several locks, lets each thread take its locks alone,
    /// while all are at rest, so that their order is known before they contend.
    fn rehearse(&self, _seats: &[Seat]) {}

    /// Where there are several locks, who holds and wants which.
    fn taking(&self) -> Option<&Taking> {
        None
    }

    /// How threads go through the steps of a wait, where they do.
    fn steps(&self, _seats: &[Seat]) -> Option<WaitSteps> {
        None
    }

    /// Holds it alone while `inside` runs; false where it cannot be held so.
    fn hold(&self, _inside: &mut dyn FnMut()) -> bool {
        false
    }

    /// Takes it alone if it is free, counts, and lets it go; says whether it
    /// was free.
    fn try_lap(&self) -> bool {
        false
    }

    /// Holds it together with others while `inside` runs; false where it cannot
    /// be held so.
    fn hold_shared(&self, _inside: &mut dyn FnMut()) -> bool {
        false
    }

    /// Takes it together with others if nobody holds it alone, and lets it go;
    /// says whether that was so.
    fn try_shared(&self) -> bool {
        false
    }
}

impl dyn Contend {
    /// The life of a contending thread: laps whenever the gate is open, until
    /// it ends.
    pub fn run(&self, seat: &Seat, gate: &Gate) {
        let (open, mut passed) = (gate.flag(), 0);
        while let Some(plan) = gate.pass(&mut passed) {
            // It has waited for the gate, not for the lock.
            seat.streak.keep(Streak::default());
            if self.meets() {
                self.laps(seat, &plan, open, u64::MAX);
                continue;
            }
            let laps = match () {
                () if plan.is_bare() => BARE_LAPS,
                () if plan.is_short() => LAPS,
                () => 1,
            };
            while open.load(Relaxed) {
                self.laps(seat, &plan, open, laps);
            }
        }
    }
}
