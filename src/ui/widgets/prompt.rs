//! A line of text being typed.

use crossterm::event::{Event, KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use tui_input::Input;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::ui::theme::{Role, Theme};

/// A prompt and what has been typed into it.
#[derive(Clone, Debug, Default)]
pub struct Prompt {
    input: Input,
}

/// What a key did to a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typed {
    /// The text changed, or the cursor moved.
    Changed,
    /// Enter.
    Accepted,
    /// Escape.
    Cancelled,
}

impl Prompt {
    /// A prompt that already holds a text.
    pub fn with(text: &str) -> Self {
        Prompt { input: Input::new(text.to_owned()) }
    }

    /// What has been typed.
    pub fn text(&self) -> &str {
        self.input.value()
    }

    /// Takes a key.
    pub fn on_key(&mut self, key: &KeyEvent) -> Typed {
        match key.code {
            KeyCode::Enter => Typed::Accepted,
            KeyCode::Esc => Typed::Cancelled,
            _ => {
                edit(&mut self.input, &Event::Key(*key));
                Typed::Changed
            }
        }
    }

    /// Takes pasted text; line ends become spaces.
    pub fn paste(&mut self, text: &str) {
        for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
            self.input.handle(tui_input::InputRequest::InsertChar(c));
        }
    }

    /// Draws `label` and the text into one row, and shows the cursor.
    pub fn draw(&self, screen: &mut Frame<'_>, area: Rect, label: &str, theme: &Theme) {
        let before = label.width() as u16 + 1;
        let room = usize::from(area.width.saturating_sub(before + 1));
        let scroll = self.input.visual_scroll(room);
        let shown = window(self.input.value(), scroll, room);
        let line = Line::from(vec![
            Span::styled(format!("{label} "), theme.style(Role::Key)),
            Span::styled(shown, theme.style(Role::Strong)),
        ]);
        line.render(area, screen.buffer_mut());
        let cursor = self.input.visual_cursor().saturating_sub(scroll) as u16;
        screen.set_cursor_position((area.x + before + cursor.min(area.width.saturating_sub(before + 1)), area.y));
    }
}

/// The columns of a text from `scroll` on, `room` of them at most; half a wide
/// letter is a space.
fn window(text: &str, scroll: usize, room: usize) -> String {
    let mut shown = String::new();
    let mut from = 0;
    for c in text.chars() {
        let until = from + c.width().unwrap_or(0);
        match (from >= scroll, until > scroll) {
            (true, _) if until > scroll + room => break,
            (true, _) => shown.push(c),
            (false, true) => shown.push(' '),
            (false, false) => {}
        }
        from = until;
    }
    shown
}

/// The line editor's keys, those of readline: arrows, Home, End, `^A ^E ^W ^U
/// ^K`.
fn edit(input: &mut Input, event: &Event) {
    use crossterm::event::KeyModifiers;
    use tui_input::InputRequest as Do;
    let Event::Key(key) = event else { return };
    let ctrl = key.modifiers.contains(KeyModifiers::CONTROL);
    let request = match (key.code, ctrl) {
        (KeyCode::Char('a'), true) | (KeyCode::Home, _) => Do::GoToStart,
        (KeyCode::Char('e'), true) | (KeyCode::End, _) => Do::GoToEnd,
        (KeyCode::Char('w'), true) => Do::DeletePrevWord,
        (KeyCode::Char('u'), true) => Do::DeleteLine,
        (KeyCode::Char('k'), true) => Do::DeleteTillEnd,
        (KeyCode::Char('h'), true) | (KeyCode::Backspace, _) => Do::DeletePrevChar,
        (KeyCode::Left, true) => Do::GoToPrevWord,
        (KeyCode::Right, true) => Do::GoToNextWord,
        (KeyCode::Left, false) => Do::GoToPrevChar,
        (KeyCode::Right, false) => Do::GoToNextChar,
        (KeyCode::Delete, _) => Do::DeleteNextChar,
        (KeyCode::Char(c), false) => Do::InsertChar(c),
        _ => return,
    };
    input.handle(request);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_seen_of_a_text_is_counted_in_columns() {
        let cases = [(0, 10, "ab进cd"), (0, 3, "ab"), (3, 3, " cd"), (1, 3, "b进"), (9, 3, "")];
        for (scroll, room, shown) in cases {
            assert_eq!(window("ab进cd", scroll, room), shown, "{scroll} {room}");
        }
    }
}
