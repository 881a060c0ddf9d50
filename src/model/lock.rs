//! What the lock lab is asked and what it finds.

use serde::{Deserialize, Serialize};

use super::Nanos;
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

impl Default for LockSpec {
    /// What the panel starts with.
    fn default() -> Self {
        LockSpec { lock: "std_mutex".to_owned(), threads: 4, burst: None }
    }
}

impl LockSpec {
    /// What the overview runs: short bursts that cost next to nothing.
    pub fn overview() -> Self {
        LockSpec { burst: Some(Burst { on: Nanos::from_millis(5), every: Nanos::from_secs(1) }), ..LockSpec::default() }
    }
}
