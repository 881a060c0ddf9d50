//! The head of the detail view: the process in two lines, and its wait.

use ratatui::text::{Line, Span};

use crate::model::process::{Process, ProcessTable};
use crate::model::wait::Wait;
use crate::ui::panels::Look;
use crate::ui::panels::processes::columns::{holder_text, wait_text};
use crate::ui::panels::waits::UNSEEN;
use crate::ui::theme::Role;

pub(super) fn summary(process: &Process, table: &ProcessTable, look: &Look<'_>) -> Vec<Line<'static>> {
    let dim = look.style(Role::Dim);
    let parent =
        table.process(process.ppid).map_or_else(|| process.ppid.to_string(), |p| format!("{} {}", p.pid, p.name));
    let facts = format!(
        " {} · {} · {} resident · {} thread{} · age {} · cpu {} · nice {} · parent {parent}",
        process.state.word(),
        process.user,
        process.rss.short(),
        process.threads,
        if process.threads == 1 { "" } else { "s" },
        look.boot.since(process.started).age(),
        process.cpu_time.cpu_time(),
        process.nice,
    );
    let mut lines = vec![
        Line::from(vec![
            Span::styled(process.state.letter().to_string(), look.style(Role::Strong)),
            Span::styled(facts, dim),
        ]),
        Line::styled(process.command(), look.style(Role::Text)),
    ];
    if let Some(wait) = &process.wait {
        lines.push(wait_line(wait, table, look));
        lines.extend(wait.evidence.iter().map(|e| Line::styled(format!("  because {e}"), look.style(Role::Faint))));
    }
    lines
}

pub(super) fn wait_line(wait: &Wait, table: &ProcessTable, look: &Look<'_>) -> Line<'static> {
    let mut spans = vec![
        Span::styled("waits for ", look.style(Role::Dim)),
        Span::styled(wait_text(wait), look.style(Role::Accent)),
    ];
    if let Some(since) = wait.since {
        spans.push(Span::styled(format!(" since {}", look.now.since(since).age()), look.style(Role::Dim)));
    }
    if wait.orphaned {
        spans.push(Span::styled(" · its holder no longer exists", look.style(Role::Danger)));
    } else if !wait.holders.is_empty() {
        let holders: Vec<String> = wait.holders.iter().map(|h| holder_text(*h, table)).collect();
        spans.push(Span::styled(" · held by ", look.style(Role::Dim)));
        spans.push(Span::styled(holders.join(", "), look.style(Role::Strong)));
    }
    if wait.partial {
        spans.push(Span::styled(format!(" · {UNSEEN}"), look.style(Role::Warn)));
    }
    spans.push(Span::styled(format!(" · {:?}", wait.certainty).to_lowercase(), look.style(Role::Faint)));
    Line::from(spans)
}
