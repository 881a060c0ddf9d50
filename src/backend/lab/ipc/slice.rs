//! What a link is asked to do for a while, and what that came to.

use super::protocol::Done;
use crate::model::Nanos;
use crate::model::channel::{Fill, Losses, MessageCost, Mode, Payload, SideNow, Sides};

/// What to do with a link for a while.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    pub(super) mode: Mode,
    pub(super) size: usize,
    pub(super) payload: Payload,
    /// For about how long.
    pub(super) time: Nanos,
    /// In an open loop, how far apart the questions are.
    pub(super) every: Option<Nanos>,
}

/// What one order came to.
#[derive(Debug)]
pub(super) struct Slice {
    pub(super) mode: Mode,
    pub(super) count: u64,
    pub(super) size: usize,
    pub(super) asker: Done,
    pub(super) answerer: Done,
    /// How the channel stood in the middle.
    pub(super) middle: Middle,
}

/// A channel at one moment, seen from outside.
#[derive(Clone, Debug, Default)]
pub(super) struct Middle {
    /// How full it was.
    pub(super) fill: Option<Fill>,
    /// What sender and receiver did; none where both are one process.
    pub(super) sides: Option<[SideNow; 2]>,
}

impl Slice {
    /// How long it took: by the receiver's clock, or the asker's.
    pub(super) fn time(&self) -> Nanos {
        match self.mode {
            Mode::Throughput => self.answerer.elapsed,
            Mode::Latency => self.asker.elapsed,
        }
    }

    /// What was lost, seen from both sides.
    pub(super) fn losses(&self) -> Losses {
        let (a, b) = (self.asker.losses, self.answerer.losses);
        Losses { lost: a.lost + b.lost, corrupt: a.corrupt + b.corrupt }
    }

    /// Messages a second at the receiver; none where something was lost.
    pub(super) fn messages_per_s(&self) -> Option<f64> {
        let time = self.time().as_secs_f64();
        let usable = self.mode == Mode::Throughput && !self.losses().any() && time > 0.0;
        // The clock starts when the first message has come.
        usable.then(|| (self.count - 1) as f64 / time)
    }

    /// Questions a second that were asked in an open loop: the first leaves at
    /// once.
    pub(super) fn rate_reached(&self) -> f64 {
        (self.count - 1) as f64 / self.time().as_secs_f64().max(1e-9)
    }

    /// What a message, or a round trip, cost each side.
    pub(super) fn cost(&self) -> MessageCost {
        let each = |done: &Done| {
            let count = self.count as f64;
            (done.cpu.0 as f64 / count, (done.voluntary + done.involuntary) as f64 / count)
        };
        let (sender, receiver) = (each(&self.asker), each(&self.answerer));
        MessageCost {
            cpu_ns: Sides { sender: sender.0, receiver: receiver.0 },
            switches: Sides { sender: sender.1, receiver: receiver.1 },
        }
    }
}
