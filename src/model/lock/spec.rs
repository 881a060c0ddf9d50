//! What the lock lab is asked: the workload, and how long to measure it.

use serde::{Deserialize, Serialize};

use super::{Schedule, Several, Sweep};
use crate::model::Nanos;
use crate::model::lab::Burst;

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
    /// Where the threads run and how urgent they are.
    pub schedule: Schedule,
    /// Several of the lock instead of one, where it is one of mutual exclusion.
    pub several: Option<Several>,
    /// Measure these, instead of `lock` with `threads`.
    pub sweep: Option<Box<Sweep>>,
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
    /// Plain stamps: enough for durations; the processor may move them by a few
    /// nanoseconds, so that exclusion cannot be checked from them. In a long row of
    /// acquisitions between which nobody else had the lock, a wait is nothing and a
    /// hold begins when the lock was asked for.
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
            schedule: Schedule::default(),
            several: None,
            sweep: None,
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
