//! What a line of a run takes over from each slice.

use std::sync::Arc;

use super::slice::Slice;
use super::transport;
use crate::model::Nanos;
use crate::model::channel::{HISTORY, Losses, Rate, RatePoint, Series};
use crate::model::lab::LabState;

impl Series {
    pub(super) fn new(key: &str) -> Self {
        Series {
            transport: key.into(),
            state: LabState::Starting,
            channel: None,
            throughput: Vec::new(),
            cost: None,
            round_trip: None,
            open_loop: None,
            open_loop_rate: None,
            fill: None,
            sides: None,
            core_to_core_ns: None,
            losses: Losses::default(),
            sent: 0,
            loses: transport(key).is_some_and(|transport| transport.about().loses),
            flags: Vec::new(),
        }
    }

    /// Other messages: what was measured belongs to the old ones.
    pub(super) fn forget(&mut self) {
        let old = std::mem::replace(self, Series::new(""));
        *self = Series {
            transport: old.transport,
            state: old.state,
            channel: old.channel,
            loses: old.loses,
            ..Series::new("")
        };
    }

    pub(super) fn take_stream(&mut self, slice: &Slice, at: Nanos) {
        self.lose(slice);
        self.fill = slice.middle.fill.or(self.fill);
        self.sides.clone_from(&slice.middle.sides);
        self.cost = Some(slice.cost());
        if let Some(messages_per_s) = slice.messages_per_s() {
            if self.throughput.len() >= HISTORY {
                self.throughput.remove(0);
            }
            let bytes_per_s = messages_per_s * slice.size as f64;
            self.throughput.push(RatePoint { at, messages_per_s, bytes_per_s });
        }
    }

    pub(super) fn take_round_trips(&mut self, slice: &Slice) {
        self.lose(slice);
        if self.losses.spoil(self.loses) {
            self.round_trip = None;
        } else if let Some(round_trips) = &slice.asker.round_trips {
            self.round_trip = Some(Arc::new(round_trips.all.clone()));
        }
    }

    pub(super) fn take_open(&mut self, slice: &Slice, intended: f64) {
        self.lose(slice);
        if self.losses.spoil(self.loses) {
            (self.open_loop, self.open_loop_rate) = (None, None);
        } else if let Some(round_trips) = &slice.asker.round_trips {
            let reached = slice.rate_reached();
            self.open_loop = Some(Arc::new(round_trips.all.clone()));
            self.open_loop_rate = Some(Rate { intended, reached });
        }
    }

    fn lose(&mut self, slice: &Slice) {
        let losses = slice.losses();
        self.losses.lost += losses.lost;
        self.losses.corrupt += losses.corrupt;
        self.sent += slice.count;
    }
}
