//! Who is busy, who is stuck, and our own children.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use crate::model::chain::{blocked, deadlocks};
use crate::model::child::{ChildState, ChildView};
use crate::model::process::{Process, ProcessTable};
use crate::model::signal;
use crate::ui::panels::Look;
use crate::ui::panels::processes::columns::wait_text;
use crate::ui::panels::waits::{SETTLED, waiter_line};
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, text};

fn table<'a>(look: &Look<'a>) -> Option<&'a ProcessTable> {
    look.store.processes.as_ref().map(|s| &s.value)
}

fn draw_lines(screen: &mut Frame<'_>, inside: Rect, lines: impl IntoIterator<Item = Line<'static>>) {
    for (y, line) in lines.into_iter().take(usize::from(inside.height)).enumerate() {
        line.render(Rect { y: inside.y + y as u16, height: 1, ..inside }, screen.buffer_mut());
    }
}

/// The processes that use most CPU; where none uses any, those that used most
/// so far.
pub(super) fn busiest(screen: &mut Frame<'_>, place: Rect, look: &Look<'_>) {
    let note = table(look)
        .map_or_else(String::new, |t| format!("{} processes · {} threads", t.tally.processes, t.tally.threads));
    let inside = frame::draw(screen, place, "Busiest", &note, look.theme);
    let Some(table) = table(look) else {
        return draw_lines(screen, inside, [Line::styled("reading …", look.style(Role::Dim))]);
    };
    let lines =
        top(table, usize::from(inside.height)).into_iter().map(|p| busy_line(p, usize::from(inside.width), look));
    draw_lines(screen, inside, lines);
}

fn top(table: &ProcessTable, count: usize) -> Vec<&Process> {
    let mut all: Vec<&Process> = table.processes.iter().map(AsRef::as_ref).collect();
    let order = |a: &&Process, b: &&Process| {
        b.cpu.unwrap_or(0.0).total_cmp(&a.cpu.unwrap_or(0.0)).then(b.cpu_time.cmp(&a.cpu_time))
    };
    if count < all.len() {
        all.select_nth_unstable_by(count, order);
        all.truncate(count);
    }
    all.sort_by(order);
    all
}

fn busy_line(process: &Process, width: usize, look: &Look<'_>) -> Line<'static> {
    let share = process.cpu.unwrap_or(0.0);
    let role = match share {
        s if s >= 0.9 => Role::Warn,
        s if s >= 0.0005 => Role::Strong,
        _ => Role::Faint,
    };
    let figure = process.cpu.map_or_else(|| "–".to_owned(), |c| format!("{:.1}%", c * 100.0));
    let name = width.saturating_sub(21).clamp(8, 24);
    let mut spans = vec![
        Span::styled(text::right(&figure, 6), look.style(role)),
        Span::styled(format!(" {}", text::left(&process.name, name)), look.style(Role::Text)),
        Span::styled(format!(" {:>7}", process.pid), look.style(Role::Dim)),
        Span::styled(format!(" {:>5}", process.rss.short()), look.style(Role::Dim)),
    ];
    if let Some(wait) = process.wait.as_ref().filter(|_| width >= 70) {
        spans.push(Span::styled(format!("  {}", wait_text(wait)), look.style(Role::Faint)));
    }
    Line::from(spans)
}

/// The busiest process in a line.
pub(super) fn busiest_line(look: &Look<'_>) -> Line<'static> {
    let Some(table) = table(look) else { return Line::default() };
    let mut line = Line::styled("top ", look.style(Role::Dim));
    if let Some(process) = top(table, 1).first() {
        line.extend(busy_line(process, 40, look));
    }
    line
}

/// Deadlocks, and who waits for somebody, oldest first.
pub(super) fn waiting(screen: &mut Frame<'_>, place: Rect, look: &Look<'_>) {
    let Some(table) = table(look) else {
        let inside = frame::draw(screen, place, "Waiting for somebody", "", look.theme);
        return draw_lines(screen, inside, [Line::styled("reading …", look.style(Role::Dim))]);
    };
    let settled = look.now.since(SETTLED);
    let (waiters, dead) = (blocked(table, settled), deadlocks(table, settled));
    let title = Line::styled("Waiting for somebody", look.style(Role::Title));
    let note = match dead.len() {
        0 => Line::styled(format!("{} · no deadlock seen", waiters.len()), look.style(Role::Dim)),
        1 => Line::styled("1 deadlock", look.style(Role::Danger)),
        n => Line::styled(format!("{n} deadlocks"), look.style(Role::Danger)),
    };
    let inside = frame::draw_lines(screen, place, &title, &note, false, look.theme);
    let mut lines: Vec<Line<'static>> = dead.iter().map(|cycle| deadlock_line(cycle, table, look)).collect();
    lines.extend(waiters.iter().take(usize::from(inside.height)).map(|w| waiter_line(w, table, look)));
    if lines.is_empty() {
        let words =
            if table.complete { "nobody waits for a thread or process that can be named" } else { "reading …" };
        lines.push(Line::styled(words, look.style(Role::Dim)));
    }
    draw_lines(screen, inside, lines);
}

fn deadlock_line(cycle: &[(i32, i32)], table: &ProcessTable, look: &Look<'_>) -> Line<'static> {
    let name = cycle
        .first()
        .and_then(|(pid, _)| table.process(*pid))
        .map(|p| format!("{}({})", p.name, p.pid))
        .unwrap_or_default();
    let threads: Vec<String> = cycle.iter().map(|(_, tid)| tid.to_string()).collect();
    Line::from(vec![
        Span::styled("● DEADLOCK ", look.style(Role::Danger)),
        Span::styled(format!("{name}: "), look.style(Role::Strong)),
        Span::styled(threads.join(" ⇄ "), look.style(Role::Text)),
    ])
}

/// The waiters in a line.
pub(super) fn waiting_line(look: &Look<'_>) -> Line<'static> {
    let Some(table) = table(look) else { return Line::default() };
    let dead = deadlocks(table, look.now.since(SETTLED));
    if let Some(cycle) = dead.first() {
        return deadlock_line(cycle, table, look);
    }
    let waiters = blocked(table, look.now.since(SETTLED));
    let Some(first) = waiters.first() else { return Line::styled("nobody waits for somebody", look.style(Role::Dim)) };
    waiter_line(first, table, look)
}

/// The children that we supervise, the latest first.
pub(super) fn children(screen: &mut Frame<'_>, place: Rect, look: &Look<'_>) {
    let children = look.store.children.as_ref().map(|s| s.value.children.as_slice()).unwrap_or_default();
    let running =
        children.iter().filter(|c| matches!(c.state, ChildState::Running | ChildState::Stopped { .. })).count();
    let note = if children.is_empty() { String::new() } else { format!("{running} of {} alive", children.len()) };
    let inside = frame::draw(screen, place, "Children", &note, look.theme);
    let mut lines: Vec<Line<'static>> =
        children.iter().rev().map(|c| child_line(c, usize::from(inside.width), look)).collect();
    if lines.is_empty() {
        lines.push(Line::styled("no child yet: 4 opens the panel that starts one", look.style(Role::Dim)));
    }
    draw_lines(screen, inside, lines);
}

fn child_line(child: &ChildView, width: usize, look: &Look<'_>) -> Line<'static> {
    let process = child.pid.and_then(|pid| table(look)?.process(pid));
    let (glyph, role, state) = match &child.state {
        ChildState::Running => {
            let cpu = process.and_then(|p| p.cpu).map_or_else(String::new, |c| format!("  {:.0}%", c * 100.0));
            let rss = process.map_or_else(String::new, |p| format!("  {}", p.rss.short()));
            ("▶", Role::Good, format!("{}{cpu}{rss}", look.now.since(child.started).age()))
        }
        ChildState::Stopped { signal } => ("‖", Role::Warn, format!("stopped by {}", signal::name(*signal))),
        ChildState::Ended { exit, usage } => match (exit.code, exit.signal) {
            (Some(0), _) => ("✔", Role::Dim, format!("exit 0  {}", usage.wall.precise())),
            (Some(code), _) => ("✘", Role::Warn, format!("exit {code}  {}", usage.wall.precise())),
            (None, Some(signal)) => ("✘", Role::Warn, signal::name(signal)),
            (None, None) => ("✘", Role::Warn, "ended".to_owned()),
        },
        ChildState::NotStarted(fault) => ("✘", Role::Danger, fault.what.to_string()),
    };
    let pid = child.pid.map_or_else(String::new, |p| p.to_string());
    Line::from(vec![
        Span::styled(format!("{glyph} "), look.style(role)),
        Span::styled(format!("{pid:>7} "), look.style(Role::Dim)),
        Span::styled(text::left(&child.command, width.saturating_sub(30).clamp(10, 40)), look.style(Role::Strong)),
        Span::styled(format!(" {state}"), look.style(Role::Dim)),
    ])
}
