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
    /// Whether messages may be lost on the way.
    pub(super) loses: bool,
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
    /// What sender and receiver did; none where both are one process, or where
    /// the channel moved while they were looked at.
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

    /// Messages a second that came to the receiver; none where something came
    /// otherwise than the transport promises.
    pub(super) fn messages_per_s(&self) -> Option<f64> {
        let (time, came) = (self.time().as_secs_f64(), self.answerer.received);
        let usable = self.mode == Mode::Throughput && !self.losses().spoil(self.loses) && time > 0.0 && came > 1;
        // The clock starts when the first message has come.
        usable.then(|| (came - 1) as f64 / time)
    }

    /// Questions a second that were asked in an open loop: the first leaves at
    /// once.
    pub(super) fn rate_reached(&self) -> f64 {
        (self.count - 1) as f64 / self.time().as_secs_f64().max(1e-9)
    }

    /// What a message, or a round trip, cost each side.
    pub(super) fn cost(&self) -> MessageCost {
        let each = |done: &Done, count: u64| {
            let count = count.max(1) as f64;
            (done.cpu.0 as f64 / count, (done.voluntary + done.involuntary) as f64 / count)
        };
        let (sender, receiver) = (each(&self.asker, self.count), each(&self.answerer, self.answerer.received));
        MessageCost {
            cpu_ns: Sides { sender: sender.0, receiver: receiver.0 },
            switches: Sides { sender: sender.1, receiver: receiver.1 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slice(loses: bool, lost: u64, corrupt: u64) -> Slice {
        let sender = Done { cpu: Nanos(1_000_000), ..Done::default() };
        let losses = Losses { lost, corrupt };
        let receiver =
            Done { elapsed: Nanos(1_000_000), received: 1001 - lost, losses, cpu: Nanos(300_000), ..Done::default() };
        let (mode, middle) = (Mode::Throughput, Middle::default());
        Slice { mode, count: 1001, size: 64, loses, asker: sender, answerer: receiver, middle }
    }

    #[test]
    fn what_may_be_lost_is_measured_by_what_came() {
        assert_eq!(slice(false, 0, 0).messages_per_s(), Some(1e6));
        let lossy = slice(true, 701, 0);
        assert_eq!(lossy.messages_per_s(), Some(299e3), "of 300 that came, the first starts the clock");
        let cost = lossy.cost().cpu_ns;
        assert_eq!((cost.sender.round(), cost.receiver), (999.0, 1000.0), "of those that it sent, and that it got");
        assert_eq!(slice(false, 701, 0).messages_per_s(), None, "what must not be lost has no figure");
        assert_eq!(slice(true, 0, 1).messages_per_s(), None, "nor has what was harmed");
        assert_eq!(slice(true, 1000, 0).messages_per_s(), None, "one message is no rate");
    }
}
