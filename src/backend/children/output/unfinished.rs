//! The line that a stream is in the middle of.
//!
//! It is kept as bytes, 4 KiB at most. A line that goes back again and again (a
//! progress bar) is made short instead of split: it stays one line, that shows
//! its last state. A string sequence (a picture, the clipboard) that is longer
//! is passed over without being kept, and counted.

use super::LONGEST_LINE;
use crate::backend::children::ansi::{self, End, Painted};
use crate::model::Nanos;
use crate::model::ink::Ink;

/// A line, or a piece of one that is too long.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) at: Nanos,
    pub(super) painted: Painted,
    /// It goes on with the line of the piece before.
    pub(super) continues: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    bytes: Vec<u8>,
    at: Nanos,
    /// How its beginning looks.
    ink: Ink,
    /// It was too long: pieces of it are lines of their own by now.
    continues: bool,
    /// Its beginning was dropped; so is the rest of it.
    cut: bool,
    /// A string that began, and is passed over.
    string: Option<Passed>,
}

#[derive(Debug)]
struct Passed {
    bytes: u64,
    /// The last of them was an ESC.
    escaped: bool,
}

impl Passed {
    fn painted(&self) -> Painted {
        let text = format!("\\x1b… {} bytes of a control string without an end", self.bytes).into();
        Painted { text, strokes: None }
    }
}

impl Unfinished {
    /// Takes more bytes; hands over the lines that they end. Returns how many
    /// lines were dropped.
    pub(super) fn take(&mut self, at: Nanos, bytes: &[u8], mut push: impl FnMut(Piece)) -> u64 {
        let (mut rest, mut dropped) = (bytes, 0);
        if std::mem::take(&mut self.cut)
            && let Some(end) = memchr::memchr(b'\n', rest)
        {
            dropped = 1;
            rest = &rest[end + 1..];
        }
        while !rest.is_empty() {
            if let Some(string) = self.string.take() {
                rest = self.pass(string, at, rest, &mut push);
                continue;
            }
            if self.bytes.is_empty() {
                self.at = at;
            }
            let room = LONGEST_LINE - self.bytes.len();
            let window = &rest[..rest.len().min(room + 1)];
            if let Some(end) = memchr::memchr(b'\n', window) {
                // The usual case needs no copy: the whole line is here.
                let line = if self.bytes.is_empty() {
                    ansi::paint(&rest[..end], &mut self.ink)
                } else {
                    self.bytes.extend_from_slice(&rest[..end]);
                    ansi::paint(&self.bytes, &mut self.ink)
                };
                self.bytes.clear();
                push(self.piece(line));
                self.continues = false;
                rest = &rest[end + 1..];
            } else if rest.len() > room {
                self.bytes.extend_from_slice(&rest[..room]);
                rest = &rest[room..];
                self.make_room(&mut push);
            } else {
                self.bytes.extend_from_slice(rest);
                rest = &[];
            }
        }
        dropped
    }

    /// What there is so far, where there is anything.
    pub(super) fn so_far(&self) -> Option<Piece> {
        let painted = match &self.string {
            Some(string) => string.painted(),
            None => match ansi::whole(&self.bytes) {
                0 => return None,
                whole => ansi::paint(&self.bytes[..whole], &mut self.ink.clone()),
            },
        };
        Some(self.piece(painted))
    }

    /// Nothing comes any more: the line as it is, whole or not.
    pub(super) fn end(&mut self) -> Option<Piece> {
        let last = std::mem::take(self);
        let painted = match &last.string {
            Some(string) => string.painted(),
            None if last.bytes.is_empty() => return None,
            None => ansi::paint(&last.bytes, &mut last.ink.clone()),
        };
        Some(last.piece(painted))
    }

    fn piece(&self, painted: Painted) -> Piece {
        Piece { at: self.at, painted, continues: self.continues }
    }

    /// Its beginning is dropped with what came before; `ended` says whether
    /// nothing of it follows.
    pub(super) fn drop_beginning(&mut self, ended: bool) {
        *self = Unfinished { cut: !ended, ..Unfinished::default() };
    }

    /// The line is as long as it may be.
    fn make_room(&mut self, push: &mut impl FnMut(Piece)) {
        if ansi::goes_back(&self.bytes) {
            let whole = ansi::whole(&self.bytes);
            let short = ansi::compact(&self.bytes[..whole], self.ink);
            if short.len() + self.bytes.len() - whole <= LONGEST_LINE / 2 {
                self.bytes.splice(..whole, short);
                return;
            }
        }
        match ansi::whole(&self.bytes) {
            0 if ansi::is_string(&self.bytes) => {
                let escaped = self.bytes.last() == Some(&b'\x1b');
                self.string = Some(Passed { bytes: self.bytes.len() as u64, escaped });
                self.bytes.clear();
            }
            whole => {
                let keep = if whole == 0 { self.bytes.len() } else { whole };
                let painted = ansi::paint(&self.bytes[..keep], &mut self.ink);
                push(self.piece(painted));
                self.continues = true;
                self.bytes.drain(..keep);
            }
        }
    }

    /// Passes over a string; returns what stands behind it.
    fn pass<'a>(&mut self, mut string: Passed, at: Nanos, rest: &'a [u8], push: &mut impl FnMut(Piece)) -> &'a [u8] {
        let line = memchr::memchr(b'\n', rest);
        let within = &rest[..line.unwrap_or(rest.len())];
        match (ansi::end_of_string(within, string.escaped), line) {
            (End::At(end), _) => &rest[end..],
            (End::Broken(behind), _) => {
                // The ESC belongs to the sequence that begins.
                self.bytes.push(b'\x1b');
                self.at = at;
                &rest[behind..]
            }
            (End::NotHere { .. }, Some(end)) => {
                string.bytes += end as u64;
                push(self.piece(string.painted()));
                self.continues = false;
                &rest[end + 1..]
            }
            (End::NotHere { escaped }, None) => {
                string.bytes += within.len() as u64;
                string.escaped = escaped;
                self.string = Some(string);
                &[]
            }
        }
    }
}
