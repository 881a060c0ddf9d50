//! Distributions above each other on one logarithmic axis, so that they can be
//! compared.
//!
//! ```text
//! pipe         p50  44.8 µs   p99  70.5 µs   p99.9   127 µs
//!                                  ▂█▆▃▁  ▁
//! ─────────────────────────────────p50─p99────────
//! shared ring  p50   511 ns   p99   761 ns   p99.9  1.35 µs
//!    ▁█▂
//! ───p50─p99──────────────────────────────────────
//!   100 ns         1 µs          10 µs        100 µs
//! ```

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use crate::model::Nanos;
use crate::model::histogram::{Distribution, PER_OCTAVE};
use crate::ui::theme::{Role, Theme};
use crate::ui::widgets::text;

const EIGHTHS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// One distribution of several.
#[derive(Clone, Copy, Debug)]
pub struct Ridge<'a> {
    /// What it is of.
    pub name: &'a str,
    /// It.
    pub of: &'a Distribution,
    /// Another one of the same thing, drawn behind it: an open loop's.
    pub behind: Option<&'a Distribution>,
    /// Which colour it has.
    pub series: usize,
}

/// Draws them from above, as many as have at least two rows each (three with
/// their percentiles marked); the axis comes below.
pub fn draw(buffer: &mut Buffer, area: Rect, ridges: &[Ridge<'_>], theme: &Theme) {
    let Some(range) = range(ridges) else { return };
    if area.height < 4 || area.width < 20 {
        return;
    }
    let rows = area.height - 1;
    let shown = ridges.len().min(usize::from(rows / 2)) as u16;
    let each = (rows / shown).min(14);
    let marked = each >= 3;
    for (index, ridge) in ridges.iter().take(usize::from(shown)).enumerate() {
        let band = Rect { y: area.y + index as u16 * each, height: each, ..area };
        figures(buffer, band, ridge.name, ridge.of, theme.series(ridge.series), theme);
        let mut above = 1;
        if let Some(behind) = ridge.behind.filter(|_| each >= 5) {
            let row = Rect { y: band.y + 1, ..band };
            figures(buffer, row, "  open loop", behind, theme.style(Role::Dim), theme);
            above = 2;
        }
        let hill = Rect { y: band.y + above, height: band.height - above - u16::from(marked), ..band };
        if let Some(behind) = ridge.behind {
            columns(buffer, hill, behind, &range, theme.style(Role::Faint));
        }
        columns(buffer, hill, ridge.of, &range, theme.series(ridge.series));
        if marked {
            marks(buffer, Rect { y: band.bottom() - 1, height: 1, ..band }, ridge.of, &range, theme);
        }
    }
    axis(buffer, Rect { y: area.y + shown * each, height: 1, ..area }, &range, theme);
}

/// The buckets that any of them has, with one of air on both sides.
fn range(ridges: &[Ridge<'_>]) -> Option<Range<f64>> {
    let all = || ridges.iter().flat_map(|ridge| [Some(ridge.of), ridge.behind]).flatten();
    let full = || all().filter(|of| !of.counts.is_empty());
    let from = full().map(|of| of.first).min()?;
    let to = full().map(|of| of.first + of.counts.len() as u32).max()?;
    Some(f64::from(from.saturating_sub(1))..f64::from(to + 1))
}

fn figures(buffer: &mut Buffer, row: Rect, name: &str, of: &Distribution, style: Style, theme: &Theme) {
    let q = of.quantiles;
    let mut spans = vec![Span::styled(text::left(name, 12), style)];
    for (name, value) in [("p50", q.p50), ("p99", q.p99), ("p99.9", q.p999), ("max", q.max)] {
        let width: usize = spans.iter().map(Span::width).sum();
        if width + name.len() + 10 > usize::from(row.width) {
            break;
        }
        spans.push(Span::styled(format!("  {name} "), theme.style(Role::Dim)));
        let role = if name == "p50" { Role::Strong } else { Role::Text };
        spans.push(Span::styled(format!("{:>7}", value.precise()), theme.style(role)));
    }
    Line::from(spans).render(Rect { height: 1, ..row }, buffer);
}

/// Columns of square-root height, so that a thin tail still shows.
fn columns(buffer: &mut Buffer, area: Rect, of: &Distribution, range: &Range<f64>, style: Style) {
    let width = usize::from(area.width);
    let shares: Vec<f64> = (0..width).map(|x| share(of, range, x, width).sqrt()).collect();
    let top = shares.iter().copied().fold(0.0, f64::max);
    if top <= 0.0 {
        return;
    }
    for (x, share) in shares.iter().enumerate() {
        let eighths = (share / top * f64::from(area.height) * 8.0).ceil() as u16;
        for row in 0..area.height {
            let filled = eighths.saturating_sub(row * 8).min(8);
            if filled == 0 {
                break;
            }
            if let Some(cell) = buffer.cell_mut((area.x + x as u16, area.bottom() - 1 - row)) {
                cell.set_symbol(EIGHTHS[usize::from(filled) - 1]).set_style(style);
            }
        }
    }
}

/// How many durations a column stands for; a bucket that spans several gives
/// each its part.
fn share(of: &Distribution, range: &Range<f64>, x: usize, width: usize) -> f64 {
    let step = (range.end - range.start) / width as f64;
    let (start, end) = (range.start + x as f64 * step, range.start + (x + 1) as f64 * step);
    let mut sum = 0.0;
    let mut bucket = start.floor();
    while bucket < end {
        let index = bucket - f64::from(of.first);
        if index >= 0.0
            && let Some(count) = of.counts.get(index as usize)
        {
            let overlap = end.min(bucket + 1.0) - start.max(bucket);
            sum += *count as f64 * overlap.max(0.0);
        }
        bucket += 1.0;
    }
    sum
}

/// The ground, with the percentiles where they stand.
fn marks(buffer: &mut Buffer, row: Rect, of: &Distribution, range: &Range<f64>, theme: &Theme) {
    buffer.set_string(row.x, row.y, "─".repeat(usize::from(row.width)), theme.style(Role::Faint));
    let q = of.quantiles;
    let mut free = row.x;
    for (name, value) in [("p50", q.p50), ("p99", q.p99), ("p99.9", q.p999)] {
        let x = (row.x + column(value, range, row.width)).max(free);
        if x + name.len() as u16 <= row.right() {
            buffer.set_string(x, row.y, name, theme.style(Role::Strong));
            free = x + name.len() as u16 + 1;
        }
    }
}

/// Decades, and their halves where there is room.
fn axis(buffer: &mut Buffer, row: Rect, range: &Range<f64>, theme: &Theme) {
    let mut free = row.x;
    for decade in 0..12 {
        for factor in [1, 3] {
            let value = Nanos(factor * 10_u64.pow(decade));
            let bucket = exact_bucket(value);
            let label = short(value);
            if bucket < range.start || bucket >= range.end {
                continue;
            }
            let x = row.x + column(value, range, row.width);
            let width = label.chars().count() as u16;
            if x >= free && x + width <= row.right() {
                buffer.set_string(x, row.y, &label, theme.style(Role::Dim));
                free = x + width + 2;
            }
        }
    }
}

fn short(value: Nanos) -> String {
    match value.0 {
        ns @ 0..1_000 => format!("{ns} ns"),
        ns @ 1_000..1_000_000 => format!("{} µs", ns / 1_000),
        ns @ 1_000_000..1_000_000_000 => format!("{} ms", ns / 1_000_000),
        ns => format!("{} s", ns / 1_000_000_000),
    }
}

fn exact_bucket(value: Nanos) -> f64 {
    (value.0.max(1) as f64).log2() * PER_OCTAVE
}

fn column(value: Nanos, range: &Range<f64>, width: u16) -> u16 {
    let share = (exact_bucket(value) - range.start) / (range.end - range.start);
    ((share.clamp(0.0, 1.0) * f64::from(width)) as u16).min(width.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distribution(first: u32, counts: &[u64]) -> Distribution {
        Distribution { first, counts: counts.to_vec(), ..Distribution::default() }
    }

    #[test]
    fn columns_keep_the_sum_on_a_wider_axis() {
        let of = distribution(40, &[1, 5, 0, 9, 2]);
        for width in [1, 7, 50, 200] {
            let sum: f64 = (0..width).map(|x| share(&of, &(30.0..60.0), x, width)).sum();
            assert!((sum - 17.0).abs() < 1e-9, "{width}: {sum}");
        }
    }

    #[test]
    fn one_axis_holds_them_all() {
        let (a, b) = (distribution(36, &[1, 2]), distribution(60, &[3]));
        let ridge = |of| Ridge { name: "x", of, behind: None, series: 0 };
        assert_eq!(range(&[ridge(&a), ridge(&b)]), Some(35.0..62.0));
        let nothing = Distribution::default();
        assert_eq!(range(&[ridge(&nothing)]), None);
        let both = Ridge { behind: Some(&b), ..ridge(&a) };
        assert_eq!(range(&[both]), Some(35.0..62.0), "what is behind is on it too");
        let range = 35.0..62.0;
        assert!(column(Nanos(512), &range, 80) < column(Nanos(32_768), &range, 80));
    }
}
