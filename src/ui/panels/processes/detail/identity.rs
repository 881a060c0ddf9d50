//! Identity: files, groups, control groups, namespaces.

use ratatui::text::{Line, Span};

use super::section::{fault_lines, section};
use crate::model::detail::{Namespace, ProcessDetail};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::text;

pub(super) fn identity_lines(detail: &ProcessDetail, look: &Look<'_>) -> Vec<Line<'static>> {
    let fact = |name: &str, value: String| {
        Line::from(vec![
            Span::styled(text::left(name, 12), look.style(Role::Dim)),
            Span::styled(value, look.style(Role::Text)),
        ])
    };
    let mut lines = Vec::new();
    for (name, value) in [("executable", &detail.exe), ("directory", &detail.cwd), ("root", &detail.root)] {
        match value {
            Ok(path) => lines.push(fact(name, path.to_string())),
            Err(fault) => lines.extend(fault_lines(fault, look)),
        }
    }
    if let Some(process) = &detail.process {
        lines.push(fact("group", format!("process group {}, session {}", process.pgrp, process.session)));
    }
    lines.extend(section(&detail.children, look, |pids| {
        let pids: Vec<String> = pids.iter().map(ToString::to_string).collect();
        vec![fact("children", if pids.is_empty() { "none".to_owned() } else { pids.join(" ") })]
    }));
    lines.extend(section(&detail.cgroup, look, |paths| paths.iter().map(|p| fact("cgroup", p.to_string())).collect()));
    lines.extend(section(&detail.namespaces, look, |all| {
        let line = |n: &Namespace| {
            let mut line = fact("namespace", format!("{:<18} {}", n.kind, n.inode));
            let (word, role) = if n.ours { ("  same as ours", Role::Faint) } else { ("  its own", Role::Accent) };
            line.push_span(Span::styled(word, look.style(role)));
            line
        };
        all.iter().map(line).collect()
    }));
    lines
}
