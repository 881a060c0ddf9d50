//! The IPC and the lock lab at a glance.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::Bytes;
use crate::model::channel::{IpcProgress, Series};
use crate::model::lab::LabState;
use crate::model::lock::LockProgress;
use crate::model::units::{grouped, si};
use crate::ui::director::Bursts;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::lines::{self, Curve};
use crate::ui::widgets::ridges::{self, Ridge};
use crate::ui::widgets::{bar, distribution, frame, lanes, rows, text};

/// What is said where a lab has no figures.
pub(super) fn silence(state: Option<&LabState>, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let (words, role) = match state {
        Some(LabState::Failed(fault)) => (fault.to_string(), Role::Danger),
        None | Some(LabState::Idle) if look.bursts == Bursts::Off => {
            ("the overview's labs are off: L switches them on".to_owned(), Role::Dim)
        }
        None | Some(LabState::Idle) => ("idle".to_owned(), Role::Dim),
        Some(_) => ("starting …".to_owned(), Role::Dim),
    };
    text::wrap(&words, width).into_iter().map(|line| Line::styled(line, look.style(role))).collect()
}

/// How a lab runs, for the note in its frame.
pub(super) fn pace(state: &LabState, burst: bool) -> &'static str {
    match state {
        LabState::Idle | LabState::Done => "stopped",
        LabState::Failed(_) => "failed",
        _ if burst => "in bursts",
        _ => "running",
    }
}

/// Throughput of each transport.
pub(super) fn ipc(screen: &mut Frame<'_>, place: Rect, look: &Look<'_>) {
    let progress = look.store.ipc.as_ref().map(|s| &s.value);
    let spec = progress.and_then(|p| p.spec.as_ref());
    let title = spec.map_or_else(|| "IPC".to_owned(), |s| format!("IPC, {} messages", Bytes(s.size as u64).short()));
    let note = progress.map_or("", |p| pace(&p.state, p.spec.as_ref().is_some_and(|s| s.burst.is_some())));
    let inside = frame::draw(screen, place, &title, note, look.theme);
    let width = usize::from(inside.width);
    let shown = progress.filter(|p| !p.series.is_empty() && !matches!(p.state, LabState::Failed(_)));
    let Some(progress) = shown else {
        rows::draw(screen, inside, silence(progress.map(|p| &p.state), width, look));
        return;
    };
    let below = rows::draw(screen, inside, ipc_lines(progress, width, look));
    let below = skip(below, 1);
    if below.height < TALL {
        return round_trips(screen, below, progress, look);
    }
    let chart = Rect { height: below.height / 3, ..below };
    throughput(screen, chart, progress, look);
    let trips = titled(screen, skip(below, chart.height + 1), "round trips", look);
    ridges::draw(screen.buffer_mut(), trips, &trip_ridges(progress), look.theme);
}

/// From so many free rows on a lab shows charts of its own.
const TALL: u16 = 20;

/// An area without its upper rows.
pub(super) fn skip(area: Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    Rect { y: area.y + rows, height: area.height - rows, ..area }
}

/// A heading in the first row; returns what is below.
fn titled(screen: &mut Frame<'_>, area: Rect, title: &str, look: &Look<'_>) -> Rect {
    if !area.is_empty() {
        screen.buffer_mut().set_stringn(area.x, area.y, title, usize::from(area.width), look.style(Role::Heading));
    }
    skip(area, 1)
}

fn trip_ridges(progress: &IpcProgress) -> Vec<Ridge<'_>> {
    let series = progress.series.iter().enumerate();
    series
        .filter_map(|(index, s)| {
            Some(Ridge { name: &s.transport, of: s.round_trip.as_deref()?, behind: None, series: index })
        })
        .collect()
}

/// Throughput over the last minute.
fn throughput(screen: &mut Frame<'_>, place: Rect, progress: &IpcProgress, look: &Look<'_>) {
    let points = |series: &Series| -> Vec<(f64, f64)> {
        series.throughput.iter().map(|p| (-look.now.since(p.at).as_secs_f64(), p.bytes_per_s)).collect()
    };
    let curves: Vec<Curve> =
        progress.series.iter().enumerate().map(|(series, s)| Curve { points: points(s), series }).collect();
    let oldest = curves.iter().filter_map(|curve| curve.points.first()).map(|p| -p.0).fold(0.0, f64::max);
    let inside = titled(screen, place, "throughput over time", look);
    lines::draw(screen, inside, &curves, oldest.ceil().clamp(5.0, 60.0), "B/s", look.theme);
}

/// The round trips of all transports on one axis.
fn round_trips(screen: &mut Frame<'_>, place: Rect, progress: &IpcProgress, look: &Look<'_>) {
    const NAME: u16 = 12;
    let all = || progress.series.iter().filter_map(|s| s.round_trip.as_deref());
    let rows = progress.series.len() as u16 + 2;
    let Some(range) = distribution::range(all()).filter(|_| place.height >= rows && place.width > NAME + 20) else {
        return;
    };
    let buffer = screen.buffer_mut();
    buffer.set_string(place.x, place.y, "round trips", look.style(Role::Heading));
    let drawn = |y: u16| Rect { x: place.x + NAME, y: place.y + y, width: place.width - NAME, height: 1 };
    for (index, series) in progress.series.iter().enumerate() {
        let y = index as u16 + 1;
        buffer.set_stringn(place.x, place.y + y, &series.transport, usize::from(NAME) - 1, look.style(Role::Dim));
        if let Some(trip) = &series.round_trip {
            distribution::row(buffer, drawn(y), trip, range, index, look.theme);
        }
    }
    distribution::scale(buffer, drawn(rows - 1), range, look.theme);
}

/// What a transport carries now, in bytes a second.
pub(super) fn rate(series: &Series) -> Option<f64> {
    series.throughput.last().map(|point| point.bytes_per_s)
}

fn ipc_lines(progress: &IpcProgress, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let most = progress.series.iter().filter_map(rate).fold(1.0, f64::max);
    let bar_width = width.saturating_sub(34).clamp(0, 40);
    // A narrow box has room for the throughput alone.
    let trips = width >= 33;
    let line = |(index, series): (usize, &Series)| {
        let mut spans = vec![Span::styled(text::left(&series.transport, 12), look.style(Role::Text))];
        match (rate(series), &series.state) {
            (_, LabState::Failed(fault)) => spans.push(Span::styled(fault.what.to_string(), look.style(Role::Danger))),
            (Some(rate), _) => {
                spans.push(Span::styled(bar::text(rate / most, bar_width), look.theme.series(index)));
                let figure = format!("{}B/s", si(rate));
                spans.push(Span::styled(text::right(&figure, if trips { 12 } else { 10 }), look.style(Role::Strong)));
            }
            (None, _) => spans.push(Span::styled("…", look.style(Role::Faint))),
        }
        if let Some(trip) = series.round_trip.as_ref().filter(|_| trips) {
            spans.push(Span::styled(format!(" {:>8}", trip.quantiles.p50.precise()), look.style(Role::Dim)));
        }
        Line::from(spans)
    };
    let heading = if trips {
        format!("{}{:>12} {:>8}", text::left("", 12 + bar_width), "one way", "p50")
    } else {
        format!("{}{:>10}", text::left("", 12), "one way")
    };
    let mut lines = vec![Line::styled(heading, look.style(Role::Heading))];
    lines.extend(progress.series.iter().enumerate().map(line));
    lines
}

/// Contention for a lock.
pub(super) fn locks(screen: &mut Frame<'_>, place: Rect, look: &Look<'_>) {
    let progress = look.store.locks.as_ref().map(|s| &s.value);
    let subject = progress.and_then(|p| p.subject.as_ref());
    let title = subject.map_or_else(|| "Locks".to_owned(), |s| format!("{}, {} threads", s.spec.lock, s.spec.threads));
    let note = progress.map_or("", |p| pace(&p.state, subject.is_some_and(|s| s.spec.burst.is_some())));
    let inside = frame::draw(screen, place, &title, note, look.theme);
    let width = usize::from(inside.width);
    match progress.filter(|p| p.subject.is_some() && !matches!(p.state, LabState::Failed(_))) {
        None => {
            rows::draw(screen, inside, silence(progress.map(|p| &p.state), width, look));
        }
        Some(progress) => {
            let below = rows::draw(screen, inside, lock_lines(progress, width, look));
            let below = lanes_below(screen, below, progress, look);
            if below.height > 8 {
                let hills = titled(screen, skip(below, 1), "waiting and holding", look);
                ridges::draw(screen.buffer_mut(), hills, &lock_ridges(progress), look.theme);
            }
        }
    }
}

fn lock_ridges(progress: &LockProgress) -> Vec<Ridge<'_>> {
    let figures = &progress.figures;
    let both = [("wait", &figures.wait), ("hold", &figures.held)].into_iter().enumerate();
    both.filter_map(|(series, (name, of))| Some(Ridge { name, of: of.as_ref()?, behind: None, series })).collect()
}

/// A recent stretch of time, one lane a thread, where there is room for all;
/// returns what is below.
fn lanes_below(screen: &mut Frame<'_>, place: Rect, progress: &LockProgress, look: &Look<'_>) -> Rect {
    const NAME: u16 = 4;
    let Some(lanes) = &progress.lanes else { return place };
    let rows = lanes.threads.len() as u16 + 2;
    if place.height < rows || place.width < NAME + 20 {
        return place;
    }
    let heading = format!("a recent stretch of {}", lanes.span.precise());
    let buffer = screen.buffer_mut();
    buffer.set_stringn(place.x, place.y + 1, heading, usize::from(place.width), look.style(Role::Heading));
    for (thread, lane) in lanes.threads.iter().enumerate() {
        let y = place.y + 2 + thread as u16;
        buffer.set_string(place.x, y, format!("t{thread}"), look.style(Role::Dim));
        let row = Rect { x: place.x + NAME, y, width: place.width - NAME, height: 1 };
        lanes::draw(buffer, row, lane, lanes.span, look.theme);
    }
    skip(place, rows)
}

fn lock_lines(progress: &LockProgress, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let figures = &progress.figures;
    let most = figures.per_thread.iter().copied().max().unwrap_or(0).max(1) as f64;
    let dim = |text: String| Span::styled(text, look.style(Role::Dim));
    let strong = |text: String| Span::styled(text, look.style(Role::Strong));
    let mut summary = vec![
        strong(figures.per_second().map_or_else(|| "…".to_owned(), |r| format!("{}/s", si(r)))),
        dim("  jain ".to_owned()),
        strong(figures.jain().map_or_else(|| "–".to_owned(), |j| format!("{j:.2}"))),
    ];
    let p99 = figures.wait.as_ref().map_or_else(|| "–".to_owned(), |w| w.quantiles.p99.precise());
    if summary.iter().map(Span::width).sum::<usize>() + 11 + p99.len() <= width {
        summary.extend([dim("  p99 wait ".to_owned()), strong(p99)]);
    }
    let mut lines = vec![Line::from(summary)];
    lines.extend(figures.per_thread.iter().enumerate().map(|(thread, count)| {
        Line::from(vec![
            dim(format!("t{thread:<3}")),
            Span::styled(bar::text(*count as f64 / most, width.saturating_sub(14).min(40)), look.style(Role::Holding)),
            dim(format!(" {:>8}", si(*count as f64))),
        ])
    }));
    let checked = progress.invariants.iter().map(|i| i.checked).max().unwrap_or(0);
    let (role, words) = match progress.invariants.iter().map(|i| i.violations).sum::<u64>() {
        0 if width < 40 => (Role::Dim, format!("exclusion held: {}", si(checked as f64))),
        0 => (Role::Dim, format!("mutual exclusion held, {} checked", grouped(checked))),
        n => (Role::Danger, format!("exclusion violated {} times", grouped(n))),
    };
    lines.push(Line::styled(words, look.style(role)));
    lines
}
