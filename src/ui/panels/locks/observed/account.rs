//! All that is known of one lock.

use ratatui::text::{Line, Span};

use crate::model::Pid;
use crate::model::contention::ContendedLock;
use crate::model::units::grouped;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::text;

/// So many of each list.
const ROWS: usize = 8;

/// All that is known of a lock, line by line.
pub(super) fn account(lock: &ContendedLock, look: &Look<'_>) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let label = |text: &str| Span::styled(text::left(text, 10), look.style(Role::Dim));
    let plain = |text: String| Span::styled(text, look.style(Role::Text));
    let dim = |text: String| Span::styled(text, look.style(Role::Dim));
    for (index, waiter) in lock.waiters.iter().take(ROWS).enumerate() {
        lines.push(Line::from(vec![
            label(if index == 0 { "waited" } else { "" }),
            plain(text::left(&format!("{} {}", waiter.name, waiter.tid), 26)),
            plain(format!("{:>10}", waiter.waited.precise())),
            dim(format!("{:>12} times", grouped(waiter.waits))),
        ]));
    }
    for (index, pair) in lock.pairs.iter().take(ROWS).enumerate() {
        let name = |tid: Pid| {
            let waker = lock.wakers.iter().find(|waker| waker.tid == tid).map(|waker| &waker.name);
            let waiter = lock.waiters.iter().find(|waiter| waiter.tid == tid).map(|waiter| &waiter.name);
            waker.or(waiter).map_or_else(|| tid.to_string(), |name| format!("{name} {tid}"))
        };
        lines.push(Line::from(vec![
            label(if index == 0 { "woke" } else { "" }),
            plain(text::left(&format!("{} → {}", name(pair.waker), name(pair.woken)), 36)),
            dim(format!("{:>12} times", grouped(pair.wakes))),
        ]));
    }
    if lock.unproven > 0 {
        let words = "ended by time-out, signal, a thread's end, or unseen";
        lines.push(Line::from(vec![label(""), dim(format!("{} {words}", grouped(lock.unproven)))]));
    }
    for stack in lock.stacks.iter().take(ROWS) {
        for (index, text) in stack.frames.iter().enumerate() {
            let count = format!("{} ×", grouped(stack.waits));
            lines.push(Line::from(vec![label(if index == 0 { &count } else { "" }), plain(text.to_string())]));
        }
    }
    lines
}
