//! What a child wrote: from bytes to a bounded log of lines.
//!
//! Bytes are kept as they are until somebody is to see them: a child that
//! writes faster than a screen can show costs a copy and a count of its line
//! ends, not a string for each line. What is kept raw is never less than the
//! log can hold, so nothing is dropped that would have stayed. Lines are made
//! where somebody asks for them.

mod unfinished;

use std::collections::VecDeque;
use std::sync::Arc;

use self::unfinished::{Piece, Unfinished};
use super::ansi::{ESC, SHIFT_IN, SHIFT_OUT};
use crate::model::Nanos;
use crate::model::child::{OutputLine, Stream};
use crate::model::ink::Stroke;

/// A line longer than this many bytes is split, unless it went back and wrote
/// over itself.
pub const LONGEST_LINE: usize = 4 << 10;
/// The most one child's log takes: the text of its lines, their strokes, and
/// [`PER_LINE`] for each; as much again may wait as raw bytes.
pub const PER_CHILD: usize = 1 << 20;
/// What a line costs beside its text and its strokes: itself, the two counters
/// of its text, and what the allocator keeps and rounds up to.
pub const PER_LINE: usize = size_of::<OutputLine>() + 4 * size_of::<usize>();
/// Lines in a block of the log; blocks are shared with the face.
const BLOCK_LINES: usize = 256;
/// A block of long lines ends earlier.
const BLOCK_COST: usize = 32 << 10;
/// Bytes of one stream in one piece.
pub const CHUNK: usize = 64 << 10;
/// Pieces and blocks are this part of the limit at most: what goes when there is
/// too much goes by whole ones.
const PARTS: usize = 4;
/// Reads this close together share their stamp.
const SAME_TIME: Nanos = Nanos(1_000_000);

/// One child's output.
#[derive(Debug)]
pub struct Output {
    limit: usize,
    raw: VecDeque<Chunk>,
    raw_bytes: usize,
    lines: [Unfinished; 2],
    log: Log,
    bytes: [u64; 2],
}

#[derive(Debug)]
struct Chunk {
    stream: Stream,
    at: Nanos,
    bytes: Vec<u8>,
    /// Line ends in it.
    ends: u64,
}

impl Chunk {
    /// What its lines take at the least. Whatever a terminal would not act on
    /// stands in a line with as many bytes or more.
    fn least_as_lines(&self) -> usize {
        let acts = memchr::memchr3(ESC, b'\r', b'\x08', &self.bytes).is_some()
            || memchr::memchr2(SHIFT_OUT, SHIFT_IN, &self.bytes).is_some();
        let ends = self.ends as usize;
        ends * PER_LINE + if acts { 0 } else { self.bytes.len() - ends }
    }

    /// What it takes, the allocator's part included.
    fn cost(&self) -> usize {
        self.bytes.capacity() + size_of::<Self>() + 2 * size_of::<usize>()
    }
}

#[derive(Debug, Default)]
struct Log {
    blocks: VecDeque<Arc<[OutputLine]>>,
    costs: VecDeque<usize>,
    tail: Vec<OutputLine>,
    tail_cost: usize,
    /// A block that costs so much is full.
    block_cost: usize,
    cost: usize,
    dropped: u64,
}

impl Output {
    /// An empty log of at most `limit` bytes, see [`PER_CHILD`].
    pub fn new(limit: usize) -> Self {
        let lines = Default::default();
        let log = Log { block_cost: BLOCK_COST.min(limit / PARTS), ..Log::default() };
        Output { limit, raw: VecDeque::new(), raw_bytes: 0, lines, log, bytes: [0; 2] }
    }

    /// Changes the limit; what is too much goes now.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
        if self.raw_bytes > limit {
            // Its pieces may be too large for what is left.
            self.make_lines();
        }
        self.log.block_cost = BLOCK_COST.min(limit / PARTS);
        self.trim();
    }

    /// What its lines may take.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Takes what was read from a stream.
    pub fn take(&mut self, stream: Stream, at: Nanos, bytes: &[u8]) {
        self.bytes[stream as usize] += bytes.len() as u64;
        let chunk = CHUNK.min(self.limit / PARTS).max(1);
        for bytes in bytes.chunks(chunk) {
            match self.raw.back_mut() {
                Some(last)
                    if last.stream == stream
                        && at.since(last.at) < SAME_TIME
                        && last.bytes.len() + bytes.len() <= chunk =>
                {
                    let before = last.bytes.capacity();
                    last.bytes.extend_from_slice(bytes);
                    last.ends += newlines(bytes);
                    self.raw_bytes += last.bytes.capacity() - before;
                }
                _ => self.push(stream, at, bytes.to_vec()),
            }
            while self.raw_bytes > self.limit && self.raw.len() > 1 {
                self.drop_chunk();
            }
        }
    }

    /// The same of a whole buffer of [`CHUNK`] bytes. It is kept, not copied, where
    /// it makes a whole piece: then `buffer` is another one afterwards.
    pub fn take_buffer(&mut self, stream: Stream, at: Nanos, buffer: &mut Vec<u8>) {
        let length = buffer.len();
        if length != CHUNK.min(self.limit / PARTS) {
            return self.take(stream, at, buffer);
        }
        self.bytes[stream as usize] += length as u64;
        self.push(stream, at, std::mem::take(buffer));
        while self.raw_bytes > self.limit && self.raw.len() > 1 {
            // In a flood the oldest goes where the newest came from.
            *buffer = self.drop_chunk().filter(|bytes| bytes.len() == length).unwrap_or_default();
        }
        buffer.resize(length, 0);
    }

    fn push(&mut self, stream: Stream, at: Nanos, bytes: Vec<u8>) {
        let ends = newlines(&bytes);
        let next = Chunk { stream, at, bytes, ends };
        self.raw_bytes += next.cost();
        self.raw.push_back(next);
    }

    /// Whether bytes wait to become lines.
    pub fn waits(&self) -> bool {
        !self.raw.is_empty()
    }

    /// Bytes read from a stream so far.
    pub fn bytes(&self, stream: Stream) -> u64 {
        self.bytes[stream as usize]
    }

    /// Lines dropped so far.
    pub fn dropped(&self) -> u64 {
        self.log.dropped
    }

    /// The lines that were made so far, unfinished ones at their end. Blocks that
    /// are full are the same ones every time.
    pub fn log(&self) -> Vec<Arc<[OutputLine]>> {
        let mut all: Vec<_> = self.log.blocks.iter().cloned().collect();
        let mut tail = self.log.tail.clone();
        for stream in [Stream::Stdout, Stream::Stderr] {
            tail.extend(self.lines[stream as usize].so_far().map(|piece| line(stream, piece)));
        }
        if !tail.is_empty() {
            all.push(tail.into());
        }
        all
    }

    /// A stream has come to its end: so has its last line.
    pub fn end(&mut self, stream: Stream) {
        self.make_lines();
        if let Some(piece) = self.lines[stream as usize].end() {
            self.log.push(line(stream, piece));
            self.trim();
        }
    }

    /// Makes lines of the raw bytes, the newest that fit; returns how many bytes
    /// waited.
    pub fn make_lines(&mut self) -> usize {
        let waited = self.raw_bytes;
        let mut room = self.limit;
        let fitting = self.raw.iter().rev().take_while(|chunk| {
            let fits = room > 0;
            room = if fits { room.saturating_sub(chunk.least_as_lines()) } else { 0 };
            fits
        });
        for _ in fitting.count()..self.raw.len() {
            self.drop_chunk();
        }
        while let Some(chunk) = self.raw.pop_front() {
            self.raw_bytes -= chunk.cost();
            self.split(&chunk);
        }
        self.trim();
        waited
    }

    fn split(&mut self, chunk: &Chunk) {
        let (log, limit, stream) = (&mut self.log, self.limit, chunk.stream);
        let dropped = self.lines[stream as usize].take(chunk.at, &chunk.bytes, |piece| {
            log.push(line(stream, piece));
            // A few bytes may stand for a long line: never all of them at once.
            while log.cost > limit && log.drop_block() {}
        });
        self.log.dropped += dropped;
    }

    /// Drops the oldest raw bytes and hands them over. A line that reaches into
    /// what stays goes with them.
    fn drop_chunk(&mut self) -> Option<Vec<u8>> {
        let chunk = self.raw.pop_front()?;
        self.raw_bytes -= chunk.cost();
        self.log.dropped += chunk.ends;
        self.lines[chunk.stream as usize].drop_beginning(chunk.bytes.last() == Some(&b'\n'));
        Some(chunk.bytes)
    }

    fn trim(&mut self) {
        while self.raw_bytes > self.limit && self.raw.len() > 1 {
            self.drop_chunk();
        }
        while self.log.cost > self.limit && self.log.drop_block() {}
    }
}

impl Log {
    fn push(&mut self, line: OutputLine) {
        let strokes = line.strokes.as_ref().map_or(0, |strokes| size_of_val::<[Stroke]>(strokes));
        let cost = line.text.len() + strokes + PER_LINE;
        self.cost += cost;
        self.tail_cost += cost;
        self.tail.push(line);
        if self.tail.len() >= BLOCK_LINES || self.tail_cost >= self.block_cost {
            self.blocks.push_back(std::mem::take(&mut self.tail).into());
            self.costs.push_back(std::mem::take(&mut self.tail_cost));
        }
    }

    fn drop_block(&mut self) -> bool {
        let (Some(block), Some(cost)) = (self.blocks.pop_front(), self.costs.pop_front()) else { return false };
        self.dropped += block.len() as u64;
        self.cost -= cost;
        true
    }
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

fn line(stream: Stream, piece: Piece) -> OutputLine {
    let Piece { at, painted, continues } = piece;
    OutputLine { at, stream, text: painted.text, strokes: painted.strokes, continues }
}

#[cfg(test)]
mod tests;
