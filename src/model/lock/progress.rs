//! How the experiment stands.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Curve, Figures, Invariant, Lanes, LockOrder, LockSpec, Violation, WaitSteps};
use crate::model::lab::{LabState, WorkerCost};
use crate::model::{Bytes, Nanos};

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
    /// Where there are several locks, the order in which they are taken.
    pub order: Option<LockOrder>,
    /// Where threads wait on a condition variable, how they do.
    pub steps: Option<WaitSteps>,
    /// The points of a sweep.
    pub curve: Option<Curve>,
}

/// What contends for what.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// What was asked.
    pub spec: LockSpec,
    /// The lock's definition or version.
    pub version: String,
    /// The nice value that the first contending thread runs at.
    pub nice: i32,
    /// The CPU that real-time threads are kept from.
    pub left_free: Option<usize>,
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
    /// Why the kernel does not count calls of futex(2), in few words; nothing where it
    /// does.
    pub uncounted: Option<Cow<'static, str>>,
}
