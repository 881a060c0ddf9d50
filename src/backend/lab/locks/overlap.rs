//! Mutual exclusion, checked from the recorded stamps: no two intervals
//! `got..released` may overlap, unless both were shared. It is independent of the check in the
//! [section](super::section): that one reads data, this one clocks.

use crate::model::lock::Violation;
use crate::sys::tsc::Scale;

/// The name of the invariant.
pub(super) const NAME: &str = "mutual exclusion in time";

/// How many violations are kept.
pub(super) const KEPT: usize = 8;

/// One thread holding the lock, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interval {
    pub(super) thread: usize,
    pub(super) got: u64,
    pub(super) released: u64,
    /// Held together with others: a reader.
    pub(super) shared: bool,
}

/// The check, batch by batch.
#[derive(Debug, Default)]
pub(super) struct Overlap {
    /// Intervals checked so far.
    pub(super) checked: u64,
    /// Intervals that began before another had ended.
    pub(super) violations: u64,
    /// The first of them.
    pub(super) first: Vec<Violation>,
    /// Shared intervals that began while another one lasted.
    pub(super) sharing: u64,
    /// The intervals that ended last in the batches before.
    last: Latest,
}

/// Of the intervals that were seen, the ones that ended last.
#[derive(Clone, Copy, Debug, Default)]
struct Latest {
    alone: Option<Interval>,
    shared: Option<Interval>,
}

impl Latest {
    fn take(&mut self, interval: Interval) {
        let latest = if interval.shared { &mut self.shared } else { &mut self.alone };
        if latest.is_none_or(|latest| interval.released > latest.released) {
            *latest = Some(interval);
        }
    }
}

impl Overlap {
    /// Checks intervals against each other and against the latest of the batch
    /// before, and empties the batch.
    pub(super) fn check(&mut self, batch: &mut Vec<Interval>, scale: Scale) {
        self.checked += batch.len() as u64;
        let before = [self.last.alone, self.last.shared];
        batch.extend(before.into_iter().flatten());
        batch.sort_unstable_by_key(|interval| interval.got);
        let mut latest = Latest::default();
        for interval in batch.drain(..) {
            let lasts = |other: &Interval| interval.got < other.released;
            let shared = latest.shared.filter(lasts);
            if interval.shared && shared.is_some() {
                self.sharing += 1;
            }
            let other = latest.alone.filter(lasts).or(shared.filter(|_| !interval.shared));
            // What overlapped in a batch before was counted there.
            let known = |other: &Interval| before.contains(&Some(*other)) && before.contains(&Some(interval));
            if let Some(other) = other.filter(|other| !known(other)) {
                self.violations += 1;
                if self.first.len() < KEPT {
                    self.first.push(violation(other, interval, scale));
                }
            }
            latest.take(interval);
        }
        self.last = latest;
    }

    /// Forgets where the last batch ended: what comes is not in one series
    /// with it.
    pub(super) fn cut(&mut self) {
        self.last = Latest::default();
    }
}

fn violation(first: Interval, second: Interval, scale: Scale) -> Violation {
    let since = |ticks: u64| scale.nanos(ticks.saturating_sub(first.got));
    Violation {
        invariant: NAME.into(),
        holders: [first.thread, second.thread],
        held: Some([[0, since(first.released)], [since(second.got), since(second.released)]]),
        words: None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn interval(thread: usize, got: u64, released: u64) -> Interval {
        Interval { thread, got, released, shared: false }
    }

    fn reader(thread: usize, got: u64, released: u64) -> Interval {
        Interval { shared: true, ..interval(thread, got, released) }
    }

    fn violations(batches: &[&[Interval]]) -> (u64, Vec<Violation>) {
        let mut overlap = Overlap::default();
        for batch in batches {
            overlap.check(&mut batch.to_vec(), Scale::NANOSECONDS);
        }
        assert_eq!(overlap.checked, batches.iter().map(|b| b.len() as u64).sum::<u64>());
        (overlap.violations, overlap.first)
    }

    #[test]
    fn neighbours_that_touch_do_not_overlap() {
        assert_eq!(violations(&[&[interval(1, 20, 30), interval(0, 10, 20), interval(0, 30, 31)]]).0, 0);
    }

    #[test]
    fn the_two_holders_are_named_with_their_times() {
        let (count, first) = violations(&[&[interval(3, 130, 305), interval(0, 100, 210)]]);
        assert_eq!(count, 1);
        assert_eq!(first[0].holders, [0, 3]);
        assert_eq!(first[0].held, Some([[0, 110], [30, 205]]));
    }

    #[test]
    fn a_long_hold_is_remembered_into_the_next_batch() {
        assert_eq!(violations(&[&[interval(0, 10, 90), interval(1, 91, 95)], &[interval(2, 94, 99)]]).0, 1);
        assert_eq!(violations(&[&[interval(0, 10, 90)], &[interval(1, 5, 9)]]).0, 0, "read late, not overlapping");
        assert_eq!(violations(&[&[interval(0, 10, 90)], &[interval(1, 5, 11)]]).0, 1, "read late, overlapping");
    }

    #[test]
    fn readers_share_and_writers_do_not() {
        assert_eq!(violations(&[&[reader(0, 10, 90), reader(1, 20, 30), interval(2, 90, 95)]]).0, 0);
        assert_eq!(violations(&[&[reader(0, 10, 90), reader(1, 20, 30), interval(2, 89, 95)]]).0, 1, "over a reader");
        assert_eq!(violations(&[&[interval(0, 10, 90)], &[reader(1, 89, 95)]]).0, 1, "a reader over a writer");
        let apart: [&[Interval]; 3] = [&[interval(0, 10, 90), reader(1, 89, 95)], &[reader(2, 95, 99)], &[]];
        assert_eq!(violations(&apart).0, 1, "counted once");
        let mut overlap = Overlap::default();
        overlap.check(&mut vec![reader(0, 10, 90), reader(1, 20, 30)], Scale::NANOSECONDS);
        overlap.check(&mut vec![reader(2, 80, 99), reader(3, 99, 100)], Scale::NANOSECONDS);
        assert_eq!(overlap.sharing, 2, "also with one of the batch before");
    }

    proptest! {
        #[test]
        fn it_finds_a_violation_exactly_where_two_intervals_overlap(
            raw in proptest::collection::vec((0_u64..200, 1_u64..20, any::<bool>()), 0..24),
        ) {
            let of = |(i, &(got, len, shared))| Interval { shared, ..interval(i, got, got + len) };
            let all: Vec<_> = raw.iter().enumerate().map(of).collect();
            let overlaps = all.iter().enumerate().any(|(i, a)| {
                all[i + 1..].iter().any(|b| a.got < b.released && b.got < a.released && !(a.shared && b.shared))
            });
            prop_assert_eq!(violations(&[&all]).0 > 0, overlaps);
        }
    }
}
