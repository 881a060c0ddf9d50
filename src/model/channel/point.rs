//! One result of a sweep.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Change, Mode, Payload, Placement, Sides, Spread, Waiting};
use crate::model::Nanos;
use crate::model::histogram::Quantiles;

/// The result of one point of a sweep: an object of `ipc --json`. What is not
/// known, or does not belong to the mode, is `null`. Of an earlier run is read back only
/// what a later one may be compared by.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IpcPoint {
    /// The transport's key.
    pub transport: Arc<str>,
    /// What was measured.
    pub mode: Mode,
    /// Message size in bytes.
    pub size: usize,
    /// Size of the channel's buffer: the kernel's figure where it was made,
    /// the one asked for where it was not.
    pub buffer: Option<u64>,
    /// Where the processes ran.
    pub placement: Placement,
    /// How the sides waited.
    pub wait: Waiting,
    /// What was written and checked.
    pub payload: Payload,
    /// How many repetitions stand behind it.
    pub repeats: u32,
    /// The round trips of all repetitions, closed-loop.
    pub round_trip_ns: Option<Quantiles>,
    /// The medians of the repetitions.
    pub round_trip_p50_ns: Option<Spread>,
    /// Round trips against intended send times, where a rate was asked for.
    #[serde(skip_deserializing)]
    pub open_loop_ns: Option<Quantiles>,
    /// That rate, in messages a second, and how much of it was reached.
    #[serde(skip_deserializing)]
    pub open_loop_rate: Option<Rate>,
    /// One-way throughput by the receiver's clock.
    pub throughput: Option<Throughput>,
    /// CPU time a message costs each side.
    #[serde(skip_deserializing)]
    pub cpu_ns_per_message: Option<Sides>,
    /// Context switches a message costs each side.
    #[serde(skip_deserializing)]
    pub switches_per_message: Option<Sides>,
    /// What making the channel and attaching both sides took.
    #[serde(skip_deserializing)]
    pub setup_ns: Option<Nanos>,
    /// Messages that did not arrive.
    #[serde(skip_deserializing)]
    pub lost: u64,
    /// Messages that arrived with another content.
    #[serde(skip_deserializing)]
    pub corrupt: u64,
    /// What a cache line took from one CPU to the other, one way, before and
    /// after each repetition; of shared memory between two CPUs only.
    #[serde(default)]
    pub core_to_core_ns: Option<Spread>,
    /// What to keep in mind when reading the figures.
    #[serde(skip_deserializing)]
    pub flags: Vec<String>,
    /// Why there are no figures.
    #[serde(skip_deserializing)]
    pub skipped: Option<String>,
    /// How it stands to an earlier run.
    #[serde(skip_deserializing)]
    pub baseline: Option<Change>,
}

impl IpcPoint {
    /// The figure that an earlier run is compared by.
    pub fn figure(&self) -> Option<Spread> {
        match self.mode {
            Mode::Throughput => self.throughput.map(|throughput| throughput.bytes_per_s),
            Mode::Latency => self.round_trip_p50_ns,
        }
    }

    /// Whether both were measured in the same way.
    pub fn is_like(&self, other: &IpcPoint) -> bool {
        let settings = |p: &IpcPoint| (p.mode, p.size, p.buffer, p.placement, p.wait, p.payload);
        self.transport == other.transport && settings(self) == settings(other)
    }

    /// What a cache line took in an earlier run and takes in this one, where
    /// that is so much apart that the machine was another one to shared memory.
    pub fn other_regime(&self, before: &IpcPoint) -> Option<[Spread; 2]> {
        let (before, now) = (before.core_to_core_ns?, self.core_to_core_ns?);
        let (less, more) = if before.median < now.median { (before, now) } else { (now, before) };
        (more.median > less.median * APART).then_some([before, now])
    }
}

/// Times of a cache line from CPU to CPU that are further apart than this are of
/// two regimes: the nearest and the farthest caches differ by four and more.
pub const APART: f64 = 1.6;

/// A rate of messages.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Messages a second that were meant to be sent.
    pub intended: f64,
    /// Those that were.
    pub reached: f64,
}

/// One-way throughput.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    /// Bytes a second.
    pub bytes_per_s: Spread,
    /// Messages a second.
    pub messages_per_s: Spread,
}
