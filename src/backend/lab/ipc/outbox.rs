//! The messages of a stream, some of them written at a time, then sent one by one.
//!
//! A store reaches the cache after all stores before it, and a load that is
//! wider than the store waits for that. The stores before it are those that put
//! the last message into a ring, into lines that the other CPU has. So a sender
//! that numbers a message and copies it at once fetches one line after the other,
//! where a processor can fetch a dozen at a time: with 64-byte messages between
//! two CPUs that was a third of the ring's speed. Of several that are written
//! together all but the first have reached the cache when they are copied.

#![expect(clippy::inline_always, reason = "calls would cost a small message as much as its copying")]

use super::message::Message;
use super::payload;
use crate::model::channel::Payload;

/// A cache line: no message shares one with another.
const LINE: usize = 64;
/// They leave room in the first-level cache: four times as much is slower, at
/// 1 KiB a message.
const MOST_BYTES: usize = 4 << 10;
/// Not more: who writes many before sending any lets the other side wait.
const MOST: usize = 16;

/// Memory for some messages of one size.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    memory: Message,
    len: usize,
    /// From one message to the next.
    stride: usize,
    /// How many there are, a power of two.
    slots: usize,
}

impl Outbox {
    /// Makes room for messages of so many bytes.
    pub(super) fn resize(&mut self, len: usize) {
        let stride = len.next_multiple_of(LINE).max(LINE);
        let fit = (MOST_BYTES / stride).clamp(1, MOST);
        let slots = if fit.is_power_of_two() { fit } else { fit.next_power_of_two() / 2 };
        (self.len, self.stride, self.slots) = (len, stride, slots);
        self.memory.resize(stride * slots);
    }

    /// How many messages are written at a time.
    pub(super) fn room(&self) -> u64 {
        self.slots as u64
    }

    #[inline(always)]
    fn start(&self, number: u64) -> usize {
        number as usize & (self.slots - 1)
    }

    /// Writes message `number`, in place of the one that many before it.
    #[inline(always)]
    pub(super) fn write(&mut self, number: u64, payload: Payload) {
        let at = self.start(number) * self.stride;
        payload::write(&mut self.memory[at..at + self.len], number, payload);
    }

    /// Message `number`, which was written.
    #[inline(always)]
    pub(super) fn message(&self, number: u64) -> &[u8] {
        let at = self.start(number) * self.stride;
        &self.memory[at..at + self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::super::payload::Checker;
    use super::*;
    use crate::model::channel::Losses;

    #[test]
    fn what_is_written_ahead_is_what_is_sent() {
        let mut outbox = Outbox::default();
        for size in [1, 8, 63, 64, 65, 100, 256, 1000, 4096, 5000, 8192, 1 << 20] {
            outbox.resize(size);
            let room = outbox.room();
            assert!(room.is_power_of_two() && (room > 1) == (size <= 1000), "{size}: {room}");
            let mut checker = Checker::new(7, Payload::Scanned);
            for first in [7, 7 + room] {
                (first..first + room).for_each(|number| outbox.write(number, Payload::Scanned));
                for number in first..first + room {
                    assert_eq!(outbox.message(number).len(), size);
                    checker.check(outbox.message(number));
                }
            }
            assert_eq!(checker.losses, Losses::default(), "{size}");
        }
    }

    #[test]
    fn no_message_shares_a_line_with_another() {
        let mut outbox = Outbox::default();
        for size in [1, 64, 65] {
            outbox.resize(size);
            let at = |number| outbox.message(number).as_ptr().addr();
            assert!((0..outbox.room()).all(|number| at(number).is_multiple_of(LINE)), "{size}");
            assert!(at(0).abs_diff(at(1)) >= size, "{size}");
        }
    }
}
