//! The gate before the measured loop: threads run while it is open, and are
//! parked while it is closed, so that figures can be taken at rest and a burst
//! costs nothing between bursts.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::pace::Work;
use super::stamps::Recorder;

/// What a thread does while the gate is open.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Work inside the lock.
    pub hold: Work,
    /// Work outside.
    pub think: Work,
    /// What it writes down.
    pub recorder: Recorder,
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
    parked: usize,
}

impl Gate {
    /// A closed gate.
    pub fn closed(plan: Plan) -> Self {
        Gate {
            open: AtomicBool::new(false),
            state: Mutex::new(State { plan: Some(plan), parked: 0 }),
            opened: Condvar::new(),
            all_parked: Condvar::new(),
        }
    }

    /// For a thread: waits until the gate is open. `None` where it is time to
    /// end.
    pub fn pass(&self) -> Option<Plan> {
        let mut state = self.state();
        state.parked += 1;
        self.all_parked.notify_one();
        while state.plan.is_some() && !self.open.load(Relaxed) {
            state = self.opened.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.parked -= 1;
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
