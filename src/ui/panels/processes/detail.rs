//! One process in depth.
//!
//! ```text
//! ╭ 4121 payments ───────────────────────────────────────── Esc back ╮
//! │ S sleeping · root · 4.0M · 6 threads · up 3h12 · parent 1 init   │
//! │ waits for mutex [heap] +0x2a0 · held by 4133 worker-5            │
//! │ ‹Threads› Descriptors  Memory  Limits  Environment  Identity     │
//! │ …                                                                │
//! ╰──────────────────────────────────────────────────────────────────╯
//! ```

use crossterm::event::{KeyCode, KeyEvent};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::columns::{holder_text, wait_text};
use crate::model::detail::{Descriptor, ProcessDetail, Section};
use crate::model::process::{Process, ProcessTable, Thread};
use crate::model::wait::Wait;
use crate::model::{Fault, Pid};
use crate::ui::keymap::{Binding, Hint, bind, code, hints, key, lookup};
use crate::ui::panels::Look;
use crate::ui::panels::waits::UNSEEN;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, rows, text};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Scroll(isize),
    Page(isize),
    Top,
    Next,
    Previous,
}

const KEYS: &[Binding<Act>] = &[
    bind(
        &[code(KeyCode::Right), key('l')],
        Act::Next,
        "next part",
        "next part: threads, descriptors, memory, limits, environment, identity",
    ),
    bind(&[code(KeyCode::Left), key('h')], Act::Previous, "part before", "part before"),
    bind(&[code(KeyCode::Down), key('j')], Act::Scroll(1), "scroll", "scroll down"),
    bind(&[code(KeyCode::Up), key('k')], Act::Scroll(-1), "", "scroll up"),
    bind(&[code(KeyCode::PageDown), key(' ')], Act::Page(1), "", "a page down"),
    bind(&[code(KeyCode::PageUp)], Act::Page(-1), "", "a page up"),
    bind(&[code(KeyCode::Home), key('g')], Act::Top, "", "to the top"),
];

const PARTS: [&str; 6] = ["Threads", "Descriptors", "Memory", "Limits", "Environment", "Identity"];

/// The view.
#[derive(Debug)]
pub struct Detail {
    pid: Pid,
    part: usize,
    top: usize,
    rows: usize,
}

impl Detail {
    /// Of this process.
    pub fn new(pid: Pid) -> Self {
        Detail { pid, part: 0, top: 0, rows: 0 }
    }

    /// Whose detail this is.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Its keys.
    pub fn hints(&self) -> Vec<Hint> {
        let mut all = vec![Hint { keys: "Esc".to_owned(), short: "back", long: "back to the table" }];
        all.extend(hints(KEYS));
        all
    }

    /// Answers a key; `false` where it is not one of its own.
    pub fn on_key(&mut self, key: &KeyEvent) -> bool {
        let Some(act) = lookup(KEYS, key) else { return false };
        match act {
            Act::Scroll(by) => self.scroll(by),
            Act::Page(by) => self.scroll(by * self.rows.max(2).cast_signed().saturating_sub(1)),
            Act::Top => self.top = 0,
            Act::Next => (self.part, self.top) = ((self.part + 1) % PARTS.len(), 0),
            Act::Previous => (self.part, self.top) = ((self.part + PARTS.len() - 1) % PARTS.len(), 0),
        }
        true
    }

    /// Moves the view.
    pub fn scroll(&mut self, by: isize) {
        self.top = self.top.saturating_add_signed(by);
    }

    /// Draws it.
    pub fn draw(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let table = look.store.processes.as_ref().map(|s| &s.value);
        let process = table.and_then(|t| t.process(self.pid));
        let title = process.map_or_else(|| self.pid.to_string(), |p| format!("{} {}", p.pid, p.name));
        let inside = frame::draw_focused(screen, area, &title, "Esc back", look.theme);
        let mut head = match (process, table) {
            (Some(process), Some(table)) => summary(process, table, look),
            _ => vec![Line::styled(format!("process {} is gone", self.pid), look.style(Role::Warn))],
        };
        if inside.height < 10 {
            head.truncate(1);
        }
        head.push(self.tabs(look));
        let mut y = inside.y;
        for line in head {
            if y < inside.bottom() {
                let line = rows::fit(line, usize::from(inside.width));
                line.render(Rect { y, height: 1, ..inside }, screen.buffer_mut());
                y += 1;
            }
        }
        let body = Rect { y, height: inside.bottom() - y, ..inside };
        self.draw_part(screen, body, look);
    }

    fn tabs(&self, look: &Look<'_>) -> Line<'static> {
        let mut spans = Vec::new();
        for (index, part) in PARTS.iter().enumerate() {
            let role = if index == self.part { Role::Selection } else { Role::Dim };
            spans.push(Span::styled(format!(" {part} "), look.style(role)));
        }
        Line::from(spans)
    }

    fn draw_part(&mut self, screen: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let detail = look.store.detail.as_ref().filter(|d| d.value.pid == self.pid);
        let lines = match detail {
            None => vec![Line::styled("reading …", look.style(Role::Dim))],
            Some(detail) => part_lines(self.part, &detail.value, usize::from(area.width), look),
        };
        self.rows = usize::from(area.height);
        self.top = self.top.min(lines.len().saturating_sub(self.rows));
        for (y, line) in lines.into_iter().skip(self.top).take(self.rows).enumerate() {
            let line = rows::fit(line, usize::from(area.width));
            line.render(Rect { y: area.y + y as u16, height: 1, ..area }, screen.buffer_mut());
        }
    }
}

fn summary(process: &Process, table: &ProcessTable, look: &Look<'_>) -> Vec<Line<'static>> {
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

fn wait_line(wait: &Wait, table: &ProcessTable, look: &Look<'_>) -> Line<'static> {
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

fn part_lines(part: usize, detail: &ProcessDetail, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let empty = ProcessTable::default();
    let table = look.store.processes.as_ref().map_or(&empty, |s| &s.value);
    match part {
        0 => section(&detail.threads, look, |threads| threads.iter().map(|t| thread_line(t, table, look)).collect()),
        1 => section(&detail.descriptors, look, |all| all.iter().map(|d| descriptor_line(d, width, look)).collect()),
        2 => memory_lines(detail, width, look),
        3 => section(&detail.limits, look, |limits| {
            let show = |value: Option<u64>| value.map_or_else(|| "unlimited".to_owned(), |v| v.to_string());
            let line = |l: &crate::model::detail::Limit| {
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
        }),
        4 => section(&detail.environment, look, |all| all.iter().map(|v| variable_line(v, look)).collect()),
        _ => identity_lines(detail, look),
    }
}

fn section<T>(
    section: &Section<T>,
    look: &Look<'_>,
    lines: impl FnOnce(&T) -> Vec<Line<'static>>,
) -> Vec<Line<'static>> {
    match section {
        Ok(value) => {
            let lines = lines(value);
            if lines.is_empty() { vec![Line::styled("none", look.style(Role::Faint))] } else { lines }
        }
        Err(fault) => fault_lines(fault, look),
    }
}

fn fault_lines(fault: &Fault, look: &Look<'_>) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(format!("! {}: {}", fault.source, fault.what), look.style(Role::Warn))];
    if let Some(hint) = &fault.hint {
        lines.push(Line::styled(format!("  {hint}"), look.style(Role::Dim)));
    }
    lines
}

/// Pieces of fixed widths; a negative width aligns on the right.
fn columns_line(pieces: &[(&str, isize, Role)], look: &Look<'_>) -> Line<'static> {
    let piece = |(content, width, role): &(&str, isize, Role)| {
        let size = width.unsigned_abs();
        let fitted = if *width < 0 { text::right(content, size) } else { text::left(content, size) };
        Span::styled(format!("{fitted} "), look.style(*role))
    };
    Line::from(pieces.iter().map(piece).collect::<Vec<_>>())
}

fn thread_line(thread: &Thread, table: &ProcessTable, look: &Look<'_>) -> Line<'static> {
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

fn descriptor_line(descriptor: &Descriptor, width: usize, look: &Look<'_>) -> Line<'static> {
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

fn memory_lines(detail: &ProcessDetail, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let mut lines = section(&detail.memory, look, |m| {
        let figures = [
            ("resident", m.rss),
            ("proportional", m.pss),
            ("private", m.private),
            ("shared", m.shared),
            ("swapped", m.swap),
            ("locked", m.locked),
        ];
        let spans = figures.iter().flat_map(|(name, size)| {
            [
                Span::styled(format!("{name} "), look.style(Role::Dim)),
                Span::styled(format!("{}   ", size.short()), look.style(Role::Strong)),
            ]
        });
        vec![Line::from(spans.collect::<Vec<_>>()), Line::default()]
    });
    let name = width.saturating_sub(40).clamp(16, 90) as isize;
    lines.extend(section(&detail.mappings, look, |mappings| {
        let heading = [
            ("RSS", -6, Role::Heading),
            ("PSS", -6, Role::Heading),
            ("SIZE", -6, Role::Heading),
            ("N", -4, Role::Heading),
            ("PERM", 4, Role::Heading),
            ("MAPPING", name, Role::Heading),
        ];
        let mut lines = vec![columns_line(&heading, look)];
        lines.extend(mappings.iter().map(|m| {
            columns_line(
                &[
                    (&m.rss.short(), -6, Role::Strong),
                    (&m.pss.short(), -6, Role::Text),
                    (&m.size.short(), -6, Role::Dim),
                    (&m.count.to_string(), -4, Role::Dim),
                    (&m.permissions, 4, Role::Dim),
                    (&m.name, name, Role::Text),
                ],
                look,
            )
        }));
        lines
    }));
    lines
}

fn variable_line(variable: &str, look: &Look<'_>) -> Line<'static> {
    match variable.split_once('=') {
        Some((name, value)) => Line::from(vec![
            Span::styled(name.to_owned(), look.style(Role::Strong)),
            Span::styled("=", look.style(Role::Faint)),
            Span::styled(value.to_owned(), look.style(Role::Text)),
        ]),
        None => Line::styled(variable.to_owned(), look.style(Role::Text)),
    }
}

fn identity_lines(detail: &ProcessDetail, look: &Look<'_>) -> Vec<Line<'static>> {
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
        let line = |n: &crate::model::detail::Namespace| {
            let mut line = fact("namespace", format!("{:<18} {}", n.kind, n.inode));
            let (word, role) = if n.ours { ("  same as ours", Role::Faint) } else { ("  its own", Role::Accent) };
            line.push_span(Span::styled(word, look.style(role)));
            line
        };
        all.iter().map(line).collect()
    }));
    lines
}
