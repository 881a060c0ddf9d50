//! The scheduler's clock, which only this thread's own file tells, and which a wait
//! is dated with.

use crate::model::Nanos;

/// This thread's own reading is good for so long.
const FRESH: Nanos = Nanos::from_millis(50);

/// The scheduler's clock beside `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SchedulerClock {
    at: Nanos,
    reading: Option<Nanos>,
}

impl SchedulerClock {
    /// Its reading now, brought forward from the last look at it.
    pub fn now(&mut self, now: Nanos, own: impl FnOnce() -> Option<Nanos>) -> Option<Nanos> {
        if self.at == Nanos::ZERO || now.since(self.at) > FRESH {
            *self = SchedulerClock { at: now, reading: own() };
        }
        Some(self.reading? + now.since(self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_is_read_again_once_it_is_old() {
        let mut clock = SchedulerClock::default();
        let start = Nanos::from_secs(100);
        assert_eq!(clock.now(start, || Some(Nanos(1_000))), Some(Nanos(1_000)));
        assert_eq!(clock.now(start + Nanos(7), || None), Some(Nanos(1_007)));
        assert_eq!(clock.now(start + FRESH + Nanos(1), || Some(Nanos(9))), Some(Nanos(9)));
        assert_eq!(clock.now(start + FRESH + FRESH + Nanos(2), || None), None);
    }
}
