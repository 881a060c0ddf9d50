//! The columns of the list of locks.

use ratatui::text::{Line, Span};

use crate::model::contention::{ContendedLock, Contention};
use crate::model::units::{grouped, si};
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{bar, text};

/// Which columns fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    name: usize,
    bar: usize,
    /// Rate, quantiles, threads.
    wide: bool,
}

impl Columns {
    pub(super) fn of(width: u16) -> Self {
        let width = usize::from(width);
        let wide = width >= 96;
        let bar = if width >= 130 {
            16
        } else if width >= 70 {
            8
        } else {
            0
        };
        // kind, waits, waited; and rate, p50, p99, max, threads, now.
        let others = 14 + 11 + 10 + bar + usize::from(bar > 0) + if wide { 8 + 10 + 10 + 10 + 8 + 5 } else { 0 };
        Columns { name: width.saturating_sub(others).max(8), bar, wide }
    }

    pub(super) fn heading(self, look: &Look<'_>) -> Line<'static> {
        let Columns { name, bar, wide } = self;
        let mut line = format!("{} {}{:>11}", text::left("LOCK", name - 1), text::left("KIND", 14), "WAITS");
        if wide {
            line.push_str("      /s");
        }
        line.push_str("    WAITED");
        if bar > 0 {
            line += &" ".repeat(bar + 1);
        }
        if wide {
            line.push_str("       P50       P99       MAX THREADS  NOW");
        }
        Line::styled(line, look.style(Role::Heading))
    }

    pub(super) fn row(
        self,
        lock: &ContendedLock,
        share: f64,
        contention: &Contention,
        look: &Look<'_>,
    ) -> Line<'static> {
        let Columns { name, bar, wide } = self;
        let strong = if lock.kind.is_lock() { Role::Strong } else { Role::Text };
        let mut spans = vec![
            Span::styled(text::left(short(&lock.resource), name - 1), look.style(strong)),
            Span::styled(format!(" {}", text::left(lock.kind.words(), 14)), look.style(Role::Dim)),
            Span::styled(format!("{:>11}", grouped(lock.waits)), look.style(Role::Text)),
        ];
        if wide {
            let rate = lock.waits as f64 / contention.observed.as_secs_f64().max(0.001);
            spans.push(Span::styled(format!("{:>8}", si(rate)), look.style(Role::Text)));
        }
        spans.push(Span::styled(format!("{:>10}", lock.waited.precise()), look.style(strong)));
        if bar > 0 {
            spans.push(Span::styled(format!(" {}", bar::text(share, bar)), look.style(Role::Wanting)));
        }
        if wide {
            let quantiles = lock.wait.as_ref().map(|wait| wait.quantiles).filter(|quantiles| quantiles.count > 0);
            let figures = quantiles.map_or_else(
                || format!("{:>10}{:>10}{:>10}", "–", "–", "–"),
                |q| format!("{:>10}{:>10}{:>10}", q.p50.precise(), q.p99.precise(), q.max.precise()),
            );
            spans.push(Span::styled(figures, look.style(Role::Text)));
            spans.push(Span::styled(format!("{:>8}", lock.waiters.len()), look.style(Role::Dim)));
            let now = if lock.waiting == 0 { String::new() } else { lock.waiting.to_string() };
            spans.push(Span::styled(format!("{now:>5}"), look.style(Role::Warn)));
        }
        Line::from(spans)
    }
}

/// The place in memory, without what it is, which stands beside it.
fn short(resource: &str) -> &str {
    resource.split_once(" in ").map_or(resource, |(_, place)| place)
}
