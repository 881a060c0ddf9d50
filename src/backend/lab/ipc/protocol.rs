//! What the lab and its workers say to each other.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Setup;
use crate::model::Nanos;
use crate::model::channel::{Losses, Mode, Payload};
use crate::model::histogram::{Distribution, Quantiles};

/// What a worker of this lab is to be: one end of one channel.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {
    /// The transport's key.
    pub(super) transport: String,
    /// Which end.
    pub(super) side: Side,
    /// How the channel is.
    pub(super) setup: Setup,
    /// Ids of System V objects that the end is made of.
    pub(super) ids: Vec<i32>,
    /// The CPUs to run on; all that are allowed where empty.
    pub(super) cpus: Vec<usize>,
    /// Where the worker keeps its temporary files.
    pub(super) directory: Option<PathBuf>,
    /// The same worker is the other end too, on a thread that runs on these
    /// CPUs: the last descriptor is that thread's socket to the lab.
    pub(super) other: Option<Vec<usize>>,
}

/// The two ends of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Sends a stream; asks in a round trip.
    Asker,
    /// Receives a stream; answers in a round trip.
    Answerer,
}

/// What both workers of a channel are to do next. Only one order is given at
/// a time: anything that comes before the report ends the worker.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Order {
    /// A stream, or round trips.
    pub mode: Mode,
    /// How many messages or round trips.
    pub count: u64,
    /// Their size in bytes.
    pub size: usize,
    /// How much of each is written and checked.
    pub payload: Payload,
    /// Forget the round trips recorded before.
    pub fresh: bool,
    /// In an open loop, how far apart the questions are to be sent; where not
    /// given the next one leaves when the answer has come.
    pub every: Option<Nanos>,
}

/// What a worker says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// Its end is attached.
    Ready {
        /// What attaching took.
        took: Nanos,
    },
    /// The order is carried out.
    Done(Done),
    /// The channel broke, or could not be attached.
    Broken(String),
}

/// How an order went, as one side saw it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Done {
    /// The receiver's clock: from the first message's arrival to the last's.
    /// The asker's: all round trips.
    pub elapsed: Nanos,
    /// The messages that arrived in that time; fewer than were sent where
    /// some were lost.
    pub received: u64,
    /// CPU time of the measured loop.
    pub cpu: Nanos,
    /// Context switches of the measured loop because the side had to wait.
    pub voluntary: u64,
    /// Context switches because something else was to run.
    pub involuntary: u64,
    /// Time it was ready to run and something else ran on its CPU.
    pub delay: Nanos,
    /// What did not arrive as it was sent.
    pub losses: Losses,
    /// The longest that nothing moved, beyond what is usual.
    pub stall: Nanos,
    /// The asker's round trips.
    pub round_trips: Option<RoundTrips>,
}

/// Round trips as the asker recorded them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoundTrips {
    /// Those of this order.
    pub these: Quantiles,
    /// All since the last fresh order.
    pub all: Distribution,
}
