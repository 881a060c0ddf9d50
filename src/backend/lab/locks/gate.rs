//! The gate before the measured loop: threads run while it is open, and are
//! parked while it is closed, so that figures can be taken at rest and a burst
//! costs nothing between bursts.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::pace::Work;
use super::stamps::Recorder;

/// What a thread does while the gate is open. The default is nothing but
/// acquisitions, unrecorded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    /// Work inside the lock.
    pub hold: Work,
    /// Work outside.
    pub think: Work,
    /// What it writes down.
    pub recorder: Recorder,
    /// Where one can read: how many of a thousand acquisitions do.
    pub reads: u64,
    /// Try instead of waiting, where that is possible.
    pub tries: bool,
}

impl Plan {
    /// Whether a lap is nothing but an acquisition that is not written down.
    pub(super) fn is_bare(&self) -> bool {
        self.hold.is_none() && self.think.is_none() && self.recorder == Recorder::Off
    }

    /// Whether a lap is so short that the gate need not be looked at each
    /// time.
    pub(super) fn is_short(&self) -> bool {
        self.hold.is_short() && self.think.is_short()
    }
}

/// The gate.
#[derive(Debug)]
pub struct Gate {
    open: AtomicBool,
    state: Mutex<State>,
    opened: Condvar,
    all_parked: Condvar,
}

#[derive(Debug)]
struct State {
    /// What to do when the gate opens; nothing where it never will again.
    plan: Option<Plan>,
    /// How often it was opened.
    openings: u64,
    /// Threads that have done with the last opening.
    parked: usize,
}

impl Gate {
    /// A closed gate.
    pub fn closed(plan: Plan) -> Self {
        Gate {
            open: AtomicBool::new(false),
            state: Mutex::new(State { plan: Some(plan), openings: 0, parked: 0 }),
            opened: Condvar::new(),
            all_parked: Condvar::new(),
        }
    }

    /// For a thread: waits until the gate is opened again, `passed` being the
    /// opening it knows. A thread that comes late passes even where the gate
    /// has been closed meanwhile: where threads meet, nobody may stay away.
    /// `None` where it is time to end.
    pub fn pass(&self, passed: &mut u64) -> Option<Plan> {
        let mut state = self.state();
        if state.openings == *passed {
            state.parked += 1;
            self.all_parked.notify_one();
        }
        while state.plan.is_some() && state.openings == *passed {
            state = self.opened.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        *passed = state.openings;
        state.plan
    }

    /// False as soon as the gate is to be closed.
    pub fn flag(&self) -> &AtomicBool {
        &self.open
    }

    /// Opens it.
    pub fn open(&self, plan: Plan) {
        let mut state = self.state();
        state.plan = Some(plan);
        state.openings += 1;
        state.parked = 0;
        self.open.store(true, Relaxed);
        self.opened.notify_all();
    }

    /// Closes it; threads come back as soon as they have done what they are
    /// at.
    pub fn close(&self) {
        self.open.store(false, Relaxed);
    }

    /// Lets every thread end.
    pub fn end(&self) {
        let mut state = self.state();
        state.plan = None;
        self.open.store(false, Relaxed);
        self.opened.notify_all();
    }

    /// Waits until all of so many threads are parked; false where some are not
    /// within the time.
    pub fn rest(&self, threads: usize, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        let mut state = self.state();
        while state.parked < threads {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.all_parked.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
