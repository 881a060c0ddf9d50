//! The measured loop of a condition variable: producers and consumers over a
//! bounded buffer.
//!
//! Threads with an even number put, those with an odd one take; one thread
//! alone does both in turn. What is kept of each wait, see [`watch`](super::watch).

use std::marker::PhantomData;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::watch::{EXCLUSION, LOST, NOTIFICATIONS, PREDICATE, SPURIOUS, Side, State, TIMEOUTS, Watch};
use crate::backend::lab::locks::contend::{Contend, Seat};
use crate::backend::lab::locks::gate::Plan;
use crate::backend::lab::locks::pen::Pen;
use crate::backend::lab::locks::phases::Padded;
use crate::backend::lab::locks::section::Section;
use crate::backend::lab::locks::tally::Tally;
use crate::backend::lab::locks::{Info, Primitive, Sentence};
use crate::model::lock::WaitSteps;

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
        Box::new(Buffer::<S> {
            signalling: S::default(),
            section: Section::default(),
            on_their_way: Padded::default(),
            alone: threads == 1,
        })
    }
}

struct Buffer<S> {
    signalling: S,
    section: Section,
    /// How many were notified and do not have the mutex back yet: a copy for
    /// whoever looks without the mutex.
    on_their_way: Padded,
    /// One thread does both in turn.
    alone: bool,
}

impl<S: Signalling> Buffer<S> {
    /// Puts or takes an item; false where it was interrupted. The accounts are
    /// kept even where nothing is recorded: they are under the mutex.
    fn one(&self, pen: &Pen<'_>, side: Side) -> bool {
        let Pen { seat, go_on, .. } = *pen;
        let (me, tally) = (pen.me(), &seat.tally);
        let hold = pen.hold();
        let slot = pen.wants(false);
        let mut guard = self.signalling.lock();
        let mut entered = self.section.enter(me);
        let on_their_way = &self.on_their_way;
        let mut watch = Watch { seat, section: &self.section, entered: &mut entered, on_their_way, side, go_on };
        if watch.must_wait(&guard) {
            guard = self.signalling.wait(side, guard, &mut watch);
        }
        if !go_on.load(Relaxed) {
            self.section.leave(me, entered);
            pen.abandon();
            return false;
        }
        pen.got(slot);
        let ready = guard.is_ready(side);
        tally.check(PREDICATE, if ready { 0 } else { me + 1 });
        if ready {
            match side {
                Side::Put => guard.items += 1,
                Side::Take => guard.items -= 1,
            }
        }
        pen.holds(hold);
        guard.notified(side.other(), S::ALL);
        on_their_way.0.store(guard.on_their_way(), Relaxed);
        self.signalling.notify(side.other());
        tally.add_own(NOTIFICATIONS, 1);
        tally.check(EXCLUSION, self.section.leave(me, entered));
        pen.releases(slot);
        drop(guard);
        pen.done(slot, 0);
        true
    }
}

impl<S: Signalling> Contend for Buffer<S> {
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        let pen = Pen { seat, plan, go_on };
        let mut side = if seat.index.is_multiple_of(2) { Side::Put } else { Side::Take };
        let mut done = 0;
        while done < laps && self.one(&pen, side) {
            done += 1;
            if self.alone {
                side = side.other();
            }
            if !pen.thinks() {
                break;
            }
        }
        seat.tally.count(done, 0);
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

    fn steps(&self, seats: &[Seat]) -> Option<WaitSteps> {
        let asleep = seats.iter().filter(|seat| seat.tally.is_asleep());
        let sum = |of: fn(&Tally) -> u64| seats.iter().map(|seat| of(&seat.tally)).sum();
        Some(WaitSteps {
            passed: std::array::from_fn(|step| seats.iter().map(|seat| seat.tally.steps()[step]).sum()),
            recent: [0.0; 5],
            asleep: asleep.map(|seat| seat.index as usize).collect(),
            on_their_way: self.on_their_way.0.load(Relaxed),
            spurious: sum(|tally| tally.own(SPURIOUS)),
            timeouts: sum(|tally| tally.own(TIMEOUTS)),
            lost: sum(|tally| tally.checks(LOST).1),
        })
    }

    fn own_names(&self) -> &'static [&'static str] {
        &["waits", "notifications", "spurious", "timeouts"]
    }
}
