//! Threads, descriptors, limits and the environment.

use std::sync::Arc;

use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::head::wait_line;
use super::section::columns_line;
use crate::model::detail::{Descriptor, DescriptorKind, Limit};
use crate::model::process::{ProcessTable, Thread};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::text;

/// The threads, with a heading. What they wait for is what they are looked at
/// for: in a narrow place the figures go, and the name is shorter.
pub(super) fn thread_lines(
    threads: &[Arc<Thread>],
    table: &ProcessTable,
    width: usize,
    look: &Look<'_>,
) -> Vec<Line<'static>> {
    let (figures, name) = (width >= 60, if width >= 50 { 16 } else { 8 });
    let mut heading = vec![("TID", -7, Role::Heading), ("S", 1, Role::Heading)];
    if figures {
        heading.extend([("CPU%", -5, Role::Heading), ("TIME", -8, Role::Heading)]);
    }
    heading.extend([("THREAD", name, Role::Heading), ("WAIT, OR SYSTEM CALL", 20, Role::Heading)]);
    let mut lines = vec![columns_line(&heading, look)];
    lines.extend(threads.iter().map(|thread| thread_line(thread, table, figures, name, look)));
    lines
}

fn thread_line(thread: &Thread, table: &ProcessTable, figures: bool, name: isize, look: &Look<'_>) -> Line<'static> {
    let (tid, state) = (thread.tid.to_string(), thread.state.letter().to_string());
    let cpu = thread.cpu.map_or_else(|| "–".to_owned(), |c| format!("{:.1}", c * 100.0));
    let time = thread.cpu_time.cpu_time();
    let mut pieces = vec![(&*tid, -7, Role::Dim), (&*state, 1, Role::Dim)];
    if figures {
        pieces.extend([(&*cpu, -5, Role::Text), (&*time, -8, Role::Dim)]);
    }
    pieces.push((&thread.name, name, Role::Strong));
    let mut line = columns_line(&pieces, look);
    match (&thread.wait, &thread.call) {
        (Some(wait), _) => line.extend(wait_line(wait, table, look)),
        (None, Some(call)) => line.push_span(Span::styled(call.name.to_string(), look.style(Role::Dim))),
        (None, None) => line
            .push_span(Span::styled(thread.wchan.as_deref().unwrap_or_default().to_owned(), look.style(Role::Faint))),
    }
    line
}

/// The descriptors, with a heading; the targets take no more room than the
/// longest, which leaves the rest to the other ends.
pub(super) fn descriptor_lines(descriptors: &[Descriptor], width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    if descriptors.is_empty() {
        return Vec::new();
    }
    let longest = descriptors.iter().map(|d| target_of(d).width()).max().unwrap_or(0);
    let target = longest.min((width / 2).clamp(16, 60)).max(6);
    let heading = [
        ("FD", -5, Role::Heading),
        ("", 2, Role::Heading),
        ("KIND", 11, Role::Heading),
        ("TARGET", target as isize, Role::Heading),
        ("OTHER END", 9, Role::Heading),
    ];
    let mut lines = vec![columns_line(&heading, look)];
    lines.extend(descriptors.iter().map(|descriptor| descriptor_line(descriptor, target, look)));
    lines
}

/// What it is called: a socket's name or address says more than its number.
fn target_of(descriptor: &Descriptor) -> &str {
    descriptor.address.as_ref().unwrap_or(&descriptor.target)
}

fn descriptor_line(descriptor: &Descriptor, target: usize, look: &Look<'_>) -> Line<'static> {
    let kind = match descriptor.kind {
        DescriptorKind::UnixSocket => "unix socket".to_owned(),
        DescriptorKind::InetSocket => "inet socket".to_owned(),
        DescriptorKind::IoUring => "io_uring".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    };
    let mut line = columns_line(
        &[
            (&descriptor.fd.to_string(), -5, Role::Text),
            (&descriptor.access, 2, Role::Dim),
            (&kind, 11, Role::Dim),
            (target_of(descriptor), target as isize, Role::Strong),
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

/// A variable of the environment, in as many lines as it takes.
pub(super) fn variable_lines(variable: &str, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let mut lines = text::hard_wrap(variable, width).into_iter();
    let first = lines.next().unwrap_or_default();
    let first = match first.split_once('=') {
        Some((name, value)) => Line::from(vec![
            Span::styled(name.to_owned(), look.style(Role::Strong)),
            Span::styled("=", look.style(Role::Faint)),
            Span::styled(value.to_owned(), look.style(Role::Text)),
        ]),
        None => Line::styled(first, look.style(Role::Text)),
    };
    std::iter::once(first).chain(lines.map(|line| Line::styled(line, look.style(Role::Text)))).collect()
}
