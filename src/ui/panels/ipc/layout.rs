//! Where each part of the panel stands on screens of all sizes, and its frames.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::blank::message;
use super::charts::{draw_right, draw_throughput};
use super::{View, channel, failures, map, settings, transports};
use crate::model::lab::LabState;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, text};

/// Draws the panel.
pub(super) fn draw(screen: &mut Frame<'_>, area: Rect, view: &View, look: &Look<'_>) {
    if area.width < 60 || area.height < 12 {
        return draw_small(screen, area, view, look);
    }
    let [top, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    draw_settings(screen, top, view, look);
    if view.maps && !view.explains && !view.fails {
        return draw_map(screen, body, view, look);
    }
    if area.width < 110 {
        if view.explains || view.fails {
            return draw_right(screen, body, view, look);
        }
        let left = Constraint::Length(36.min(area.width * 9 / 20));
        let [left, right] = Layout::horizontal([left, Constraint::Min(0)]).areas(body);
        let now = if left.height >= 18 { 7 } else { 0 };
        let [list, now] = Layout::vertical([Constraint::Min(0), Constraint::Length(now)]).areas(left);
        draw_transports(screen, list, view, look);
        draw_now(screen, now, view, look);
        let chart = Constraint::Percentage(45);
        let [chart, trips] = Layout::vertical([chart, Constraint::Min(0)]).areas(right);
        draw_throughput(screen, chart, view, look);
        draw_right(screen, trips, view, look);
        return;
    }
    let list = Constraint::Length((area.width / 5).clamp(36, 52));
    let [list, rest] = Layout::horizontal([list, Constraint::Min(0)]).areas(body);
    if view.fails {
        draw_transports(screen, list, view, look);
        return draw_right(screen, rest, view, look);
    }
    let map = if rest.height >= 28 { (map::rows_needed(view) + 2).clamp(4, rest.height / 3) } else { 0 };
    let [rest, map] = Layout::vertical([Constraint::Min(0), Constraint::Length(map)]).areas(rest);
    draw_map(screen, map, view, look);
    let [middle, right] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas(rest);
    // Where it is high there is room for all that disturbs the figures.
    let now = if middle.height >= 26 { 9 } else { 7 };
    let [chart, now] = Layout::vertical([Constraint::Min(0), Constraint::Length(now)]).areas(middle);
    let needed = transports::rows_needed(view, 4) as u16 + 1;
    let (list, words) = split_below(list, needed);
    draw_transports(screen, list, view, look);
    if let Some(words) = words.filter(|_| !view.explains) {
        let inside = frame::draw(screen, words, view.selected().name, "", look.theme);
        channel::describe(screen, inside, view, look);
    }
    draw_throughput(screen, chart, view, look);
    draw_now(screen, now, view, look);
    draw_right(screen, right, view, look);
}

/// The part of an area above, `needed` rows high, and the rest below it where
/// that is high enough to explain something in.
fn split_below(area: Rect, needed: u16) -> (Rect, Option<Rect>) {
    if area.height < needed + 12 {
        return (area, None);
    }
    let [above, below] = Layout::vertical([Constraint::Length(needed), Constraint::Min(0)]).areas(area);
    (above, Some(below))
}

fn draw_settings(screen: &mut Frame<'_>, area: Rect, view: &View, look: &Look<'_>) {
    let inside = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    let state = state_line(view, look);
    let width = state.width() as u16;
    let room = inside.width.saturating_sub(width + 2);
    settings::line(&view.spec, room, look).render(Rect { width: room, ..inside }, screen.buffer_mut());
    let at = Rect { x: inside.right().saturating_sub(width), width, ..inside };
    state.render(at.intersection(inside), screen.buffer_mut());
}

/// Where the lab stands, in a word or two.
fn state_line(view: &View, look: &Look<'_>) -> Line<'static> {
    let (text, role) = match &view.state {
        _ if view.asked => ("starting…", Role::Accent),
        LabState::Idle | LabState::Done if view.series().is_empty() => ("idle", Role::Dim),
        LabState::Idle | LabState::Done => ("stopped", Role::Warn),
        LabState::Starting => ("starting…", Role::Accent),
        LabState::WarmUp => ("warming up…", Role::Accent),
        LabState::Running | LabState::Resting => ("● measuring", Role::Good),
        LabState::Failed(_) => ("failed", Role::Danger),
    };
    Line::styled(text, look.style(role))
}

fn draw_small(screen: &mut Frame<'_>, area: Rect, view: &View, look: &Look<'_>) {
    let [top, body] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    draw_settings(screen, top, view, look);
    if view.explains {
        return channel::explain(screen, body, false, view, look);
    }
    if view.fails {
        return failures::draw_inside(screen, body, false, view, look);
    }
    if let Some((text, role)) = message(view) {
        let rows = text::wrap(&text, usize::from(body.width.saturating_sub(2)));
        let list = body.height.saturating_sub(rows.len() as u16);
        transports::draw(screen, Rect { height: list.max(1), ..body }, view, look);
        for (y, row) in rows.into_iter().enumerate() {
            let at = Rect { x: body.x + 1, y: body.y + list + y as u16, height: 1, width: body.width - 1 };
            Line::styled(row, look.style(role)).render(at.intersection(body), screen.buffer_mut());
        }
    } else {
        transports::draw(screen, body, view, look);
    }
}

fn draw_transports(screen: &mut Frame<'_>, area: Rect, view: &View, look: &Look<'_>) {
    let note = match &view.seen {
        Some(seen) if view.is_running() => format!("{} workers", seen.value.cost.processes),
        _ => String::new(),
    };
    let inside = frame::draw(screen, area, "Transports", &note, look.theme);
    transports::draw(screen, inside, view, look);
}

fn draw_now(screen: &mut Frame<'_>, area: Rect, view: &View, look: &Look<'_>) {
    if area.is_empty() {
        return;
    }
    let title = format!("{}: the channel now", view.selected().name);
    let inside = frame::draw(screen, area, &title, "", look.theme);
    channel::draw(screen, inside, view, look);
}

/// Draws the map of sizes and transports in a frame.
fn draw_map(screen: &mut Frame<'_>, area: Rect, view: &View, look: &Look<'_>) {
    if area.is_empty() {
        return;
    }
    let title = if view.trips { "Round trip by size, p50" } else { "Throughput by size, B/s" };
    let walk = if view.spec.walk { "going through all sizes" } else { "a goes through all sizes" };
    // Cells belong to the settings they were measured with, which are not those
    // above where something was changed since.
    let now =
        view.seen.as_ref().and_then(|seen| seen.value.spec.as_ref()).filter(|spec| !settings::alike(spec, &view.spec));
    let note = now.map_or(walk.to_owned(), |spec| format!("measured {}", settings::of_map(spec)));
    let inside = frame::draw(screen, area, title, &note, look.theme);
    map::draw(screen, inside, view, look);
}
