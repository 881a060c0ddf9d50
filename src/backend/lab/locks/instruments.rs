//! What a worker measures with, calibrated before the threads start.

use std::sync::atomic::AtomicBool;

use super::Primitive;
use super::contend::Seat;
use super::gate::Plan;
use super::pace::{Pace, Work};
use super::stamps::{Recorder, RunClock};
use crate::model::Nanos;
use crate::model::lock::{LockSetting, Spread, Trace};
use crate::sys::clock;

/// Clock, pace, and what recording costs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instruments {
    pub(super) clock: RunClock,
    pace: Pace,
    plain: Costs,
    ordered: Costs,
}

/// What recording costs an uncontended acquisition: that which follows the one
/// before at once, and that which comes after work outside.
#[derive(Clone, Copy, Debug)]
struct Costs {
    at_once: Nanos,
    after_work: Nanos,
}

impl Instruments {
    /// Calibrates everything; takes some 15 ms.
    pub(super) fn prepare(primitive: &dyn Primitive) -> Self {
        let mut pace = None;
        let clock = RunClock::choose(|| pace = Some(Pace::calibrate()));
        let pace = pace.unwrap_or_else(Pace::calibrate);
        let cost = |trace| {
            let cost = |outside| recording_cost(primitive, clock.recorder(trace), outside);
            Costs { at_once: cost(Work::default()), after_work: cost(A_LITTLE) }
        };
        Instruments { clock, pace, plain: cost(Trace::Plain), ordered: cost(Trace::Ordered) }
    }

    /// What the threads are to do.
    pub(super) fn plan(&self, setting: LockSetting) -> Plan {
        Plan {
            hold: self.pace.work(setting.hold, setting.hold_spread),
            think: self.pace.work(setting.think, setting.think_spread),
            recorder: self.clock.recorder(setting.trace),
            reads: setting.reads.0.into(),
            tries: setting.tries,
        }
    }

    /// What recording costs each uncontended acquisition.
    pub(super) fn cost(&self, setting: LockSetting) -> Option<Nanos> {
        let costs = match setting.trace {
            Trace::Off => return None,
            Trace::Plain => self.plain,
            Trace::Ordered => self.ordered,
        };
        Some(if setting.think == Nanos::ZERO { costs.at_once } else { costs.after_work })
    }
}

/// Work outside that takes hardly any time.
pub const A_LITTLE: Work = Work { steps: 1, spread: Spread::Fixed };

/// What a recorder adds to an uncontended acquisition with nothing inside and this
/// work outside: the fastest round with it less the fastest without.
pub fn recording_cost(primitive: &dyn Primitive, recorder: Recorder, outside: Work) -> Nanos {
    const ROUNDS: usize = 8;
    const LAPS: u64 = 2_000;
    let subject = primitive.contend(1);
    let seat = Seat::new(0, 1);
    let go_on = AtomicBool::new(true);
    let mut fastest = [u64::MAX; 2];
    for _ in 0..ROUNDS {
        for (fastest, recorder) in fastest.iter_mut().zip([Recorder::Off, recorder]) {
            let plan = Plan { recorder, think: outside, ..Plan::default() };
            let begin = clock::monotonic();
            subject.laps(&seat, &plan, &go_on, LAPS);
            *fastest = (*fastest).min(clock::monotonic().since(begin).0);
        }
    }
    let [without, with] = fastest;
    Nanos((with.saturating_sub(without) + LAPS / 2) / LAPS)
}
