//! What the IPC lab is asked and what it finds.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Nanos;
use super::histogram::{Distribution, Quantiles};
use super::lab::{Burst, LabState, WorkerCost};

/// Where the two processes run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// Both on one CPU: every message is a context switch.
    SameCpu,
    /// Each on a CPU of its own, which may fall asleep when it waits.
    #[default]
    CrossCpu,
    /// Each on a CPU of its own, kept out of idle states while it is measured
    /// (`/dev/cpu_dma_latency` held at 0).
    CrossCpuAwake,
    /// Wherever the scheduler puts them.
    Unpinned,
}

/// How a side waits until it can go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Waiting {
    /// The kernel puts it to sleep in the call that reads or writes.
    Block,
    /// It tries again and again.
    Spin,
    /// It tries for some microseconds, then sleeps on a futex.
    SpinPark,
    /// It sleeps on a futex at once.
    Futex,
    /// It sleeps on a semaphore that both processes share.
    Semaphore,
}

/// How much of a message is written by the sender and checked by the receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// The sequence number and its check word only.
    Untouched,
    /// Also one word in every 4 KiB, and the last.
    #[default]
    Sampled,
    /// Every byte.
    Scanned,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Round trips in a closed loop: the next message leaves when the answer
    /// has come.
    Latency,
    /// Messages one way, as fast as they go, by the receiver's clock.
    Throughput,
}

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
    /// Go on to the next of [`SIZES`] when everything is measured at one.
    #[serde(default)]
    pub walk: bool,
}

/// The message sizes to step through, in bytes.
pub const SIZES: [usize; 11] = [1, 16, 64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20];

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
    /// some.
    pub bytes_per_s: Option<f64>,
    /// Median of the round trips.
    pub round_trip_p50: Option<Nanos>,
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
    /// How full the channel was in the middle of the latest slice.
    pub fill: Option<Fill>,
    /// What was lost on the way, since the settings last changed.
    pub losses: Losses,
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

/// A figure for each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sides {
    /// Of the sender (in a round trip: who asks).
    pub sender: f64,
    /// Of the receiver (in a round trip: who answers).
    pub receiver: f64,
}

/// What a message costs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MessageCost {
    /// CPU time in nanoseconds.
    pub cpu_ns: Sides,
    /// Context switches, voluntary and involuntary.
    pub switches: Sides,
}

/// How full a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fill {
    /// What is in it, in the units of `capacity`.
    pub queued: u64,
    /// What fits into it, in bytes of the kernel's own accounting.
    pub capacity: u64,
}

/// What did not arrive as it was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Losses {
    /// Messages that did not arrive.
    pub lost: u64,
    /// Messages that arrived with another content.
    pub corrupt: u64,
}

impl Losses {
    /// Whether anything was lost: then there is no figure.
    pub fn any(self) -> bool {
        self.lost + self.corrupt > 0
    }
}

/// The result of one point of a sweep: an object of `ipc --json`. What is not
/// known, or does not belong to the mode, is `null`.
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
    pub open_loop_ns: Option<Quantiles>,
    /// That rate, in messages a second, and how much of it was reached.
    #[serde(default)]
    pub open_loop_rate: Option<Rate>,
    /// One-way throughput by the receiver's clock.
    pub throughput: Option<Throughput>,
    /// CPU time a message costs each side.
    pub cpu_ns_per_message: Option<Sides>,
    /// Context switches a message costs each side.
    pub switches_per_message: Option<Sides>,
    /// What making the channel and attaching both sides took.
    pub setup_ns: Option<Nanos>,
    /// Messages that did not arrive.
    pub lost: u64,
    /// Messages that arrived with another content.
    pub corrupt: u64,
    /// What a cache line took from one CPU to the other, one way, before and
    /// after each repetition; of shared memory between two CPUs only.
    #[serde(default)]
    pub core_to_core_ns: Option<Spread>,
    /// What to keep in mind when reading the figures.
    pub flags: Vec<String>,
    /// Why there are no figures.
    pub skipped: Option<String>,
    /// How it stands to an earlier run.
    #[serde(default)]
    pub baseline: Option<Change>,
}

/// A rate of messages.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Messages a second that were meant to be sent.
    pub intended: f64,
    /// Those that were.
    pub reached: f64,
}

/// How a figure stands to the one of an earlier run: throughput, or the median
/// round trip.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The figure of the earlier run.
    pub before: Spread,
    /// The new figure in parts of the earlier one: the medians' ratio, and the
    /// least and the most that the repetitions of both allow.
    pub ratio: Spread,
    /// Whether all repetitions of one run lie on one side of all of the other;
    /// unknown where there were fewer than three.
    pub beyond_spread: Option<bool>,
}

impl Change {
    /// From `before` to `now`, each of so many repetitions.
    pub fn of(before: (Spread, u32), now: (Spread, u32)) -> Self {
        let ((before, repeats), (now, again)) = (before, now);
        let ratio = Spread { median: now.median / before.median, min: now.min / before.max, max: now.max / before.min };
        let known = repeats.min(again) >= 3;
        Change { before, ratio, beyond_spread: known.then_some(ratio.min > 1.0 || ratio.max < 1.0) }
    }
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
}

/// The spread of the repetitions of one figure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// The middle one.
    pub median: f64,
    /// The lowest.
    pub min: f64,
    /// The highest.
    pub max: f64,
}

impl Spread {
    /// The spread of these values; none where there are none.
    pub fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (&min, &max) = (values.first()?, values.last()?);
        let middle = values.len() / 2;
        let median = if values.len().is_multiple_of(2) {
            f64::midpoint(values[middle - 1], values[middle])
        } else {
            values[middle]
        };
        Some(Spread { median, min, max })
    }
}

/// One-way throughput.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    /// Bytes a second.
    pub bytes_per_s: Spread,
    /// Messages a second.
    pub messages_per_s: Spread,
}

macro_rules! named {
    ($type:ident { $($variant:ident => $name:literal),+ }) => {
        impl $type {
            /// All of them.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];

            /// Its name on the command line and in JSON.
            pub fn name(self) -> &'static str {
                match self { $($type::$variant => $name),+ }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }
    };
}

named!(Placement { SameCpu => "same-cpu", CrossCpu => "cross-cpu", CrossCpuAwake => "cross-cpu-awake", Unpinned => "unpinned" });
named!(Waiting { Block => "block", Spin => "spin", SpinPark => "spin-park", Futex => "futex", Semaphore => "semaphore" });
named!(Payload { Untouched => "untouched", Sampled => "sampled", Scanned => "scanned" });
named!(Mode { Latency => "latency", Throughput => "throughput" });

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_json() {
        fn same<T: Serialize + Copy + std::fmt::Display>(all: &[T]) {
            for &value in all {
                assert_eq!(serde_json::to_string(&value).unwrap(), format!("\"{value}\""));
            }
        }
        same(Placement::ALL);
        same(Waiting::ALL);
        same(Payload::ALL);
        same(Mode::ALL);
    }

    #[test]
    fn a_difference_counts_only_beyond_the_spread() {
        let spread = |min, median, max| Spread { median, min, max };
        let (slow, fast) = (spread(90.0, 100.0, 120.0), spread(180.0, 200.0, 240.0));
        let change = Change::of((slow, 5), (fast, 5));
        assert_eq!((change.ratio.median, change.ratio.min, change.ratio.max), (2.0, 1.5, 240.0 / 90.0));
        assert_eq!(change.beyond_spread, Some(true));
        assert_eq!(Change::of((fast, 5), (slow, 5)).beyond_spread, Some(true));
        assert_eq!(Change::of((slow, 5), (spread(110.0, 130.0, 150.0), 5)).beyond_spread, Some(false));
        assert_eq!(Change::of((slow, 5), (fast, 2)).beyond_spread, None, "two repetitions have no spread");
    }

    #[test]
    fn the_spread_of_repetitions() {
        assert_eq!(Spread::of(vec![]), None);
        assert_eq!(Spread::of(vec![3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of(vec![4.0, 1.0, 2.0, 3.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
    }
}
