//! The children panel.

use crossterm::event::KeyEvent;
use ratatui::Frame;
use ratatui::layout::Rect;

use super::{Info, Look, Panel, Reaction};
use crate::backend::Topics;
use crate::ui::keymap::Hint;
use crate::ui::widgets::frame;

/// What it is.
pub const INFO: Info = Info { name: "children", title: "children", question: "?", open: || Box::new(Children) };

#[derive(Debug)]
struct Children;

impl Panel for Children {
    fn topics(&self) -> Topics {
        Topics { system: true, ..Topics::default() }
    }

    fn hints(&self) -> Vec<Hint> {
        Vec::new()
    }

    fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        frame::draw(screen, area, "children", "", look.theme);
    }

    fn on_key(&mut self, _key: &KeyEvent, _look: &Look<'_>) -> Reaction {
        Reaction::Ignored
    }
}
