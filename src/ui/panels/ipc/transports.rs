//! The list of transports: which are measured, and how they stand to each
//! other.
//!
//! ```text
//! ▸ ☑ pipe                block  64K
//!     ██████▌·······     4.69 GB/s
//!     p50 45.8 µs     1.14 M msg/s
//! ```

use std::fmt::Write;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::View;
use crate::backend::lab::ipc::{TRANSPORTS, Transport};
use crate::model::channel::Series;
use crate::model::lab::LabState;
use crate::model::units::{Bytes, si};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{bar, text};

/// Rows of an entry that is measured, from the most there may be; the last of
/// four is blank.
const HEIGHTS: [usize; 4] = [4, 3, 2, 1];

/// Rows that all entries need if each that is measured has `each`; the others
/// have one.
pub(super) fn rows_needed(view: &View, each: usize) -> usize {
    TRANSPORTS.iter().map(|transport| height(view, *transport, each)).sum()
}

fn height(view: &View, transport: &dyn Transport, each: usize) -> usize {
    if view.is_ticked(transport.about().key) { each } else { 1 }
}

/// Draws as many transports as fit, the one under the cursor among them. Those
/// that are measured have up to three rows and a blank one, the others one.
pub(super) fn draw(screen: &mut Frame<'_>, area: Rect, view: &View, look: &Look<'_>) {
    let rows = usize::from(area.height);
    let wide = area.width >= 60;
    let fits = |each: &usize| rows_needed(view, *each) <= rows && !(wide && *each == 2);
    // Where not all fit, figures are worth more than names, if there is room.
    let crowded = match rows {
        _ if wide => 1,
        0..10 => 1,
        10..16 => 2,
        _ => 3,
    };
    let each = HEIGHTS.into_iter().find(fits).unwrap_or(crowded);
    let best = view.series().iter().filter_map(latest).fold(0.0, f64::max);
    let heights: Vec<_> = TRANSPORTS.iter().map(|transport| height(view, *transport, each)).collect();
    let mut first = 0;
    while first < view.cursor && heights[first..=view.cursor].iter().sum::<usize>() > rows {
        first += 1;
    }
    let mut y = 0;
    for (index, height) in heights.iter().enumerate().skip(first) {
        if y >= rows {
            break;
        }
        let entry = Rect { y: area.y + y as u16, height: (*height).min(3) as u16, ..area };
        draw_entry(screen, entry.intersection(area), index, best, view, look);
        y += height;
    }
}

/// The newest throughput, in bytes a second.
fn latest(series: &Series) -> Option<f64> {
    series.throughput.last().map(|point| point.bytes_per_s)
}

fn draw_entry(screen: &mut Frame<'_>, area: Rect, index: usize, best: f64, view: &View, look: &Look<'_>) {
    if area.is_empty() {
        return;
    }
    let transport = TRANSPORTS[index];
    let series = view.series_of(transport.about().key);
    let ticked = view.is_ticked(transport.about().key);
    let colour = view.colour_of(transport.about().key);
    let buffer = screen.buffer_mut();
    let mut title = title(transport, ticked, index == view.cursor, colour, look);
    if area.height == 1 {
        // One row holds all: title, bar, figure.
        let wide = area.width >= 60;
        let lost = series.is_some_and(|series| series.losses.lost > 0);
        let column = match (wide || !ticked, lost) {
            (true, _) => 30,
            (false, true) => title.width() as u16 + 1,
            (false, false) => area.width.saturating_sub(10).min(24),
        };
        title.render(Rect { width: column.min(area.width), ..area }, buffer);
        let figures = Rect { x: area.x + column, width: area.width.saturating_sub(column), ..area };
        row_of_figures(buffer, figures.intersection(area), series, best, colour, wide, look);
    } else {
        if let Some(facts) = series.and_then(|series| series.channel)
            && ticked
        {
            let note = format!("{} {:>5}", facts.wait, Bytes(facts.buffer).short());
            let used = title.width();
            let room = usize::from(area.width).saturating_sub(used);
            if room > note.len() {
                title.push_span(Span::styled(text::right(&note, room), look.style(Role::Faint)));
            }
        }
        title.render(Rect { height: 1, ..area }, buffer);
        let body = Rect { x: area.x + 4, y: area.y + 1, width: area.width.saturating_sub(4), height: area.height - 1 };
        draw_body(buffer, body, transport, series.filter(|_| ticked), best, colour, look);
    }
    if index == view.cursor {
        screen.buffer_mut().set_style(Rect { height: 1, ..area }, look.style(Role::Selection));
    }
}

fn title(transport: &dyn Transport, ticked: bool, here: bool, colour: Option<usize>, look: &Look<'_>) -> Line<'static> {
    let tick = match (ticked, colour) {
        (true, Some(colour)) => Span::styled("■ ", look.theme.series(colour)),
        (true, None) => Span::styled("■ ", look.style(Role::Text)),
        (false, _) => Span::styled("□ ", look.style(Role::Dim)),
    };
    let name = look.style(if ticked { Role::Strong } else { Role::Dim });
    Line::from(vec![
        Span::styled(if here { "▸ " } else { "  " }, look.style(Role::Accent)),
        tick,
        Span::styled(transport.about().name, name),
    ])
}

fn draw_body(
    buffer: &mut ratatui::buffer::Buffer,
    area: Rect,
    transport: &dyn Transport,
    series: Option<&Series>,
    best: f64,
    colour: Option<usize>,
    look: &Look<'_>,
) {
    let row = |y: u16| Rect { y: area.y + y, height: 1, ..area }.intersection(area);
    let Some(series) = series else {
        let about = transport.about().family.to_string();
        Line::styled(text::fit(&about, usize::from(area.width)), look.style(Role::Faint)).render(row(0), buffer);
        return;
    };
    if let LabState::Failed(fault) = &series.state {
        for (y, line) in text::wrap(&fault.to_string(), usize::from(area.width)).iter().enumerate() {
            if (y as u16) < area.height {
                Line::styled(line.clone(), look.style(Role::Danger)).render(row(y as u16), buffer);
            }
        }
        return;
    }
    row_of_figures(buffer, row(0), Some(series), best, colour, false, look);
    if area.height > 1 {
        second_row(buffer, row(1), series, look);
    }
}

/// The bar and the throughput; on a wide row the round trip as well.
fn row_of_figures(
    buffer: &mut ratatui::buffer::Buffer,
    area: Rect,
    series: Option<&Series>,
    best: f64,
    colour: Option<usize>,
    wide: bool,
    look: &Look<'_>,
) {
    let Some(series) = series else { return };
    let note = match &series.state {
        LabState::Failed(fault) => Some((fault.what.to_string(), Role::Danger)),
        _ if series.losses.spoil(series.loses) => {
            let losses = series.losses;
            Some((format!("{} lost, {} corrupt: no figures", losses.lost, losses.corrupt), Role::Danger))
        }
        LabState::Starting => Some(("starting…".to_owned(), Role::Dim)),
        _ if series.throughput.is_empty() => Some(("warming up…".to_owned(), Role::Dim)),
        _ => None,
    };
    if let Some((note, role)) = note {
        Line::styled(text::fit(&note, usize::from(area.width)), look.style(role)).render(area, buffer);
        return;
    }
    let Some(value) = latest(series) else { return };
    let mut figure = format!("{:>10}", rate(value));
    if wide && let Some(trip) = &series.round_trip {
        let _ = write!(figure, "  p50 {:>7}  p99 {:>7}", trip.quantiles.p50, trip.quantiles.p99);
    }
    if series.losses.lost > 0 {
        figure = with_loss(&figure, series, usize::from(area.width));
    }
    let figure_width = figure.chars().count() as u16;
    let bar_area = Rect { width: area.width.saturating_sub(figure_width + 1), ..area };
    let fill = colour.map_or(look.style(Role::Text), |colour| look.theme.series(colour));
    if bar_area.width >= 4 {
        bar::draw(buffer, bar_area, value / best.max(1.0), fill, look.style(Role::Faint));
    }
    let at = Rect { x: area.right().saturating_sub(figure_width), width: figure_width, ..area };
    Line::styled(figure, look.style(Role::Strong)).render(at.intersection(area), buffer);
}

/// Puts the share that was lost before the figure, or behind it in few words
/// where there is little room. A figure never stands without it.
fn with_loss(figure: &str, series: &Series, room: usize) -> String {
    let long = format!("{} lost{figure}", series.losses.share(series.sent));
    if long.chars().count() <= room {
        return long;
    }
    let percent = series.losses.lost as f64 * 100.0 / series.sent.max(1) as f64;
    let share = if percent < 1.0 { "<1%".to_owned() } else { format!("{percent:.0}%") };
    let short = format!("{} −{share}", figure.trim_start());
    if short.chars().count() <= room { short } else { format!("{share} lost") }
}

fn second_row(buffer: &mut ratatui::buffer::Buffer, area: Rect, series: &Series, look: &Look<'_>) {
    let dim = look.style(Role::Dim);
    if let Some(trip) = &series.round_trip {
        let spans = [Span::styled("p50 ", dim), Span::styled(trip.quantiles.p50.precise(), look.style(Role::Text))];
        Line::from_iter(spans).render(area, buffer);
    }
    if let Some(point) = series.throughput.last() {
        let note = format!("{} msg/s", si(point.messages_per_s));
        let width = note.chars().count() as u16;
        if width + 14 < area.width {
            let at = Rect { x: area.right() - width, width, ..area };
            Line::styled(note, dim).render(at, buffer);
        }
    }
}

/// Bytes a second: `4.69 GB/s`.
pub(super) fn rate(bytes_per_s: f64) -> String {
    let figure = si(bytes_per_s);
    if figure.contains(' ') { format!("{figure}B/s") } else { format!("{figure} B/s") }
}
