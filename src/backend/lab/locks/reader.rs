//! Reading the threads' rings and checking what they say.

use super::contend::Seat;
use super::overlap::{Interval, Overlap};
use super::ring::Record;
use crate::sys::tsc::Scale;

/// How far each ring was read, and what came of it.
#[derive(Debug)]
pub(super) struct Reader {
    /// The number of the next record of each thread.
    next: Vec<u64>,
    /// Records that were overwritten before they were read.
    pub(super) dropped: u64,
    pub(super) overlap: Overlap,
    batch: Vec<Interval>,
}

impl Reader {
    pub(super) fn new(threads: usize) -> Self {
        Reader { next: vec![0; threads], dropped: 0, overlap: Overlap::default(), batch: Vec::new() }
    }

    /// Reads what is new; checks it where its stamps are `ordered`.
    pub(super) fn read(&mut self, seats: &[Seat], scale: Scale, ordered: bool) {
        let mut records = Vec::new();
        for (thread, (seat, next)) in seats.iter().zip(&mut self.next).enumerate() {
            records.clear();
            let first = seat.ring.read(*next, usize::MAX, &mut records);
            self.dropped += first - *next;
            *next = first + records.len() as u64;
            if ordered {
                let interval =
                    |&Record { got, released, shared, .. }: &Record| Interval { thread, got, released, shared };
                self.batch.extend(records.iter().map(interval));
            }
        }
        if !self.batch.is_empty() {
            self.overlap.check(&mut self.batch, scale);
        }
    }

    /// Goes on behind everything that is there now.
    pub(super) fn skip(&mut self, seats: &[Seat]) {
        for (seat, next) in seats.iter().zip(&mut self.next) {
            *next = seat.ring.completed();
        }
        self.dropped = 0;
        self.overlap.cut();
    }
}
