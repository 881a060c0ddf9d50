//! How exactly a test is run: strategy, chunk, distance of the locations, and
//! which thread gets which CPU.

use std::fmt;

use super::pairing::pairing;
use crate::backend::lab::litmus::ast::Test;
use crate::backend::lab::litmus::jit::LINE;
use crate::model::Fault;
use crate::model::litmus::Strategy;
use crate::sys::tsc::Tsc;

/// What keeps the threads together inside a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Nothing, and no reset either.
    Perpetual,
    /// Nothing.
    Free,
    /// They meet before each instance.
    Barrier,
    /// Each instance has a deadline on the time stamp counter.
    Timebase,
}

/// How a test is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub(super) pace: Pace,
    /// Iterations between two meetings.
    pub(super) chunk: usize,
    /// Cache lines from one location to the next.
    pub(super) spacing: usize,
    /// Perpetual only: sets of locations that are used in turn.
    pub(super) lanes: usize,
    /// By how many places the CPUs are moved on from thread to thread.
    pub(super) turn: usize,
}

impl Plan {
    const fn new(pace: Pace, chunk: usize, spacing: usize) -> Self {
        Plan { pace, chunk, spacing, lanes: 1, turn: 0 }
    }

    pub(super) const fn perpetual(chunk: usize, spacing: usize, lanes: usize) -> Self {
        Plan { pace: Pace::Perpetual, chunk, spacing, lanes, turn: 0 }
    }

    /// The plan that a strategy begins with; `cpus` is whether each thread has
    /// one of its own.
    ///
    /// # Errors
    /// A fault where the strategy does not fit the test or the machine.
    pub fn first(test: &Test, strategy: Strategy, cpus: bool) -> Result<Plan, Fault> {
        let perpetual = Plan::perpetual(1 << 13, 1, 16);
        let free = Plan::new(Pace::Free, 1 << 11, 1);
        Ok(match strategy {
            Strategy::Auto if pairing(test).is_ok() => perpetual,
            Strategy::Auto | Strategy::Batched => free,
            Strategy::Perpetual => perpetual,
            Strategy::Timebase if !cpus => {
                let what = "cannot run by a time base: that needs a CPU for each thread, and there are too few";
                return Err(Fault::new("litmus", format!("{} {what}", test.name)));
            }
            Strategy::Timebase if Tsc::invariant().is_none() => {
                return Err(Fault::new("litmus", "this machine has no time stamp counter that all CPUs agree on"));
            }
            Strategy::Timebase => Plan::new(Pace::Timebase, 1 << 11, 1),
        })
    }

    /// What is tried besides the first plan.
    pub fn others(self, test: &Test, strategy: Strategy, cpus: bool) -> Vec<Plan> {
        let auto = strategy == Strategy::Auto;
        let mut plans = Vec::new();
        if self.pace == Pace::Perpetual {
            for (chunk, spacing, lanes) in
                [(1 << 15, 2, 16), (1 << 13, 1, 64), (1 << 15, 2, 8), (1 << 11, 1, 2), (1 << 13, 2, 1)]
            {
                plans.push(Plan::perpetual(chunk, spacing, lanes));
            }
        }
        if auto || strategy == Strategy::Batched {
            for (chunk, spacing) in [(1 << 11, 1), (1 << 11, 2), (1 << 8, 1), (1 << 13, 2)] {
                plans.push(Plan::new(Pace::Free, chunk, spacing));
            }
            if cpus {
                plans.push(Plan::new(Pace::Barrier, 1 << 10, 2));
            }
        }
        if strategy == Strategy::Timebase {
            plans.push(Plan::new(Pace::Timebase, 1 << 9, 2));
        }
        if auto && cpus && Tsc::invariant().is_some() {
            plans.push(Plan::new(Pace::Timebase, 1 << 11, 2));
        }
        plans.retain(|plan| *plan != self && plan.instances() * plan.spacing * test.locations.len() <= MOST_LINES);
        plans
    }

    /// The same with the CPUs moved on by one.
    #[must_use]
    pub fn turned(self) -> Plan {
        Plan { turn: self.turn + 1, ..self }
    }

    /// How many sets of the locations there are.
    fn instances(self) -> usize {
        if self.pace == Pace::Perpetual { self.lanes } else { self.chunk }
    }

    /// The strategy it belongs to.
    pub fn strategy(self) -> Strategy {
        match self.pace {
            Pace::Perpetual => Strategy::Perpetual,
            Pace::Free | Pace::Barrier => Strategy::Batched,
            Pace::Timebase => Strategy::Timebase,
        }
    }
}

/// Memory of a run, in cache lines: 8 MiB.
const MOST_LINES: usize = 1 << 17;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let meeting = if self.pace == Pace::Barrier { ", meeting before each" } else { "" };
        let (strategy, chunk, apart) = (self.strategy(), self.chunk, self.spacing * LINE);
        write!(f, "{strategy}{meeting}, chunks of {chunk}, ")?;
        if self.lanes > 1 {
            write!(f, "{} sets of locations in turn, ", self.lanes)?;
        }
        write!(f, "locations {apart} bytes apart")
    }
}
