//! What the lock lab is asked and what it finds.

use serde::{Deserialize, Serialize};

use super::lab::{Burst, LabState, WorkerCost};

/// The workload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LockSpec {
    /// Key of the primitive, as in the registry.
    pub lock: String,
    /// How many threads contend.
    pub threads: usize,
    /// Run in bursts.
    pub burst: Option<Burst>,
}

/// How the experiment stands.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LockProgress {
    /// Where the lab stands.
    pub state: LabState,
    /// What the workers cost.
    pub cost: WorkerCost,
}
