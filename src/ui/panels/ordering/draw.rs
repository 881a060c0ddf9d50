//! The panel as a whole: what stands where, by the room that there is.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::file::draw_written;
use super::{Lower, Ordering, code, cost, outcomes, program};
use crate::model::Fault;
use crate::model::litmus::LitmusProgress;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, rows, text};

impl Ordering {
    /// Draws a test with what is known of it.
    pub(super) fn draw_whole(&self, screen: &mut Frame<'_>, area: Rect, progress: &LitmusProgress, look: &Look<'_>) {
        let lines = program::height(&progress.test) as u16 + 3;
        let program = lines.min(area.height / 2);
        let below = area.height - program;
        let wide = area.width >= 104;
        let table = outcomes::height(progress) as u16 + 2;
        let code_rows = self.costs.as_ref().map_or(code::height(progress), cost::Costs::height) as u16 + 2;
        let strip = if below >= table.max(12) + code_rows.min(8) { code_rows.min(below - table.max(12)) } else { 0 };
        let [top, middle, bottom] =
            Layout::vertical([Constraint::Length(program), Constraint::Min(6), Constraint::Length(strip)]).areas(area);
        program::draw(screen, top, progress, self.cursor, &self.spec, look);
        let rest = Rect { height: middle.height + bottom.height, ..middle };
        match self.lower {
            Lower::Figures => {}
            Lower::Graph => return self.why.draw(screen, rest, progress, look),
            Lower::Written => return draw_written(screen, rest, &self.spec, look),
        }
        if wide {
            let [left, right] = Layout::horizontal([Constraint::Percentage(62), Constraint::Min(30)]).areas(middle);
            outcomes::draw(screen, left, progress, &self.history, self.why.state(), look);
            self.why.draw(screen, right, progress, look);
        } else if middle.height >= table + 6 {
            let [upper, lower] = Layout::vertical([Constraint::Length(table), Constraint::Min(6)]).areas(middle);
            outcomes::draw(screen, upper, progress, &self.history, self.why.state(), look);
            self.why.draw(screen, lower, progress, look);
        } else {
            outcomes::draw(screen, middle, progress, &self.history, self.why.state(), look);
        }
        if strip > 0 {
            match &self.costs {
                Some(costs) => costs.draw(screen, bottom, look),
                None => code::draw(screen, bottom, progress, look),
            }
        }
    }
}

/// Draws why there is no test to be shown, and the keys that lead on.
pub(super) fn draw_fault(screen: &mut Frame<'_>, area: Rect, fault: &Fault, look: &Look<'_>) {
    let inside = frame::draw(screen, area, "Ordering", "", look.theme);
    let mut lines: Vec<Line<'static>> = Vec::new();
    for line in text::wrap(&format!("{}: {}", fault.source, fault.what), usize::from(inside.width)) {
        lines.push(Line::styled(line, look.style(Role::Danger)));
    }
    for line in fault.hint.iter().flat_map(|hint| text::wrap(hint, usize::from(inside.width))) {
        lines.push(Line::styled(line, look.style(Role::Text)));
    }
    lines.push(Line::default());
    let key = |key: &'static str| Span::styled(key, look.style(Role::Key));
    let word = |word: &'static str| Span::styled(word, look.style(Role::Dim));
    lines.push(Line::from(vec![
        key("t"),
        word(" another test   "),
        key("S"),
        word(" another strategy   "),
        key("w"),
        word(" as written"),
    ]));
    rows::draw(screen, inside, lines);
}
