//! Text from outside, made harmless.
//!
//! Process names, command lines, paths and child output may hold anything:
//! escape sequences that repaint the terminal, line feeds that break a table,
//! bidirectional overrides that reverse what is read, bytes that are no UTF-8.
//! All of it passes here, once, where it enters the program.

use std::fmt::Write;
use std::sync::Arc;

/// Shows `bytes` as text in which nothing can act on a terminal: control,
/// format and bidirectional characters and invalid UTF-8 become C-style
/// escapes (`\n`, `\x1b`, `\u{202e}`); a backslash stays as it is.
pub fn visible(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    push_visible(&mut out, bytes);
    out
}

/// [`visible`], shared.
pub fn visible_arc(bytes: &[u8]) -> Arc<str> {
    match str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(needs_escape) => Arc::from(text),
        _ => Arc::from(visible(bytes)),
    }
}

/// Appends [`visible`] text to `out`.
pub fn push_visible(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_char(out, c);
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
}

fn push_char(out: &mut String, c: char) {
    match c {
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        c if !needs_escape(c) => out.push(c),
        c if (c as u32) < 0x100 => {
            let _ = write!(out, "\\x{:02x}", c as u32);
        }
        c => {
            let _ = write!(out, "\\u{{{:x}}}", c as u32);
        }
    }
}

/// Whether a terminal or a reader could be misled by this character: controls
/// (Cc), format characters (Cf: zero-width and bidirectional marks, tags), line
/// and paragraph separators, and noncharacters.
fn needs_escape(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}'..='\u{ffff}'
            | '\u{110bd}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
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
        ];
        for (bytes, text) in cases {
            assert_eq!(visible(bytes), *text);
            assert_eq!(&*visible_arc(bytes), *text);
        }
    }
}
