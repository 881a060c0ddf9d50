//! The settings, the figures, and the explanation of the chosen lock.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::View;
use super::settings::{self, Setting};
use crate::backend::lab::locks::{Primitive, find};
use crate::model::lock::diagnose;
use crate::model::lock::{LockProgress, OwnCount, Subject};
use crate::model::units::si;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::page::Page;
use crate::ui::widgets::{frame, spark, text};

fn draw_lines(screen: &mut Frame<'_>, inside: Rect, lines: impl IntoIterator<Item = Line<'static>>) {
    for (y, line) in lines.into_iter().take(usize::from(inside.height)).enumerate() {
        line.render(Rect { y: inside.y + y as u16, height: 1, ..inside }, screen.buffer_mut());
    }
}

/// Draws the settings, the one that the arrow keys change marked.
pub(super) fn settings(screen: &mut Frame<'_>, area: Rect, view: &View<'_>, selected: usize) {
    let look = view.look;
    let all = settings::settings(view.spec);
    // Where not all fit, the selected one does.
    let rows = usize::from(area.height.saturating_sub(2));
    let first = (selected + 1).saturating_sub(rows).min(all.len().saturating_sub(rows));
    let note = if rows < all.len() { format!("{} of {}", selected + 1, all.len()) } else { String::new() };
    let inside = frame::draw_focused(screen, area, "Settings", &note, look.theme);
    let width = usize::from(inside.width).saturating_sub(12);
    let line = |(index, setting): (usize, &Setting)| {
        let mut value = setting.value(view.spec);
        if *setting == Setting::Lock && value.chars().count() > width.saturating_sub(2) {
            value.clone_from(&view.spec.lock);
        }
        let value = text::left(&value, width.saturating_sub(2));
        let label = text::left(setting.label(), 10);
        if index == selected {
            return Line::from(vec![
                Span::styled(format!("{label} "), look.style(Role::Strong)),
                Span::styled("‹", look.style(Role::Key)),
                Span::styled(value, look.style(Role::Selection)),
                Span::styled("›", look.style(Role::Key)),
            ]);
        }
        Line::from(vec![
            Span::styled(format!("{label}  "), look.style(Role::Dim)),
            Span::styled(value, look.style(Role::Text)),
        ])
    };
    draw_lines(screen, inside, all.iter().enumerate().map(line).skip(first));
}

/// Over what time the figures were measured.
fn measured(view: &View<'_>) -> String {
    view.progress.map_or_else(String::new, |p| format!("in {}", p.figures.measured.precise()))
}

/// Draws the figures that have no chart; where not all fit, the frame tells the key that
/// shows all.
pub(super) fn draw(screen: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let look = view.look;
    let count = view.progress.and_then(|p| Some(rows(p, p.subject.as_ref()?).len() + 1)).unwrap_or_default();
    let cut = count > usize::from(area.height.saturating_sub(2));
    let measured = if cut { format!("{}, i: all", measured(view)) } else { measured(view) };
    let inside = frame::draw(screen, area, "Figures", &measured, look.theme);
    let Some((progress, subject)) = view.progress.and_then(|p| Some((p, p.subject.as_ref()?))) else {
        return draw_lines(screen, inside, [Line::styled("–", look.style(Role::Faint))]);
    };
    let width = usize::from(inside.width);
    let line = |(label, value): (&'static str, String)| {
        let room = width.saturating_sub(label.chars().count() + 1);
        Line::from(vec![
            Span::styled(format!("{label} "), look.style(Role::Dim)),
            Span::styled(text::right(&value, room), look.style(Role::Strong)),
        ])
    };
    let mut lines: Vec<Line<'static>> = rows(progress, subject).into_iter().map(line).collect();
    lines.insert(1, Line::styled(past(view, width), look.style(Role::Accent)));
    let told = diagnose(&progress.figures).into_iter();
    let told = told.flat_map(|diagnosis| text::wrap(&format!("{}: {}", diagnosis.name, diagnosis.seen), width));
    lines.splice(2..2, told.map(|line| Line::styled(line, look.style(Role::Warn))));
    draw_lines(screen, inside, lines);
}

/// Draws all figures that have no chart, each with what it means.
pub(super) fn explained(screen: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    const LABEL: usize = 20;
    const VALUE: usize = 13;
    let look = view.look;
    let inside = frame::draw(screen, area, "All figures", &measured(view), look.theme);
    let Some((progress, subject)) = view.progress.and_then(|p| Some((p, p.subject.as_ref()?))) else {
        return draw_lines(screen, inside, [Line::styled("–", look.style(Role::Faint))]);
    };
    let rows = rows(progress, subject);
    if rows.len() > usize::from(inside.height) {
        return in_columns(screen, inside, &rows, look);
    }
    let room = usize::from(inside.width).saturating_sub(LABEL + VALUE + 2).min(92);
    // Words never push a figure off the screen.
    let mut spare = usize::from(inside.height).saturating_sub(rows.len());
    let mut lines = Vec::new();
    for (label, value) in rows {
        let mut words = if room < 24 { Vec::new() } else { text::wrap(meaning(label), room) };
        if words.len() > spare + 1 {
            words = vec![text::fit(meaning(label), room)];
        }
        spare -= words.len().saturating_sub(1);
        let mut words = words.into_iter();
        lines.push(Line::from(vec![
            Span::styled(text::left(label, LABEL), look.style(Role::Dim)),
            Span::styled(text::right(&value, VALUE), look.style(Role::Strong)),
            Span::styled(format!("  {}", words.next().unwrap_or_default()), look.style(Role::Text)),
        ]));
        let below = |words| Line::styled(format!("{:1$}{words}", "", LABEL + VALUE + 2), look.style(Role::Text));
        lines.extend(words.map(below));
    }
    draw_lines(screen, inside, lines);
}

/// How many rows all figures want, with their frame.
pub(super) fn height(view: &View<'_>) -> usize {
    view.progress.and_then(|p| Some(rows(p, p.subject.as_ref()?).len() + 2)).unwrap_or_default()
}

/// Draws figures without words, in as many columns as it takes.
fn in_columns(screen: &mut Frame<'_>, inside: Rect, rows: &[(&'static str, String)], look: &Look<'_>) {
    const GAP: u16 = 2;
    let columns = rows.len().div_ceil(usize::from(inside.height).max(1)) as u16;
    let each = ((inside.width + GAP) / columns.max(1)).max(1);
    for (x, column) in (inside.x..).step_by(usize::from(each)).zip(rows.chunks(usize::from(inside.height).max(1))) {
        let place = Rect { x, width: each.saturating_sub(GAP), ..inside };
        let line = |(label, value): &(&'static str, String)| {
            let room = usize::from(place.width).saturating_sub(label.chars().count() + 1);
            Line::from(vec![
                Span::styled(format!("{label} "), look.style(Role::Dim)),
                Span::styled(text::right(value, room), look.style(Role::Strong)),
            ])
        };
        draw_lines(screen, place.intersection(inside), column.iter().map(line));
    }
}

/// What a figure means.
fn meaning(label: &str) -> &'static str {
    match label {
        "acquisitions/s" => "of all threads together, over the last moments",
        "acquisitions" => "of all threads together, since it was started or a setting was changed",
        "Jain's index" => "fairness of the threads' shares: 1 where all have as much, 1/n where one has all",
        "longest wait" => "from wanting to getting, and whose",
        "switches, voluntary" => "context switches because a thread had to sleep, for each acquisition",
        "switches, preempted" => "context switches because the time slice was over, for each acquisition",
        "futex calls" => "calls of futex(2) for each acquisition: a lock that is taken while free makes none",
        "recording costs" => "what writing it down adds to an acquisition that nobody contends for, measured here",
        "overwritten unread" => "records that the ring has overwritten before they were drawn and checked in time",
        "clock" => "what the stamps are read from",
        "recorder's memory" => "rings and counters of all threads; it does not grow",
        "worker's cpu time" => "of all contending threads and of their reader",
        "threads' nice value" => "above 0 they leave the screen its turn",
        "left free for others" => "real-time threads never run there",
        "tried in vain" => "the lock was not free, and the thread went on without it",
        "suspensions" => "the task was put aside, and its thread did something else",
        "reads" => "acquisitions that share the lock",
        "retries" => "a compare-exchange or a read that had to be done again",
        "waits" => "sleeps until a condition had become true",
        "notifications" => "wake-ups given",
        "woken in vain" => {
            "returns from a wait in which the predicate was still false: spurious, or another was faster"
        }
        "timeouts" => "waits that ended because their time was over",
        "parks" => "sleeps in thread::park",
        "messages" => "handed over",
        "phases" => "times that all threads have met",
        "initialisations" => "by whichever thread came first",
        "blocks" => "sleeps because another thread was at it",
        _ => "counted by the primitive itself",
    }
}

/// The rate's past, against its own maximum.
fn past(view: &View<'_>, width: usize) -> String {
    let most = view.history.iter().copied().fold(0.0, f32::max);
    spark::text(view.history.iter().copied(), width, most)
}

fn rows(progress: &LockProgress, subject: &Subject) -> Vec<(&'static str, String)> {
    let figures = &progress.figures;
    let dash = || "–".to_owned();
    let count = figures.acquisitions();
    let mut rows = vec![
        ("acquisitions/s", si(figures.recent.iter().sum())),
        ("acquisitions", si(count as f64)),
        ("Jain's index", figures.jain().map_or_else(dash, |jain| format!("{jain:.3}"))),
        (
            "longest wait",
            figures.longest.map_or_else(dash, |l| {
                let still = if l.still { ", still waits" } else { "" };
                format!("{} t{}{still}", l.waited.precise(), l.thread)
            }),
        ),
    ];
    if let Some([voluntary, involuntary]) = figures.switches_per_acquisition() {
        rows.push(("switches, voluntary", each(voluntary)));
        rows.push(("switches, preempted", each(involuntary)));
    }
    match (figures.futex_calls, &progress.recording.uncounted) {
        (Some(calls), _) if count > 0 => rows.push(("futex calls", each(calls as f64 / count as f64))),
        (None, Some(why)) => rows.push(("futex calls", why.to_string())),
        _ => {}
    }
    let told = |own: &&OwnCount| own.name != "failures" || subject.spec.setting.tries;
    for own in figures.own.iter().filter(told) {
        rows.push((own_label(&own.name), si(own.count as f64)));
    }
    let recording = &progress.recording;
    if let Some(cost) = recording.cost {
        rows.push(("recording costs", format!("{} each", cost.precise())));
        let unread = recording.dropped as f64 / recording.recorded.max(1) as f64 * 100.0;
        rows.push(("overwritten unread", format!("{unread:.1} %")));
    }
    rows.push(("clock", recording.clock.to_string()));
    rows.push(("recorder's memory", recording.memory.short()));
    rows.push(("worker's cpu time", progress.cost.cpu_time.cpu_time()));
    rows.push(("threads' nice value", subject.nice.to_string()));
    if let Some(cpu) = subject.left_free {
        rows.push(("left free for others", format!("CPU {cpu}")));
    }
    rows
}

/// What a count of a primitive's own is called on the screen.
fn own_label(name: &str) -> &'static str {
    match name {
        "failures" => "tried in vain",
        "suspensions" => "suspensions",
        "reads" => "reads",
        "retries" => "retries",
        "waits" => "waits",
        "notifications" => "notifications",
        "spurious" => "woken in vain",
        "timeouts" => "timeouts",
        "parks" => "parks",
        "messages" => "messages",
        "phases" => "phases",
        "initialisations" => "initialisations",
        "blocks" => "blocks",
        _ => "other",
    }
}

/// So many for each acquisition: `0.0031`, or one in how many where it is
/// rare.
fn each(rate: f64) -> String {
    match rate {
        r if r <= 0.0 => "none".to_owned(),
        r if r < 0.001 => format!("1 in {}", si((1.0 / r).round())),
        r => format!("{r:.3} each"),
    }
}

/// Draws how the chosen lock works.
pub(super) fn explain(screen: &mut Frame<'_>, area: Rect, view: &View<'_>, page: &Page) {
    let look = view.look;
    let Some(info) = find(&view.spec.lock).map(Primitive::info) else { return };
    let version = (info.version)();
    let inside = frame::draw(screen, area, info.name, &version, look.theme);
    let width = usize::from(inside.width).min(92);
    let styled = |text: &str, style: Style| -> Vec<Line<'static>> {
        text::wrap(text, width).into_iter().map(|line| Line::styled(line, style)).collect()
    };
    let mut lines = Vec::new();
    if info.breaks.is_some() {
        lines.extend(styled("Broken on purpose, so that the checks have something to find.", look.style(Role::Danger)));
        lines.push(Line::default());
    }
    lines.extend(styled(&format!("Family: {}.", info.family.name()), look.style(Role::Dim)));
    lines.push(Line::default());
    lines.extend(styled(info.explanation, look.style(Role::Text)));
    lines.push(Line::default());
    lines.extend(styled(&format!("syncscope lock --lock {}", info.key), look.style(Role::Dim)));
    page.draw(screen, inside, true, lines, look.theme);
}
