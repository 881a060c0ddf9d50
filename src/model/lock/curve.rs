//! Throughput against the number of threads.

use serde::{Deserialize, Serialize};

use crate::model::Fault;

/// Measure these locks with each of these numbers of threads, one after the
/// other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sweep {
    /// Keys of the primitives.
    pub locks: Vec<String>,
    /// Numbers of threads, ascending.
    pub threads: Vec<usize>,
}

impl Sweep {
    /// All points in the order they are measured: every lock with one thread,
    /// then every lock with the next number, so that curves grow side by side.
    pub fn points(&self) -> impl Iterator<Item = (&str, usize)> {
        self.threads.iter().flat_map(|&threads| self.locks.iter().map(move |lock| (&**lock, threads)))
    }
}

/// What was found so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// What was asked.
    pub sweep: Sweep,
    /// What is known, in the order it was measured.
    pub points: Vec<CurvePoint>,
}

/// One lock with one number of threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Key of the primitive.
    pub lock: String,
    /// How many threads contended.
    pub threads: usize,
    /// Acquisitions per second of each repetition, ascending; empty where it
    /// failed.
    pub rates: Vec<f64>,
    /// Jain's index of the acquisitions of each thread.
    pub jain: Option<f64>,
    /// Why there is none.
    pub fault: Option<Fault>,
}

impl CurvePoint {
    /// The median of the repetitions: of an even number, the lower one in the
    /// middle.
    pub fn median(&self) -> Option<f64> {
        self.rates.get(self.rates.len().saturating_sub(1) / 2).copied()
    }
}

impl Curve {
    /// How many points are still to come.
    pub fn left(&self) -> usize {
        (self.sweep.locks.len() * self.sweep.threads.len()).saturating_sub(self.points.len())
    }

    /// The points of one lock, by number of threads.
    pub fn of<'a>(&'a self, lock: &'a str) -> impl Iterator<Item = &'a CurvePoint> {
        self.points.iter().filter(move |point| point.lock == lock)
    }

    /// The highest rate of all repetitions.
    pub fn highest(&self) -> f64 {
        self.points.iter().flat_map(|point| &point.rates).copied().fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_grow_side_by_side() {
        let sweep = Sweep { locks: vec!["a".to_owned(), "b".to_owned()], threads: vec![1, 4] };
        assert_eq!(sweep.points().collect::<Vec<_>>(), [("a", 1), ("b", 1), ("a", 4), ("b", 4)]);
        let point =
            CurvePoint { lock: "a".to_owned(), threads: 1, rates: vec![1.0, 2.0, 9.0], jain: None, fault: None };
        let curve = Curve { sweep, points: vec![point] };
        assert_eq!((curve.left(), curve.highest()), (3, 9.0));
        assert_eq!((curve.of("a").count(), curve.of("b").count()), (1, 0));
        assert_eq!(curve.points[0].median(), Some(2.0));
    }
}
