//! How the panel draws its parts.

use std::sync::Arc;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::place::split;
use super::side::Side;
use super::{Children, Mode, facts, list, side, tuple, words};
use crate::model::child::ChildView;
use crate::ui::panels::Look;
use crate::ui::panels::processes::detail::Detail;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, rows, text};

impl Children {
    pub(super) fn draw_body(&mut self, screen: &mut Frame<'_>, area: Rect, all: &[Arc<ChildView>], look: &Look<'_>) {
        let Some(child) = self.child(look) else { return };
        let areas = split(area, all.len());
        self.list_area = list::draw(screen, areas.list, all, child.id, &mut self.top, look);
        if let Some(area) = areas.facts {
            facts::draw(screen, area, child, look);
        }
        self.log_area = areas.log;
        match self.side {
            Side::Log => self.log.draw(screen, areas.log, child, areas.facts.is_some(), look),
            side => self.draw_side(screen, areas.log, side, child, look),
        }
    }

    fn draw_side(&mut self, screen: &mut Frame<'_>, area: Rect, side: Side, child: &ChildView, look: &Look<'_>) {
        let title = format!("{} of {}", side.title(), words::name(child));
        let title = text::fit(&title, usize::from(area.width).saturating_sub(21).max(10));
        if side == Side::Process {
            return self.draw_process(screen, area, &title, child, look);
        }
        let width = usize::from(area.width.saturating_sub(4));
        let lines = match side {
            Side::Tree => side::tree(child, look),
            Side::Life => side::life(child, width, look),
            _ => side::calls(child, width, look),
        };
        // Of a long life the end matters most.
        let rows = usize::from(area.height.saturating_sub(2)).max(1);
        let first = self.pane.place(lines.len(), rows, side == Side::Life);
        let note = if lines.len() > rows {
            format!("{}-{} of {} · J K", first + 1, first + rows, lines.len())
        } else {
            "v next view".to_owned()
        };
        let inside = frame::draw(screen, area, &title, &note, look.theme);
        rows::draw(screen, inside, lines.into_iter().skip(first));
    }

    fn draw_process(&mut self, screen: &mut Frame<'_>, area: Rect, title: &str, child: &ChildView, look: &Look<'_>) {
        // A child that was chosen while this is shown.
        if self.detail.as_ref().map(Detail::pid) != child.pid {
            self.detail = child.pid.map(Detail::new);
        }
        let Some(detail) = &mut self.detail else {
            let inside = frame::draw(screen, area, title, "v next view", look.theme);
            let line = Line::styled("It has ended: there is no process to look at.", look.style(Role::Dim));
            rows::draw(screen, inside, [line]);
            return;
        };
        let known = look.store.detail.as_ref().filter(|latest| latest.value.pid == detail.pid());
        let lines = known.map_or_else(
            || vec![Line::styled("reading …", look.style(Role::Dim))],
            |latest| tuple::lines(&latest.value, usize::from(area.width.saturating_sub(4)), look),
        );
        // What was not read yet takes the room that it will; the parts below keep
        // some, of which one scrolls.
        let height = if area.height < 16 { 0 } else { (lines.len() as u16 + 2).clamp(8, area.height - 7) };
        if height > 0 {
            let inside = frame::draw(screen, Rect { height, ..area }, title, "v next view", look.theme);
            rows::draw(screen, inside, lines);
        }
        let below = Rect { y: area.y + height, height: area.height - height, ..area };
        detail.draw_noted(screen, below, "→ next part", look);
    }

    pub(super) fn draw_prompt(&self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let (label, prompt) = match &self.mode {
            Mode::Run(prompt, _) => ("run ›", prompt),
            Mode::Write(_, prompt) => ("input ›", prompt),
            Mode::Search(prompt) => ("find ›", prompt),
            Mode::Raw(_) => {
                let line = "raw input: every key goes to the child, ^] ends that";
                return Line::styled(line, look.style(Role::Key)).render(area, screen.buffer_mut());
            }
            Mode::Browse | Mode::Signal(_) | Mode::Build(_) | Mode::Experiments => return,
        };
        let row = Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area };
        prompt.draw(screen, row, label, look.theme);
        if let Some(complaint) = &self.complaint {
            let note = text::fit(complaint, usize::from(area.width / 2));
            let width = note.chars().count() as u16 + 1;
            let place = Rect { x: area.right().saturating_sub(width), width, ..area };
            Line::styled(note, look.style(Role::Danger)).render(place, screen.buffer_mut());
        }
    }
}
