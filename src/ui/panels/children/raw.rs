//! Keys as the bytes that a terminal sends for them (xterm's, as terminfo has
//! them), for a child that is to get each key as it is.
//!
//! ```text
//! Ctrl-letter         01 … 1a        Ctrl-Space 00, Ctrl-\ 1c, Ctrl-^ 1e, Ctrl-_ 1f
//! Alt-key             ESC and the key
//! arrows, Home, End   CSI letter     with Shift, Alt, Ctrl: CSI 1 ; m letter
//!                     ESC O letter   where the child asked for it (DECCKM)
//! Ins Del PgUp F5 …   CSI n ~        the same: CSI n ; m ~
//! ```

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::model::child::Keyboard;

/// How a child wants keys.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted {
    /// A line ends as a terminal has it, whose line discipline makes `\n` of it,
    /// or as a pipe.
    pub(super) terminal: bool,
    /// What its program asked for.
    pub(super) keyboard: Keyboard,
}

/// Whether a key is the one that makes the keys ours again: `^]`, which comes
/// as `Ctrl-5` too.
pub(super) fn ends(key: &KeyEvent) -> bool {
    matches!(key.code, KeyCode::Char(']' | '5')) && key.modifiers.contains(KeyModifiers::CONTROL)
}

/// The bytes of a key; `None` where a terminal has none.
pub(super) fn bytes(key: &KeyEvent, wanted: Wanted) -> Option<Vec<u8>> {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let plain = match key.code {
        KeyCode::Char(c) if control => controlled(c).map_or_else(|| c.to_string().into_bytes(), |byte| vec![byte]),
        KeyCode::Char(c) => c.to_string().into_bytes(),
        KeyCode::Enter => vec![if wanted.terminal { b'\r' } else { b'\n' }],
        KeyCode::Tab => vec![b'\t'],
        KeyCode::Backspace => vec![if control { 0x08 } else { 0x7f }],
        KeyCode::Esc => vec![0x1b],
        KeyCode::BackTab => return Some(b"\x1b[Z".to_vec()),
        code => return sequence(code, key.modifiers, wanted.keyboard.application_cursor).map(String::into_bytes),
    };
    let escape = key.modifiers.contains(KeyModifiers::ALT).then_some(0x1b);
    Some(escape.into_iter().chain(plain).collect())
}

const PASTE: &str = "\x1b[200~";
const PASTED: &str = "\x1b[201~";

/// What a paste is: its line ends as those of the Enter key, between marks where
/// the child asked for them.
pub(super) fn pasted(text: &str, wanted: Wanted) -> Vec<u8> {
    let text = text.replace("\r\n", "\n").replace(['\r', '\n'], if wanted.terminal { "\r" } else { "\n" });
    if !wanted.keyboard.marked_paste {
        return text.into_bytes();
    }
    // What is pasted must not end the paste: nothing in it is a key.
    format!("{PASTE}{}{PASTED}", text.replace('\x1b', "")).into_bytes()
}

/// The byte of a character with Control, where there is one.
fn controlled(c: char) -> Option<u8> {
    Some(match c.to_ascii_lowercase() {
        c @ 'a'..='z' => c as u8 & 0x1f,
        ' ' | '@' | '2' => 0x00,
        '[' | '3' => 0x1b,
        '\\' | '4' => 0x1c,
        '^' | '6' => 0x1e,
        '_' | '/' | '7' => 0x1f,
        '?' | '8' => 0x7f,
        _ => return None,
    })
}

fn sequence(code: KeyCode, modifiers: KeyModifiers, application: bool) -> Option<String> {
    let bits = [(KeyModifiers::SHIFT, 1), (KeyModifiers::ALT, 2), (KeyModifiers::CONTROL, 4)];
    let held: u8 = bits.iter().filter(|(bit, _)| modifiers.contains(*bit)).map(|(_, value)| value).sum();
    let letter = |last: char| if held == 0 { format!("\x1b[{last}") } else { format!("\x1b[1;{}{last}", held + 1) };
    let cursor = |last: char| if application && held == 0 { format!("\x1bO{last}") } else { letter(last) };
    let number = |n: u8| if held == 0 { format!("\x1b[{n}~") } else { format!("\x1b[{n};{}~", held + 1) };
    Some(match code {
        KeyCode::Up => cursor('A'),
        KeyCode::Down => cursor('B'),
        KeyCode::Right => cursor('C'),
        KeyCode::Left => cursor('D'),
        KeyCode::Home => cursor('H'),
        KeyCode::End => cursor('F'),
        KeyCode::Insert => number(2),
        KeyCode::Delete => number(3),
        KeyCode::PageUp => number(5),
        KeyCode::PageDown => number(6),
        KeyCode::F(n @ 1..=4) => {
            let last = char::from(b'O' + n);
            if held == 0 { format!("\x1bO{last}") } else { letter(last) }
        }
        // 16 and 22 are left out.
        KeyCode::F(5) => number(15),
        KeyCode::F(n @ 6..=10) => number(n + 11),
        KeyCode::F(n @ 11..=12) => number(n + 12),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: KeyModifiers = KeyModifiers::NONE;
    const CONTROL: KeyModifiers = KeyModifiers::CONTROL;
    const PIPE: Wanted =
        Wanted { terminal: false, keyboard: Keyboard { application_cursor: false, marked_paste: false } };
    const TERMINAL: Wanted = Wanted { terminal: true, ..PIPE };

    #[test]
    fn keys_are_sent_as_a_terminal_sends_them() {
        let cases: &[(KeyCode, KeyModifiers, &[u8])] = &[
            (KeyCode::Char('c'), CONTROL, b"\x03"),
            (KeyCode::Char('Z'), CONTROL, b"\x1a"),
            (KeyCode::Char(' '), CONTROL, b"\0"),
            // Ctrl-\ as a terminal without the newer protocol tells it.
            (KeyCode::Char('4'), CONTROL, b"\x1c"),
            (KeyCode::Char('\\'), CONTROL, b"\x1c"),
            (KeyCode::Char('7'), CONTROL, b"\x1f"),
            (KeyCode::Char('ß'), NONE, "ß".as_bytes()),
            (KeyCode::Char('b'), KeyModifiers::ALT, b"\x1bb"),
            (KeyCode::Char('c'), CONTROL.union(KeyModifiers::ALT), b"\x1b\x03"),
            (KeyCode::Enter, NONE, b"\r"),
            (KeyCode::Backspace, NONE, b"\x7f"),
            (KeyCode::BackTab, KeyModifiers::SHIFT, b"\x1b[Z"),
            (KeyCode::Up, NONE, b"\x1b[A"),
            (KeyCode::Left, CONTROL, b"\x1b[1;5D"),
            (KeyCode::Home, NONE, b"\x1b[H"),
            (KeyCode::Delete, NONE, b"\x1b[3~"),
            (KeyCode::PageDown, KeyModifiers::SHIFT, b"\x1b[6;2~"),
            (KeyCode::F(1), NONE, b"\x1bOP"),
            (KeyCode::F(4), CONTROL, b"\x1b[1;5S"),
            (KeyCode::F(5), NONE, b"\x1b[15~"),
            (KeyCode::F(6), NONE, b"\x1b[17~"),
            (KeyCode::F(10), NONE, b"\x1b[21~"),
            (KeyCode::F(12), NONE, b"\x1b[24~"),
        ];
        for (code, modifiers, expected) in cases {
            let sent = bytes(&KeyEvent::new(*code, *modifiers), TERMINAL).unwrap();
            assert_eq!(sent, *expected, "{code:?} {modifiers:?}: {}", sent.escape_ascii());
        }
        assert_eq!(bytes(&KeyEvent::new(KeyCode::Enter, NONE), PIPE).unwrap(), b"\n");
        assert_eq!(bytes(&KeyEvent::new(KeyCode::CapsLock, NONE), TERMINAL), None);
        assert!(ends(&KeyEvent::new(KeyCode::Char('5'), CONTROL)) && !ends(&KeyEvent::new(KeyCode::Char('5'), NONE)));
    }

    #[test]
    fn what_is_pasted_has_the_line_ends_of_the_enter_key() {
        assert_eq!(pasted("a\r\nb\rc\n", TERMINAL), b"a\rb\rc\r");
        assert_eq!(pasted("a\r\nb\rc\n", PIPE), b"a\nb\nc\n");
    }

    #[test]
    fn a_child_gets_the_cursor_keys_and_the_pastes_that_it_asked_for() {
        let asked = Keyboard { application_cursor: true, marked_paste: true };
        let wanted = Wanted { terminal: true, keyboard: asked };
        let cases: &[(KeyCode, KeyModifiers, &[u8])] = &[
            (KeyCode::Up, NONE, b"\x1bOA"),
            (KeyCode::Left, NONE, b"\x1bOD"),
            (KeyCode::Home, NONE, b"\x1bOH"),
            (KeyCode::End, NONE, b"\x1bOF"),
            // With a modifier, and those of the other block, as ever.
            (KeyCode::Left, CONTROL, b"\x1b[1;5D"),
            (KeyCode::Delete, NONE, b"\x1b[3~"),
            (KeyCode::F(1), NONE, b"\x1bOP"),
        ];
        for (code, modifiers, expected) in cases {
            let sent = bytes(&KeyEvent::new(*code, *modifiers), wanted).unwrap();
            assert_eq!(sent, *expected, "{code:?} {modifiers:?}: {}", sent.escape_ascii());
        }
        assert_eq!(pasted("a\nb", wanted), b"\x1b[200~a\rb\x1b[201~");
        assert_eq!(pasted("a\x1b[201~b", wanted), b"\x1b[200~a[201~b\x1b[201~");
    }
}
