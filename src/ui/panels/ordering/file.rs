//! A test in a file: opened, shown again whenever it is saved, and as it was
//! written.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::Ordering;
use crate::backend::Command;
use crate::backend::lab::litmus::library;
use crate::model::Fault;
use crate::model::litmus::{LitmusSpec, SavedTest};
use crate::model::text::visible;
use crate::ui::panels::{Effect, Look, Reaction};
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, rows, text};

impl Ordering {
    /// Shows the test in a file, and again whenever it is saved.
    pub(super) fn open(&mut self, path: &str, look: &Look<'_>) -> Reaction {
        match library::find(path) {
            Ok(spec) => {
                let file = spec.text.is_some().then(|| spec.test.clone());
                let set = self.set(LitmusSpec { strategy: self.spec.strategy, ..spec }, look);
                with(set, Effect::Send(Command::WatchTest(file)))
            }
            Err(fault) => {
                self.preview = Err(fault);
                self.kept = None;
                Reaction::taken()
            }
        }
    }

    /// Reads the file again.
    pub(super) fn read_again(&mut self, look: &Look<'_>) -> Reaction {
        let path = self.spec.test.clone();
        let text = library::read(path.as_ref());
        self.take_saved(&SavedTest { path, text }, look)
    }

    /// Shows what was saved, and lets it run where the test ran; where something
    /// is wrong with it, that, beside what was shown before.
    pub(super) fn take_saved(&mut self, saved: &SavedTest, look: &Look<'_>) -> Reaction {
        let text = match &saved.text {
            Ok(text) => text.clone(),
            Err(fault) => {
                self.broken = Some(fault.clone());
                return Reaction::taken();
            }
        };
        if self.broken.is_none() && self.preview.is_ok() && self.spec.text.as_ref() == Some(&text) {
            return Reaction::taken();
        }
        let changed = LitmusSpec { text: Some(text), ..self.spec.clone() };
        // Orderings that were changed by hand stay so where they still can.
        let as_written = LitmusSpec { orders: Vec::new(), ..changed.clone() };
        match library::load(&changed).map(|_| changed).or_else(|_| library::load(&as_written).map(|_| as_written)) {
            Ok(spec) => self.set(spec, look),
            Err(fault) => {
                self.broken = Some(fault);
                Reaction::taken()
            }
        }
    }
}

/// A reaction with one more effect.
pub(super) fn with(reaction: Reaction, effect: Effect) -> Reaction {
    match reaction {
        Reaction::Taken(mut effects) => {
            effects.push(effect);
            Reaction::Taken(effects)
        }
        Reaction::Ignored => Reaction::Taken(vec![effect]),
    }
}

/// What is wrong with the file, above what was good before; gives the rest.
pub(super) fn draw_broken(screen: &mut Frame<'_>, area: Rect, fault: &Fault, look: &Look<'_>) -> Rect {
    let sentence = format!("{}: {}; below is what was read before", fault.source, fault.what);
    let mut lines = text::wrap(&sentence, usize::from(area.width).max(1));
    lines.truncate(usize::from(area.height / 4));
    let height = lines.len() as u16;
    rows::draw(screen, area, lines.into_iter().map(|line| Line::styled(line, look.style(Role::Danger))));
    Rect { y: area.y + height, height: area.height - height, ..area }
}

/// The test as its author wrote it.
pub(super) fn draw_written(screen: &mut Frame<'_>, area: Rect, spec: &LitmusSpec, look: &Look<'_>) {
    let text = spec.text.as_deref().unwrap_or_else(|| library::text(&spec.test).unwrap_or_default());
    let note = if spec.orders.is_empty() { "v back" } else { "before orderings were changed  v back" };
    let inside = frame::draw(screen, area, "As written", note, look.theme);
    let line =
        |line: &str| Line::styled(text::fit(&visible(line.as_bytes()), inside.width.into()), look.style(Role::Text));
    rows::draw(screen, inside, text.lines().map(line));
}
