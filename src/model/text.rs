//! Text from outside, made harmless.
//!
//! Process names, command lines, paths and child output may hold anything:
//! escape sequences that repaint the terminal, line feeds that break a table,
//! bidirectional overrides that reverse what is read, marks piled up over the
//! rows above, bytes that are no UTF-8. All of it passes here, once, where it
//! enters the program.
//!
//! What comes out takes as many columns as its characters do one by one (UAX
//! #11, as `unicode-width` counts), so that a table holds however its cells are
//! measured.

use std::fmt::Write;
use std::sync::Arc;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// So many marks may stand on one letter: no living language needs more.
const MOST_MARKS: u8 = 4;

/// Shows `bytes` as text in which nothing can act on a terminal: control,
/// format, bidirectional and invisible characters, marks that stand on no letter
/// and invalid UTF-8 become C-style escapes (`\n`, `\x1b`, `\u{202e}`); a
/// backslash stays as it is.
pub fn visible(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    push_visible(&mut out, bytes);
    out
}

/// [`visible`], shared.
pub fn visible_arc(bytes: &[u8]) -> Arc<str> {
    match str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) => Arc::from(text),
        _ => Arc::from(visible(bytes)),
    }
}

/// Appends [`visible`] text to `out`.
pub fn push_visible(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        let mut letter = None;
        for c in chunk.valid().chars() {
            letter = match u8::try_from(c) {
                // Most of all text, and the worst of a flood of NULs.
                Ok(byte @ b' '..=b'~') => {
                    out.push(char::from(byte));
                    Some(Letter { at: out.len() - 1, width: 1, marks: 0 })
                }
                Ok(byte) if byte.is_ascii() => {
                    escape_byte(out, byte);
                    None
                }
                _ => push_char(out, c, letter),
            };
        }
        chunk.invalid().iter().for_each(|byte| escape_byte(out, *byte));
    }
}

/// The last character that takes room: where it begins in the text, how many
/// columns it takes, and how many marks stand on it.
#[derive(Clone, Copy, Debug)]
struct Letter {
    at: usize,
    width: usize,
    marks: u8,
}

/// Appends one character that follows `before`, and returns what the next one
/// follows.
fn push_char(out: &mut String, c: char, before: Option<Letter>) -> Option<Letter> {
    let at = out.len();
    let width = c.width().unwrap_or(0);
    if needs_escape(c) {
        escape(out, c);
        return None;
    }
    if width == 0 {
        let on = before.filter(|letter| letter.marks < MOST_MARKS);
        let Some(letter) = on.filter(|letter| out[letter.at..].starts_with(char::is_alphanumeric)) else {
            escape(out, c);
            return None;
        };
        out.push(c);
        return Some(Letter { marks: letter.marks + 1, ..letter });
    }
    out.push(c);
    // Some pairs are counted as one: a ligature, an emoji and its skin.
    if !c.is_ascii()
        && let Some(letter) = before
        && out[letter.at..].width() != letter.width + width
    {
        out.truncate(at);
        if !is_alef(c) {
            escape(out, c);
            return None;
        }
        // What keeps the letters apart is no letter: both can be read.
        out.push(NON_JOINER);
        out.push(c);
        return Some(Letter { at: at + NON_JOINER.len_utf8(), width, marks: 0 });
    }
    Some(Letter { at, width, marks: 0 })
}

/// Keeps two letters from becoming one glyph; takes no room.
const NON_JOINER: char = '\u{200c}';

/// The letters that form a ligature with a lam before them.
fn is_alef(c: char) -> bool {
    matches!(c, '\u{622}' | '\u{623}' | '\u{625}' | '\u{627}')
}

fn escape(out: &mut String, c: char) {
    match u8::try_from(c) {
        Ok(byte) => escape_byte(out, byte),
        // Writing to a String cannot fail.
        Err(_) => drop(write!(out, "\\u{{{:x}}}", c as u32)),
    }
}

fn escape_byte(out: &mut String, byte: u8) {
    match byte {
        b'\n' => out.push_str("\\n"),
        b'\r' => out.push_str("\\r"),
        b'\t' => out.push_str("\\t"),
        _ => {
            let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 15)]);
            out.push_str("\\x");
            out.extend([digit(byte >> 4), digit(byte)]);
        }
    }
}

/// Whether a terminal or a reader could be misled by this character: controls
/// (Cc), format characters (Cf: zero-width and bidirectional marks, tags), what
/// else is not to be seen (`Default_Ignorable_Code_Point`: fillers, variation
/// selectors), line and paragraph separators, and noncharacters.
fn needs_escape(c: char) -> bool {
    c.is_control()
        || c as u32 & 0xfffe == 0xfffe
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
            | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fdd0}'..='\u{fdef}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_text_is_shown_not_obeyed() {
        let cases: &[(&[u8], &str)] = &[
            (b"bash", "bash"),
            ("größe 进程".as_bytes(), "größe 进程"),
            (b"\x1b[2Jgone", "\\x1b[2Jgone"),
            (b"two\nlines\t", "two\\nlines\\t"),
            (b"bad\xff\xfe", "bad\\xff\\xfe"),
            ("a\u{9b}31m".as_bytes(), "a\\x9b31m"),
            ("evil\u{202e}txt".as_bytes(), "evil\\u{202e}txt"),
            ("\u{3164}\u{2065}".as_bytes(), "\\u{3164}\\u{2065}"),
            ("\u{263a}\u{fe0f}\u{1f44d}\u{1f3fd}".as_bytes(), "\u{263a}\\u{fe0f}\u{1f44d}\\u{1f3fd}"),
            ("\u{1f469}\u{200d}\u{1f4bb}".as_bytes(), "\u{1f469}\\u{200d}\u{1f4bb}"),
            ("\u{10ffff}".as_bytes(), "\\u{10ffff}"),
        ];
        for (bytes, text) in cases {
            assert_eq!(visible(bytes), *text);
            assert_eq!(&*visible_arc(bytes), *text);
        }
    }

    #[test]
    fn marks_stand_on_letters_and_are_few() {
        let cases = [
            ("a\u{301}", "a\u{301}"),
            ("\u{301}lead", "\\u{301}lead"),
            ("/\u{301} \u{301}", "/\\u{301} \\u{301}"),
            ("\u{1112}\u{1161}\u{11ab}", "\u{1112}\u{1161}\u{11ab}"),
        ];
        for (text, shown) in cases {
            assert_eq!(visible(text.as_bytes()), shown);
        }
        let pile = visible(format!("z{}", "\u{301}".repeat(99)).as_bytes());
        assert!(pile.starts_with("z\u{301}\u{301}\u{301}\u{301}\\u{301}\\u{301}"), "{pile}");
        assert_eq!(visible(b"a\xcc"), "a\\xcc", "half a mark");
    }

    #[test]
    fn a_ligature_is_two_letters() {
        let shown = visible("\u{633}\u{644}\u{627}\u{645}".as_bytes());
        assert_eq!(shown.replace(NON_JOINER, ""), "\u{633}\u{644}\u{627}\u{645}");
        assert_eq!(shown.width(), 4);
    }

    proptest! {
        #[test]
        fn a_text_is_as_wide_as_its_characters(text in "[\\PC\u{300}-\u{30f}\u{644}\u{627}\u{1f1e9}\u{1f3fd}\u{fe0f}\u{200d}\u{17d2}\u{a4f8}-\u{a4fd}]{0,24}") {
            let shown = visible(text.as_bytes());
            prop_assert_eq!(shown.width(), shown.chars().map(|c| c.width().unwrap_or(0)).sum::<usize>(), "{:?}", shown);
            prop_assert!(!shown.chars().any(|c| needs_escape(c) && c != NON_JOINER), "{:?}", shown);
        }
    }
}
