//! The selected channel as the bounded queue it is, and what it is in words.
//!
//! ```text
//! sender ▶ ██████████████████▌············ ▶ receiver  68% of 64K
//! neither side has to wait
//! cpu a message        867 ns → 863 ns
//! ```

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::View;
use crate::model::Nanos;
use crate::model::channel::{Fill, Series, SideNow, Sides, Waiting};
use crate::model::lab::LabState;
use crate::model::units::Bytes;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{bar, rows, text};

/// Above this share a queue counts as full, below the other as empty.
const FULL: f64 = 0.9;
const EMPTY: f64 = 0.1;

/// Draws the selected channel.
pub(super) fn draw(screen: &mut Frame<'_>, area: Rect, view: &View, look: &Look<'_>) {
    let row = |y: u16| Rect { y: area.y + y, height: 1, ..area }.intersection(area);
    let buffer = screen.buffer_mut();
    let key = view.selected().key;
    if !view.is_ticked(key) {
        return Line::styled("not measured: Space ticks it", look.style(Role::Dim)).render(row(0), buffer);
    }
    let series = view.series_of(key);
    if let Some(LabState::Failed(fault)) = series.map(|series| &series.state) {
        for (y, line) in text::wrap(&fault.to_string(), usize::from(area.width)).into_iter().enumerate() {
            Line::styled(line, look.style(Role::Danger)).render(row(y as u16), buffer);
        }
        return;
    }
    let Some(series) = series.filter(|series| series.cost.is_some()) else {
        return Line::styled("nothing measured yet", look.style(Role::Dim)).render(row(0), buffer);
    };
    match series.fill {
        Some(fill) => queue(buffer, row(0), fill, view.colour_of(&series.transport), look),
        None => Line::styled("how full it is, nobody outside can see", look.style(Role::Dim)).render(row(0), buffer),
    }
    let wide = area.width >= 50;
    let figures = [
        series.fill.map(|fill| Line::styled(verdict(series, fill, wide), look.style(Role::Text))),
        cpu(series, wide, look),
        switches(series, wide, look),
    ];
    let mut lines: Vec<_> = figures.into_iter().flatten().collect();
    let room = usize::from(area.height).saturating_sub(lines.len() + 1);
    lines.extend(flags(series, room, usize::from(area.width), look));
    lines.extend(facts(series, look));
    for (y, line) in lines.into_iter().enumerate() {
        if y as u16 + 1 < area.height {
            rows::fit(line, usize::from(area.width)).render(row(y as u16 + 1), buffer);
        }
    }
}

fn queue(buffer: &mut ratatui::buffer::Buffer, row: Rect, fill: Fill, colour: Option<usize>, look: &Look<'_>) {
    let share = fill.queued as f64 / fill.capacity.max(1) as f64;
    // Who says so, where there is room for it.
    let by = if row.width >= 64 { format!(" by {}", fill.by) } else { String::new() };
    let note = format!(" {:>3.0}% of {}{by}", share.min(1.0) * 100.0, Bytes(fill.capacity));
    // Without the words where there is no room for them.
    let (left, right) = if row.width >= 44 { ("sender ▶ ", " ▶ receiver") } else { ("▶ ", " ▶") };
    let ends = (left.chars().count() + right.chars().count() + note.len()) as u16;
    let dim = look.style(Role::Dim);
    buffer.set_string(row.x, row.y, left, dim);
    let inside = Rect { x: row.x + left.chars().count() as u16, width: row.width.saturating_sub(ends), ..row };
    let style = colour.map_or(look.style(Role::Text), |colour| look.theme.series(colour));
    bar::draw(buffer, inside, share, style, look.style(Role::Faint));
    buffer.set_stringn(inside.right(), row.y, right, usize::from(row.right() - inside.right()), dim);
    let at = row.right().saturating_sub(note.len() as u16);
    buffer.set_string(at, row.y, note, look.style(Role::Strong));
}

/// Who waits for whom: what both sides did at the moment when the channel was
/// looked into, or where that is not known what follows from its fill level.
fn verdict(series: &Series, fill: Fill, wide: bool) -> String {
    let share = fill.queued as f64 / fill.capacity.max(1) as f64;
    let how = series.channel.map_or(Waiting::Block, |facts| facts.wait);
    let waits = match how {
        Waiting::Block | Waiting::Futex | Waiting::Semaphore => "sleeps",
        Waiting::Spin => "spins",
        Waiting::SpinPark => "spins, then sleeps",
    };
    let place = |side: &SideNow| side.place.as_ref().map_or(String::new(), |place| format!(" in {place}"));
    if let Some([sender, receiver]) = &series.sides
        && (sender.asleep || receiver.asleep)
    {
        let (short, long) = match (sender.asleep, receiver.asleep) {
            (true, true) => ("both sides sleep at this moment".to_owned(), String::new()),
            (true, false) => (format!("the sender sleeps{}", place(sender)), ": no room for more".to_owned()),
            _ => (format!("the receiver sleeps{}", place(receiver)), ": nothing to read".to_owned()),
        };
        return if wide { short + &long } else { short };
    }
    let (short, long) = if share >= FULL {
        (format!("full: the sender {waits}"), " until the receiver has taken something")
    } else if share <= EMPTY {
        (format!("nearly empty: the receiver {waits}"), " until something comes")
    } else {
        ("neither side has to wait".to_owned(), "")
    };
    if wide { short + long } else { short }
}

/// The same in the words of an explanation, and what to keep in mind.
fn seen_now(view: &View) -> Vec<String> {
    let key = view.selected().key;
    let Some(series) = view.series_of(key).filter(|series| view.is_ticked(key) && series.cost.is_some()) else {
        return Vec::new();
    };
    let stands = series.fill.map(|fill| verdict(series, fill, true));
    stands.into_iter().chain(series.flags.iter().cloned()).collect()
}

fn cpu(series: &Series, wide: bool, look: &Look<'_>) -> Option<Line<'static>> {
    let show = |value: f64| Nanos(value.round() as u64).precise();
    Some(sides("cpu", series.cost?.cpu_ns, show, wide, look))
}

fn switches(series: &Series, wide: bool, look: &Look<'_>) -> Option<Line<'static>> {
    Some(sides("switches", series.cost?.switches, |value| format!("{value:.3}"), wide, look))
}

/// A figure for each side, below its word in the row of the queue.
fn sides(name: &str, of: Sides, show: impl Fn(f64) -> String, wide: bool, look: &Look<'_>) -> Line<'static> {
    let dim = look.style(Role::Dim);
    let name = if wide { format!("{name} a message") } else { name.to_owned() };
    let width = if wide { 19 } else { 9 };
    Line::from(vec![
        Span::styled(format!("{name:<width$}"), dim),
        Span::styled(format!("{:>8}", show(of.sender)), look.style(Role::Text)),
        Span::styled(" → ", dim),
        Span::styled(format!("{:<10}", show(of.receiver)), look.style(Role::Text)),
    ])
}

/// What to keep in mind when reading the figures, in as many rows as there are;
/// the last of them holds all that is left, which is cut off where it is too long.
fn flags(series: &Series, rows: usize, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let all = series.flags.join(", ");
    if all.is_empty() || rows == 0 {
        return Vec::new();
    }
    let mut parts = text::wrap(&all, width.saturating_sub(2).max(1));
    if parts.len() > rows {
        let rest = parts.split_off(rows - 1).join(" ");
        parts.push(rest);
    }
    let mark = |y: usize| if y == 0 { "⚑ " } else { "  " };
    let line = |(y, part)| Line::styled(format!("{}{part}", mark(y)), look.style(Role::Warn));
    parts.into_iter().enumerate().map(line).collect()
}

fn facts(series: &Series, look: &Look<'_>) -> Option<Line<'static>> {
    let facts = series.channel?;
    let dim = look.style(Role::Dim);
    let text = look.style(Role::Text);
    let mut spans = vec![Span::styled("set up in ", dim), Span::styled(facts.setup.precise(), text)];
    if let Some(probe) = series.core_to_core_ns {
        spans.push(Span::styled("   core to core ", dim));
        spans.push(Span::styled(format!("{:.0} … {:.0} ns", probe.min, probe.max), text));
    }
    Some(Line::from(spans))
}

/// What the selected transport is, in words, and how its channel stands now.
pub(super) fn explain(screen: &mut Frame<'_>, area: Rect, framed: bool, view: &View, look: &Look<'_>) {
    let parts = parts(usize::from(area.width), view, look).into_iter().filter(|part| !part.is_empty());
    let lines = parts.enumerate().flat_map(|(index, part)| {
        let gap = (index > 0).then(Line::default);
        gap.into_iter().chain(part)
    });
    view.page.draw(screen, area, framed, lines.collect(), look.theme);
}

/// The same beside the measurements: the whole parts that fit.
pub(super) fn describe(screen: &mut Frame<'_>, area: Rect, view: &View, look: &Look<'_>) {
    let mut y = area.y;
    for part in parts(usize::from(area.width), view, look).into_iter().filter(|part| !part.is_empty()) {
        if y + part.len() as u16 > area.bottom() {
            continue;
        }
        for line in part {
            line.render(Rect { y, height: 1, ..area }, screen.buffer_mut());
            y += 1;
        }
        y += 1;
    }
}

fn parts(width: usize, view: &View, look: &Look<'_>) -> [Vec<Line<'static>>; 5] {
    let about = view.selected();
    let plain = |text: &str, role| -> Vec<Line<'static>> {
        text::wrap(text, width).into_iter().map(|line| Line::styled(line, look.style(role))).collect()
    };
    let waits: Vec<_> = about.waits.iter().map(|wait| wait.name()).collect();
    let now = if view.explains { seen_now(view) } else { Vec::new() };
    [
        plain(about.model, Role::Text),
        items("It promises", about.guarantees, Role::Good, width, look),
        items("How it fails", about.failures, Role::Warn, width, look),
        if now.is_empty() { Vec::new() } else { items("What is seen now", &now, Role::Accent, width, look) },
        plain(&format!("How its sides can wait: {}.", waits.join(", ")), Role::Dim),
    ]
}

fn items(
    heading: &'static str,
    items: &[impl AsRef<str>],
    role: Role,
    width: usize,
    look: &Look<'_>,
) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(heading, look.style(Role::Strong))];
    for item in items {
        for (index, line) in text::wrap(item.as_ref(), width.saturating_sub(2)).into_iter().enumerate() {
            let dot = if index == 0 { "• " } else { "  " };
            lines.push(Line::from(vec![
                Span::styled(dot, look.style(role)),
                Span::styled(line, look.style(Role::Text)),
            ]));
        }
    }
    lines
}
