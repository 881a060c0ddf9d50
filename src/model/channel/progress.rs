//! How a run of the lab stands.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Fill, IpcSpec, Losses, MessageCost, Rate, SideNow, Spread, Waiting};
use crate::model::Nanos;
use crate::model::histogram::Distribution;
use crate::model::lab::{LabState, WorkerCost};

/// How the measurement stands.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct IpcProgress {
    /// Where the lab stands.
    pub state: LabState,
    /// What the workers cost.
    pub cost: WorkerCost,
    /// What is being measured; none where nothing runs.
    pub spec: Option<IpcSpec>,
    /// One for each transport of the specification, in its order.
    pub series: Vec<Series>,
    /// What was reached at each size so far, with the other settings as they
    /// are.
    #[serde(default)]
    pub cells: Vec<Cell>,
}

/// A transport at one message size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The transport's key.
    pub transport: Arc<str>,
    /// Message size in bytes.
    pub size: usize,
    /// One-way throughput; none where it cannot carry such messages, or lost
    /// some that it must not lose.
    pub bytes_per_s: Option<f64>,
    /// Median of the round trips.
    pub round_trip_p50: Option<Nanos>,
    /// Why there are no figures: the limit, or what was lost.
    #[serde(default)]
    pub why: Option<Arc<str>>,
}

/// One transport, as measured so far.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Series {
    /// The transport's key.
    pub transport: Arc<str>,
    /// Where it stands; a failed one does not stop the others.
    pub state: LabState,
    /// The channel as the kernel made it; none before it is open.
    pub channel: Option<ChannelFacts>,
    /// The throughput of every slice, oldest first; the last
    /// [`HISTORY`] of them.
    pub throughput: Vec<RatePoint>,
    /// What a message of the latest slice cost each side.
    pub cost: Option<MessageCost>,
    /// Round trips since the settings last changed.
    pub round_trip: Option<Arc<Distribution>>,
    /// Round trips against intended send times, where a rate is asked for.
    #[serde(default)]
    pub open_loop: Option<Arc<Distribution>>,
    /// That rate, and how much of it was reached.
    #[serde(default)]
    pub open_loop_rate: Option<Rate>,
    /// How full the channel was in the middle of the latest slice.
    pub fill: Option<Fill>,
    /// What sender and receiver did at that moment, where each is a process.
    #[serde(default)]
    pub sides: Option<[SideNow; 2]>,
    /// What a cache line takes from one CPU to the other, one way, in
    /// nanoseconds: the latest probes, of shared memory between two CPUs only.
    #[serde(default)]
    pub core_to_core_ns: Option<Spread>,
    /// What was lost on the way, since the settings last changed.
    pub losses: Losses,
    /// Of so many messages that were sent.
    #[serde(default)]
    pub sent: u64,
    /// Whether the transport may lose messages: then its figures are of those
    /// that came.
    #[serde(default)]
    pub loses: bool,
    /// What to keep in mind when reading the latest figures.
    pub flags: Vec<String>,
}

/// How many points of [`Series::throughput`] are kept.
pub const HISTORY: usize = 600;

/// A channel as it is, not as it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelFacts {
    /// Size of its buffer in bytes, in the kernel's own accounting.
    pub buffer: u64,
    /// How its sides wait.
    pub wait: Waiting,
    /// What making it and attaching both sides took.
    pub setup: Nanos,
}

/// The throughput of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RatePoint {
    /// `CLOCK_MONOTONIC` at its end.
    pub at: Nanos,
    /// Whole messages a second.
    pub messages_per_s: f64,
    /// Their bytes a second.
    pub bytes_per_s: f64,
}
