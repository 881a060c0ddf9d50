//! Threads, descriptors, limits and the environment.

use ratatui::text::{Line, Span};

use super::head::wait_line;
use super::section::columns_line;
use crate::model::detail::{Descriptor, Limit};
use crate::model::process::{ProcessTable, Thread};
use crate::ui::panels::Look;
use crate::ui::theme::Role;

pub(super) fn thread_line(thread: &Thread, table: &ProcessTable, look: &Look<'_>) -> Line<'static> {
    let cpu = thread.cpu.map_or_else(|| "–".to_owned(), |c| format!("{:.1}", c * 100.0));
    let mut line = columns_line(
        &[
            (&thread.tid.to_string(), -7, Role::Dim),
            (&thread.state.letter().to_string(), 1, Role::Dim),
            (&cpu, -5, Role::Text),
            (&thread.cpu_time.cpu_time(), -8, Role::Dim),
            (&thread.name, 16, Role::Strong),
        ],
        look,
    );
    match (&thread.wait, &thread.call) {
        (Some(wait), _) => line.extend(wait_line(wait, table, look)),
        (None, Some(call)) => line.push_span(Span::styled(call.name.to_string(), look.style(Role::Dim))),
        (None, None) => line
            .push_span(Span::styled(thread.wchan.as_deref().unwrap_or_default().to_owned(), look.style(Role::Faint))),
    }
    line
}

pub(super) fn descriptor_line(descriptor: &Descriptor, width: usize, look: &Look<'_>) -> Line<'static> {
    let kind = format!("{:?}", descriptor.kind).to_lowercase();
    let target = (width / 2).clamp(16, 60);
    let mut line = columns_line(
        &[
            (&descriptor.fd.to_string(), -5, Role::Text),
            (&descriptor.access, 2, Role::Dim),
            (&kind, 11, Role::Dim),
            (&descriptor.target, target as isize, Role::Strong),
        ],
        look,
    );
    if descriptor.cloexec {
        line.push_span(Span::styled("cloexec ", look.style(Role::Faint)));
    }
    for (n, end) in descriptor.other_ends.iter().enumerate() {
        let lead = if n == 0 { "⇄ " } else { ", " };
        line.push_span(Span::styled(lead, look.style(Role::Dim)));
        line.push_span(Span::styled(format!("{} {}", end.pid, end.name), look.style(Role::Accent)));
        line.push_span(Span::styled(format!(" fd {} {}", end.fd, end.role), look.style(Role::Dim)));
    }
    line
}

/// The limits, with a heading.
pub(super) fn limit_lines(limits: &[Limit], look: &Look<'_>) -> Vec<Line<'static>> {
    let show = |value: Option<u64>| value.map_or_else(|| "unlimited".to_owned(), |v| v.to_string());
    let line = |l: &Limit| {
        columns_line(
            &[
                (&l.name, 26, Role::Text),
                (&show(l.soft), -20, Role::Strong),
                (&show(l.hard), -20, Role::Dim),
                (&l.unit, 10, Role::Faint),
            ],
            look,
        )
    };
    let mut lines = vec![columns_line(
        &[
            ("LIMIT", 26, Role::Heading),
            ("SOFT", -20, Role::Heading),
            ("HARD", -20, Role::Heading),
            ("UNIT", 10, Role::Heading),
        ],
        look,
    )];
    lines.extend(limits.iter().map(line));
    lines
}

pub(super) fn variable_line(variable: &str, look: &Look<'_>) -> Line<'static> {
    match variable.split_once('=') {
        Some((name, value)) => Line::from(vec![
            Span::styled(name.to_owned(), look.style(Role::Strong)),
            Span::styled("=", look.style(Role::Faint)),
            Span::styled(value.to_owned(), look.style(Role::Text)),
        ]),
        None => Line::styled(variable.to_owned(), look.style(Role::Text)),
    }
}
