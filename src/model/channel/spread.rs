//! Repetitions of a figure, and how they stand to those of an earlier run.

use serde::{Deserialize, Serialize};

use crate::model::sorting;

/// The spread of the repetitions of one figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
}

impl Spread {
    /// The spread of these values; none where there are none.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        sorting::by(&mut values, f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Spread { median, min, max })
    }
}

/// How a figure stands to the one of an earlier run: throughput, or the median
/// round trip.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The figure of the earlier run.
    pub before: Spread,
    /// The new figure in parts of the earlier one: the medians' ratio, and the
    /// least and the most that the repetitions of both allow.
    pub ratio: Spread,
    /// Whether all repetitions of one run lie on one side of all of the other;
    /// unknown where there were fewer than three.
    pub beyond_spread: Option<bool>,
}

impl Change {
    /// From `before` to `now`, each of so many repetitions.
    pub fn of(before: (Spread, u32), now: (Spread, u32)) -> Self {
        let ((before, repeats), (now, again)) = (before, now);
        let ratio = Spread { median: now.median / before.median, min: now.min / before.max, max: now.max / before.min };
        let known = repeats.min(again) >= 3;
        Change { before, ratio, beyond_spread: known.then_some(ratio.min > 1.0 || ratio.max < 1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_counts_only_beyond_the_spread() {
        let spread = |min, median, max| Spread { median, min, max };
        let (slow, fast) = (spread(90.0, 100.0, 120.0), spread(180.0, 200.0, 240.0));
        let change = Change::of((slow, 5), (fast, 5));
        assert_eq!((change.ratio.median, change.ratio.min, change.ratio.max), (2.0, 1.5, 240.0 / 90.0));
        assert_eq!(change.beyond_spread, Some(true));
        assert_eq!(Change::of((fast, 5), (slow, 5)).beyond_spread, Some(true));
        assert_eq!(Change::of((slow, 5), (spread(110.0, 130.0, 150.0), 5)).beyond_spread, Some(false));
        assert_eq!(Change::of((slow, 5), (fast, 2)).beyond_spread, None, "two repetitions have no spread");
    }

    #[test]
    fn the_spread_of_repetitions() {
        assert_eq!(Spread::of(vec![]), None);
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 3.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
    }
}
