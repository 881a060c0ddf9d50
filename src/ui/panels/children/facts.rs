//! What is known of one child: where it stands, what it uses or used.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::words;
use crate::backend::children::exit;
use crate::model::child::{ChildState, ChildView, LiveUsage, StdinState, Usage};
use crate::model::launch::Fate;
use crate::model::life::{Exit, Relative};
use crate::model::units::grouped;
use crate::model::{Bytes, Nanos};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, spark, text};

/// Rows of the card, its frame included.
pub(super) const HEIGHT: u16 = 10;
const LABEL: usize = 9;

/// Draws the card.
pub(super) fn draw(screen: &mut Frame<'_>, area: Rect, child: &ChildView, look: &Look<'_>) {
    let pid = child.pid.map_or_else(String::new, |pid| format!("pid {pid}"));
    let (_, role) = words::glyph(&child.state);
    let title = Line::styled(words::state(&child.state), look.style(role));
    let note = Line::styled(pid, look.style(Role::Dim));
    let inside = frame::draw_lines(screen, area, &title, &note, false, look.theme);
    let lines = lines(child, usize::from(inside.width), look);
    for (y, line) in lines.into_iter().take(usize::from(inside.height)).enumerate() {
        line.render(Rect { y: inside.y + y as u16, height: 1, ..inside }, screen.buffer_mut());
    }
}

fn lines(child: &ChildView, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let mut lines = match &child.state {
        ChildState::NotStarted(fault) => {
            let mut lines = paragraph(&fault.what, width, Role::Danger, look);
            lines.extend(fault.hint.iter().flat_map(|hint| paragraph(hint, width, Role::Text, look)));
            return lines;
        }
        ChildState::Ended { exit, usage } => ended(*exit, usage, width, look),
        ChildState::Running | ChildState::Stopped { .. } => living(child, width, look),
    };
    lines.extend(family(child, look));
    lines.extend(plans(child, look));
    lines.push(row("wrote", output(child), look));
    if child.dropped_lines > 0 {
        let bound = format!("the last {}; 48M for all logs", child.log_limit);
        lines.push(row("log", bound, look));
    }
    let stdin = match child.stdin {
        StdinState::Open { queued: 0 } => Some("open; i writes to it, ^D closes it".to_owned()),
        StdinState::Open { queued } => Some(format!("{} wait: it does not read", Bytes(queued))),
        StdinState::Closed if child.pid.is_some() => Some("closed".to_owned()),
        StdinState::Closed => None,
    };
    lines.extend(stdin.map(|stdin| row("input", stdin, look)));
    lines
}

fn living(child: &ChildView, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let age = look.now.since(child.started).age();
    let mut lines = vec![row("runs for", age, look)];
    if let Some(live) = child.live {
        let chart = width.saturating_sub(LABEL + 26).min(60);
        let past = |value: fn(&LiveUsage) -> f32| child.history.iter().map(value).collect::<Vec<_>>();
        let (cpus, sizes) = (past(|live| live.cpu), past(|live| live.rss.0 as f32));
        let most = |values: &[f32]| values.iter().copied().fold(0.0, f32::max);
        let mut cpu = row("cpu", format!("{:>7.0} % ", live.cpu * 100.0), look);
        let busiest = most(&cpus).max(1.0);
        cpu.push_span(Span::styled(spark::text(cpus, chart, busiest), look.style(Role::Accent)));
        cpu.push_span(Span::styled(format!(" {} in all", live.cpu_time.cpu_time()), look.style(Role::Dim)));
        lines.push(cpu);
        let mut memory = row("memory", format!("{:>9} ", live.rss.to_string()), look);
        let largest = most(&sizes);
        memory.push_span(Span::styled(spark::text(sizes, chart, largest), look.style(Role::Accent)));
        memory.push_span(Span::styled(" resident", look.style(Role::Dim)));
        lines.push(memory);
    }
    lines
}

/// How many descend from it, and what is wrong with them.
fn family(child: &ChildView, look: &Look<'_>) -> Option<Line<'static>> {
    let family = &child.course.family;
    if family.is_empty() {
        return None;
    }
    let count = |is: fn(&Relative) -> bool| family.iter().filter(|relative| is(relative)).count() as u32;
    let (zombies, orphans) = (count(Relative::is_zombie), count(|relative| relative.orphan));
    let mut words = vec![text::count(family.len() as u32, "descendant", "descendants")];
    words.extend((zombies > 0).then(|| text::count(zombies, "zombie", "zombies")));
    words.extend((orphans > 0).then(|| text::count(orphans, "orphan", "orphans")));
    let mut line = row("tree", words.join(", "), look);
    if zombies + orphans > 0 {
        line = line.patch_style(look.style(Role::Warn));
    }
    Some(line)
}

/// What is going to be done with it.
fn plans(child: &ChildView, look: &Look<'_>) -> Vec<Line<'static>> {
    let course = &child.course;
    let until = |due: Nanos| format!("{:.1} s", due.since(look.now).as_secs_f64());
    let mut lines = Vec::new();
    lines.extend(course.kill_at.map(|due| row("asked", format!("to end; SIGKILL in {}", until(due)), look)));
    lines.extend(
        course
            .next_start
            .map(|due| row("restart", format!("in {}: start {}; X calls it off", until(due), course.starts + 1), look)),
    );
    if child.spec.fate == Fate::Keep {
        lines.push(row("fate", "goes on when the dashboard ends".to_owned(), look));
    }
    lines
}

fn ended(exit: Exit, usage: &Usage, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if let Some(meaning) = exit::meaning(exit) {
        lines.extend(paragraph(meaning, width, Role::Text, look));
    }
    lines.push(row("ran", usage.wall.precise(), look));
    let share = exit::cpu_share(usage) * 100.0;
    let cpu = format!("{} user, {} system: {share:.0} %", short(usage.user), short(usage.system));
    lines.push(row("cpu", cpu, look));
    let below = if usage.max_rss_is_ours { "below " } else { "" };
    lines.push(row("memory", format!("{below}{} at its peak", usage.max_rss), look));
    let faults = format!("{} page faults, {} from disk", grouped(usage.minor_faults), grouped(usage.major_faults));
    lines.push(row("faults", faults, look));
    let (voluntary, involuntary) = (usage.switches.voluntary, usage.switches.involuntary);
    let switches = format!("{} blocked, {} preempted", grouped(voluntary), grouped(involuntary));
    lines.push(row("switches", switches, look));
    lines
}

fn short(time: Nanos) -> String {
    if time.0 == 0 { "0".to_owned() } else { time.precise() }
}

fn output(child: &ChildView) -> String {
    let (out, err) = (Bytes(child.stdout_bytes), Bytes(child.stderr_bytes));
    format!("{out} output, {err} errors")
}

fn row(label: &str, value: String, look: &Look<'_>) -> Line<'static> {
    Line::from(vec![
        Span::styled(text::left(label, LABEL), look.style(Role::Dim)),
        Span::styled(value, look.style(Role::Text)),
    ])
}

fn paragraph(what: &str, width: usize, role: Role, look: &Look<'_>) -> Vec<Line<'static>> {
    text::wrap(what, width).into_iter().map(|part| Line::styled(part, look.style(role))).collect()
}
