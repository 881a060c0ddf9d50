//! The measured loop: want, get, be inside, let go, think.

use std::marker::PhantomData;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::gate::{Gate, Plan};
use super::ring::Ring;
use super::section::Section;
use super::stamps::{Kernel, Ordered, Plain, Recorder, Stamps};
use super::tally::Tally;
use super::{Exclusion, Info, Primitive};

/// Laps between two looks at the gate, where a lap is short.
const LAPS: u64 = 32;

/// A place at the lock: one thread's number and what it writes down. Aligned
/// so that no two share a cache line, nor the pair that the prefetcher takes.
#[derive(Debug)]
#[repr(align(128))]
pub struct Seat {
    index: u32,
    pub(super) ring: Ring,
    pub(super) tally: Tally,
}

impl Seat {
    /// The place of thread `index` of `threads`.
    pub fn new(index: usize, threads: usize) -> Self {
        Seat { index: index as u32, ring: Ring::for_one_of(threads), tally: Tally::for_one_of(threads) }
    }

    /// Memory of ring and counters in bytes.
    pub(super) fn memory(&self) -> usize {
        self.ring.memory() + self.tally.memory()
    }
}

/// A lock with the section it protects, the lock's type erased.
pub trait Contend: Send + Sync {
    /// The life of a contending thread: laps whenever the gate is open, until
    /// it ends.
    fn run(&self, seat: &Seat, gate: &Gate);

    /// So many laps, or until `go_on` is false.
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64);

    /// Holds the lock while `inside` runs.
    fn hold(&self, inside: &mut dyn FnMut());

    /// Takes the lock if it is free, counts, and lets it go; says whether it
    /// was free.
    fn try_lap(&self) -> bool;

    /// Acquisitions counted inside the lock, exact while nobody is inside.
    fn counted(&self) -> u64;

    /// Calls of futex(2) so far, where the lock counts them.
    fn futex_calls(&self) -> Option<u64>;
}

/// The row of the registry for a lock.
#[derive(Debug)]
pub(super) struct Of<L>(PhantomData<fn() -> L>);

impl<L> Of<L> {
    pub(super) const ROW: Self = Of(PhantomData);
}

impl<L: Exclusion> Primitive for Of<L> {
    fn info(&self) -> &'static Info {
        const { &L::INFO }
    }

    fn contend(&self) -> Box<dyn Contend> {
        Box::new(Contended::<L> { lock: L::default(), section: Section::default() })
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
            let held = self.lock.lock();
            if !plan.hold.is_none() && !plan.hold.perform(go_on) {
                self.lock.unlock(held);
                break;
            }
            self.section.count_one();
            self.lock.unlock(held);
            done += 1;
            if !plan.think.is_none() && !plan.think.perform(go_on) {
                break;
            }
        }
        seat.tally.count(done, 0);
    }

    /// Laps that are recorded and checked.
    fn recorded<S: Stamps>(&self, stamps: S, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        let Seat { index, ring, tally } = seat;
        let mut done = 0;
        while done < laps {
            let wanted = stamps.wanted();
            ring.want(wanted);
            let held = self.lock.lock();
            let got = stamps.got();
            ring.get(got);
            let entered = self.section.enter(*index);
            if !plan.hold.is_none() && !plan.hold.perform(go_on) {
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
            if !plan.think.is_none() && !plan.think.perform(go_on) {
                break;
            }
        }
        tally.count(done, done);
    }
}

impl<L: Exclusion> Contend for Contended<L> {
    fn run(&self, seat: &Seat, gate: &Gate) {
        let open = gate.flag();
        while let Some(plan) = gate.pass() {
            let laps = if plan.hold.is_short() && plan.think.is_short() { LAPS } else { 1 };
            while open.load(Relaxed) {
                self.laps(seat, &plan, open, laps);
            }
        }
    }

    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        match plan.recorder {
            Recorder::Off => self.bare(seat, plan, go_on, laps),
            Recorder::Plain(tsc) => self.recorded(Plain(tsc), seat, plan, go_on, laps),
            Recorder::Ordered(tsc) => self.recorded(Ordered(tsc), seat, plan, go_on, laps),
            Recorder::Kernel => self.recorded(Kernel, seat, plan, go_on, laps),
        }
    }

    fn hold(&self, inside: &mut dyn FnMut()) {
        let held = self.lock.lock();
        inside();
        self.lock.unlock(held);
    }

    fn try_lap(&self) -> bool {
        let Some(held) = self.lock.try_lock() else { return false };
        self.section.count_one();
        self.lock.unlock(held);
        true
    }

    fn counted(&self) -> u64 {
        self.section.counted()
    }

    fn futex_calls(&self) -> Option<u64> {
        self.lock.futex_calls()
    }
}
