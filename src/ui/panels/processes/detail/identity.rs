//! Identity: files, groups, control groups, namespaces.

use ratatui::text::{Line, Span};

use super::section::{fault_lines, section};
use crate::model::Pid;
use crate::model::detail::{Namespace, ProcessDetail};
use crate::model::process::ProcessTable;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::text;

/// What it was started as, where it lives, and whom it belongs to.
pub(super) fn identity_lines(
    detail: &ProcessDetail,
    table: &ProcessTable,
    width: usize,
    look: &Look<'_>,
) -> Vec<Line<'static>> {
    const NAME: usize = 12;
    const LONG: usize = 4;
    let fact = |name: &str, value: String| {
        Line::from(vec![
            Span::styled(text::left(name, NAME), look.style(Role::Dim)),
            Span::styled(value, look.style(Role::Text)),
        ])
    };
    // The head has a line for it; here it is whole: first, unless that would push
    // the rest off the screen.
    let command = detail.process.as_ref().map_or_else(Vec::new, |process| {
        let wrapped = text::hard_wrap(&process.command(), width.saturating_sub(NAME));
        wrapped.into_iter().enumerate().map(|(n, part)| fact(if n == 0 { "command" } else { "" }, part)).collect()
    });
    let (mut lines, last) = if command.len() <= LONG { (command, Vec::new()) } else { (Vec::new(), command) };
    for (name, value) in [("executable", &detail.exe), ("directory", &detail.cwd), ("root", &detail.root)] {
        match value {
            Ok(path) => lines.push(fact(name, path.to_string())),
            Err(fault) => lines.extend(fault_lines(fault, width, look)),
        }
    }
    if let Some(process) = &detail.process {
        lines.push(fact("group", format!("process group {}, session {}", process.pgrp, process.session)));
    }
    lines.extend(section(&detail.children, width, look, |pids| {
        let named = |pid: &Pid| {
            table.process(*pid).map_or_else(|| pid.to_string(), |process| format!("{pid} {}", process.name))
        };
        let all: Vec<String> = pids.iter().map(named).collect();
        let all = if all.is_empty() { "none".to_owned() } else { all.join(", ") };
        let wrapped = text::wrap(&all, width.saturating_sub(NAME));
        wrapped.into_iter().enumerate().map(|(n, part)| fact(if n == 0 { "children" } else { "" }, part)).collect()
    }));
    lines.extend(section(&detail.cgroup, width, look, |paths| {
        paths.iter().map(|p| fact("cgroup", p.to_string())).collect()
    }));
    lines.extend(section(&detail.namespaces, width, look, |all| {
        let line = |n: &Namespace| {
            let mut line = fact("namespace", format!("{:<18} {}", n.kind, n.inode));
            let (word, role) = if n.ours { ("  same as ours", Role::Faint) } else { ("  its own", Role::Accent) };
            line.push_span(Span::styled(word, look.style(role)));
            line
        };
        all.iter().map(line).collect()
    }));
    lines.extend(last);
    lines
}
