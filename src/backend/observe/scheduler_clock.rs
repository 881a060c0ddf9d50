//! The scheduler's clock, which only this thread's own file tells, and which a wait
//! is dated with.

use std::time::{Duration, Instant};

use super::parse;
use crate::model::Nanos;
use crate::sys::affinity;
use crate::sys::aside::do_aside;

/// A reading is mostly good for so long.
pub const FRESH: Nanos = Nanos::from_millis(50);

/// The scheduler's clock beside `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SchedulerClock {
    at: Nanos,
    reading: Option<Nanos>,
}

impl SchedulerClock {
    /// Its reading now, brought forward from the last look at it, no longer than `fresh` ago.
    pub fn now(&mut self, now: Nanos, fresh: Nanos, own: impl FnOnce() -> Option<Nanos>) -> Option<Nanos> {
        if self.at == Nanos::ZERO || now.since(self.at) > fresh {
            *self = SchedulerClock { at: now, reading: own() };
        }
        Some(self.reading? + now.since(self.at))
    }
}

/// A CPU that is busy with something more urgent for so long is not asked.
const PATIENCE: Duration = Duration::from_millis(20);

/// The clock of this CPU, as a thread reads it that goes there; `None` where it may not, or
/// does not come to run.
pub fn of_cpu(cpu: u32) -> Option<Nanos> {
    let read = move || {
        affinity::bind(&[cpu as usize]).ok()?;
        parse::exec_start(&std::fs::read("/proc/thread-self/sched").ok()?)
    };
    let deadline = Instant::now() + PATIENCE;
    do_aside("clock", read, PATIENCE, || Instant::now() < deadline).ok()??
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_read_again_once_it_is_old() {
        let mut clock = SchedulerClock::default();
        let start = Nanos::from_secs(100);
        assert_eq!(clock.now(start, FRESH, || Some(Nanos(1_000))), Some(Nanos(1_000)));
        assert_eq!(clock.now(start + Nanos(7), FRESH, || None), Some(Nanos(1_007)));
        assert_eq!(clock.now(start + FRESH + Nanos(1), FRESH, || Some(Nanos(9))), Some(Nanos(9)));
        assert_eq!(clock.now(start + FRESH + FRESH + Nanos(2), FRESH, || None), None);
    }
}
