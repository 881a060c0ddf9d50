//! The ordering panel.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;

use super::{Info, Look, Panel, Reaction};
use crate::backend::Topics;
use crate::ui::keymap::Hint;
use crate::ui::widgets::frame;

/// What it is.
pub const INFO: Info = Info { name: "ordering", title: "ordering", question: "?", open: || Box::new(Ordering) };

#[derive(Debug)]
struct Ordering;

impl Panel for Ordering {
    fn topics(&self) -> Topics {
        Topics { system: true, ..Topics::default() }
    }

    fn hints(&self) -> Vec<Hint> {
        Vec::new()
    }

    fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        frame::draw(screen, area, "ordering", "", look.theme);
    }

    fn on_key(&mut self, _key: &KeyEvent, _look: &Look<'_>) -> Reaction {
        Reaction::Ignored
    }
}
