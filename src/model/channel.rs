//! What the IPC lab is asked and what it finds.

use serde::{Deserialize, Serialize};

use super::Nanos;
use super::lab::{Burst, LabState, WorkerCost};

/// What to measure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IpcSpec {
    /// Keys of the transports, as in the registry.
    pub transports: Vec<String>,
    /// Message size in bytes.
    pub size: usize,
    /// Run in bursts.
    pub burst: Option<Burst>,
}

/// How the measurement stands.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct IpcProgress {
    /// Where the lab stands.
    pub state: LabState,
    /// What the workers cost.
    pub cost: WorkerCost,
}

impl Default for IpcSpec {
    /// What the panel starts with.
    fn default() -> Self {
        IpcSpec { transports: Vec::new(), size: 4096, burst: None }
    }
}

impl IpcSpec {
    /// What the overview runs: short bursts that cost next to nothing.
    pub fn overview() -> Self {
        IpcSpec { burst: Some(Burst { on: Nanos::from_millis(5), every: Nanos::from_secs(1) }), ..IpcSpec::default() }
    }
}
