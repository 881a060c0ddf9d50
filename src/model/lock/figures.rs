//! Counts and durations.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::PriorityInversion;
use crate::model::Nanos;
use crate::model::histogram::Distribution;

/// Counts and durations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// How long the threads ran for these figures.
    pub measured: Nanos,
    /// Acquisitions of each thread.
    pub per_thread: Vec<u64>,
    /// Acquisitions per second of each thread since the last report.
    pub recent: Vec<f64>,
    /// Acquisitions per second of each repetition that is complete.
    pub repeats: Vec<f64>,
    /// From wanting the lock to getting it, every acquisition.
    pub wait: Option<Distribution>,
    /// From getting it to letting it go, every acquisition.
    pub held: Option<Distribution>,
    /// The longest wait, one that is still going on included.
    pub longest: Option<LongestWait>,
    /// `[from][to]`: how often `to` was the next to get it after `from`.
    pub handoffs: Option<Vec<Vec<u64>>>,
    /// Context switches.
    pub switches: Switches,
    /// Calls of futex(2): those of the lock where it is ours and counts them, else those
    /// of all contending threads, where the kernel counts them.
    pub futex_calls: Option<u64>,
    /// What this kind of primitive counts besides.
    pub own: Vec<OwnCount>,
    /// The last priority inversion that was seen.
    pub inverted: Option<PriorityInversion>,
}

/// A count that only some primitives have: `phases` of a barrier, `retries` of
/// a compare-and-swap loop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnCount {
    /// Its name, which is its field in JSON.
    pub name: Cow<'static, str>,
    /// The count.
    pub count: u64,
}

impl OwnCount {
    /// So many of these.
    pub fn new(name: &'static str, count: u64) -> Self {
        OwnCount { name: name.into(), count }
    }
}

/// The longest wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongestWait {
    /// Who waited.
    pub thread: usize,
    /// How long.
    pub waited: Nanos,
    /// It has not got the lock yet.
    pub still: bool,
}

/// Context switches of the contending threads, together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switches {
    /// Blocked or yielded.
    pub voluntary: u64,
    /// Preempted.
    pub involuntary: u64,
}

impl Figures {
    /// Acquisitions of all threads.
    pub fn acquisitions(&self) -> u64 {
        self.per_thread.iter().sum()
    }

    /// Acquisitions per second of all threads over the whole measurement.
    pub fn per_second(&self) -> Option<f64> {
        (self.measured > Nanos::ZERO).then(|| self.acquisitions() as f64 / self.measured.as_secs_f64())
    }

    /// Jain's fairness index of the acquisitions of each thread: 1 where all
    /// got as much, 1/n where one got everything. (R. Jain, D. Chiu, W. Hawe:
    /// A Quantitative Measure of Fairness, DEC-TR-301, 1984.)
    pub fn jain(&self) -> Option<f64> {
        let sum: f64 = self.per_thread.iter().map(|&x| x as f64).sum();
        let squares: f64 = self.per_thread.iter().map(|&x| x as f64 * x as f64).sum();
        (squares > 0.0).then(|| sum * sum / (self.per_thread.len() as f64 * squares))
    }

    /// Voluntary and involuntary context switches for each acquisition.
    pub fn switches_per_acquisition(&self) -> Option<[f64; 2]> {
        let count = self.acquisitions() as f64;
        (count > 0.0).then(|| [self.switches.voluntary as f64 / count, self.switches.involuntary as f64 / count])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jain_is_one_for_equal_shares_and_one_over_n_for_a_monopoly() {
        let figures = |per_thread: &[u64]| Figures { per_thread: per_thread.to_vec(), ..Figures::default() };
        assert_eq!(figures(&[5, 5, 5, 5]).jain(), Some(1.0));
        assert_eq!(figures(&[9, 0, 0, 0]).jain(), Some(0.25));
        assert_eq!(figures(&[3, 1]).jain(), Some(0.8));
        assert_eq!(figures(&[0, 0]).jain(), None);
    }

    #[test]
    fn rates_are_unknown_before_anything_was_measured() {
        assert_eq!(Figures::default().per_second(), None);
        assert_eq!(Figures::default().switches_per_acquisition(), None);
    }
}
