//! One lane a thread: what it did over a stretch of time.
//!
//! ```text
//! ░░░░░████····░░████···░░░░░░███    wanting ░   holding █   reading ▒   outside ·
//! ███···░░░████····░░░████···░░░█
//! −20.0 µs ────── −10.0 µs ─── now
//! ```

use std::fmt::Write;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::model::Nanos;
use crate::model::lock::Acquisition;
use crate::ui::theme::{Role, Theme};

/// What a thread does with a lock, its glyph and its look.
pub const STATES: [(&str, &str, Role); 4] = [
    ("wants", "░", Role::Wanting),
    ("holds", "█", Role::Holding),
    ("outside", "·", Role::Outside),
    ("shares", "▒", Role::Holding),
];

/// Those that a legend tells of: sharing only where some do.
pub fn legend(shares: bool) -> Vec<(&'static str, &'static str, Role)> {
    let [wants, holds, outside, sharing] = STATES;
    if shares { vec![wants, holds, sharing] } else { vec![wants, holds, outside] }
}

/// Draws one lane into the first row of `area`. A cell shows what the thread
/// did for most of its time.
pub fn draw(buffer: &mut Buffer, area: Rect, lane: &[Acquisition], span: Nanos, theme: &Theme) {
    for (x, state) in cells(lane, span, usize::from(area.width)).into_iter().enumerate() {
        let (_, glyph, role) = STATES[state];
        if let Some(cell) = buffer.cell_mut((area.x + x as u16, area.y)) {
            cell.set_symbol(glyph).set_style(theme.style(role));
        }
    }
}

/// For each cell the index of its state.
fn cells(lane: &[Acquisition], span: Nanos, width: usize) -> Vec<usize> {
    let cell = span.0 as f64 / width.max(1) as f64;
    let mut times = vec![[0.0_f64; 3]; width];
    for acquisition in lane {
        let held = if acquisition.shared { 2 } else { 1 };
        spread(&mut times, 0, cell, acquisition.wanted, acquisition.got);
        spread(&mut times, held, cell, acquisition.got, acquisition.released);
    }
    let state = |[wanting, alone, shared]: [f64; 3]| {
        let holding = alone + shared;
        let outside = (cell - wanting - holding).max(0.0);
        // Where two are equal, the rarer one is worth seeing.
        if holding > 0.0 && holding >= wanting && holding >= outside {
            if shared > alone { 3 } else { 1 }
        } else if wanting > 0.0 && wanting >= outside {
            0
        } else {
            2
        }
    };
    times.into_iter().map(state).collect()
}

/// Adds the time from `from` to `to` to the cells it lies in.
fn spread(times: &mut [[f64; 3]], state: usize, cell: f64, from: u64, to: u64) {
    let (from, to) = (from as f64, to as f64);
    if to <= from || cell <= 0.0 {
        return;
    }
    let first = (from / cell) as usize;
    for (index, times) in times.iter_mut().enumerate().skip(first) {
        let (begin, end) = (index as f64 * cell, (index + 1) as f64 * cell);
        if begin >= to {
            break;
        }
        times[state] += to.min(end) - from.max(begin);
    }
}

/// Gives what a lane shows as held another look: of two holders at once.
pub fn recolour(buffer: &mut Buffer, area: Rect, style: Style) {
    for x in area.left()..area.right() {
        if let Some(cell) = buffer.cell_mut((x, area.y)).filter(|cell| cell.symbol() == STATES[1].1) {
            cell.set_style(style);
        }
    }
}

/// Marks a column of a lane.
pub fn mark(buffer: &mut Buffer, area: Rect, column: u16, theme: &Theme) {
    if let Some(cell) = buffer.cell_mut((area.x + column.min(area.width.saturating_sub(1)), area.y)) {
        cell.set_style(theme.style(Role::Selection));
    }
}

/// What the threads did at a column of so many: who held, since when and for
/// how long, after what wait; and who wanted it.
///
/// `−12.4 µs: t1 holds, waited 340 ns, held 210 ns · t0 t3 want`
pub fn read_out(lanes: &[Vec<Acquisition>], span: Nanos, column: u16, columns: u16) -> String {
    let columns = u64::from(columns.max(1));
    let at = (span.0 * (2 * u64::from(column).min(columns - 1) + 1)) / (2 * columns);
    // Writing to a String cannot fail.
    let mut words = format!("−{}:", Nanos(span.0 - at).precise());
    let (mut holders, mut wanting) = (0, Vec::new());
    for (thread, lane) in lanes.iter().enumerate() {
        // In order of time: the last that began before.
        let index = lane.partition_point(|acquisition| acquisition.wanted <= at);
        let Some(it) = index.checked_sub(1).map(|index| lane[index]) else { continue };
        if (it.got..it.released).contains(&at) {
            holders += 1;
            if holders <= 2 {
                let [waited, held] = [it.got - it.wanted, it.released - it.got].map(|n| Nanos(n).precise());
                let verb = if it.shared { "shares" } else { "holds" };
                let _ = write!(words, " t{thread} {verb}, waited {waited}, held {held} ·");
            }
        } else if at < it.got {
            wanting.push(format!("t{thread}"));
        }
    }
    if holders > 2 {
        let _ = write!(words, " and {} more hold ·", holders - 2);
    }
    if holders == 0 {
        words.push_str(" nobody holds ·");
    }
    match wanting.len() {
        0 => words.push_str(" nobody wants"),
        1..=6 => drop(write!(words, " {} want", wanting.join(" "))),
        many => drop(write!(words, " {many} want")),
    }
    words
}

/// Draws the time axis of a stretch that ended `age` ago, with as many marks as
/// fit, counted from its end.
pub fn axis(buffer: &mut Buffer, row: Rect, span: Nanos, age: Nanos, theme: &Theme) {
    let width = usize::from(row.width);
    buffer.set_string(row.x, row.y, "─".repeat(width), theme.style(Role::Faint));
    let marks = (width / 24).clamp(1, 8) as u64;
    for mark in 0..marks {
        let before = Nanos(span.0 - span.0 * mark / marks);
        let x = row.x + (width as u64 * mark / marks) as u16;
        let label = format!("−{} ", before.precise());
        buffer.set_stringn(x, row.y, label, usize::from(row.right() - x), theme.style(Role::Dim));
    }
    let end = if age == Nanos::ZERO { " now".to_owned() } else { format!(" {} ago", age.precise()) };
    let columns = end.chars().count();
    if width >= columns + 16 {
        buffer.set_string(row.right() - columns as u16, row.y, end, theme.style(Role::Dim));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(lane: &[[u64; 3]], span: u64, width: usize) -> String {
        let lane: Vec<_> = lane.iter().map(|&stamps| stamps.into()).collect();
        cells(&lane, Nanos(span), width).into_iter().map(|state| STATES[state].1).collect()
    }

    #[test]
    fn each_cell_shows_what_the_thread_did_for_most_of_it() {
        assert_eq!(drawn(&[[0, 20, 40], [60, 70, 90]], 100, 10), "░░██··░██·");
        assert_eq!(drawn(&[[0, 20, 40], [60, 70, 90]], 100, 5), "░█·██", "of equals the rarer is shown");
        assert_eq!(drawn(&[[0, 100, 100]], 100, 4), "░░░░");
        assert_eq!(drawn(&[[0, 0, 100]], 100, 4), "████");
        assert_eq!(drawn(&[], 100, 4), "····");
        assert_eq!(drawn(&[[0, 0, 1]], 1, 8), "████████", "a nanosecond over several cells");
        assert_eq!(drawn(&[[0, 0, 5]], 0, 3), "···");
    }

    #[test]
    fn readers_look_different_from_writers() {
        let lane = [[0, 10, 50, 1].into(), [50, 60, 100, 0].into()];
        let glyphs: String = cells(&lane, Nanos(100), 10).into_iter().map(|state| STATES[state].1).collect();
        assert_eq!(glyphs, "░▒▒▒▒░████");
    }

    #[test]
    fn the_read_out_says_who_held_and_who_wanted() {
        let lanes: Vec<Vec<Acquisition>> =
            vec![vec![[0, 10, 40].into(), [45, 60, 90].into()], vec![[20, 40, 60].into()], vec![[0, 0, 5].into()]];
        assert_eq!(read_out(&lanes, Nanos(100), 5, 10), "−45 ns: t1 holds, waited 20 ns, held 20 ns · t0 want",);
        assert_eq!(read_out(&lanes, Nanos(100), 9, 10), "−5 ns: nobody holds · nobody wants");
    }
}
