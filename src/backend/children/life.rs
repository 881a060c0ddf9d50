//! The course of a child's life: what happened, what is due.

use std::sync::Arc;

use crate::model::Nanos;
use crate::model::child::Course;
use crate::model::launch::Restart;
use crate::model::life::{Exit, Happening, Moment};
use crate::sys::clock;

/// So many moments are kept; a child that is restarted again and again has no
/// end of them.
const MOMENTS: usize = 200;
/// The first delay before a new start, and the longest.
const FIRST_DELAY: Nanos = Nanos::from_millis(500);
const LONGEST_DELAY: Nanos = Nanos::from_secs(30);
/// Who ran so long has earned a new beginning.
const PROVED: Nanos = Nanos::from_secs(10);

/// What happened to a child, and what will.
#[derive(Debug, Default)]
pub(super) struct Life {
    moments: Vec<Moment>,
    dropped: u64,
    starts: u32,
    /// Starts since it last proved itself.
    failures: u32,
    /// It was asked to end: nothing starts it again.
    told_to_end: bool,
    pub(super) next_start: Option<Nanos>,
    pub(super) kill_at: Option<Nanos>,
    /// When it was started last.
    pub(super) started: Nanos,
}

impl Life {
    /// Notes that something happened now.
    pub(super) fn note(&mut self, what: Happening) {
        self.note_at(clock::monotonic(), what);
    }

    /// Notes that something happened.
    pub(super) fn note_at(&mut self, at: Nanos, what: Happening) {
        if self.moments.len() == MOMENTS {
            self.moments.remove(0);
            self.dropped += 1;
        }
        self.moments.push(Moment { at, what });
    }

    /// It is being started.
    pub(super) fn begin(&mut self) {
        self.started = clock::monotonic();
        self.starts += 1;
        (self.next_start, self.kill_at) = (None, None);
    }

    /// Somebody wants it to end.
    pub(super) fn told_to_end(&mut self) {
        self.told_to_end = true;
        self.next_start = None;
    }

    /// Somebody wants it to go on.
    pub(super) fn wanted_again(&mut self) {
        self.told_to_end = false;
    }

    /// It has ended: whether and when it is started again.
    pub(super) fn ended(&mut self, exit: Exit, restart: Restart) {
        self.kill_at = None;
        let again = match restart {
            Restart::Never => false,
            Restart::OnFailure => exit.code != Some(0),
            Restart::Always => true,
        };
        if !again || self.told_to_end {
            return;
        }
        let now = clock::monotonic();
        self.failures = if now.since(self.started) >= PROVED { 0 } else { self.failures };
        let delay = delay(self.failures);
        self.failures += 1;
        self.next_start = Some(now + delay);
        self.note_at(now, Happening::Delayed { by: delay });
    }

    /// When there is next something to be done.
    pub(super) fn due(&self) -> Option<Nanos> {
        self.next_start.into_iter().chain(self.kill_at).min()
    }

    /// What a face is told.
    pub(super) fn course(&self) -> Course {
        Course {
            moments: Arc::from(self.moments.as_slice()),
            dropped: self.dropped,
            starts: self.starts,
            next_start: self.next_start,
            kill_at: self.kill_at,
            ..Course::default()
        }
    }
}

fn delay(failures: u32) -> Nanos {
    let doubled = FIRST_DELAY.0.checked_shl(failures.min(20)).unwrap_or(u64::MAX);
    Nanos(doubled.min(LONGEST_DELAY.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: Exit = Exit { code: Some(1), signal: None, core: false };

    #[test]
    fn delays_double_up_to_a_bound() {
        let delays: Vec<u64> = (0..8).map(|failures| delay(failures).0 / 1_000_000).collect();
        assert_eq!(delays, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(delay(u32::MAX), LONGEST_DELAY);
    }

    #[test]
    fn who_was_told_to_end_stays_ended() {
        let mut life = Life::default();
        life.begin();
        life.ended(FAILED, Restart::OnFailure);
        assert!(life.next_start.is_some());
        life.begin();
        life.told_to_end();
        life.ended(FAILED, Restart::Always);
        assert_eq!(life.next_start, None);
        life.wanted_again();
        life.ended(Exit { code: Some(0), ..FAILED }, Restart::OnFailure);
        assert_eq!(life.next_start, None, "it did what it should");
    }

    #[test]
    fn a_long_life_is_bounded_and_says_so() {
        let mut life = Life::default();
        (0..MOMENTS + 30).for_each(|n| life.note_at(Nanos(n as u64), Happening::Continued));
        let course = life.course();
        assert_eq!((course.moments.len(), course.dropped, course.moments[0].at), (MOMENTS, 30, Nanos(30)));
    }
}
