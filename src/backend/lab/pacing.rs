//! When things happen in a run, and how much is done between two looks at the
//! clock.

use std::time::Duration;

use crate::model::Nanos;
use crate::sys::clock;

/// When the operations of a loop are meant to begin.
///
/// In an open loop that is a fixed distance apart, whether or not the
/// operation before has ended; a latency that counts from there does not leave
/// out the time that a late operation had to wait (coordinated omission). In a
/// closed loop each begins when it can.
#[derive(Clone, Copy, Debug)]
pub struct Intended {
    next: Nanos,
    every: Option<Nanos>,
}

/// A sleep ends about this much too late, by the timer's slack and the way out
/// of an idle CPU; the rest of a wait is spun.
const SLACK: Nanos = Nanos(150_000);

impl Intended {
    /// The first begins now.
    pub fn new(every: Option<Nanos>) -> Self {
        Intended { next: clock::monotonic(), every }
    }

    /// Waits until the next is meant to begin, unless that is past already;
    /// says when that was meant to be.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "it is endless and waits")]
    pub fn next(&mut self) -> Nanos {
        match self.every {
            None => clock::monotonic(),
            Some(every) => self.wait(every),
        }
    }

    fn wait(&mut self, every: Nanos) -> Nanos {
        let intended = self.next;
        self.next += every;
        let left = intended.since(clock::monotonic());
        if left > SLACK {
            std::thread::sleep(Duration::from(Nanos(left.0 - SLACK.0)));
        }
        while clock::monotonic() < intended {
            std::hint::spin_loop();
        }
        intended
    }
}

/// Instants a fixed distance apart. They never drift, and those that were
/// slept through are left out instead of being caught up with.
#[derive(Clone, Copy, Debug)]
pub struct Schedule {
    next: Nanos,
    every: Nanos,
}

impl Schedule {
    /// The first instant is `start`.
    pub fn new(start: Nanos, every: Nanos) -> Self {
        Schedule { next: start, every: Nanos(every.0.max(1)) }
    }

    /// The next instant.
    pub fn next(&self) -> Nanos {
        self.next
    }

    /// Whether an instant has come; if so, the next one is in the future.
    pub fn due(&mut self, now: Nanos) -> bool {
        if now < self.next {
            return false;
        }
        let missed = now.since(self.next).0 / self.every.0;
        self.next += Nanos((missed + 1) * self.every.0);
        true
    }
}

/// How many operations fill a time: learnt from how long the last ones took,
/// so that a measured loop counts down instead of looking at a clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// Nanoseconds an operation takes, from the latest measurement.
    each: Option<f64>,
    /// How many were done then.
    last: u64,
}

/// How many times more operations than the last time are tried at most: one
/// measurement of few operations tells little about many.
const GROWTH: u64 = 16;
/// How many are tried when nothing is known.
const FIRST: u64 = 4;

impl Pace {
    /// How many operations probably take `time`; at least two.
    pub fn count(&self, time: Nanos) -> u64 {
        let Some(each) = self.each else { return FIRST };
        ((time.0 as f64 / each.max(0.1)) as u64).clamp(2, self.last.max(FIRST).saturating_mul(GROWTH))
    }

    /// Whether the next [`count`](Pace::count) is no longer held back by
    /// knowing too little: the time to end a warm-up.
    pub fn settled(&self, time: Nanos) -> bool {
        self.each.is_some() && self.count(time) < self.last.max(FIRST).saturating_mul(GROWTH)
    }

    /// Learns that `count` operations took `time`.
    pub fn learn(&mut self, count: u64, time: Nanos) {
        if count > 0 {
            self.each = Some(time.0 as f64 / count as f64);
            self.last = count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intended_times_do_not_wait_for_those_who_are_late() {
        let every = Nanos::from_millis(2);
        let mut open = Intended::new(Some(every));
        let first = open.next();
        std::thread::sleep(Duration::from_millis(7));
        for n in 1..6 {
            let intended = open.next();
            assert_eq!(intended, Nanos(first.0 + n * every.0));
            assert!(clock::monotonic() >= intended, "never early");
        }
        let mut closed = Intended::new(None);
        let before = clock::monotonic();
        assert!(closed.next() >= before);
    }

    #[test]
    fn a_schedule_skips_what_was_slept_through_and_keeps_its_phase() {
        let mut schedule = Schedule::new(Nanos(100), Nanos(10));
        assert!(!schedule.due(Nanos(99)));
        assert!(schedule.due(Nanos(100)));
        assert!(!schedule.due(Nanos(109)));
        assert!(schedule.due(Nanos(137)));
        assert_eq!(schedule.next(), Nanos(140));
    }

    #[test]
    fn a_pace_grows_in_steps_and_then_fits_the_time() {
        let (mut pace, target, each) = (Pace::default(), Nanos::from_millis(10), 50);
        let mut steps = 0;
        while !pace.settled(target) {
            let count = pace.count(target);
            pace.learn(count, Nanos(count * each));
            steps += 1;
            assert!(steps < 10, "it settles");
        }
        assert_eq!(pace.count(target), target.0 / each);
        pace.learn(1000, Nanos::from_secs(1));
        assert_eq!(pace.count(target), 10, "it follows when things get slow");
    }

    #[test]
    fn one_slow_operation_still_gives_a_count() {
        let mut pace = Pace::default();
        pace.learn(1, Nanos::from_secs(5));
        assert_eq!(pace.count(Nanos::from_millis(1)), 2);
    }
}
