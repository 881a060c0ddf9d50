//! What the ordering lab is asked and what it finds.

use serde::{Deserialize, Serialize};

use super::Nanos;
use super::lab::{Burst, LabState, WorkerCost};

/// Which test to run and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LitmusSpec {
    /// Name of the test.
    pub test: String,
    /// Run in bursts.
    pub burst: Option<Burst>,
}

/// How the run stands.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LitmusProgress {
    /// Where the lab stands.
    pub state: LabState,
    /// What the workers cost.
    pub cost: WorkerCost,
}

impl Default for LitmusSpec {
    /// What the panel starts with.
    fn default() -> Self {
        LitmusSpec { test: "SB-relaxed".to_owned(), burst: None }
    }
}

impl LitmusSpec {
    /// What the overview runs: short bursts that cost next to nothing.
    pub fn overview() -> Self {
        LitmusSpec {
            burst: Some(Burst { on: Nanos::from_millis(5), every: Nanos::from_secs(1) }),
            ..LitmusSpec::default()
        }
    }
}
