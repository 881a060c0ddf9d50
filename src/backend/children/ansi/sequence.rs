//! Escape sequences (ECMA-48) as they stand in a child's output: where one
//! ends, and what kind it is.
//!
//! ```text
//! ESC [ 30–3f* 20–2f* 40–7e              control sequence: colours, cursor
//! ESC ] … BEL | ESC \                    string: title, hyperlink, clipboard
//! ESC P X ^ _ … ESC \                    string: device control, pictures
//! ESC k … ESC \                          the title, as screen(1) has it
//! ESC 20–2f* 30–7e                       the rest: character sets, reset
//! ```
//!
//! The eight-bit forms (C1, U+0080–U+009F) are none here: a byte of them is no
//! UTF-8, and a character of them is shown for what it is.

use std::ops::RangeInclusive;

pub(in crate::backend::children) const ESC: u8 = 0x1b;
pub(super) const BEL: u8 = 0x07;

/// What begins with an ESC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// A control sequence of so many bytes: its parameters and intermediate
    /// bytes, and the final one.
    Control(usize, &'a [u8], u8),
    /// Something else of so many bytes that has no effect on a line.
    Other(usize),
    /// `ESC c`: everything as it was in the beginning.
    Reset,
    /// The bytes end before it does.
    Cut,
    /// It is none.
    Nothing,
}

/// What begins at the first byte, an ESC.
pub(super) fn find(bytes: &[u8]) -> Found<'_> {
    match bytes.get(1) {
        None => Found::Cut,
        Some(b'[') => control(bytes),
        Some(b']' | b'P' | b'X' | b'^' | b'_') => string(bytes),
        Some(b'k') => match string(bytes) {
            // Anywhere else it is a character set, or nothing.
            Found::Nothing => Found::Other(2),
            other => other,
        },
        Some(b'c') => Found::Reset,
        Some(_) => {
            let at = run(bytes, 1, 0x20..=0x2f);
            match bytes.get(at) {
                None => Found::Cut,
                Some(0x30..=0x7e) => Found::Other(at + 1),
                Some(_) => Found::Nothing,
            }
        }
    }
}

fn control(bytes: &[u8]) -> Found<'_> {
    let at = run(bytes, run(bytes, 2, 0x30..=0x3f), 0x20..=0x2f);
    match bytes.get(at) {
        None => Found::Cut,
        Some(&last @ 0x40..=0x7e) => Found::Control(at + 1, &bytes[2..at], last),
        Some(_) => Found::Nothing,
    }
}

fn string(bytes: &[u8]) -> Found<'_> {
    let rest = &bytes[2..];
    let at = match memchr::memchr(ESC, rest) {
        // Only the first kind may end so (xterm).
        end if bytes[1] == b']' => match memchr::memchr(BEL, &rest[..end.unwrap_or(rest.len())]) {
            Some(bell) => return Found::Other(2 + bell + 1),
            None => end,
        },
        end => end,
    };
    match at.map(|at| (at, rest.get(at + 1))) {
        None | Some((_, None)) => Found::Cut,
        Some((at, Some(b'\\'))) => Found::Other(2 + at + 2),
        Some((_, Some(_))) => Found::Nothing,
    }
}

fn run(bytes: &[u8], from: usize, range: RangeInclusive<u8>) -> usize {
    from + bytes[from..].iter().take_while(|byte| range.contains(byte)).count()
}

/// Where a sequence begins that the bytes do not hold the end of.
pub(super) fn cut(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(next) = memchr::memchr(ESC, &bytes[at..]) {
        at += next;
        at += match find(&bytes[at..]) {
            Found::Cut => return Some(at),
            Found::Control(length, ..) | Found::Other(length) => length,
            Found::Reset => 2,
            Found::Nothing => 1,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_end_where_a_terminal_says_they_do() {
        let cases: &[(&[u8], Found<'_>)] = &[
            (b"\x1b[1;31mred", Found::Control(7, b"1;31", b'm')),
            (b"\x1b[?25lx", Found::Control(6, b"?25", b'l')),
            (b"\x1b[2 qx", Found::Control(5, b"2 ", b'q')),
            (b"\x1b]0;title\x07x", Found::Other(10)),
            (b"\x1b]52;c;aGk=\x1b\\x", Found::Other(13)),
            (b"\x1bPq#0;2\x07\x1b\\x", Found::Other(10)),
            (b"\x1bktitle\x1b\\x", Found::Other(9)),
            (b"\x1bk\x1b[mx", Found::Other(2)),
            (b"\x1b(Bx", Found::Other(3)),
            (b"\x1bcx", Found::Reset),
            (b"\x1b", Found::Cut),
            (b"\x1b[1;3", Found::Cut),
            (b"\x1b]0;title", Found::Cut),
            (b"\x1b]0;title\x1b", Found::Cut),
            (b"\x1b]0;a\x1b[m", Found::Nothing),
            (b"\x1b[1;\x01m", Found::Nothing),
            (b"\x1b\x1b", Found::Nothing),
            (b"\x1b\xc3\xa4", Found::Nothing),
        ];
        for (bytes, found) in cases {
            assert_eq!(find(bytes), *found, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_is_cut_is_found_behind_what_is_whole() {
        let cases: &[(&[u8], Option<usize>)] = &[
            (b"plain", None),
            (b"\x1b[mx\x1b]0;t\x07", None),
            (b"\x1b[mx\x1b]0;t\x1b", Some(4)),
            (b"a\x1b[3", Some(1)),
            (b"\x1b\x1b", Some(1)),
        ];
        for (bytes, at) in cases {
            assert_eq!(cut(bytes), *at, "{}", bytes.escape_ascii());
        }
    }
}
