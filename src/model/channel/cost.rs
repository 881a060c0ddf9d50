//! What a message costs, how full a channel is, and what was lost in it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

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
    /// Who says so.
    pub by: Measure,
}

/// How a channel's fill level is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// `ioctl(FIONREAD)`: bytes that can be read.
    Fionread,
    /// `ioctl(SIOCOUTQ)`: memory of what was sent and not received.
    Siocoutq,
    /// Both: what is not acknowledged, and what is not read.
    SiocoutqFionread,
    /// `getsockopt(SO_MEMINFO)`: memory of what waits for the receiver.
    SoMeminfo,
    /// `mq_getattr(3)`: messages in the queue.
    MqGetattr,
    /// `msgctl(IPC_STAT)`: bytes in the queue.
    Msgctl,
    /// The writer's index less the reader's.
    RingIndices,
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Measure::Fionread => "FIONREAD",
            Measure::Siocoutq => "SIOCOUTQ",
            Measure::SiocoutqFionread => "SIOCOUTQ + FIONREAD",
            Measure::SoMeminfo => "SO_MEMINFO",
            Measure::MqGetattr => "mq_getattr",
            Measure::Msgctl => "msgctl",
            Measure::RingIndices => "ring indices",
        })
    }
}

/// What a side does at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideNow {
    /// It sleeps; otherwise it runs, or could.
    pub asleep: bool,
    /// Where in the kernel it sleeps, if that may be known: `pipe_write`.
    pub place: Option<Arc<str>>,
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
    /// Whether anything did.
    pub fn any(self) -> bool {
        self.lost + self.corrupt > 0
    }

    /// Whether there is no figure then: what was lost spoils it unless the
    /// transport `loses` messages by its nature, what was harmed always.
    pub fn spoil(self, loses: bool) -> bool {
        self.corrupt > 0 || (self.lost > 0 && !loses)
    }

    /// How much did not arrive as it was sent: `12.40% of 81920 messages lost`.
    pub fn of(self, sent: u64) -> String {
        match self {
            Losses { lost, corrupt: 0 } => format!("{} of {sent} messages lost", percent(lost, sent)),
            Losses { lost, corrupt } => format!("{lost} of {sent} messages lost, {corrupt} corrupt"),
        }
    }

    /// The share that was lost: `12.40%`.
    pub fn share(self, sent: u64) -> String {
        percent(self.lost, sent)
    }
}

/// A share that is there is never a zero.
fn percent(part: u64, of: u64) -> String {
    match part as f64 * 100.0 / of.max(1) as f64 {
        percent if percent > 0.0 && percent < 0.01 => "less than 0.01%".to_owned(),
        percent => format!("{percent:.2}%"),
    }
}
