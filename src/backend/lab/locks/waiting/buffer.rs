//! The measured loop of a condition variable: producers and consumers over a
//! bounded buffer.
//!
//! Threads with an even number put, those with an odd one take; one thread
//! alone does both in turn. The five steps of a wait are those of the manual:
//! the mutex is held and the predicate false; the mutex is let go and the
//! thread sleeps, in one step; it is woken; it takes the mutex again; it looks at
//! the predicate again.
//!
//! How notifications are accounted for, all under the mutex: one that is sent
//! while somebody waits is on its way to a waiter until a wait returns. A wait
//! that times out although its predicate is true and nothing is on its way has
//! lost its wake-up: nobody would ever have woken it.

use std::marker::PhantomData;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use crate::backend::lab::locks::contend::{Contend, Seat};
use crate::backend::lab::locks::gate::Plan;
use crate::backend::lab::locks::section::{Entered, Section};
use crate::backend::lab::locks::stamps::{Kernel, Ordered, Plain, Recorder, Stamps};
use crate::backend::lab::locks::{Info, Primitive, Sentence};

const SENTENCES: &[Sentence] = &[
    Sentence {
        name: "predicate after wait",
        formula: "∀ w  acts(t,w) ⇒ P(τ) at the time τ at which t holds the mutex and acts",
        how: "under the mutex, before each item that is put or taken",
        words: Some(|thread, _| format!("t{thread} went on after a wait although its predicate was false")),
    },
    Sentence {
        name: "no lost wake-up",
        formula: "∀ w  waits(w,τ) ∧ P(τ) ⇒ ◇ woken(w)",
        how: "each wait that ends by its guard of 20 ms: was its predicate true, and no notification on its way?",
        words: Some(|thread, _| format!("t{thread} slept on, its predicate true and no notification on its way")),
    },
    Sentence {
        name: "mutual exclusion",
        formula: "∀ t₁,t₂,τ  holds(t₁,M,τ) ∧ holds(t₂,M,τ) ⇒ t₁ = t₂",
        how: "the words under the mutex, from one wait or unlock to the next",
        words: None,
    },
];
const PREDICATE: usize = 0;
const LOST: usize = 1;
const EXCLUSION: usize = 2;

/// The places of its own counts.
const WAITS: usize = 0;
const NOTIFICATIONS: usize = 1;
const SPURIOUS: usize = 2;
const TIMEOUTS: usize = 3;

/// The side of the buffer that a thread waits on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::lab::locks) enum Side {
    /// Waits until it is not full.
    Put,
    /// Waits until it is not empty.
    Take,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Side::Put => Side::Take,
            Side::Take => Side::Put,
        }
    }
}

/// How one waits and notifies.
pub(in crate::backend::lab::locks) trait Signalling:
    Default + Send + Sync + 'static
{
    /// What a person reads about it.
    const INFO: Info;

    /// Whether notifying wakes all that wait.
    const ALL: bool;

    /// The mutex, held.
    type Guard<'a>: std::ops::DerefMut<Target = State>;

    /// Takes the mutex.
    fn lock(&self) -> Self::Guard<'_>;

    /// Waits as the kind has it, once or until there is nothing more to wait
    /// for. `watch` is told whenever the thread lets the mutex go and whenever
    /// it has it back.
    fn wait<'a>(&'a self, side: Side, guard: Self::Guard<'a>, watch: &mut Watch<'_>) -> Self::Guard<'a>;

    /// Wakes one that waits on this side, or all.
    fn notify(&self, side: Side);

    /// Wakes all that wait on either side.
    fn wake_everybody(&self);
}

/// What the mutex protects.
#[derive(Debug, Default)]
pub(in crate::backend::lab::locks) struct State {
    items: u64,
    /// How many wait on each side, and how many notifications are on their way
    /// to them.
    waiting: [u64; 2],
    pending: [u64; 2],
}

/// Items in the buffer at most.
const CAPACITY: u64 = 4;

impl State {
    fn is_ready(&self, side: Side) -> bool {
        match side {
            Side::Put => self.items < CAPACITY,
            Side::Take => self.items > 0,
        }
    }

    /// Somebody notifies this side.
    fn notified(&mut self, side: Side, all: bool) {
        let (waiting, pending) = (self.waiting[side as usize], &mut self.pending[side as usize]);
        *pending = if all { waiting } else { (*pending + 1).min(waiting) };
    }
}

/// Watches a thread wait.
pub(in crate::backend::lab::locks) struct Watch<'a> {
    seat: &'a Seat,
    section: &'a Section,
    entered: &'a mut Entered,
    side: Side,
    go_on: &'a AtomicBool,
}

impl Watch<'_> {
    /// Whether there is something to wait for.
    pub(in crate::backend::lab::locks) fn must_wait(&self, state: &State) -> bool {
        !state.is_ready(self.side) && self.go_on.load(Relaxed)
    }

    /// The thread lets the mutex go without waiting.
    pub(in crate::backend::lab::locks) fn step_out(&mut self) {
        self.seat.tally.check(EXCLUSION, self.section.leave(self.seat.index, *self.entered));
    }

    /// The thread has taken the mutex again.
    pub(in crate::backend::lab::locks) fn step_in(&mut self) {
        *self.entered = self.section.enter(self.seat.index);
    }

    /// The thread is about to let the mutex go and to wait.
    pub(in crate::backend::lab::locks) fn leave(&mut self, state: &mut State) {
        state.waiting[self.side as usize] += 1;
        self.seat.tally.add_own(WAITS, 1);
        self.step_out();
    }

    /// The thread has the mutex back; `timed_out` where nobody woke it.
    pub(in crate::backend::lab::locks) fn back(&mut self, state: &mut State, timed_out: bool) {
        self.step_in();
        let Seat { tally, index, .. } = self.seat;
        let side = self.side as usize;
        let ready = state.is_ready(self.side);
        state.waiting[side] -= 1;
        if timed_out {
            tally.add_own(TIMEOUTS, 1);
            let lost = ready && state.pending[side] == 0 && self.go_on.load(Relaxed);
            tally.check(LOST, if lost { index + 1 } else { 0 });
        } else {
            state.pending[side] = state.pending[side].saturating_sub(1);
            tally.check(LOST, 0);
            if !ready && self.go_on.load(Relaxed) {
                tally.add_own(SPURIOUS, 1);
            }
        }
        // Nothing is on its way to nobody.
        state.pending[side] = state.pending[side].min(state.waiting[side]);
    }
}

/// The row of the registry for a condition variable.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Of<S>(PhantomData<fn() -> S>);

impl<S> Of<S> {
    pub(in crate::backend::lab::locks) const ROW: Self = Of(PhantomData);
}

impl<S: Signalling> Primitive for Of<S> {
    fn info(&self) -> &'static Info {
        const { &S::INFO }
    }

    fn contend(&self, threads: usize) -> Box<dyn Contend> {
        Box::new(Buffer::<S> { signalling: S::default(), section: Section::default(), alone: threads == 1 })
    }
}

struct Buffer<S> {
    signalling: S,
    section: Section,
    /// One thread does both in turn.
    alone: bool,
}

impl<S: Signalling> Buffer<S> {
    /// Puts or takes an item; false where it was interrupted.
    fn one<T: Stamps>(&self, stamps: T, seat: &Seat, plan: &Plan, go_on: &AtomicBool, side: Side) -> bool {
        let Seat { index, ring, tally, dice } = seat;
        let hold = plan.hold.draw(dice);
        let wanted = stamps.wanted();
        ring.want(wanted);
        let mut guard = self.signalling.lock();
        let mut entered = self.section.enter(*index);
        let mut watch = Watch { seat, section: &self.section, entered: &mut entered, side, go_on };
        if watch.must_wait(&guard) {
            guard = self.signalling.wait(side, guard, &mut watch);
        }
        if !go_on.load(Relaxed) {
            self.section.leave(*index, entered);
            ring.abandon();
            return false;
        }
        let got = stamps.got();
        ring.get(got);
        let ready = guard.is_ready(side);
        tally.check(PREDICATE, if ready { 0 } else { index + 1 });
        if ready {
            match side {
                Side::Put => guard.items += 1,
                Side::Take => guard.items -= 1,
            }
        }
        hold.perform(go_on);
        guard.notified(side.other(), S::ALL);
        self.signalling.notify(side.other());
        tally.add_own(NOTIFICATIONS, 1);
        tally.check(EXCLUSION, self.section.leave(*index, entered));
        let released = stamps.released();
        ring.release(released);
        drop(guard);
        ring.complete();
        tally.record(got.saturating_sub(wanted), released.saturating_sub(got), None);
        true
    }

    fn recorded<T: Stamps>(&self, stamps: T, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        let mut side = if seat.index.is_multiple_of(2) { Side::Put } else { Side::Take };
        let mut done = 0;
        while done < laps && self.one(stamps, seat, plan, go_on, side) {
            done += 1;
            if self.alone {
                side = side.other();
            }
            if !plan.think.is_none() && !plan.think.draw(&seat.dice).perform(go_on) {
                break;
            }
        }
        seat.tally.count(done, 0);
    }
}

impl<S: Signalling> Contend for Buffer<S> {
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        match plan.recorder {
            // The accounts are kept anyway, under the mutex; only the stamps
            // are saved.
            Recorder::Off => self.recorded(Unstamped, seat, plan, go_on, laps),
            Recorder::Plain(tsc) => self.recorded(Plain(tsc), seat, plan, go_on, laps),
            Recorder::Ordered(tsc) => self.recorded(Ordered(tsc), seat, plan, go_on, laps),
            Recorder::Kernel => self.recorded(Kernel, seat, plan, go_on, laps),
        }
    }

    fn interrupt(&self) {
        // Whoever has seen that it is to go on waits by the time the mutex is
        // free.
        drop(self.signalling.lock());
        self.signalling.wake_everybody();
    }

    fn counted(&self) -> Option<u64> {
        None
    }

    fn sentences(&self) -> &'static [Sentence] {
        SENTENCES
    }

    fn own_names(&self) -> &'static [&'static str] {
        &["waits", "notifications", "spurious", "timeouts"]
    }
}

/// No stamps at all.
#[derive(Clone, Copy, Debug)]
struct Unstamped;

impl Stamps for Unstamped {
    fn wanted(self) -> u64 {
        0
    }

    fn got(self) -> u64 {
        0
    }

    fn released(self) -> u64 {
        0
    }
}
