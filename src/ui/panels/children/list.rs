//! The list of children, the latest first.

use std::sync::Arc;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::{lives, words};
use crate::backend::children::exit;
use crate::model::child::{ChildId, ChildState, ChildView};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, text};

/// Columns of what stands right of the command.
const ELAPSED: usize = 7;
const CPU: usize = 6;
const RSS: usize = 6;

/// Draws the list and returns where its rows are.
pub(super) fn draw(
    screen: &mut Frame<'_>,
    area: Rect,
    all: &[Arc<ChildView>],
    selected: ChildId,
    top: &mut usize,
    look: &Look<'_>,
) -> Rect {
    let alive = all.iter().filter(|child| lives(child)).count();
    let note = format!("{alive} of {} alive", all.len());
    let inside = frame::draw_focused(screen, area, "Children", &note, look.theme);
    let rows = usize::from(inside.height).max(1);
    let index = all.iter().rev().position(|child| child.id == selected).unwrap_or(0);
    *top = (*top).min(index).max((index + 1).saturating_sub(rows)).min(all.len().saturating_sub(rows));
    let digits = |child: &Arc<ChildView>| child.pid.map_or(0, |pid| pid.to_string().len());
    let pids = all.iter().map(digits).max().unwrap_or(0);
    for (y, child) in all.iter().rev().skip(*top).take(rows).enumerate() {
        let row = Rect { y: inside.y + y as u16, height: 1, ..inside };
        line(child, pids, usize::from(row.width), look).render(row, screen.buffer_mut());
        if child.id == selected {
            screen.buffer_mut().set_style(row, look.style(Role::Selection));
        }
    }
    inside
}

/// `▶ 5200 cargo build          12s   97%   41M`.
fn line(child: &ChildView, pids: usize, width: usize, look: &Look<'_>) -> Line<'static> {
    let (glyph, role) = words::glyph(&child.state);
    let right = right_side(child, width, look);
    let used: usize = right.iter().map(Span::width).sum();
    let pid = child.pid.map_or_else(String::new, |pid| pid.to_string());
    let pid = if pids > 0 { format!("{pid:>pids$} ") } else { pid };
    let room = width.saturating_sub(2 + pid.len() + used + 1);
    let mut spans = vec![
        Span::styled(format!("{glyph} "), look.style(role)),
        Span::styled(pid, look.style(Role::Dim)),
        Span::styled(
            text::left(&child.command, room),
            look.style(if lives(child) { Role::Strong } else { Role::Text }),
        ),
        Span::raw(" "),
    ];
    spans.extend(right);
    Line::from(spans)
}

fn right_side(child: &ChildView, width: usize, look: &Look<'_>) -> Vec<Span<'static>> {
    let dim = look.style(Role::Dim);
    match &child.state {
        ChildState::Running | ChildState::Stopped { .. } => {
            let stopped = matches!(child.state, ChildState::Stopped { .. });
            let age = look.now.since(child.started).age();
            let mut spans = vec![Span::styled(text::right(&age, ELAPSED), dim)];
            if stopped {
                spans.push(Span::styled(" stopped", look.style(Role::Warn)));
            } else if let Some(live) = child.live {
                let cpu = format!("{:.0}%", live.cpu * 100.0);
                let busy = if live.cpu >= 0.5 { Role::Accent } else { Role::Dim };
                spans.push(Span::styled(text::right(&cpu, CPU), look.style(busy)));
            }
            if let Some(live) = child.live
                && width >= 50
            {
                spans.push(Span::styled(text::right(&live.rss.short(), RSS), dim));
            }
            spans
        }
        ChildState::Ended { exit, usage } => {
            let role = if exit.code == Some(0) { Role::Good } else { Role::Danger };
            let mut spans = vec![Span::styled(exit::short(*exit), look.style(role))];
            // That it comes back is news; how long it ran before is not.
            if let Some(due) = child.course.next_start {
                let again = format!("  again in {:.1} s", due.since(look.now).as_secs_f64());
                spans.push(Span::styled(again, look.style(Role::Accent)));
            } else if width >= 40 {
                spans.push(Span::styled(text::right(&usage.wall.precise(), ELAPSED + 2), dim));
            }
            spans
        }
        ChildState::NotStarted(_) => vec![Span::styled("not started", look.style(Role::Danger))],
    }
}
