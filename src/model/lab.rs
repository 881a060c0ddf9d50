//! What the three labs share: how an experiment is asked for and how it stands.

use serde::{Deserialize, Serialize};

use super::{Fault, Nanos};

/// What a face asks of a lab. `S` is the lab's specification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabCommand<S> {
    /// Start with this specification, or go on with it where the lab already
    /// runs: everything adjustable changes without a restart where it can.
    Run(S),
    /// Stop, and end the workers.
    Stop,
}

/// Short bursts instead of a continuous run: what the overview shows, so that
/// a glance costs little.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Burst {
    /// How long a burst lasts.
    pub on: Nanos,
    /// From the beginning of one burst to that of the next.
    pub every: Nanos,
}

/// Where a lab stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabState {
    /// Nothing runs.
    #[default]
    Idle,
    /// The workers are being started.
    Starting,
    /// Warm-up: figures are not taken yet.
    WarmUp,
    /// Figures are being taken.
    Running,
    /// A burst is over; the workers sleep until the next.
    Resting,
    /// It ended as it should.
    Done,
    /// It could not go on.
    Failed(Fault),
}

/// The workers of an experiment and what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WorkerCost {
    /// How many processes.
    pub processes: u32,
    /// CPU time they used so far, all together.
    pub cpu_time: Nanos,
}
