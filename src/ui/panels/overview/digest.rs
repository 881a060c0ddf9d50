//! Each lab in a line, where there is no room for more.

use ratatui::text::{Line, Span};

use super::labs::rate;
use super::outcomes::short_state;
use crate::model::units::si;
use crate::ui::panels::Look;
use crate::ui::theme::Role;

/// Each lab in a line.
pub(super) fn lines(look: &Look<'_>) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    if let Some(progress) = look.store.ipc.as_ref().map(|s| &s.value) {
        let mut spans = vec![Span::styled("ipc ", look.style(Role::Dim))];
        for series in &progress.series {
            let figure = rate(series).map_or_else(|| "…".to_owned(), |r| format!("{}B/s", si(r)));
            spans.push(Span::styled(format!("{} ", series.transport), look.style(Role::Dim)));
            spans.push(Span::styled(format!("{figure} "), look.style(Role::Strong)));
        }
        lines.push(Line::from(spans));
    }
    if let Some(progress) = look.store.locks.as_ref().map(|s| &s.value)
        && let (Some(subject), Some(rate)) = (&progress.subject, progress.figures.per_second())
    {
        lines.push(Line::from(vec![
            Span::styled(format!("{} {} threads ", subject.spec.lock, subject.spec.threads), look.style(Role::Dim)),
            Span::styled(format!("{}/s", si(rate)), look.style(Role::Strong)),
        ]));
    }
    if let Some(progress) = look.store.litmus.as_ref().map(|s| &s.value) {
        let seen: u64 = progress.outcomes.iter().map(|o| o.count).sum();
        let mut spans = vec![Span::styled(format!("{} ", progress.test.name), look.style(Role::Dim))];
        if let Some(target) = progress.outcomes.iter().find(|o| o.target) {
            let share = target.count as f64 / seen.max(1) as f64 * 100.0;
            spans.push(Span::styled(format!("{} {share:.1}%", short_state(&target.state)), look.style(Role::Strong)));
        }
        lines.push(Line::from(spans));
    }
    lines
}
