//! The experiments of what goes wrong between processes, and what those that
//! were done have shown.
//!
//! ```text
//! ▸ ✔ the reader is killed
//!   ○ the writer is killed
//!   …
//! pipe: worker 4121 ended early: killed by SIGKILL; the sender saw: Broken pipe
//! ⇒ A writer learns of the reader's end at its next write.
//! ```

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::View;
use crate::backend::lab::ipc::failures::{FAILURES, Failure};
use crate::model::Fault;
use crate::model::finding::Finding;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, text};

/// Draws them in a frame.
pub(super) fn draw(screen: &mut Frame<'_>, area: Rect, view: &View, look: &Look<'_>) {
    let inside = frame::draw_focused(screen, area, "What goes wrong", "s does it, f closes", look.theme);
    draw_inside(screen, inside, true, view, look);
}

/// The list, as much of it as leaves room for the finding below.
pub(super) fn draw_inside(screen: &mut Frame<'_>, area: Rect, framed: bool, view: &View, look: &Look<'_>) {
    let all = FAILURES.len() as u16;
    let rows = if area.height > all + 5 { all } else { (area.height / 3).clamp(1, all) };
    let [list, below] = Layout::vertical([Constraint::Length(rows), Constraint::Min(0)]).areas(area);
    let first = (view.failure + 1).saturating_sub(usize::from(rows));
    for (y, (index, failure)) in FAILURES.iter().enumerate().skip(first).take(usize::from(rows)).enumerate() {
        let at = Rect { y: list.y + y as u16, height: 1, ..list };
        entry(failure, index == view.failure, view, look).render(at, screen.buffer_mut());
        if index == view.failure {
            screen.buffer_mut().set_style(at, look.style(Role::Selection));
        }
    }
    let lines = finding(&FAILURES[view.failure], view, usize::from(below.width), look);
    let gap = u16::from(below.height > 6);
    let below = Rect { y: below.y + gap, height: below.height - gap, ..below };
    view.page.draw(screen, below, framed, lines, look.theme);
}

fn found<'a>(failure: &Failure, view: &'a View) -> Option<&'a Result<Finding, Fault>> {
    let all = &view.failures.as_ref()?.value.found;
    all.iter().find(|(key, _)| **key == *failure.key).map(|(_, found)| found)
}

fn runs(failure: &Failure, view: &View) -> bool {
    view.failures.as_ref().is_some_and(|seen| seen.value.running.as_deref() == Some(failure.key))
}

fn entry(failure: &Failure, here: bool, view: &View, look: &Look<'_>) -> Line<'static> {
    let (mark, role) = match found(failure, view) {
        _ if runs(failure, view) => ("… ", Role::Accent),
        None => ("○ ", Role::Dim),
        Some(Ok(finding)) if finding.as_documented() == Some(true) => ("✔ ", Role::Good),
        Some(Ok(_)) => ("⚑ ", Role::Warn),
        Some(Err(_)) => ("✘ ", Role::Danger),
    };
    Line::from(vec![
        Span::styled(if here { "▸ " } else { "  " }, look.style(Role::Accent)),
        Span::styled(mark, look.style(role)),
        Span::styled(failure.title, look.style(if here { Role::Strong } else { Role::Text })),
    ])
}

fn finding(failure: &Failure, view: &View, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let styled = |prefix: &str, what: &str, role| -> Vec<Line<'static>> {
        let rows = text::wrap(what, width.saturating_sub(2).max(1)).into_iter().enumerate();
        rows.map(|(y, row)| Line::styled(format!("{}{row}", if y == 0 { prefix } else { "  " }), look.style(role)))
            .collect()
    };
    match found(failure, view) {
        _ if runs(failure, view) => styled("", "it is being done, with real processes…", Role::Dim),
        None => styled("", "not done yet: s does it, with real processes", Role::Dim),
        Some(Err(fault)) => styled("", &format!("could not be done: {fault}"), Role::Danger),
        Some(Ok(finding)) => {
            // What it means first: it must not be what is cut off.
            let mut lines = styled("⇒ ", &finding.statement, Role::Strong);
            if finding.as_documented() == Some(false) {
                lines.extend(styled("⚑ ", "this is not what the manual says", Role::Warn));
            }
            lines.extend(finding.observed.iter().flat_map(|seen| styled("• ", &seen.text, Role::Text)));
            lines
        }
    }
}
