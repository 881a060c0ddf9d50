//! What a panel asks of the lab.

use serde::{Deserialize, Serialize};

use super::{Payload, Placement, Waiting};
use crate::model::Nanos;
use crate::model::lab::Burst;

/// What to measure, continuously.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IpcSpec {
    /// Keys of the transports, as in the registry.
    pub transports: Vec<String>,
    /// Message size in bytes.
    pub size: usize,
    /// Size of the channel's buffer; its own where not given.
    pub buffer: Option<u64>,
    /// Where the two processes run.
    pub placement: Placement,
    /// How a side waits; each transport's own way where not given.
    pub wait: Option<Waiting>,
    /// How much of a message is written and checked.
    pub payload: Payload,
    /// Run in bursts.
    pub burst: Option<Burst>,
    /// Round trips also in an open loop, with so many messages a second.
    #[serde(default)]
    pub rate: Option<f64>,
    /// Go on to the next of [`SIZES`] when everything is measured at one.
    #[serde(default)]
    pub walk: bool,
}

/// The message sizes to step through, in bytes.
pub const SIZES: [usize; 12] =
    [1, 16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20, 16 << 20];

impl Default for IpcSpec {
    /// What the panel starts with.
    fn default() -> Self {
        IpcSpec {
            transports: ["pipe", "unix_stream", "memfd_ring"].map(str::to_owned).to_vec(),
            size: 4096,
            buffer: None,
            placement: Placement::default(),
            wait: None,
            payload: Payload::default(),
            burst: None,
            rate: None,
            walk: false,
        }
    }
}

impl IpcSpec {
    /// What the overview runs: short bursts that cost next to nothing.
    pub fn overview() -> Self {
        IpcSpec { burst: Some(Burst { on: Nanos::from_millis(5), every: Nanos::from_secs(1) }), ..IpcSpec::default() }
    }
}
