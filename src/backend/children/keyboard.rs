//! What a program in a terminal asks about keys, found in what it writes.
//!
//! ```text
//! CSI ? 1 h        cursor keys as ESC O letter (DECCKM); CSI ? 1 l ends that
//! CSI ? 2004 h     pastes between marks (xterm); CSI ? 2004 l ends that
//! CSI ! p   ESC c  reset
//! ```
//!
//! It is looked for as the bytes arrive, for lines are made of them later, and
//! in a flood of some of them never.

use crate::backend::children::ansi::ESC;
use crate::model::child::Keyboard;

/// A control sequence with more parameters than this asks nothing of this kind.
const LONGEST: usize = 64;
const CANCEL: u8 = 0x18;
const SUBSTITUTE: u8 = 0x1a;

/// The state, and how far a sequence has come.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) keyboard: Keyboard,
    at: At,
}

#[derive(Debug, Default)]
enum At {
    #[default]
    Text,
    /// Behind an ESC.
    Escape,
    /// Behind `ESC [` and these bytes.
    Control(Vec<u8>),
}

impl Asked {
    /// Reads on.
    pub(super) fn read(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if matches!(self.at, At::Text) {
                let Some(next) = memchr::memchr(ESC, bytes) else { break };
                (self.at, bytes) = (At::Escape, &bytes[next + 1..]);
                continue;
            }
            self.step(bytes[0]);
            bytes = &bytes[1..];
        }
    }

    fn step(&mut self, byte: u8) {
        self.at = match (std::mem::take(&mut self.at), byte) {
            (_, ESC) => At::Escape,
            (_, CANCEL | SUBSTITUTE) => At::Text,
            (At::Escape, b'[') => At::Control(Vec::new()),
            (At::Escape, b'c') => {
                self.keyboard = Keyboard::default();
                At::Text
            }
            (At::Control(mut so_far), 0x20..=0x3f) if so_far.len() < LONGEST => {
                so_far.push(byte);
                At::Control(so_far)
            }
            // A terminal acts on these within a sequence, and goes on with it.
            (At::Control(so_far), 0x00..=0x1f) => At::Control(so_far),
            (At::Control(so_far), last) => {
                self.control(&so_far, last);
                At::Text
            }
            (At::Escape | At::Text, _) => At::Text,
        };
    }

    fn control(&mut self, so_far: &[u8], last: u8) {
        let on = match (so_far, last) {
            (b"!", b'p') => return self.keyboard = Keyboard::default(),
            ([b'?', ..], b'h') => true,
            ([b'?', ..], b'l') => false,
            _ => return,
        };
        for mode in so_far[1..].split(|byte| *byte == b';') {
            match mode {
                b"1" => self.keyboard.application_cursor = on,
                b"2004" => self.keyboard.marked_paste = on,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEITHER: Keyboard = Keyboard { application_cursor: false, marked_paste: false };
    const CURSOR: Keyboard = Keyboard { application_cursor: true, ..NEITHER };
    const BOTH: Keyboard = Keyboard { application_cursor: true, marked_paste: true };

    #[test]
    fn what_a_program_asks_is_what_a_terminal_would_do() {
        let cases: &[(&[u8], Keyboard)] = &[
            (b"plain", NEITHER),
            (b"\x1b[?1h\x1b=", CURSOR),
            (b"\x1b[?1;2004h", BOTH),
            (b"\x1b[?2004;1h\x1b[?25l", BOTH),
            (b"\x1b[?1h\x1b[?2004h\x1b[?2004l", CURSOR),
            (b"\x1b[?1h\x1b[?1l", NEITHER),
            (b"\x1b[?1h\x1bc", NEITHER),
            (b"\x1b[?1;2004h\x1b[!p", NEITHER),
            // Insert mode, column 1, another private mode, and one that was given up.
            (b"\x1b[1h\x1b[1;2004h\x1b[?12h\x1b[?1\x18h", NEITHER),
            // One that another begins within, and one that a line feed stands in.
            (b"\x1b[?2\x1b[?1\nh", CURSOR),
            (b"\x1b]0;[?1h\x07", NEITHER),
            (b"\x1b[?1\xffh", NEITHER),
        ];
        for (bytes, expected) in cases {
            let mut asked = Asked::default();
            asked.read(bytes);
            assert_eq!(asked.keyboard, *expected, "{}", bytes.escape_ascii());
            // The same however it is cut into pieces.
            let mut asked = Asked::default();
            bytes.chunks(1).for_each(|byte| asked.read(byte));
            assert_eq!(asked.keyboard, *expected, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn a_sequence_without_an_end_takes_no_memory() {
        let mut asked = Asked::default();
        asked.read(b"\x1b[?");
        asked.read(&vec![b'1'; 1_000_000]);
        assert!(matches!(&asked.at, At::Text));
        asked.read(b"\x1b[?1h");
        assert_eq!(asked.keyboard, CURSOR);
    }
}
