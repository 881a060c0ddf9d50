//! What a side's loops write down, and what they do with each message.

use super::message::Message;
use super::outbox::Outbox;
use super::payload::{self, Checker};
use super::protocol::{Order, RoundTrips};
use crate::backend::lab::histogram::Recorder;
use crate::model::Nanos;
use crate::model::channel::{Mode, Payload};

/// In so many parts a stream is received, to find one that took too long: few
/// enough that the clock costs nothing, and many enough that some milliseconds
/// show in a minute.
pub(super) const LAPS: u64 = 8192;

/// What the loops write down.
pub(super) struct Books {
    /// The number of the next message to send.
    pub(super) sent: u64,
    /// How many messages of the order have come.
    pub(super) received: u64,
    pub(super) checker: Checker,
    pub(super) message: Message,
    /// A stream's messages.
    pub(super) outbox: Outbox,
    /// What equal parts of a stream took.
    pub(super) laps: Recorder,
    pub(super) these: Recorder,
    /// Round trips of a closed loop, and of an open one.
    closed: Recorder,
    open: Recorder,
}

/// What the loops do with each message, inlined for those that would be slower by a
/// call, and once for all others: they have a loop each.
#[expect(clippy::inline_always, reason = "calls would cost a small message as much as its copying")]
impl Books {
    #[inline(always)]
    pub(super) fn write(&mut self, payload: Payload) {
        payload::write(&mut self.message, self.sent, payload);
    }

    #[inline(never)]
    pub(super) fn write_by_call(&mut self, payload: Payload) {
        self.write(payload);
    }

    #[inline(always)]
    pub(super) fn write_ahead(&mut self, until: u64, payload: Payload) {
        for number in self.sent..until {
            self.outbox.write(number, payload);
        }
    }

    #[inline(never)]
    pub(super) fn write_ahead_by_call(&mut self, until: u64, payload: Payload) {
        self.write_ahead(until, payload);
    }

    #[inline(always)]
    pub(super) fn check(&mut self) {
        self.checker.check(&self.message);
    }

    #[inline(never)]
    pub(super) fn check_by_call(&mut self) {
        self.check();
    }
}

impl Books {
    pub(super) fn new() -> Self {
        Books {
            sent: 0,
            received: 0,
            checker: Checker::new(0, Payload::default()),
            message: Message::default(),
            outbox: Outbox::default(),
            laps: Recorder::new(),
            these: Recorder::new(),
            closed: Recorder::new(),
            open: Recorder::new(),
        }
    }

    pub(super) fn begin(&mut self, order: &Order) {
        self.message.resize(order.size.max(1));
        if order.mode == Mode::Throughput {
            self.outbox.resize(order.size.max(1));
        }
        self.checker.begin(order.payload);
        if order.fresh {
            let all = if order.every.is_some() { &mut self.open } else { &mut self.closed };
            all.clear();
        }
        self.received = order.count;
        self.laps.clear();
    }

    /// The longest that nothing moved: what the longest part of a stream, or
    /// the longest round trip, took beyond the median.
    pub(super) fn stall(&self, order: &Order, asked: bool) -> Nanos {
        let q = match order.mode {
            Mode::Throughput => self.laps.quantiles(),
            // In an open loop a late one may only have waited for others.
            Mode::Latency if asked && order.every.is_none() => self.these.quantiles(),
            Mode::Latency => return Nanos::ZERO,
        };
        if q.max.0 >= 2 * q.p50.0 { q.max - q.p50 } else { Nanos::ZERO }
    }

    pub(super) fn round_trips(&mut self, order: &Order) -> RoundTrips {
        let all = if order.every.is_some() { &mut self.open } else { &mut self.closed };
        all.add(&self.these);
        RoundTrips { these: self.these.quantiles(), all: all.distribution() }
    }
}
