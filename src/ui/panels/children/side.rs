//! What can stand where the log is: the child's tree, the course of its life,
//! the system calls of its start.

use ratatui::text::{Line, Span};

use crate::backend::children::exit;
use crate::model::child::{ChildState, ChildView};
use crate::model::life::{Happening, Moment, Relative, Unheard};
use crate::model::{Nanos, signal};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::text;

/// What is shown beside the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Side {
    /// What it wrote.
    #[default]
    Log,
    /// The process as a tuple, and its parts.
    Process,
    /// Who descends from it.
    Tree,
    /// What happened to it.
    Life,
    /// How it was started.
    Calls,
}

impl Side {
    const ALL: [Side; 5] = [Side::Log, Side::Process, Side::Tree, Side::Life, Side::Calls];

    pub(super) fn next(self, by: isize) -> Self {
        let now = Side::ALL.iter().position(|side| *side == self).unwrap_or(0).cast_signed();
        Side::ALL[(now + by).rem_euclid(Side::ALL.len().cast_signed()).cast_unsigned()]
    }

    pub(super) const fn title(self) -> &'static str {
        match self {
            Side::Log => "Log",
            Side::Process => "Process",
            Side::Tree => "Tree",
            Side::Life => "Life",
            Side::Calls => "Start",
        }
    }
}

/// Which part of a view is seen that has more lines than there is room for.
#[derive(Debug, Default)]
pub(super) struct Pane {
    /// The first line; where nobody has scrolled, whatever matters most.
    pub(super) first: Option<usize>,
    /// The first line of the last drawing, and how many there were.
    shown: usize,
    rows: usize,
}

impl Pane {
    /// Which line comes first now; `late` says whether the end matters most.
    pub(super) fn place(&mut self, lines: usize, rows: usize, late: bool) -> usize {
        let last = lines.saturating_sub(rows);
        self.shown = self.first.unwrap_or(if late { last } else { 0 }).min(last);
        self.rows = rows;
        // At the end it stays there, whatever comes.
        if late && self.shown == last {
            self.first = None;
        }
        self.shown
    }

    /// Moves by lines.
    pub(super) fn scroll(&mut self, by: isize) {
        self.first = Some(self.shown.saturating_add_signed(by));
    }

    /// Moves by pages.
    pub(super) fn page(&mut self, by: isize) {
        self.scroll(by * self.rows.saturating_sub(1).max(1).cast_signed());
    }
}

/// `├ 5201 rustc   S` …, with what is to be said of zombies and orphans.
pub(super) fn tree(child: &ChildView, look: &Look<'_>) -> Vec<Line<'static>> {
    let (text, dim) = (look.style(Role::Strong), look.style(Role::Dim));
    let root = match child.pid {
        Some(pid) => vec![Span::styled(format!("{pid} "), dim), Span::styled(child.command.to_string(), text)],
        None => vec![Span::styled(format!("{} has ended", child.command), dim)],
    };
    let mut lines = vec![Line::from(root)];
    lines.extend(child.course.family.iter().map(|relative| relative_line(relative, look)));
    if child.course.family.is_empty() {
        lines.push(Line::styled("nobody descends from it", look.style(Role::Faint)));
    }
    lines
}

fn relative_line(relative: &Relative, look: &Look<'_>) -> Line<'static> {
    let indent = " ".repeat(2 * usize::from(relative.depth.min(20)).saturating_sub(1));
    let mut spans = vec![
        Span::styled(format!("{indent}└ "), look.style(Role::Faint)),
        Span::styled(format!("{} ", relative.pid), look.style(Role::Dim)),
        Span::styled(relative.name.to_string(), look.style(Role::Text)),
        Span::styled(format!("  {}", relative.state), look.style(Role::Dim)),
    ];
    if relative.is_zombie() {
        let why = format!("  zombie: {} has not waited for it", relative.parent);
        spans.push(Span::styled(why, look.style(Role::Warn)));
    } else if relative.orphan {
        let why = format!("  orphan, now a child of {}: its parent has ended", relative.parent);
        spans.push(Span::styled(why, look.style(Role::Warn)));
    }
    Line::from(spans)
}

/// The course of its life: a bar of its states, and every moment with where it
/// is known from.
pub(super) fn life(child: &ChildView, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    let moments = &child.course.moments;
    let begin = moments.first().map_or(child.started, |first| first.at);
    let end = match child.state {
        ChildState::Running | ChildState::Stopped { .. } => look.now,
        _ => moments.last().map_or(look.now, |last| last.at),
    };
    let mut lines = vec![bar(moments, begin, end.max(begin), width, look), legend(look), Line::default()];
    if child.course.dropped > 0 {
        let dropped = format!("{} earlier moments are not kept", child.course.dropped);
        lines.push(Line::styled(dropped, look.style(Role::Faint)));
    }
    lines.extend(moments.iter().map(|moment| moment_line(moment, child.started, look)));
    if let ChildState::Ended { exit, .. } = &child.state {
        lines.push(Line::default());
        let said = [(format!("ExitStatus: {}", exit::as_std(*exit)), Role::Text), (exit::ELSEWHERE.into(), Role::Dim)];
        let wrapped = said.into_iter().flat_map(|(what, role)| {
            let parts = text::wrap(&what, width);
            parts.into_iter().map(move |part| Line::styled(part, look.style(role)))
        });
        lines.extend(wrapped);
    }
    lines
}

/// Which state each piece of the time was in.
fn bar(moments: &[Moment], begin: Nanos, end: Nanos, width: usize, look: &Look<'_>) -> Line<'static> {
    let span = end.since(begin).0.max(1);
    let cell = |index: usize| {
        let at = Nanos(begin.0 + (u128::from(span) * (2 * index as u128 + 1) / (2 * width.max(1) as u128)) as u64);
        let (mut glyph, mut role) = ("·", Role::Faint);
        for moment in moments.iter().take_while(|moment| moment.at <= at) {
            (glyph, role) = match moment.what {
                Happening::Created { .. } => ("▒", Role::Dim),
                Happening::Executed | Happening::Continued => ("█", Role::Good),
                Happening::Stopped { .. } => ("░", Role::Warn),
                Happening::Ended { .. } | Happening::Reaped | Happening::Delayed { .. } | Happening::Failed => {
                    ("·", Role::Faint)
                }
                Happening::Signalled { .. } => (glyph, role),
            };
        }
        Span::styled(glyph, look.style(role))
    };
    (0..width).map(cell).collect()
}

fn legend(look: &Look<'_>) -> Line<'static> {
    let parts = [
        ("▒", Role::Dim, "created "),
        ("█", Role::Good, "runs "),
        ("░", Role::Warn, "stopped "),
        ("·", Role::Faint, "ended"),
    ];
    let spans = parts.into_iter().flat_map(|(glyph, role, word)| {
        [Span::styled(glyph, look.style(role)), Span::styled(format!(" {word} "), look.style(Role::Faint))]
    });
    spans.collect()
}

fn moment_line(moment: &Moment, started: Nanos, look: &Look<'_>) -> Line<'static> {
    let (what, from, role) = match moment.what {
        Happening::Created { pid } => (format!("created as {pid}"), "clone returned it", Role::Text),
        Happening::Executed => ("executed its program".to_owned(), "its CLOEXEC pipe closed", Role::Good),
        Happening::Stopped { signal } => {
            (format!("stopped by {}", signal::name(signal)), "waitid WSTOPPED", Role::Warn)
        }
        Happening::Continued => ("continued".to_owned(), "waitid WCONTINUED", Role::Good),
        Happening::Signalled { signal, target, unheard } => {
            let from = unheard.map_or("by us", Unheard::words);
            (format!("{} to {}", signal::name(signal), target.words()), from, Role::Accent)
        }
        Happening::Ended { exit } => {
            let role = if exit.code == Some(0) { Role::Good } else { Role::Danger };
            (format!("ended: {}", exit::short(exit)), "its pidfd is readable", role)
        }
        Happening::Reaped => ("reaped".to_owned(), "waitid WEXITED", Role::Text),
        Happening::Delayed { by } => (format!("to start again in {by}"), "asked for", Role::Accent),
        Happening::Failed => ("did not start".to_owned(), "spawn", Role::Danger),
    };
    // The first start's beginning may lie before this one's.
    let at = moment.at.0 as f64 / 1e9 - started.0 as f64 / 1e9;
    Line::from(vec![
        Span::styled(format!("{at:>12.6} "), look.style(Role::Faint)),
        Span::styled(format!("{} ", text::left(&what, 30)), look.style(role)),
        Span::styled(from, look.style(Role::Faint)),
    ])
}

/// Columns of who makes a call.
const CALLER: usize = 7;

/// The system calls of its start.
pub(super) fn calls(child: &ChildView, width: usize, look: &Look<'_>) -> Vec<Line<'static>> {
    if child.course.calls.is_empty() {
        return vec![Line::styled("it was not started", look.style(Role::Faint))];
    }
    let line = |call: &std::sync::Arc<str>| {
        let (who, role) = if call.starts_with("clone") { ("parent", Role::Accent) } else { ("child", Role::Dim) };
        let parts = text::wrap(call, width.saturating_sub(CALLER + 4).max(20));
        let lines = parts.into_iter().enumerate().map(move |(row, part)| {
            let (who, indent) = if row == 0 { (who, "") } else { ("", "  ") };
            let part = Span::styled(format!("{indent}{part}"), look.style(Role::Text));
            Line::from(vec![Span::styled(text::left(who, CALLER), look.style(role)), part])
        });
        lines.collect::<Vec<_>>()
    };
    child.course.calls.iter().flat_map(line).collect()
}
