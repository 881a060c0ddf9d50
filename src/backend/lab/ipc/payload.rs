//! What a message says, so that the receiver can tell whether it is the right
//! one and unharmed.
//!
//! ```text
//! bytes 0..8    sequence number s, little-endian
//! bytes 8..16   check word: k(s), a hash of s
//! word j ≥ 2    k(s) + j·C (wrapping), C odd
//! last bytes    of a size that is no multiple of 8: the low bytes of the
//!               word that would stand there
//! ```
//!
//! Every byte follows from the sequence number, so a receiver that scans
//! compares each one with what it must be, which finds more than a sum over
//! the message would. A message shorter than 16 bytes carries as many bytes
//! of this as fit: one byte is the low byte of the sequence number. It tells
//! 255 losses of 256 apart, and the number of messages that arrive is counted
//! in any case.

#![expect(clippy::inline_always, reason = "calls would cost a small message as much as its copying")]

use crate::model::channel::{Losses, Payload};

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
const WORD: usize = 8;
/// Bytes of sequence number and check word.
const HEADING: usize = 2 * WORD;
/// Every how many words one is sampled.
const SAMPLE: usize = 4096 / WORD;

/// k(s): splitmix64's finaliser (Steele, Lea, Flood 2014), a bijection, so two
/// sequence numbers never have the same check word.
#[inline(always)]
fn key(seq: u64) -> u64 {
    let z = seq.wrapping_add(STEP);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Word number `index` of a message, from the second behind the heading on.
#[inline]
fn word(key: u64, index: usize) -> u64 {
    key.wrapping_add(STEP.wrapping_mul(index as u64))
}

/// The words of a message that are sampled, of which `body` stands behind the
/// heading: one in each page, and the last whole one.
fn samples(body: &[u8]) -> impl Iterator<Item = usize> + use<> {
    let words = (HEADING + body.len()) / WORD;
    let last = (words > HEADING / WORD).then(|| words - 1);
    (SAMPLE..words).step_by(SAMPLE).chain(last)
}

/// The heading, of which a short message has the beginning only.
fn heading(seq: u64, key: u64) -> [u8; HEADING] {
    (u128::from(seq) | u128::from(key) << 64).to_le_bytes()
}

/// Writes message number `seq` into `message`, as much of it as the mode says.
#[inline(always)]
pub fn write(message: &mut [u8], seq: u64, payload: Payload) {
    let key = key(seq);
    // Word by word from the registers: put together in memory first, they would be
    // loaded as one, and such a load waits for all stores before it.
    let ([first, second, ..], _) = message.as_chunks_mut::<WORD>() else { return write_short(message, seq, key) };
    (*first, *second) = (seq.to_le_bytes(), key.to_le_bytes());
    if payload != Payload::Untouched {
        fill(&mut message[HEADING..], key, payload);
    }
}

/// Writes as much of the heading as there is room for.
#[inline(never)]
fn write_short(message: &mut [u8], seq: u64, key: u64) {
    let len = message.len();
    message.copy_from_slice(&heading(seq, key)[..len]);
}

/// Writes what stands behind the heading.
#[inline(never)]
fn fill(body: &mut [u8], key: u64, payload: Payload) {
    match payload {
        Payload::Untouched => {}
        Payload::Sampled => samples(body).for_each(|index| put(body, index, word(key, index))),
        Payload::Scanned => {
            let mut value = word(key, HEADING / WORD);
            // Several words at a time, whatever the compiler makes of the loop.
            let (words, rest) = body.as_chunks_mut::<WORD>();
            let (fours, ones) = words.as_chunks_mut::<4>();
            for [a, b, c, d] in fours {
                let [one, two, three, four] = following(value);
                (*a, *b, *c, *d) = (one.to_le_bytes(), two.to_le_bytes(), three.to_le_bytes(), four.to_le_bytes());
                value = four.wrapping_add(STEP);
            }
            for word in ones {
                *word = value.to_le_bytes();
                value = value.wrapping_add(STEP);
            }
            let len = rest.len();
            rest.copy_from_slice(&value.to_le_bytes()[..len]);
        }
    }
}

/// A word and the three that follow it.
#[inline]
fn following(value: u64) -> [u64; 4] {
    // Written out: a loop over four is kept as one where code is to be small,
    // and a scan is then slower than most of what it checks.
    let [second, third, fourth] = const { [STEP, STEP.wrapping_mul(2), STEP.wrapping_mul(3)] };
    [value, value.wrapping_add(second), value.wrapping_add(third), value.wrapping_add(fourth)]
}

/// Puts word number `index` of the message into what stands behind the heading.
fn put(body: &mut [u8], index: usize, value: u64) {
    let at = index * WORD - HEADING;
    body[at..at + WORD].copy_from_slice(&value.to_le_bytes());
}

fn get(body: &[u8], index: usize) -> u64 {
    let at = index * WORD - HEADING;
    let mut bytes = [0; WORD];
    bytes.copy_from_slice(&body[at..at + WORD]);
    u64::from_le_bytes(bytes)
}

/// Checks messages in the order they arrive.
#[derive(Clone, Debug)]
pub struct Checker {
    next: u64,
    payload: Payload,
    /// What was found wrong so far.
    pub losses: Losses,
    /// How many of the lost were told of by [`Checker::missed`].
    told: u64,
}

impl Checker {
    /// Expects message number `first` next.
    pub fn new(first: u64, payload: Payload) -> Self {
        Checker { next: first, payload, losses: Losses::default(), told: 0 }
    }

    /// From now on messages are written as `payload` says; losses count from
    /// zero.
    pub fn begin(&mut self, payload: Payload) {
        (self.payload, self.losses, self.told) = (payload, Losses::default(), 0);
    }

    /// The number of the message that is expected next.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Whether this is a message that was given up before, where messages may
    /// be lost.
    pub fn is_late(&self, message: &[u8]) -> bool {
        let behind = self.next.wrapping_sub(claimed(message, self.next));
        message.len() >= WORD && behind > 0 && behind < 1 << 32
    }

    /// Ends an order in which messages may have been lost: `lost` is how many
    /// fewer came than were sent, which holds for messages too short to tell,
    /// and the next one is number `next`.
    pub fn settle(&mut self, next: u64, lost: u64) {
        (self.next, self.losses.lost) = (next, lost);
    }

    /// How many messages more are known to be lost since this was last asked.
    #[inline(always)]
    pub fn missed(&mut self) -> u64 {
        let more = self.losses.lost - self.told;
        self.told = self.losses.lost;
        more
    }

    /// Checks one message, as much of it as the mode says.
    #[inline(always)]
    pub fn check(&mut self, message: &[u8]) {
        if is_message(message, self.next, self.payload) {
            self.next = self.next.wrapping_add(1);
        } else {
            self.explain(message);
        }
    }

    /// A message that is not the expected one: a later one, unharmed, means
    /// that those between are lost; anything else is corrupt.
    #[cold]
    fn explain(&mut self, message: &[u8]) {
        let seq = claimed(message, self.next);
        let ahead = seq.wrapping_sub(self.next);
        if ahead > 0 && ahead < 1 << 32 && is_message(message, seq, self.payload) {
            self.losses.lost += ahead;
            self.next = seq.wrapping_add(1);
        } else {
            self.losses.corrupt += 1;
            self.next = self.next.wrapping_add(1);
        }
    }
}

/// The sequence number that a message claims; of a short one, the next after
/// `expected` that ends in its bytes.
fn claimed(message: &[u8], expected: u64) -> u64 {
    let mut bytes = [0; WORD];
    let len = message.len().min(WORD);
    bytes[..len].copy_from_slice(&message[..len]);
    let low = u64::from_le_bytes(bytes);
    if len == WORD {
        return low;
    }
    let modulus = 1_u64 << (8 * len);
    expected.wrapping_add(low.wrapping_sub(expected) & (modulus - 1))
}

#[inline(always)]
fn is_message(message: &[u8], seq: u64, payload: Payload) -> bool {
    let key = key(seq);
    let ([first, second, ..], _) = message.as_chunks::<WORD>() else {
        return message == &heading(seq, key)[..message.len()];
    };
    let is_heading = u64::from_le_bytes(*first) == seq && u64::from_le_bytes(*second) == key;
    is_heading && (payload == Payload::Untouched || is_content(&message[HEADING..], key, payload))
}

/// Whether this may stand behind the heading.
#[inline(never)]
fn is_content(body: &[u8], key: u64, payload: Payload) -> bool {
    match payload {
        Payload::Untouched => true,
        Payload::Sampled => samples(body).all(|index| get(body, index) == word(key, index)),
        Payload::Scanned => scan(body, word(key, HEADING / WORD)),
    }
}

/// Compares every byte; the differences are gathered without branching, which
/// lets the compiler use vectors.
#[inline]
fn scan(bytes: &[u8], first: u64) -> bool {
    let mut value = first;
    let mut different = 0;
    let (words, rest) = bytes.as_chunks::<WORD>();
    let (fours, ones) = words.as_chunks::<4>();
    for &[a, b, c, d] in fours {
        let [one, two, three, four] = following(value);
        different |= (u64::from_le_bytes(a) ^ one) | (u64::from_le_bytes(b) ^ two);
        different |= (u64::from_le_bytes(c) ^ three) | (u64::from_le_bytes(d) ^ four);
        value = four.wrapping_add(STEP);
    }
    for &word in ones {
        different |= u64::from_le_bytes(word) ^ value;
        value = value.wrapping_add(STEP);
    }
    different == 0 && rest == &value.to_le_bytes()[..rest.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Payload; 3] = [Payload::Untouched, Payload::Sampled, Payload::Scanned];

    fn message(seq: u64, size: usize, payload: Payload) -> Vec<u8> {
        let mut message = vec![0; size];
        write(&mut message, seq, payload);
        message
    }

    #[test]
    fn what_was_written_passes_at_every_size() {
        for payload in ALL {
            for size in (1..=40).chain([4095, 4096, 4100, 65_536]) {
                let mut checker = Checker::new(1000, payload);
                for seq in 1000..1300 {
                    checker.check(&message(seq, size, payload));
                }
                assert_eq!(checker.losses, Losses::default(), "{payload} {size}");
            }
        }
    }

    #[test]
    fn lost_messages_are_counted_even_at_one_byte() {
        for payload in ALL {
            for size in [1, 7, 8, 16, 64, 5000] {
                let mut checker = Checker::new(0, payload);
                for seq in (0..10).chain(13..20) {
                    checker.check(&message(seq, size, payload));
                }
                assert_eq!(checker.losses, Losses { lost: 3, corrupt: 0 }, "{payload} {size}");
            }
        }
    }

    #[test]
    fn each_mode_checks_what_it_says() {
        let harm = |payload, at: usize| {
            let mut bytes = message(5, 8192 + 3, payload);
            bytes[at] ^= 0x10;
            let mut checker = Checker::new(5, payload);
            checker.check(&bytes);
            checker.losses
        };
        let corrupt = Losses { lost: 0, corrupt: 1 };
        for payload in ALL {
            assert_eq!(harm(payload, 1), corrupt, "sequence number");
            assert_eq!(harm(payload, 9), corrupt, "check word");
        }
        assert_eq!(harm(Payload::Untouched, 4097), Losses::default());
        assert_eq!(harm(Payload::Sampled, 4097), corrupt);
        assert_eq!(harm(Payload::Sampled, 8191), corrupt, "the last whole word");
        assert_eq!(harm(Payload::Sampled, 100), Losses::default());
    }

    proptest! {
        #[test]
        fn scanning_finds_any_flipped_bit(seq: u64, size in 1_usize..300, at: usize, bit in 0_u8..8) {
            let mut bytes = message(seq, size, Payload::Scanned);
            bytes[at % size] ^= 1 << bit;
            let mut checker = Checker::new(seq, Payload::Scanned);
            checker.check(&bytes);
            prop_assert!(checker.losses.any());
        }
    }
}
