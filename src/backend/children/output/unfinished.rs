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

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    bytes: Vec<u8>,
    at: Nanos,
    /// How its beginning looks.
    ink: Ink,
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
    pub(super) fn take(&mut self, at: Nanos, bytes: &[u8], mut push: impl FnMut(Nanos, Painted)) -> u64 {
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
                push(self.at, line);
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
    pub(super) fn so_far(&self) -> Option<(Nanos, Painted)> {
        let painted = match &self.string {
            Some(string) => string.painted(),
            None => match ansi::whole(&self.bytes) {
                0 => return None,
                whole => ansi::paint(&self.bytes[..whole], &mut self.ink.clone()),
            },
        };
        Some((self.at, painted))
    }

    /// Nothing comes any more: the line as it is, whole or not.
    pub(super) fn end(&mut self) -> Option<(Nanos, Painted)> {
        let Unfinished { bytes, at, mut ink, string, .. } = std::mem::take(self);
        match string {
            Some(string) => Some((at, string.painted())),
            None => (!bytes.is_empty()).then(|| (at, ansi::paint(&bytes, &mut ink))),
        }
    }

    /// Its beginning is dropped with what came before; `ended` says whether
    /// nothing of it follows.
    pub(super) fn drop_beginning(&mut self, ended: bool) {
        *self = Unfinished { cut: !ended, ..Unfinished::default() };
    }

    /// The line is as long as it may be.
    fn make_room(&mut self, push: &mut impl FnMut(Nanos, Painted)) {
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
                push(self.at, ansi::paint(&self.bytes[..keep], &mut self.ink));
                self.bytes.drain(..keep);
            }
        }
    }

    /// Passes over a string; returns what stands behind it.
    fn pass<'a>(
        &mut self,
        mut string: Passed,
        at: Nanos,
        rest: &'a [u8],
        push: &mut impl FnMut(Nanos, Painted),
    ) -> &'a [u8] {
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
                push(self.at, string.painted());
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
