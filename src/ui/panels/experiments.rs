//! Experiments that are played one by one: which there are, and what the chosen one has shown.
//!
//! ```text
//! ╭ Experiments ──────────────╮╭ a child has ended and nobody … ──╮
//! │ ✔ zombie                  ││ 4121 has ended; its state is …   │
//! │   orphan                  ││ ⇒ A zombie holds nothing but …   │
//! ╰───────────────────────────╯╰──────────────────────────────────╯
//! ```

use std::marker::PhantomData;

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::Look;
use crate::backend::{children, lab};
use crate::report;
use crate::ui::keymap::Hint;
use crate::ui::store::Played;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, rows, text};

/// How wide the findings are before the list has more than names.
const FINDINGS: u16 = 110;

/// Experiments of one registry.
pub(super) trait Known: Sized + 'static {
    /// All of them, in the order they are shown.
    const ALL: &'static [Self];
    /// Where one goes back to.
    const BACK: &'static str;

    /// Its name and its title.
    fn told(&self) -> (&'static str, &'static str);
}

impl Known for children::experiments::Experiment {
    const ALL: &'static [Self] = children::experiments::EXPERIMENTS;
    const BACK: &'static str = "back to the children";

    fn told(&self) -> (&'static str, &'static str) {
        (self.key, self.title)
    }
}

impl Known for lab::locks::experiments::Experiment {
    const ALL: &'static [Self] = lab::locks::experiments::EXPERIMENTS;
    const BACK: &'static str = "back to the lanes";

    fn told(&self) -> (&'static str, &'static str) {
        (self.key, self.title)
    }
}

/// The view.
#[derive(Debug)]
pub(super) struct Experiments<E> {
    at: usize,
    top: usize,
    scroll: usize,
    of: PhantomData<fn() -> E>,
}

impl<E> Default for Experiments<E> {
    fn default() -> Self {
        Experiments { at: 0, top: 0, scroll: 0, of: PhantomData }
    }
}

/// What a key led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// Still open.
    Open,
    /// Not a key of this view.
    Other,
    /// Back to the panel.
    Closed,
    /// Play this one.
    Play(&'static str),
}

impl<E: Known> Experiments<E> {
    /// Answers a key.
    pub(super) fn on_key(&mut self, key: &KeyEvent) -> Chosen {
        match key.code {
            KeyCode::Esc | KeyCode::Char('e' | 'w') => return Chosen::Closed,
            KeyCode::Enter | KeyCode::Char('r') => return Chosen::Play(E::ALL[self.at].told().0),
            KeyCode::Down | KeyCode::Char('j') => self.go(1),
            KeyCode::Up | KeyCode::Char('k') => self.go(-1),
            KeyCode::PageDown | KeyCode::Char('J') => self.scroll += 5,
            KeyCode::PageUp | KeyCode::Char('K') => self.scroll = self.scroll.saturating_sub(5),
            _ => return Chosen::Other,
        }
        Chosen::Open
    }

    fn go(&mut self, by: isize) {
        self.at = self.at.saturating_add_signed(by).min(E::ALL.len() - 1);
        self.scroll = 0;
    }

    /// What can be done.
    pub(super) fn hints() -> Vec<Hint> {
        vec![
            Hint::new("Enter", "play", "play the experiment, in a process of its own"),
            Hint::new("↓ ↑", "choose", "next experiment, experiment before"),
            Hint::new("J K", "scroll", "scroll what it has shown"),
            Hint::new("Esc", "back", E::BACK),
        ]
    }

    /// Draws it.
    pub(super) fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let wide = area.width >= 100;
        let list = if wide {
            // The titles have what the findings leave, which need no more.
            Rect { width: area.width.saturating_sub(FINDINGS).clamp(34, 118), ..area }
        } else {
            Rect { height: (area.height / 3).max(1).min(E::ALL.len() as u16 + 2), ..area }
        };
        let body = if wide {
            Rect { x: list.right(), width: area.width - list.width, ..area }
        } else {
            Rect { y: list.bottom(), height: area.height - list.height, ..area }
        };
        self.draw_list(screen, list, look);
        self.draw_body(screen, body, look);
    }

    fn draw_list(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let place = format!("{} of {}", self.at + 1, E::ALL.len());
        let inside = frame::draw_focused(screen, area, "Experiments", &place, look.theme);
        let names = E::ALL.iter().map(|known| known.told().0.len()).max().unwrap_or(0);
        let rows = usize::from(inside.height).max(1);
        self.top = self.top.min(self.at).max((self.at + 1).saturating_sub(rows));
        for (y, (index, known)) in E::ALL.iter().enumerate().skip(self.top).take(rows).enumerate() {
            let row = Rect { y: inside.y + y as u16, height: 1, ..inside };
            let (key, title) = known.told();
            let (glyph, role) = match look.store.experiments.get(key) {
                None => (" ", Role::Faint),
                Some(Played::Running) => ("▶", Role::Accent),
                Some(Played::Done(Ok(finding))) if finding.as_documented() == Some(true) => ("✔", Role::Good),
                Some(Played::Done(Ok(finding))) if finding.as_documented().is_none() => ("?", Role::Warn),
                Some(Played::Done(_)) => ("✘", Role::Danger),
            };
            let room = usize::from(row.width).saturating_sub(2);
            let name = text::left(key, room.min(names));
            // A title stands beside its name where it is more than a few words.
            let room = room.saturating_sub(names + 2);
            let title = if room >= 20 { text::fit(title, room) } else { String::new() };
            Line::from(vec![
                Span::styled(format!("{glyph} "), look.style(role)),
                Span::styled(format!("{name}  "), look.style(Role::Text)),
                Span::styled(title, look.style(Role::Dim)),
            ])
            .render(row, screen.buffer_mut());
            if index == self.at {
                screen.buffer_mut().set_style(row, look.style(Role::Selection));
            }
        }
    }

    fn draw_body(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let (key, title) = E::ALL[self.at].told();
        let width = usize::from(area.width).saturating_sub(4).max(10);
        let said = match look.store.experiments.get(key) {
            None => vec!["Enter plays it, in a process of its own.".to_owned()],
            Some(Played::Running) => vec!["It is being played; this takes a few seconds.".to_owned()],
            Some(Played::Done(found)) => report::experiments::lines(found),
        };
        let mut lines = Vec::new();
        for line in &said {
            let role = match line.chars().next() {
                Some('⚑') => Role::Danger,
                Some('?') => Role::Warn,
                Some('⇒') => Role::Accent,
                Some(' ') => Role::Dim,
                _ => Role::Text,
            };
            if line.starts_with('⇒') {
                lines.push(Line::default());
            }
            let parts = if role == Role::Dim { text::hard_wrap(line, width) } else { text::wrap(line, width) };
            lines.extend(parts.into_iter().map(|part| Line::styled(part, look.style(role))));
        }
        let rows = usize::from(area.height).saturating_sub(2).max(1);
        self.scroll = self.scroll.min(lines.len().saturating_sub(rows));
        let note = match lines.len() - self.scroll.min(lines.len()) {
            left if left > rows => format!("J: {} more", left - rows),
            _ => String::new(),
        };
        let title = text::fit(title, usize::from(area.width).saturating_sub(note.len() + 9));
        let inside = frame::draw(screen, area, &title, &note, look.theme);
        rows::draw(screen, inside, lines.into_iter().skip(self.scroll));
    }
}
