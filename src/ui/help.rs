//! The help: every key that works now, generated from the key tables.

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::{Margin, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Widget};

use super::keymap::Hint;
use super::panels::Info;
use super::theme::{Role, Theme};
use super::widgets::{frame, text};

/// The help while it is open.
#[derive(Clone, Copy, Debug, Default)]
pub struct Help {
    scroll: u16,
    lines: u16,
    rows: u16,
}

impl Help {
    /// Draws it over the screen.
    pub fn draw(
        &mut self,
        screen: &mut Frame<'_>,
        area: Rect,
        of: &Info,
        own: &[Hint],
        global: &[Hint],
        theme: &Theme,
    ) {
        let width = area.width.min(76);
        let mut lines = vec![Line::styled(of.question.to_owned(), theme.style(Role::Accent)), Line::default()];
        let inner = usize::from(width.saturating_sub(4));
        for (name, hints) in [(of.title, own), ("everywhere", global)] {
            if !hints.is_empty() {
                lines.push(Line::styled(name.to_owned(), theme.style(Role::Heading)));
                lines.extend(hints.iter().flat_map(|h| rows(h, inner, theme)));
                lines.push(Line::default());
            }
        }
        lines.pop();
        let height = (lines.len() as u16 + 2).min(area.height);
        let popup =
            Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
        Clear.render(popup, screen.buffer_mut());
        screen.buffer_mut().set_style(popup, theme.ground());
        let more = lines.len() > usize::from(height.saturating_sub(2));
        let note = if more { "↑ ↓ scroll · Esc closes" } else { "Esc closes" };
        let inside = frame::draw_focused(screen, popup, "Keys", note, theme);
        (self.lines, self.rows) = (lines.len() as u16, inside.height);
        self.scroll = self.scroll.min(self.lines.saturating_sub(self.rows));
        Paragraph::new(lines).scroll((self.scroll, 0)).render(inside.inner(Margin::default()), screen.buffer_mut());
    }

    /// Answers a key; `false` closes the help.
    pub fn on_key(&mut self, key: &KeyEvent) -> bool {
        match key.code {
            KeyCode::Down | KeyCode::Char('j') => self.scroll += 1,
            KeyCode::Up | KeyCode::Char('k') => self.scroll = self.scroll.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => self.scroll += self.rows,
            KeyCode::PageUp => self.scroll = self.scroll.saturating_sub(self.rows),
            _ => return false,
        }
        true
    }
}

fn rows(hint: &Hint, width: usize, theme: &Theme) -> Vec<Line<'static>> {
    const KEYS: usize = 18;
    let keys = text::left(&hint.keys, KEYS);
    let wrapped = text::wrap(hint.long, width.saturating_sub(KEYS + 1).max(10));
    let head = |i: usize| {
        if i == 0 {
            Span::styled(keys.clone(), theme.style(Role::Key))
        } else {
            Span::styled(" ".repeat(KEYS), Style::new())
        }
    };
    wrapped
        .into_iter()
        .enumerate()
        .map(|(i, part)| Line::from(vec![head(i), Span::raw(" "), Span::styled(part, theme.style(Role::Text))]))
        .collect()
}
