//! Who is busy, who is stuck, and our own children.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::Fault;
use crate::model::child::{ChildState, ChildView};
use crate::model::process::{Process, ProcessTable};
use crate::model::signal;
use crate::ui::panels::Look;
use crate::ui::panels::processes::columns::wait_text;
use crate::ui::panels::waits::{chain_line, deadlocks, unseen};
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, rows, text};

fn table<'a>(look: &Look<'a>) -> Option<&'a ProcessTable> {
    look.store.processes.as_ref().map(|s| &s.value)
}

/// The processes that use most CPU; where none uses any, those that used most
/// so far.
pub(super) fn busiest(screen: &mut Frame<'_>, place: Rect, look: &Look<'_>) {
    let note = table(look).map_or_else(String::new, |t| {
        let (processes, threads) = (t.tally.processes, t.tally.threads);
        format!("{} · {}", text::count(processes, "process", "processes"), text::count(threads, "thread", "threads"))
    });
    let inside = frame::draw(screen, place, "Busiest", &note, look.theme);
    let Some(table) = table(look) else {
        rows::draw(screen, inside, [Line::styled("reading …", look.style(Role::Dim))]);
        return;
    };
    // Who is not listed cannot be among them.
    let unlisted = table.faults.iter().find(|fault| &*fault.source == "/proc");
    let height = usize::from(inside.height);
    let spare = height.saturating_sub(table.processes.len());
    let most = spare.max(height / 3).max(2).min(height.saturating_sub(1));
    let below = unlisted.map_or_else(Vec::new, |fault| fault_lines(fault, inside, most, look));
    let room = usize::from(inside.height) - below.len();
    let lines = top(table, room).into_iter().map(|p| busy_line(p, usize::from(inside.width), look));
    rows::draw(screen, inside, lines.chain(below).collect::<Vec<_>>());
}

/// What could not be read, in so many lines at most.
fn fault_lines(fault: &Fault, inside: Rect, most: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let mut words = text::wrap(&format!("! {fault}"), usize::from(inside.width));
    if words.len() > most {
        words.truncate(most);
        words.iter_mut().skip(most.saturating_sub(1)).for_each(|last| last.push('…'));
    }
    words.into_iter().map(|line| Line::styled(line, look.style(Role::Warn))).collect()
}

/// The `count` busiest, the busiest first.
fn top(table: &ProcessTable, count: usize) -> Vec<&Process> {
    let order = |a: &Process, b: &Process| {
        b.cpu.unwrap_or(0.0).total_cmp(&a.cpu.unwrap_or(0.0)).then(b.cpu_time.cmp(&a.cpu_time)).then(a.pid.cmp(&b.pid))
    };
    let mut top: Vec<&Process> = Vec::with_capacity(count + 1);
    for process in &table.processes {
        let place = top.partition_point(|other| order(other, process).is_lt());
        if place < count {
            top.truncate(count - 1);
            top.insert(place, process);
        }
    }
    top
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
    let title = if place.width < 44 { "Waiting" } else { "Waiting for somebody" };
    let Some(graph) = look.store.graph.as_ref().map(|s| &s.value) else {
        let inside = frame::draw(screen, place, title, "", look.theme);
        rows::draw(screen, inside, [Line::styled("reading …", look.style(Role::Dim))]);
        return;
    };
    let chains = &look.store.chains;
    let title = Line::styled(title, look.style(Role::Title));
    let role = if graph.deadlocks.is_empty() { Role::Good } else { Role::Danger };
    let note = Line::styled(deadlocks(graph, look), look.style(role));
    let inside = frame::draw_lines(screen, place, &title, &note, false, look.theme);
    let rows = usize::from(inside.height);
    let unread = |above: usize| {
        let most = rows.saturating_sub(above);
        unseen(look).filter(|_| most > 0).map_or_else(Vec::new, |fault| fault_lines(fault, inside, most, look))
    };
    if chains.is_empty() {
        let words = "nobody waits for a thread or process that can be named";
        let line = Line::styled(words, look.style(Role::Dim));
        rows::draw(screen, inside, std::iter::once(line).chain(unread(1)).collect::<Vec<_>>());
        return;
    }
    let shown = if chains.len() > rows { rows.saturating_sub(1) } else { rows };
    let mut lines: Vec<Line<'static>> = chains.iter().take(shown).map(|chain| chain_line(chain, graph, look)).collect();
    if chains.len() > shown {
        lines
            .push(Line::styled(format!("  and {} more: Enter shows all", chains.len() - shown), look.style(Role::Dim)));
    }
    // Chains come first; what is not known about the others where there is room.
    if lines.len() + 2 <= rows {
        lines.extend(unread(lines.len()));
    }
    rows::draw(screen, inside, lines);
}

/// The worst that waits in a line.
pub(super) fn waiting_line(look: &Look<'_>) -> Line<'static> {
    let Some(graph) = look.store.graph.as_ref().map(|s| &s.value) else { return Line::default() };
    match look.store.chains.first() {
        Some(chain) => chain_line(chain, graph, look),
        None => Line::styled(format!("{}, nobody waits for somebody", deadlocks(graph, look)), look.style(Role::Dim)),
    }
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
        lines.push(Line::styled("none yet: r in panel 4 starts one", look.style(Role::Dim)));
    }
    rows::draw(screen, inside, lines);
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
