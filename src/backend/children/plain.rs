//! A line of a child's output as text that can disturb no screen.
//!
//! Escape sequences (ECMA-48) are taken out, what a carriage return
//! overwrites is left out as a terminal would show it, tabs become spaces to
//! the next multiple of eight, and whatever else could act on a terminal is
//! made [visible](text::visible). A sequence that does not end within its line
//! is shown, not guessed at.
//!
//! ```text
//! ESC [ 30–3f* 20–2f* 40–7e          control sequence: colours, cursor
//! ESC ] P X ^ _ … BEL | ESC \        string: title, hyperlink, device control
//! ESC 20–2f* 30–7e                   the rest: character sets, keypad, reset
//! ```

use std::sync::Arc;

use unicode_width::UnicodeWidthChar;

use crate::model::text;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;
const TAB: usize = 8;

/// The line as text.
pub fn line(bytes: &[u8]) -> Arc<str> {
    if !bytes.iter().any(u8::is_ascii_control) {
        return text::visible_arc(bytes);
    }
    let mut clean = Vec::with_capacity(bytes.len());
    strip(bytes, &mut clean);
    let shown = shown_part(&clean);
    if !shown.contains(&b'\t') {
        return text::visible_arc(shown);
    }
    let mut out = String::with_capacity(shown.len() + 4 * TAB);
    let mut column = 0;
    for (index, piece) in shown.split(|&byte| byte == b'\t').enumerate() {
        if index > 0 {
            let blank = TAB - column % TAB;
            out.extend(std::iter::repeat_n(' ', blank));
            column += blank;
        }
        let begin = out.len();
        text::push_visible(&mut out, piece);
        column += out[begin..].chars().map(|c| c.width().unwrap_or(0)).sum::<usize>();
    }
    Arc::from(out)
}

/// What a terminal would show of a line that returns to its beginning: what
/// was written last.
fn shown_part(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|&byte| byte != b'\r').map_or(0, |last| last + 1);
    let begin = memchr::memrchr(b'\r', &line[..end]).map_or(0, |at| at + 1);
    &line[begin..end]
}

fn strip(mut bytes: &[u8], out: &mut Vec<u8>) {
    while let Some(at) = memchr::memchr(ESC, bytes) {
        out.extend_from_slice(&bytes[..at]);
        let length = sequence(&bytes[at..]);
        if length == 0 {
            out.push(ESC);
        }
        bytes = &bytes[at + length.max(1)..];
    }
    out.extend_from_slice(bytes);
}

/// The length of the escape sequence that begins here; zero where it is none,
/// or has no end.
fn sequence(bytes: &[u8]) -> usize {
    let Some(&kind) = bytes.get(1) else { return 0 };
    let run = |from: usize, range: std::ops::RangeInclusive<u8>| {
        from + bytes[from..].iter().take_while(|byte| range.contains(byte)).count()
    };
    let ends = |at: usize, range: std::ops::RangeInclusive<u8>| {
        if bytes.get(at).is_some_and(|byte| range.contains(byte)) { at + 1 } else { 0 }
    };
    match kind {
        b'[' => ends(run(run(2, 0x30..=0x3f), 0x20..=0x2f), 0x40..=0x7e),
        b']' | b'P' | b'X' | b'^' | b'_' => {
            let rest = &bytes[2..];
            let end = memchr::memchr2(BEL, ESC, rest);
            match end {
                Some(at) if rest[at] == BEL => 2 + at + 1,
                Some(at) if rest.get(at + 1) == Some(&b'\\') => 2 + at + 2,
                _ => 0,
            }
        }
        _ => ends(run(1, 0x20..=0x2f), 0x30..=0x7e),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_lines_become_harmless() {
        let cases: &[(&[u8], &str)] = &[
            (b"plain", "plain"),
            ("größe 进程".as_bytes(), "größe 进程"),
            (b"\x1b[1;31mred\x1b[0m text", "red text"),
            (b"\x1b[2J\x1b[Hcleared", "cleared"),
            (b"\x1b]0;title\x07after", "after"),
            (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
            (b"\x1b(Bset\x1b=\x1bc", "set"),
            (b"\x1b]never ends", "\\x1b]never ends"),
            (b"cut\x1b[3", "cut\\x1b[3"),
            (b"end\x1b", "end\\x1b"),
            (b"\x1b\x1b[mx", "\\x1bx"),
            (b"dos\r", "dos"),
            (b" 10%\r 20%\r 30%", " 30%"),
            (b" 10%\r 20%\r", " 20%"),
            (b"a\tb\t\tc", "a       b               c"),
            ("进\tx".as_bytes(), "进      x"),
            (b"nul\0bell\x07", "nul\\x00bell\\x07"),
            (b"bad\xff\xfeutf8", "bad\\xff\\xfeutf8"),
            ("c1\u{9b}31m".as_bytes(), "c1\\x9b31m"),
            (b"", ""),
        ];
        for (bytes, text) in cases {
            assert_eq!(&*line(bytes), *text, "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_line_holds_a_control_character(bytes in proptest::collection::vec(
            prop_oneof![any::<u8>(), Just(ESC), Just(b'['), Just(b'm'), Just(b'\t'), Just(b'\r')], 0..200)) {
            let text = line(&bytes);
            prop_assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }
}
