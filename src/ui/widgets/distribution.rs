//! A distribution of durations on a logarithmic axis, with its percentiles
//! marked.
//!
//! ```text
//!        ▂█▇▃
//!      ▁▅████▆▃▁     ▁
//! 1 µs ──p50───p99──────── 1 ms
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::model::Nanos;
use crate::model::histogram::Distribution;
use crate::ui::theme::{Role, Theme};

const EIGHTHS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Draws `of` into `area`: columns of square-root height (so that a thin tail
/// still shows), and in the last row the axis. `series` picks the colour.
pub fn draw(buffer: &mut Buffer, area: Rect, of: &Distribution, series: usize, theme: &Theme) {
    if area.height < 2 || area.width < 12 || of.counts.is_empty() {
        return;
    }
    let width = usize::from(area.width);
    let last = of.first as usize + of.counts.len();
    let (from, to) = (of.first as usize, last);
    let columns = resample(&of.counts, width);
    let top = columns.iter().copied().fold(0.0, f64::max).max(1.0).sqrt();
    let rows = area.height - 1;
    for (x, count) in columns.iter().enumerate() {
        let eighths = ((count.sqrt() / top) * f64::from(rows) * 8.0).ceil() as u16;
        for row in 0..rows {
            let filled = eighths.saturating_sub(row * 8).min(8);
            if filled == 0 {
                break;
            }
            let y = area.y + rows - 1 - row;
            if let Some(cell) = buffer.cell_mut((area.x + x as u16, y)) {
                cell.set_symbol(EIGHTHS[usize::from(filled) - 1]).set_style(theme.series(series));
            }
        }
    }
    axis(buffer, Rect { y: area.y + rows, height: 1, ..area }, of, from, to, theme);
}

fn axis(buffer: &mut Buffer, row: Rect, of: &Distribution, from: usize, to: usize, theme: &Theme) {
    let (left, right) = (Distribution::lower(from as u32).precise(), Distribution::lower(to as u32).precise());
    let width = usize::from(row.width);
    buffer.set_string(row.x, row.y, "─".repeat(width), theme.style(Role::Faint));
    buffer.set_string(row.x, row.y, format!("{left} "), theme.style(Role::Dim));
    let at_right = row.right().saturating_sub(right.chars().count() as u16 + 1);
    buffer.set_string(at_right, row.y, format!(" {right}"), theme.style(Role::Dim));
    let free = (row.x + left.chars().count() as u16 + 1)..at_right;
    let mut busy_until = free.start;
    for (name, value) in [("p50", of.quantiles.p50), ("p99", of.quantiles.p99)] {
        let x = row.x + (position(value, from, to) * (width - 1) as f64).round() as u16;
        let x = x.max(busy_until);
        if x + 3 <= free.end {
            buffer.set_string(x, row.y, name, theme.style(Role::Strong));
            busy_until = x + 4;
        }
    }
}

/// The buckets that several distributions cover together, with an end that is
/// not covered; `None` where all are empty.
pub fn range<'a>(of: impl IntoIterator<Item = &'a Distribution>) -> Option<(usize, usize)> {
    let filled = of.into_iter().filter(|d| !d.counts.is_empty());
    let ends = filled.map(|d| (d.first as usize, d.first as usize + d.counts.len()));
    ends.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
}

/// Draws a distribution as one row of small columns over the buckets
/// `from..to`, so that several stand comparable below one another.
pub fn row(
    buffer: &mut Buffer,
    area: Rect,
    of: &Distribution,
    (from, to): (usize, usize),
    series: usize,
    theme: &Theme,
) {
    let mut counts = vec![0; to - from];
    for (i, count) in of.counts.iter().enumerate() {
        if let Some(slot) = (of.first as usize + i).checked_sub(from).and_then(|at| counts.get_mut(at)) {
            *slot = *count;
        }
    }
    let columns = resample(&counts, usize::from(area.width));
    let top = columns.iter().copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE).sqrt();
    for (x, count) in columns.iter().enumerate() {
        let Some(cell) = buffer.cell_mut((area.x + x as u16, area.y)) else { continue };
        if *count > 0.0 {
            let height = ((count.sqrt() / top) * 8.0).ceil().clamp(1.0, 8.0) as usize;
            cell.set_symbol(EIGHTHS[height - 1]).set_style(theme.series(series));
        }
    }
}

/// Draws the axis that belongs to [`row`]s over the buckets `from..to`: the
/// powers of ten.
pub fn scale(buffer: &mut Buffer, area: Rect, (from, to): (usize, usize), theme: &Theme) {
    let width = usize::from(area.width);
    buffer.set_stringn(area.x, area.y, "─".repeat(width), width, theme.style(Role::Faint));
    let mut free = area.x;
    for power in 0..13 {
        let value = Nanos(10_u64.pow(power));
        let place = (f64::from(Distribution::bucket(value)) - from as f64) / (to - from).max(1) as f64;
        let label = value.precise().replace(".00", "").replace(".0", "");
        let x = area.x + (place.max(0.0) * width as f64) as u16;
        if (0.0..1.0).contains(&place) && x >= free && x + label.chars().count() as u16 <= area.right() {
            buffer.set_string(x, area.y, format!("╵{label}"), theme.style(Role::Dim));
            free = x + label.chars().count() as u16 + 2;
        }
    }
}

/// Where on the axis, 0 to 1, a duration stands.
fn position(value: Nanos, from: usize, to: usize) -> f64 {
    let bucket = f64::from(Distribution::bucket(value));
    ((bucket - from as f64 + 0.5) / (to - from).max(1) as f64).clamp(0.0, 1.0)
}

/// Spreads the buckets over `width` columns; a bucket that spans several gives
/// each its share.
fn resample(counts: &[u64], width: usize) -> Vec<f64> {
    let per_column = counts.len() as f64 / width as f64;
    let column = |x: usize| {
        let (start, end) = (x as f64 * per_column, (x + 1) as f64 * per_column);
        let mut sum = 0.0;
        let mut bucket = start as usize;
        while (bucket as f64) < end && bucket < counts.len() {
            let overlap = end.min((bucket + 1) as f64) - start.max(bucket as f64);
            sum += counts[bucket] as f64 * overlap.max(0.0);
            bucket += 1;
        }
        sum
    };
    (0..width).map(column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resampling_keeps_the_sum() {
        for width in [1, 3, 7, 50] {
            let sum: f64 = resample(&[1, 5, 0, 9, 2], width).iter().sum();
            assert!((sum - 17.0).abs() < 1e-9, "{width}: {sum}");
        }
    }
}
