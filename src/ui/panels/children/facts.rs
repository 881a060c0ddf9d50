//! What is known of one child: where it stands, what it uses or used.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::words;
use crate::backend::children::exit;
use crate::model::child::{ChildState, ChildView, Exit, StdinState, Usage};
use crate::model::units::grouped;
use crate::model::{Bytes, Nanos};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{bar, frame, text};

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
    lines.push(row("wrote", output(child), look));
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
        let gauge = width.saturating_sub(LABEL + 24).min(24);
        let mut cpu = row("cpu", format!("{:>4.0} % ", live.cpu * 100.0), look);
        cpu.push_span(Span::styled(bar::text(f64::from(live.cpu), gauge), look.theme.scale(f64::from(live.cpu))));
        cpu.push_span(Span::styled(format!("  {} in all", live.cpu_time.cpu_time()), look.style(Role::Dim)));
        lines.push(cpu);
        lines.push(row("memory", format!("{} resident", live.rss), look));
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
