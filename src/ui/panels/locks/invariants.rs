//! What is checked while the threads run, as sentences with counts; and where
//! one was violated, the two holders.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::View;
use crate::model::Nanos;
use crate::model::lock::{Invariant, LockOrder, LockProgress, Violation};
use crate::model::units::{grouped, si};
use crate::report::lock::{overlap, sentence};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{frame, lanes, text};

/// `41,220,113 checked   0 violated`.
const COUNTS: usize = 42;

/// How many rows the frame takes.
pub(super) fn height(progress: Option<&LockProgress>) -> u16 {
    let invariants = progress.map_or(1, |progress| progress.invariants.len().max(1)) as u16;
    let holders = progress.and_then(first).map_or(0, |violation| if violation.held.is_some() { 4 } else { 1 });
    let order = progress.and_then(|progress| progress.order.as_ref()).map_or(0, |order| told(order).len() as u16);
    invariants + order + holders + 2
}

/// The worst that is to be told of the order of several locks.
pub(super) fn worst(progress: &LockProgress) -> Option<(String, Role)> {
    let told = told(progress.order.as_ref()?);
    told.iter().find(|(_, role)| *role == Role::Danger).or(told.first()).cloned()
}

/// What is to be told of the order of several locks, with its
/// look.
fn told(order: &LockOrder) -> Vec<(String, Role)> {
    let mut told = Vec::new();
    if let Some(inversion) = &order.inversion {
        let before = if inversion.rehearsed { ", before they contended" } else { "" };
        told.push((format!("lock-order inversion{before}: {}", inversion.words()), Role::Warn));
    }
    if let Some(deadlock) = &order.deadlock {
        told.push((format!("deadlock: {}", deadlock.words()), Role::Danger));
        told.extend(deadlock.chain.iter().map(|line| (line.clone(), Role::Text)));
    }
    told
}

/// The violation to draw: one with times if there is one, and of those the
/// shortest, in which both holders can be seen.
fn first(progress: &LockProgress) -> Option<&Violation> {
    let timed = progress.violations.iter().filter_map(|violation| Some((span(violation.held?), violation)));
    timed.min_by_key(|(span, _)| *span).map(|(_, violation)| violation).or(progress.violations.first())
}

/// From the first `got` to the last `released`.
fn span(held: [[u64; 2]; 2]) -> Nanos {
    Nanos(held[0][1].max(held[1][1]))
}

/// Draws the frame.
pub(super) fn draw(screen: &mut Frame<'_>, area: Rect, view: &View<'_>) {
    let look = view.look;
    let violated = view.progress.is_some_and(|p| p.invariants.iter().any(|invariant| invariant.violations > 0));
    let deadlocked = view.progress.and_then(|p| p.order.as_ref()).is_some_and(|order| order.deadlock.is_some());
    let note = if violated {
        "VIOLATED"
    } else if deadlocked {
        "DEADLOCK"
    } else {
        ""
    };
    let inside = frame::draw_lines(
        screen,
        area,
        &Line::styled("Invariants", look.style(Role::Title)),
        &Line::styled(note, look.style(Role::Danger)),
        false,
        look.theme,
    );
    let row = |y: usize| Rect { y: inside.y + y as u16, height: 1, ..inside };
    let Some(progress) = view.progress.filter(|progress| !progress.invariants.is_empty()) else {
        let words = "mutual exclusion, to be checked in the data inside and from the stamps";
        return Line::styled(words, look.style(Role::Faint)).render(row(0), screen.buffer_mut());
    };
    for (y, invariant) in progress.invariants.iter().enumerate() {
        long(invariant, usize::from(inside.width), look).render(row(y).intersection(inside), screen.buffer_mut());
    }
    let told = progress.order.as_ref().map(told).unwrap_or_default();
    for (y, (words, role)) in (progress.invariants.len()..).zip(&told) {
        let line = Line::styled(text::fit(words, usize::from(inside.width)), look.style(*role));
        line.render(row(y).intersection(inside), screen.buffer_mut());
    }
    if let Some(violation) = first(progress) {
        let below = row(progress.invariants.len() + told.len());
        let rest = Rect { height: inside.bottom().saturating_sub(below.y), ..below };
        draw_violation(screen, rest, violation, look);
    }
}

fn verdict(invariant: &Invariant) -> Role {
    match invariant {
        Invariant { violations: 1.., .. } => Role::Danger,
        Invariant { checked: 0, .. } => Role::Faint,
        _ => Role::Good,
    }
}

/// The sentence and its counts; the name where the sentence does not fit.
fn long(invariant: &Invariant, width: usize, look: &Look<'_>) -> Line<'static> {
    let room = width.saturating_sub(COUNTS);
    let fits = invariant.formula.chars().count() <= room;
    let sentence = if fits { &invariant.formula } else { &invariant.name };
    let mut spans = vec![
        Span::styled(text::left(sentence, room), look.style(Role::Text)),
        Span::styled(text::right(&grouped(invariant.checked), 16), look.style(Role::Strong)),
        Span::styled(" checked ", look.style(Role::Dim)),
    ];
    let count = text::right(&grouped(invariant.violations), COUNTS - 16 - 9 - 9);
    spans.push(Span::styled(count, look.style(verdict(invariant))));
    spans.push(Span::styled(" violated", look.style(Role::Dim)));
    Line::from(spans)
}

/// As few words as will do.
pub(super) fn short(invariant: &Invariant, look: &Look<'_>) -> Line<'static> {
    Line::from(vec![
        Span::styled(format!("{} ", invariant.name), look.style(Role::Dim)),
        Span::styled(format!("{}, ", si(invariant.checked as f64)), look.style(Role::Text)),
        Span::styled(format!("{} violated", grouped(invariant.violations)), look.style(verdict(invariant))),
    ])
}

/// The two holders on one axis of time, the time in which both held it below them, and
/// what happened in words.
fn draw_violation(screen: &mut Frame<'_>, area: Rect, violation: &Violation, look: &Look<'_>) {
    let line = Line::styled(sentence(violation), look.style(Role::Danger));
    line.render(Rect { height: 1.min(area.height), ..area }, screen.buffer_mut());
    let Some(held) = violation.held else { return };
    let span = span(held);
    let threads = violation.holders.map(|thread| format!("t{thread}"));
    let [a, b] = held;
    let rows = threads.iter().map(String::as_str).chain(["both"]).zip([a, b, overlap(held)]);
    for (y, (label, [got, released])) in (1..).zip(rows) {
        let row = Rect { y: area.y + y, height: 1, ..area };
        if row.y >= area.bottom() {
            return;
        }
        let label = text::left(label, 5);
        screen.buffer_mut().set_string(row.x, row.y, label, look.style(Role::Dim));
        let lane = Rect { x: row.x + 5, width: row.width.saturating_sub(5), ..row };
        // However short it was beside the other, it is seen.
        let least = (span.0 + span.0 / 2) / u64::from(lane.width.max(1)) + 1;
        let got = got.min(span.0.saturating_sub(least));
        let released = released.max(got + least);
        lanes::draw(screen.buffer_mut(), lane, &[[got, got, released].into()], span, look.theme);
        if y > 2 {
            lanes::recolour(screen.buffer_mut(), lane, look.style(Role::Danger));
        }
    }
}
