//! Who hands the lock to whom, and how long waits and holds last.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::View;
use crate::model::Nanos;
use crate::model::histogram::Distribution;
use crate::ui::theme::Role;
use crate::ui::widgets::{distribution, frame, heat, text};

/// ` 12 `: the row's thread.
const LABEL: u16 = 4;
/// Below it the distributions say nothing any more.
const NARROWEST_WAITS: u16 = 28;

/// Columns and rows of a cell, the largest first.
const CELLS: [(u16, u16); 6] = [(12, 5), (8, 3), (6, 2), (4, 1), (3, 1), (2, 1)];

/// How wide the frame of the matrix is to be, of so much; 0 where it does not
/// fit.
pub(super) fn handoffs_width(threads: usize, of: Rect) -> u16 {
    let most = (of.width * 3 / 5).min(of.width.saturating_sub(NARROWEST_WAITS));
    let (cell, _) = cell(threads, Rect { width: most, ..of });
    let wanted = threads * usize::from(cell) + usize::from(LABEL) + 4;
    let width = wanted.max(26).min(usize::from(most)) as u16;
    if width >= 18 { width } else { 0 }
}

/// The largest cell with which the whole matrix fits into a frame, else the
/// smallest.
fn cell(threads: usize, frame: Rect) -> (u16, u16) {
    let fits = |&(width, height): &(u16, u16)| {
        threads * usize::from(width) <= usize::from(frame.width.saturating_sub(LABEL + 4))
            && threads * usize::from(height) <= usize::from(frame.height.saturating_sub(3))
    };
    CELLS.into_iter().find(fits).unwrap_or(CELLS[CELLS.len() - 1])
}

/// Draws the matrix.
pub(super) fn handoffs(screen: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let theme = view.look.theme;
    let matrix = view.progress.and_then(|progress| progress.figures.handoffs.as_ref());
    let Some(matrix) = matrix else {
        let inside = frame::draw(screen, area, "Hand-offs", "", theme);
        return nothing(screen, inside, view);
    };
    let (width, height) = cell(matrix.len(), area);
    let columns = usize::from(area.width.saturating_sub(LABEL + 4) / width).min(matrix.len());
    let rows = usize::from(area.height.saturating_sub(3) / height).min(matrix.len());
    let note = if columns.min(rows) < matrix.len() { format!("{columns} of {}", matrix.len()) } else { String::new() };
    let inside = frame::draw(screen, area, "Hand-offs ↓ to → %", &note, theme);
    let buffer = screen.buffer_mut();
    let dim = theme.style(Role::Dim);
    let every = if width < 3 { 5 } else { 1 };
    for column in (0..columns).step_by(every) {
        let room = usize::from(width) * every.min(columns - column);
        let name = if every > 1 { text::left(&column.to_string(), room) } else { format!("{column:^room$}") };
        buffer.set_stringn(inside.x + LABEL + column as u16 * width, inside.y, name, room, dim);
    }
    for row in 0..rows {
        let name = text::right(&row.to_string(), usize::from(LABEL) - 2);
        buffer.set_string(inside.x, inside.y + 1 + row as u16 * height + (height - 1) / 2, name, dim);
    }
    let grid =
        Rect { x: inside.x + LABEL, y: inside.y + 1, width: columns as u16 * width, height: rows as u16 * height };
    heat::rows(buffer, grid.intersection(inside), matrix, (width, height), theme);
}

/// Draws the waits, and below them the holds where there is room.
pub(super) fn distributions(screen: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let figures = view.progress.map(|progress| &progress.figures);
    let (wait, held) = (figures.and_then(|f| f.wait.as_ref()), figures.and_then(|f| f.held.as_ref()));
    if area.height < 16 {
        return one(screen, area, "Wait", wait, 0, view);
    }
    let halves = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas::<2>(area);
    one(screen, halves[0], "Wait: from wanting to getting", wait, 0, view);
    one(screen, halves[1], "Hold: from getting to letting go", held, 1, view);
}

fn one(screen: &mut Frame<'_>, area: Rect, title: &str, of: Option<&Distribution>, series: usize, view: &View<'_>) {
    let look = view.look;
    let Some(of) = of.filter(|of| of.quantiles.count > 0) else {
        let inside = frame::draw(screen, area, title, "", look.theme);
        return nothing(screen, inside, view);
    };
    let inside = frame::draw(screen, area, title, "log axis, √ height", look.theme);
    let q = &of.quantiles;
    let all = [("p50", q.p50), ("p90", q.p90), ("p99", q.p99), ("p99.9", q.p999), ("max", q.max)];
    let figure = |(name, value): &(&str, Nanos)| (format!("{name} "), format!("{}  ", value.precise()));
    let width = |all: &[(&str, Nanos)]| -> usize {
        all.iter().map(figure).map(|(name, value)| name.chars().count() + value.chars().count()).sum()
    };
    // Where not all fit, the middle and the ends of the tail.
    let choices = [&all[..], &[all[0], all[2], all[4]], &[all[0], all[4]]];
    let room = usize::from(inside.width) + 2;
    let chosen = choices.into_iter().find(|choice| width(choice) <= room).unwrap_or(&all[..1]);
    let spans = chosen.iter().map(figure).flat_map(|(name, value)| {
        [Span::styled(name, look.style(Role::Dim)), Span::styled(value, look.style(Role::Strong))]
    });
    spans.collect::<Line<'_>>().render(Rect { height: 1, ..inside }, screen.buffer_mut());
    let chart = Rect { y: inside.y + 1, height: inside.height.saturating_sub(1), ..inside };
    distribution::draw(screen.buffer_mut(), chart, of, series, look.theme);
}

fn nothing(screen: &mut Frame<'_>, inside: Rect, view: &View<'_>) {
    let off = view.progress.is_some_and(|progress| progress.lanes.is_none());
    let words = if off { "recording is off" } else { "–" };
    Line::styled(words, view.look.style(Role::Faint)).render(Rect { height: 1, ..inside }, screen.buffer_mut());
}
