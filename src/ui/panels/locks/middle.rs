//! What stands between the lanes and the invariants.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use super::settings::settings;
use super::{View, charts, figures, steps};

/// Settings and figures on the left; returns what is right of them.
pub(super) fn draw_left(screen: &mut Frame<'_>, area: Rect, view: &View<'_>, selected: usize) -> Rect {
    let left = if area.width >= 100 { 38 } else { 30 };
    let [left, rest] = Layout::horizontal([Constraint::Length(left), Constraint::Fill(1)]).areas(area);
    let wanted = settings(view.spec).len() as u16 + 2;
    let settings = if left.height >= wanted + 3 { wanted } else { left.height };
    let [upper, lower] = Layout::vertical([Constraint::Length(settings), Constraint::Fill(1)]).areas(left);
    figures::settings(screen, upper, view, selected);
    if lower.height >= 3 {
        figures::draw(screen, lower, view);
    }
    rest
}

/// Hand-offs, or the steps of waits, and distributions, as many as fit.
pub(super) fn draw_charts(screen: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    if let Some(waits) = view.progress.and_then(|progress| progress.steps.as_ref()) {
        let [card, rest] = steps::split(area);
        steps::draw(screen, card, waits, view.look);
        return charts::distributions(screen, rest, view);
    }
    let threads = view.progress.map_or(view.spec.threads, |progress| progress.figures.per_thread.len());
    let matrix = charts::handoffs_width(threads, area);
    let [matrix, waits] = Layout::horizontal([Constraint::Length(matrix), Constraint::Fill(1)]).areas(area);
    if !matrix.is_empty() {
        charts::handoffs(screen, matrix, view);
    }
    charts::distributions(screen, waits, view);
}
