//! The program in columns, one a thread, with the cursor on an ordering.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use crate::model::lab::LabState;
use crate::model::litmus::{LitmusProgress, LitmusSpec, LitmusTest, Order, Piece, Slot, SourceLine};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, rows, text};

/// An ordering that can be changed.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// Which.
    pub slot: Slot,
    /// What it is.
    pub order: Order,
    /// What it may be.
    pub choices: Vec<Order>,
    /// The line of its thread's source.
    pub line: usize,
}

/// All orderings, thread by thread, from top to bottom.
pub(super) fn choices(test: &LitmusTest) -> Vec<Choice> {
    let mut found = Vec::new();
    for thread in &test.threads {
        for (line, source) in thread.source.iter().enumerate() {
            found.extend(source.pieces.iter().filter_map(|piece| match piece {
                Piece::Order { slot, order, choices } => {
                    Some(Choice { slot: *slot, order: *order, choices: choices.clone(), line })
                }
                Piece::Text(_) => None,
            }));
        }
    }
    found
}

/// Lines of the longest thread.
pub(super) fn height(test: &LitmusTest) -> usize {
    test.threads.iter().map(|thread| thread.source.len()).max().unwrap_or(0)
}

/// Draws it.
pub(super) fn draw(
    screen: &mut Frame<'_>,
    area: Rect,
    progress: &LitmusProgress,
    cursor: usize,
    spec: &LitmusSpec,
    look: &Look<'_>,
) {
    let test = &progress.test;
    let title = Line::from(vec![
        Span::styled(test.name.clone(), look.style(Role::Title)),
        Span::styled(format!("  {}", test.headline), look.style(Role::Dim)),
    ]);
    let note = Line::from(vec![
        Span::styled(place(progress), look.style(Role::Dim)),
        Span::styled(" · ", look.style(Role::Faint)),
        state(&progress.state, look),
    ]);
    // Where both do not fit the name alone stands on the left.
    let room = usize::from(area.width).saturating_sub(7);
    let title = if title.width() + note.width() <= room {
        title
    } else {
        Line::styled(test.name.clone(), look.style(Role::Title))
    };
    let inside = frame::draw_lines(screen, area, &title, &note, true, look.theme);
    if test.threads.is_empty() {
        return;
    }
    let columns = Layout::horizontal(test.threads.iter().map(|_| Constraint::Fill(1))).spacing(2).split(inside);
    let under_cursor = choices(test).get(cursor).map(|choice| choice.slot);
    for (number, (thread, column)) in test.threads.iter().zip(columns.iter()).enumerate() {
        let cpu = test.cpus.get(number).map(|cpu| format!("  CPU {cpu}")).unwrap_or_default();
        let mut lines = vec![Line::from(vec![
            Span::styled(format!("P{number}"), look.style(Role::Heading)),
            Span::styled(cpu, look.style(Role::Faint)),
        ])];
        let room = usize::from(column.width);
        let fits = |style: &Spelling| thread.source.iter().all(|line| width(line, *style) <= room);
        let spelling = [Spelling::Full, Spelling::Bare].into_iter().find(fits).unwrap_or(Spelling::Short);
        lines.extend(thread.source.iter().map(|line| source_line(line, spelling, under_cursor, spec, look)));
        rows::draw(screen, *column, lines);
    }
}

/// How much is spelled out, as room permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    /// `let r0 = x.load(Relaxed);`
    Full,
    /// `r0 = x.load(Relaxed)`
    Bare,
    /// `r0 = x.load(rlx)`
    Short,
}

impl Spelling {
    fn text(self, text: &str) -> String {
        match self {
            Spelling::Full => text.to_owned(),
            _ => text.trim_start_matches("let ").trim_end_matches(';').replace(", ", ","),
        }
    }

    fn order(self, order: Order) -> &'static str {
        match (self, order) {
            (Spelling::Full | Spelling::Bare, order) => order.rust(),
            (Spelling::Short, Order::Plain) => "na",
            (Spelling::Short, Order::Relaxed) => "rlx",
            (Spelling::Short, Order::Acquire) => "acq",
            (Spelling::Short, Order::Release) => "rel",
            (Spelling::Short, Order::AcqRel) => "a/r",
            (Spelling::Short, Order::SeqCst) => "sc",
        }
    }

    fn indent(self) -> usize {
        if self == Spelling::Full { 2 } else { 1 }
    }
}

fn width(line: &SourceLine, spelling: Spelling) -> usize {
    let piece = |piece: &Piece| match piece {
        Piece::Text(text) => spelling.text(text).chars().count(),
        // With the room for the cursor's marks.
        Piece::Order { order, .. } => spelling.order(*order).len() + 2,
    };
    spelling.indent() * line.indent + line.pieces.iter().map(piece).sum::<usize>()
}

/// How and where it runs.
fn place(progress: &LitmusProgress) -> String {
    let test = &progress.test;
    let cpus: Vec<String> = test.cpus.iter().map(ToString::to_string).collect();
    if cpus.is_empty() { test.strategy.to_string() } else { format!("{} on CPU {}", test.strategy, cpus.join(",")) }
}

/// Where the lab stands, in a word.
pub(super) fn state(state: &LabState, look: &Look<'_>) -> Span<'static> {
    let (word, role) = match state {
        LabState::Idle => ("stopped", Role::Dim),
        LabState::Starting | LabState::WarmUp => ("starting", Role::Dim),
        LabState::Running => ("running", Role::Good),
        LabState::Resting => ("resting", Role::Dim),
        LabState::Done => ("done", Role::Dim),
        LabState::Failed(_) => ("failed", Role::Danger),
    };
    Span::styled(word, look.style(role))
}

/// A line of source.
fn source_line(
    line: &SourceLine,
    spelling: Spelling,
    under_cursor: Option<Slot>,
    spec: &LitmusSpec,
    look: &Look<'_>,
) -> Line<'static> {
    let mut spans = vec![Span::raw(" ".repeat(line.indent * spelling.indent()))];
    for piece in &line.pieces {
        match piece {
            Piece::Text(text) => spans.push(Span::styled(spelling.text(text), look.style(Role::Text))),
            Piece::Order { slot, order, .. } => {
                let changed = spec.orders.iter().any(|(known, _)| known == slot);
                let role = match order {
                    _ if changed => Role::Warn,
                    Order::Relaxed | Order::Plain => Role::Dim,
                    _ => Role::Accent,
                };
                if under_cursor == Some(*slot) {
                    let style = look.style(Role::Strong).patch(look.style(Role::Selection));
                    spans.push(Span::styled(format!("‹{}›", spelling.order(*order)), style));
                } else {
                    spans.push(Span::styled(spelling.order(*order), look.style(role)));
                }
            }
        }
    }
    Line::from(spans)
}

/// The test's name cut to a width, for small screens.
pub(super) fn name(test: &LitmusTest, width: usize) -> String {
    text::fit(&test.name, width)
}
