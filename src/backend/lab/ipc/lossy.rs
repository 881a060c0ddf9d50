//! The measured loops for transports that may lose messages.
//!
//! A receiver there never waits for a message that does not come: after a
//! while of silence it gives up what is missing, once the sender has said that
//! it has sent its last. What was lost is counted, not guessed from numbers:
//! messages sent less messages received.

use std::io;

use super::protocol::Order;
use super::side::End;
use super::{Receiver, Sender};
use crate::backend::lab::pacing::Intended;
use crate::model::Nanos;
use crate::sys::clock;

/// Every how many messages the clock is read: the last may never come.
const EVERY: u64 = 16;

impl<S: Sender, R: Receiver> End<S, R> {
    /// Waits for a message that was not given up before; `false` where none
    /// comes.
    fn awaited(&mut self) -> io::Result<bool> {
        loop {
            match self.receiver.receive(&mut self.books.message) {
                Ok(()) if self.books.checker.is_late(&self.books.message) => {}
                Ok(()) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Ok(false),
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits as long as the sender has more to send.
    fn awaited_to_the_end(&mut self) -> io::Result<bool> {
        loop {
            if self.awaited()? {
                return Ok(true);
            }
            if self.receiver.is_over() {
                return Ok(false);
            }
        }
    }

    /// As `collect`; its clock stops near the last that came.
    pub(super) fn collect_some(&mut self, order: &Order) -> io::Result<Nanos> {
        let first = self.books.checker.next();
        let (mut start, mut last, mut received) = (Nanos::ZERO, Nanos::ZERO, 0);
        while received < order.count && self.awaited_to_the_end()? {
            if received == 0 {
                start = clock::monotonic();
                last = start;
                self.books.received = 1;
            }
            self.check();
            received += 1;
            if received.is_multiple_of(EVERY) || received == order.count {
                (last, self.books.received) = (clock::monotonic(), received);
            }
        }
        self.receiver.conclude()?;
        self.books.checker.settle(first + order.count, order.count - received);
        Ok(last - start)
    }

    /// As `ask`; an answer that does not come is a lost one.
    pub(super) fn ask_some(&mut self, order: &Order) -> io::Result<Nanos> {
        self.books.these.clear();
        let first = self.books.checker.next();
        let start = clock::monotonic();
        let mut pace = Intended::new(order.every);
        self.books.received = 0;
        for _ in 0..order.count {
            self.write(order.payload);
            let asked = pace.next();
            self.sender.send(&self.books.message)?;
            self.books.sent += 1;
            if self.awaited()? {
                self.books.these.record(clock::monotonic() - asked);
                self.check();
                self.books.received += 1;
            }
        }
        let elapsed = clock::monotonic() - start;
        self.sender.finish()?;
        self.books.checker.settle(first + order.count, order.count - self.books.received);
        Ok(elapsed)
    }

    /// As `answer`; it answers what comes.
    pub(super) fn answer_some(&mut self, order: &Order) -> io::Result<Nanos> {
        let (first, after) = (self.books.checker.next(), self.books.sent + order.count);
        let start = clock::monotonic();
        self.books.received = 0;
        while self.books.received < order.count && self.awaited_to_the_end()? {
            self.books.received += 1;
            self.check();
            self.write(order.payload);
            self.sender.send(&self.books.message)?;
            self.books.sent += 1;
        }
        let elapsed = clock::monotonic() - start;
        self.receiver.conclude()?;
        self.books.checker.settle(first + order.count, order.count - self.books.received);
        self.books.sent = after;
        Ok(elapsed)
    }
}
