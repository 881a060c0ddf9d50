//! The head of the detail view: the process in two lines, and its wait.

use ratatui::text::{Line, Span};

use crate::model::Nanos;
use crate::model::process::{Process, ProcessTable};
use crate::model::wait::{Wait, WaitKind};
use crate::ui::panels::Look;
use crate::ui::panels::processes::columns::{holder_text, wait_text};
use crate::ui::panels::waits::UNSEEN;
use crate::ui::theme::Role;
use crate::ui::widgets::text;

/// The process in two lines; then what it waits for, and why we think so.
pub(super) fn summary(process: &Process, table: &ProcessTable, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let dim = look.style(Role::Dim);
    let parent =
        table.process(process.ppid).map_or_else(|| process.ppid.to_string(), |p| format!("{} {}", p.pid, p.name));
    let facts = format!(
        " {} · {} · {} resident · {} · age {} · cpu {} · nice {} · parent {parent}",
        process.state.word(),
        process.user,
        process.rss.short(),
        text::count(process.threads, "thread", "threads"),
        look.boot.since(process.started).age(),
        process.cpu_time.cpu_time(),
        process.nice,
    );
    // What stands below is what was read before.
    let state = match process.stale {
        Some(since) => {
            let age = look.now.since(since).age();
            Span::styled(format!("! stale {age}: reading it hangs ·"), look.style(Role::Warn))
        }
        None => Span::styled(process.state.letter().to_string(), look.style(Role::Strong)),
    };
    let mut lines = vec![
        Line::from(vec![state, Span::styled(facts, dim)]),
        Line::styled(process.command(), look.style(Role::Text)),
    ];
    if let Some(wait) = &process.wait {
        // `something not permitted to see` and `in the kernel` are no things to wait for.
        let lead = if wait.kind == WaitKind::Other { "waits: " } else { "waits for " };
        let lead = Span::styled(lead, look.style(Role::Dim));
        lines.push(std::iter::once(lead).chain(wait_spans(wait, table, look)).collect());
        if wait.partial {
            lines.push(Line::styled(format!("  {UNSEEN}"), look.style(Role::Warn)));
        }
        lines.extend(wait.evidence.iter().flat_map(|fact| reason(fact, width, look)));
    }
    lines
}

/// A reason, in as many lines as it takes.
fn reason(fact: &str, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    const LEAD: &str = "  because ";
    let wrapped = text::wrap(fact, width.saturating_sub(LEAD.len()).max(16));
    let line = |(n, words): (usize, String)| {
        let lead = if n == 0 { LEAD.to_owned() } else { " ".repeat(LEAD.len()) };
        Line::styled(lead + &words, look.style(Role::Dim))
    };
    wrapped.into_iter().enumerate().map(line).collect()
}

/// What is waited for, in a line.
pub(super) fn wait_line(wait: &Wait, table: &ProcessTable, look: &Look<'_>) -> Line<'static> {
    let mut spans = wait_spans(wait, table, look);
    if wait.partial {
        spans.push(Span::styled(format!(" · {UNSEEN}"), look.style(Role::Warn)));
    }
    Line::from(spans)
}

fn wait_spans(wait: &Wait, table: &ProcessTable, look: &Look<'_>) -> Vec<Span<'static>> {
    let mut spans = vec![Span::styled(wait_text(wait), look.style(Role::Accent))];
    if let Some(age) = wait.age(look.now, Nanos::age) {
        spans.push(Span::styled(format!(" since {age}"), look.style(Role::Dim)));
    }
    if wait.orphaned {
        spans.push(Span::styled(" · its holder no longer exists", look.style(Role::Danger)));
    } else if !wait.holders.is_empty() {
        let holders: Vec<String> = wait.holders.iter().map(|h| holder_text(*h, table)).collect();
        spans.push(Span::styled(format!(" · {} ", wait.relation()), look.style(Role::Dim)));
        spans.push(Span::styled(holders.join(", "), look.style(Role::Strong)));
    }
    spans.push(Span::styled(format!(" · {:?}", wait.certainty).to_lowercase(), look.style(Role::Faint)));
    spans
}
