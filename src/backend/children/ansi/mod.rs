//! A line of a child's output as text that can disturb no screen, and how it
//! was meant to look.
//!
//! Colours and the like (SGR) are kept apart from the text. What returns to
//! the beginning of its line, goes back or erases is done as a terminal would
//! do it, so that a line shows what stood there last. Every other escape
//! sequence is taken out: nothing of it reaches a terminal of ours. Tabs become
//! spaces to the next multiple of eight, and whatever else could act on a
//! terminal is made [visible](text::visible). A sequence that does not end
//! within its line is shown, not guessed at.
//!
//! ```text
//! sequence   where one ends, and what kind it is
//! pen        what SGR says of a look
//! row        one row of a terminal
//! ```

mod pen;
mod row;
mod sequence;

use std::sync::Arc;

use self::row::Row;
pub(super) use self::sequence::ESC;
use self::sequence::{BEL, Found, find};
use crate::model::ink::{Ink, Stroke};
use crate::model::text;

/// The other character set, and back: such as `top` writes before each figure.
/// It is the sequences' business which set that is, and those are taken out.
pub(super) const SHIFT_OUT: u8 = 0x0e;
pub(super) const SHIFT_IN: u8 = 0x0f;

/// A line: its text, and how it looks where that is not the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Painted {
    /// The text, made visible.
    pub(super) text: Arc<str>,
    /// The strokes, one behind the other, over the whole text.
    pub(super) strokes: Option<Arc<[Stroke]>>,
}

/// Paints a line that begins with the look `ink`, and leaves there what the
/// next one begins with.
pub(super) fn paint(bytes: &[u8], ink: &mut Ink) -> Painted {
    if *ink == Ink::default() && !bytes.iter().any(u8::is_ascii_control) {
        return Painted { text: text::visible_arc(bytes), strokes: None };
    }
    let before = *ink;
    let mut canvas = Canvas::for_bytes(bytes.len());
    if !straight(bytes, ink, &mut canvas) {
        let mut row = Row::new(before);
        row.write(bytes);
        *ink = row.ink;
        canvas = Canvas::for_bytes(bytes.len());
        row.runs().iter().for_each(|(bytes, ink)| canvas.add(bytes, *ink));
    }
    canvas.finish()
}

/// The shortest bytes that paint the same.
pub(super) fn compact(bytes: &[u8], ink: Ink) -> Vec<u8> {
    let mut row = Row::new(ink);
    row.write(bytes);
    row.bytes(ink)
}

/// Whether something in it goes back, so that [`compact`] is worth it.
pub(super) fn goes_back(bytes: &[u8]) -> bool {
    memchr::memchr3(b'\r', b'\x08', ESC, bytes).is_some()
}

/// Where a sequence or a character begins that the bytes do not hold the end
/// of; their length where there is none.
pub(super) fn whole(bytes: &[u8]) -> usize {
    let end = sequence::cut(bytes).unwrap_or(bytes.len());
    let lead = bytes[..end].iter().rev().take(3).position(|byte| *byte >= 0xc0);
    match lead {
        Some(after) if after + 1 < length(bytes[end - 1 - after]) && end == bytes.len() => end - 1 - after,
        _ => end,
    }
}

/// Whether what begins here is a string: one may go on for long.
pub(super) fn is_string(bytes: &[u8]) -> bool {
    matches!(bytes, [ESC, b']' | b'P' | b'X' | b'^' | b'_' | b'k', ..])
}

/// Looks for the end of a string, of which the bytes are a piece, before
/// `bytes` ends. `escaped` says whether the byte before was an ESC.
pub(super) fn end_of_string(bytes: &[u8], escaped: bool) -> End {
    let mut at = 0;
    let mut escaped = escaped;
    loop {
        if std::mem::take(&mut escaped) {
            return match bytes.get(at) {
                None => End::NotHere { escaped: true },
                Some(b'\\') => End::At(at + 1),
                Some(_) => End::Broken(at),
            };
        }
        match memchr::memchr2(BEL, ESC, &bytes[at..]) {
            None => return End::NotHere { escaped: false },
            Some(found) if bytes[at + found] == BEL => return End::At(at + found + 1),
            Some(found) => (at, escaped) = (at + found + 1, true),
        }
    }
}

/// See [`end_of_string`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It goes on.
    NotHere {
        /// The last byte is an ESC.
        escaped: bool,
    },
    /// Behind so many bytes.
    At(usize),
    /// Another sequence begins, with the ESC before this byte.
    Broken(usize),
}

/// How long a character is that begins with this byte.
fn length(lead: u8) -> usize {
    match lead {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    }
}

/// The usual case: colours, and nothing that goes back. `false` where it is
/// another.
fn straight(mut bytes: &[u8], ink: &mut Ink, canvas: &mut Canvas) -> bool {
    if bytes.last() == Some(&b'\r') {
        // A line's end as DOS has it.
        bytes = &bytes[..bytes.len() - 1];
    }
    while !bytes.is_empty() {
        let end = memchr::memchr3(ESC, b'\r', b'\t', bytes).unwrap_or(bytes.len());
        let end = memchr::memchr3(SHIFT_OUT, SHIFT_IN, b'\x08', &bytes[..end]).unwrap_or(end);
        canvas.add(&bytes[..end], *ink);
        bytes = &bytes[end..];
        let Some(first) = bytes.first() else { break };
        let length = match find(bytes) {
            _ if matches!(*first, SHIFT_OUT | SHIFT_IN) => 1,
            _ if *first != ESC => return false,
            Found::Control(length, parameters, b'm') => {
                *ink = pen::after(*ink, parameters, b'm');
                length
            }
            // Erasing to the end, at the end.
            Found::Control(length, b"" | b"0", b'K' | b'J') | Found::Other(length) => length,
            Found::Control(..) | Found::Reset | Found::Cut | Found::Nothing => return false,
        };
        bytes = &bytes[length..];
    }
    true
}

/// Text and strokes as they grow.
#[derive(Debug, Default)]
struct Canvas {
    text: String,
    strokes: Vec<Stroke>,
}

impl Canvas {
    fn for_bytes(length: usize) -> Self {
        Canvas { text: String::with_capacity(length), strokes: Vec::new() }
    }

    fn add(&mut self, bytes: &[u8], ink: Ink) {
        if bytes.is_empty() {
            return;
        }
        match str::from_utf8(bytes) {
            // Most of all text.
            Ok(text) if bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) => self.text.push_str(text),
            _ => text::push_visible(&mut self.text, bytes),
        }
        let until = self.text.len() as u32;
        match self.strokes.last_mut() {
            Some(last) if last.ink == ink => last.until = until,
            _ => self.strokes.push(Stroke { until, ink }),
        }
    }

    fn finish(self) -> Painted {
        let plain = self.strokes.iter().all(|stroke| stroke.ink == Ink::default());
        Painted { text: self.text.into(), strokes: (!plain).then(|| self.strokes.into()) }
    }
}

#[cfg(test)]
mod tests;
