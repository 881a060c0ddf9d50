//! What the IPC lab is asked and what it finds.

use serde::{Deserialize, Serialize};

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
