//! What the lock lab is asked and what it finds.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::histogram::Distribution;
use super::lab::{Burst, LabState, WorkerCost};
use super::{Bytes, Nanos};

/// The workload: `threads` threads that each want the lock, hold it for `hold`,
/// let it go and think for `think`, again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LockSpec {
    /// Key of the primitive, as in the registry.
    pub lock: String,
    /// How many threads contend.
    pub threads: usize,
    /// What may change while the threads run.
    pub setting: LockSetting,
    /// Run in bursts.
    pub burst: Option<Burst>,
    /// Measure so long and so often, then end; without it, run until stopped.
    pub measure: Option<Measure>,
}

/// The part of a workload that changes without new threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockSetting {
    /// Work done inside the critical section.
    pub hold: Nanos,
    /// Work done outside, between two acquisitions.
    pub think: Nanos,
    /// How the work inside varies around its mean.
    pub hold_spread: Spread,
    /// How the work outside varies around its mean.
    pub think_spread: Spread,
    /// Where one can read: how many of a thousand acquisitions do.
    pub reads: PerMille,
    /// Whether threads try, and go on without it where it is not free, instead
    /// of waiting for it.
    pub tries: bool,
    /// What is recorded of each acquisition.
    pub trace: Trace,
    /// How long a stretch of time the lanes are to show.
    pub window: Nanos,
}

/// How a duration varies around its mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spread {
    /// It is always the mean.
    #[default]
    Fixed,
    /// Any duration up to twice the mean is as likely.
    Uniform,
    /// Many are short and a few are long: at most twenty times the mean.
    Exponential,
}

impl Spread {
    /// All of them.
    pub const ALL: [Spread; 3] = [Spread::Fixed, Spread::Uniform, Spread::Exponential];

    /// Its name: `exponential`.
    pub fn name(self) -> &'static str {
        match self {
            Spread::Fixed => "fixed",
            Spread::Uniform => "uniform",
            Spread::Exponential => "exponential",
        }
    }
}

/// A share in thousandths, at most 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PerMille(pub u32);

impl PerMille {
    /// The whole.
    pub const WHOLE: PerMille = PerMille(1_000);

    /// As a share of 1.
    pub fn share(self) -> f64 {
        f64::from(self.0) / 1_000.0
    }
}

/// What is recorded of each acquisition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trace {
    /// Nothing but its count.
    Off,
    /// Three plain stamps: enough for durations; the processor may move them
    /// by a few nanoseconds, so that exclusion cannot be checked from them.
    Plain,
    /// The stamp of getting the lock waits until the lock is got, so that
    /// recorded intervals of two holders overlap only if they truly did.
    #[default]
    Ordered,
}

/// How long and how often to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measure {
    /// How long one repetition lasts.
    pub each: Nanos,
    /// How many there are.
    pub repeats: u32,
}

impl Default for LockSpec {
    /// Four threads on a std Mutex with a section and a pause that can be
    /// seen.
    fn default() -> Self {
        LockSpec {
            lock: "std_mutex".to_owned(),
            threads: 4,
            setting: LockSetting::default(),
            burst: None,
            measure: None,
        }
    }
}

impl LockSpec {
    /// What the overview runs: short bursts that cost next to nothing.
    pub fn overview() -> Self {
        LockSpec { burst: Some(Burst { on: Nanos::from_millis(5), every: Nanos::from_secs(1) }), ..LockSpec::default() }
    }
}

impl Default for LockSetting {
    fn default() -> Self {
        LockSetting {
            hold: Nanos(200),
            think: Nanos(300),
            hold_spread: Spread::Fixed,
            think_spread: Spread::Fixed,
            reads: PerMille(900),
            tries: false,
            trace: Trace::Ordered,
            window: Nanos(20_000),
        }
    }
}

/// How the experiment stands. Everything counts from the beginning of the
/// measurement, or from the last change of the settings.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LockProgress {
    /// Where the lab stands.
    pub state: LabState,
    /// What the workers cost.
    pub cost: WorkerCost,
    /// What contends for what; nothing before the first run.
    pub subject: Option<Subject>,
    /// The figures.
    pub figures: Figures,
    /// What was recorded, and at what cost.
    pub recording: Recording,
    /// What was checked.
    pub invariants: Vec<Invariant>,
    /// The first violations found.
    pub violations: Vec<Violation>,
    /// A recent stretch of time; nothing where recording is off.
    pub lanes: Option<Lanes>,
}

/// What contends for what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// What was asked.
    pub spec: LockSpec,
    /// The lock's definition or version.
    pub version: String,
    /// The nice value that the contending threads run at.
    pub nice: i32,
}

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
    /// Calls of futex(2), where the lock is ours and counts them.
    pub futex_calls: Option<u64>,
    /// What this kind of primitive counts besides.
    pub own: Vec<OwnCount>,
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

/// What was recorded, and at what cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The clock behind the stamps: `invariant TSC` or `CLOCK_MONOTONIC`.
    pub clock: Cow<'static, str>,
    /// What recording costs each uncontended acquisition, measured; nothing
    /// where recording is off.
    pub cost: Option<Nanos>,
    /// Acquisitions written to the rings.
    pub recorded: u64,
    /// Of those, how many were overwritten before they were read: they are in
    /// the histograms, but not in lanes and interval checks.
    pub dropped: u64,
    /// Memory of rings and histograms.
    pub memory: Bytes,
}

/// A property that is checked while the threads run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invariant {
    /// Its name: `mutual exclusion`.
    pub name: Cow<'static, str>,
    /// In the field's notation.
    pub formula: Cow<'static, str>,
    /// How it is checked.
    pub how: Cow<'static, str>,
    /// How many times it was checked.
    pub checked: u64,
    /// How many checks failed.
    pub violations: u64,
}

/// Two threads that did together what they must not: as a rule, hold the lock at
/// one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The name of the [`Invariant`].
    pub invariant: Cow<'static, str>,
    /// The two.
    pub holders: [usize; 2],
    /// When each held it, `[got, released]` in nanoseconds from the first
    /// `got`; nothing where it was seen in the data alone.
    pub held: Option<[[u64; 2]; 2]>,
    /// What happened, where it is not that two held it at one time.
    pub words: Option<String>,
}

/// A recent contiguous stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lanes {
    /// How long ago it ended when it was published: nothing, unless nothing
    /// happened lately.
    pub age: Nanos,
    /// How long it is. Shorter than asked for where the rings do not reach
    /// back so far.
    pub span: Nanos,
    /// For each thread its acquisitions in order.
    pub threads: Vec<Vec<Acquisition>>,
}

/// One acquisition in nanoseconds from the beginning of the stretch, cut at
/// its ends: wanting in `wanted..got`, holding in `got..released`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 4]", into = "[u64; 4]")]
#[expect(missing_docs, reason = "the words of the field")]
pub struct Acquisition {
    pub wanted: u64,
    pub got: u64,
    pub released: u64,
    /// Held together with others: a reader.
    pub shared: bool,
}

impl From<[u64; 3]> for Acquisition {
    fn from([wanted, got, released]: [u64; 3]) -> Self {
        Acquisition { wanted, got, released, shared: false }
    }
}

impl From<[u64; 4]> for Acquisition {
    fn from([wanted, got, released, shared]: [u64; 4]) -> Self {
        Acquisition { wanted, got, released, shared: shared != 0 }
    }
}

impl From<Acquisition> for [u64; 4] {
    fn from(it: Acquisition) -> Self {
        [it.wanted, it.got, it.released, it.shared.into()]
    }
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
