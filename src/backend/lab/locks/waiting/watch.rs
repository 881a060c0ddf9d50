//! Watching a thread wait, and the accounts of it that are kept under the mutex.
//!
//! The five steps of a wait are those of the manual: the mutex is held and the
//! predicate false; the mutex is let go and the thread sleeps, in one step; it is
//! woken; it takes the mutex again; it looks at the predicate again.
//!
//! How notifications are accounted for: one that is sent while somebody waits is
//! on its way to a waiter until a wait returns. A wait that times out although
//! its predicate is true and nothing is on its way has lost its wake-up: nobody
//! would ever have woken it.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use crate::backend::lab::locks::contend::Seat;
use crate::backend::lab::locks::phases::Padded;
use crate::backend::lab::locks::section::{Entered, Section};

/// The places of the sentences that are checked.
pub(super) const PREDICATE: usize = 0;
pub(super) const LOST: usize = 1;
pub(super) const EXCLUSION: usize = 2;

/// The places of the counts.
pub(super) const WAITS: usize = 0;
pub(super) const NOTIFICATIONS: usize = 1;
pub(super) const SPURIOUS: usize = 2;
pub(super) const TIMEOUTS: usize = 3;

/// The side of the buffer that a thread waits on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::backend::lab::locks) enum Side {
    /// Waits until it is not full.
    Put,
    /// Waits until it is not empty.
    Take,
}

impl Side {
    pub(super) fn other(self) -> Self {
        match self {
            Side::Put => Side::Take,
            Side::Take => Side::Put,
        }
    }
}

/// What the mutex protects.
#[derive(Debug, Default)]
pub(in crate::backend::lab::locks) struct State {
    pub(super) items: u64,
    /// How many wait on each side, and how many notifications are on their way
    /// to them.
    waiting: [u64; 2],
    pending: [u64; 2],
}

/// Items in the buffer at most.
const CAPACITY: u64 = 4;

impl State {
    pub(super) fn is_ready(&self, side: Side) -> bool {
        match side {
            Side::Put => self.items < CAPACITY,
            Side::Take => self.items > 0,
        }
    }

    /// How many were notified and do not have the mutex back yet.
    pub(super) fn on_their_way(&self) -> u64 {
        self.pending.iter().sum()
    }

    /// Somebody notifies this side.
    pub(super) fn notified(&mut self, side: Side, all: bool) {
        let (waiting, pending) = (self.waiting[side as usize], &mut self.pending[side as usize]);
        *pending = if all { waiting } else { (*pending + 1).min(waiting) };
    }
}

/// Watches a thread wait.
pub(in crate::backend::lab::locks) struct Watch<'a> {
    pub(super) seat: &'a Seat,
    pub(super) section: &'a Section,
    pub(super) entered: &'a mut Entered,
    pub(super) on_their_way: &'a Padded,
    pub(super) side: Side,
    pub(super) go_on: &'a AtomicBool,
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
        let tally = &self.seat.tally;
        tally.add_own(WAITS, 1);
        tally.step(0);
        tally.step(1);
        tally.sleeps(true);
        self.step_out();
    }

    /// The thread has the mutex back; `timed_out` where nobody woke it.
    pub(in crate::backend::lab::locks) fn back(&mut self, state: &mut State, timed_out: bool) {
        self.step_in();
        let Seat { tally, index, .. } = self.seat;
        tally.sleeps(false);
        if !timed_out {
            tally.step(2);
        }
        tally.step(3);
        tally.step(4);
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
        self.on_their_way.0.store(state.on_their_way(), Relaxed);
    }
}
