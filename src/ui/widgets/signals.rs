//! The menu of signals, with a confirmation before anything is sent.
//!
//! The target is fixed when the menu opens: a table that is sorted anew
//! underneath cannot slip another process under the key.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Widget};

use super::{frame, text};
use crate::model::signal::SIGNALS;
use crate::ui::keymap::Hint;
use crate::ui::theme::{Role, Theme};

/// How many lines the question takes.
const QUESTION: usize = 4;
/// How many signals are shown at once, at most.
const LISTED: usize = 18;
/// Columns of a signal's name: `SIGRTMAX-14`.
const NAME: usize = 11;

/// The menu. `T` is whatever names the target for its owner.
#[derive(Clone, Debug)]
pub struct SignalMenu<T> {
    /// Who gets the signal.
    pub target: T,
    label: String,
    cursor: usize,
    top: usize,
    asking: bool,
}

/// What a key did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Still open.
    Open,
    /// Closed; nothing is sent.
    Cancelled,
    /// Confirmed: send this signal.
    Send(i32),
}

impl<T> SignalMenu<T> {
    /// A menu for a target, called `label` on the screen: `812 sleep`.
    pub fn new(target: T, label: String) -> Self {
        let cursor = SIGNALS.iter().position(|s| s.number == 15).unwrap_or(0);
        SignalMenu { target, label, cursor, top: 0, asking: false }
    }

    /// Changes who gets the signal, and what that is called.
    pub fn retarget(&mut self, target: T, label: String) {
        (self.target, self.label) = (target, label);
    }

    /// Answers a key.
    pub fn on_key(&mut self, key: &KeyEvent) -> Choice {
        if self.asking {
            return match key.code {
                KeyCode::Enter | KeyCode::Char('y') => Choice::Send(SIGNALS[self.cursor].number),
                _ => {
                    self.asking = false;
                    Choice::Open
                }
            };
        }
        match key.code {
            KeyCode::Down | KeyCode::Char('j') => self.cursor = (self.cursor + 1).min(SIGNALS.len() - 1),
            KeyCode::Up | KeyCode::Char('k') => self.cursor = self.cursor.saturating_sub(1),
            KeyCode::Home | KeyCode::Char('g') => self.cursor = 0,
            KeyCode::End | KeyCode::Char('G') => self.cursor = SIGNALS.len() - 1,
            KeyCode::Char('9') => self.cursor = 8,
            KeyCode::Enter => self.asking = true,
            KeyCode::Esc | KeyCode::Char('q') => return Choice::Cancelled,
            _ => {}
        }
        Choice::Open
    }

    /// What can be done next.
    pub fn hints(&self) -> Vec<Hint> {
        if self.asking {
            return vec![
                Hint::new("Enter y", "send it", "send the signal"),
                Hint::new("Esc", "back", "back to the list"),
            ];
        }
        vec![
            Hint::new("Enter", "choose", "choose this signal; a question follows"),
            Hint::new("↓ j", "next", "next signal"),
            Hint::new("9", "SIGKILL", "go to SIGKILL"),
            Hint::new("Esc q", "close", "close without sending anything"),
        ]
    }

    /// Draws the menu over `area`.
    pub fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, theme: &Theme) {
        let width = area.width.min(76);
        let rows = if self.asking { QUESTION } else { SIGNALS.len().min(LISTED) };
        let height = area.height.min(rows as u16 + 2);
        let popup =
            Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
        Clear.render(popup, screen.buffer_mut());
        screen.buffer_mut().set_style(popup, theme.ground());
        let title = format!("Signal to {}", text::fit(&self.label, usize::from(width).saturating_sub(34)));
        let note = if self.asking { "Enter sends · Esc back" } else { "Enter chooses · Esc closes" };
        let inside = frame::draw_focused(screen, popup, &title, note, theme);
        if self.asking {
            self.draw_question(screen, inside, theme);
        } else {
            self.draw_list(screen, inside, theme);
        }
    }

    fn draw_list(&mut self, screen: &mut Frame<'_>, area: Rect, theme: &Theme) {
        let rows = usize::from(area.height.max(1));
        if self.cursor < self.top {
            self.top = self.cursor;
        }
        if self.cursor >= self.top + rows {
            self.top = self.cursor + 1 - rows;
        }
        for (y, (index, signal)) in SIGNALS.iter().enumerate().skip(self.top).take(rows).enumerate() {
            let row = Rect { y: area.y + y as u16, height: 1, ..area };
            let line = Line::from(vec![
                Span::styled(format!("{:>3} ", signal.number), theme.style(Role::Dim)),
                Span::styled(text::left(signal.name, NAME), theme.style(Role::Strong)),
                Span::styled(format!(" {}", signal.meaning), theme.style(Role::Dim)),
            ]);
            line.render(row, screen.buffer_mut());
            if index == self.cursor {
                screen.buffer_mut().set_style(row, theme.style(Role::Selection));
            }
        }
    }

    fn draw_question(&self, screen: &mut Frame<'_>, area: Rect, theme: &Theme) {
        let signal = SIGNALS[self.cursor];
        let lines: [Line<'_>; QUESTION] = [
            Line::from(vec![
                Span::styled("Send ", theme.style(Role::Text)),
                Span::styled(signal.name, theme.style(Role::Danger)),
                Span::styled(" to ", theme.style(Role::Text)),
                Span::styled(self.label.clone(), theme.style(Role::Strong)),
                Span::styled("?", theme.style(Role::Text)),
            ]),
            Line::styled(signal.meaning, theme.style(Role::Dim)),
            Line::default(),
            Line::from(vec![
                Span::styled("Enter", theme.style(Role::Key)),
                Span::styled(" sends it   ", theme.style(Role::Dim)),
                Span::styled("Esc", theme.style(Role::Key)),
                Span::styled(" goes back", theme.style(Role::Dim)),
            ]),
        ];
        for (y, line) in lines.into_iter().enumerate().take(usize::from(area.height)) {
            line.render(Rect { y: area.y + y as u16, height: 1, ..area }, screen.buffer_mut());
        }
    }
}

#[cfg(test)]
mod tests {
    use crossterm::event::KeyModifiers;

    use super::*;

    fn press(menu: &mut SignalMenu<()>, code: KeyCode) -> Choice {
        menu.on_key(&KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn nothing_is_sent_without_a_second_key() {
        let mut menu = SignalMenu::new((), "812 sleep".to_owned());
        assert_eq!(press(&mut menu, KeyCode::Enter), Choice::Open);
        assert_eq!(press(&mut menu, KeyCode::Char('n')), Choice::Open, "anything but yes goes back");
        assert_eq!(press(&mut menu, KeyCode::Char('9')), Choice::Open);
        assert_eq!(press(&mut menu, KeyCode::Enter), Choice::Open);
        assert_eq!(press(&mut menu, KeyCode::Enter), Choice::Send(9));
        assert_eq!(press(&mut SignalMenu::new((), String::new()), KeyCode::Esc), Choice::Cancelled);
    }
}
