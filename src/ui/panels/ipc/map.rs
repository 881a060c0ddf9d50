//! The heat map: what each transport reached at each size, filling as the walk
//! through the sizes goes.
//!
//! ```text
//!                  1   16   64  256   1K   4K  16K  64K 256K   1M   4M
//! pipe          1.2M  18M  74M 280M 1.0G 4.7G    ·    ·    ·    ·    ·
//! memfd ring     89M 1.2G 4.8G  11G  18G  21G    ·    ·    ·    ·    ·
//! ```

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Widget;

use super::View;
use crate::backend::lab::ipc::{Transport, transport};
use crate::model::channel::{Cell, SIZES};
use crate::model::units::Bytes;
use crate::ui::panels::Look;
use crate::ui::theme::Role;
use crate::ui::widgets::{heat, text};

/// Columns of a cell: at least what `280M` needs, with a blank.
const LEAST: u16 = 5;
const MOST: u16 = 9;

/// Rows that it needs inside its frame: one for the sizes, one a transport, one
/// for why the selected one has no figure somewhere.
pub(super) fn rows_needed(view: &View) -> u16 {
    let cells = view.seen.as_ref().map_or(&[][..], |seen| &seen.value.cells);
    let missing = cells.iter().any(|cell| *cell.transport == *view.selected().key && cell.why.is_some());
    view.spec.transports.len() as u16 + 1 + u16::from(missing)
}

/// Draws it: a row for each transport that is ticked.
pub(super) fn draw(screen: &mut Frame<'_>, area: Rect, view: &View, look: &Look<'_>) {
    let cells = view.seen.as_ref().map_or(&[][..], |seen| &seen.value.cells);
    let width = ((area.width.saturating_sub(12)) / SIZES.len() as u16).clamp(LEAST, MOST);
    let names = area.width.saturating_sub(width * SIZES.len() as u16).clamp(10, 28).min(area.width);
    // Where not all sizes fit, those around the one that is measured do.
    let fit = usize::from((area.width - names) / width).min(SIZES.len());
    let here = SIZES.iter().position(|size| *size >= view.spec.size).unwrap_or(0);
    let first = here.saturating_sub(fit / 2).min(SIZES.len() - fit);
    let columns = &SIZES[first..first + fit];
    let trips = view.trips;
    let figures = || cells.iter().filter_map(|cell| value(cell, trips)).filter(|rate| *rate > 0.0);
    let range = figures().fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), rate| (low.min(rate), high.max(rate)));
    let buffer = screen.buffer_mut();
    for (x, size) in columns.iter().enumerate() {
        let role = if *size == view.spec.size { Role::Accent } else { Role::Dim };
        let at = Rect { x: area.x + names + x as u16 * width, y: area.y, width, height: 1 };
        let label = Bytes(*size as u64).short();
        let label = label.strip_suffix(".0K").map_or(label.clone(), |whole| format!("{whole}K"));
        let label = label.strip_suffix(".0M").map_or(label.clone(), |whole| format!("{whole}M"));
        Line::styled(text::right(&label, usize::from(width)), look.style(role)).render(at.intersection(area), buffer);
    }
    for (y, key) in view.spec.transports.iter().enumerate() {
        let row = Rect { y: area.y + 1 + y as u16, height: 1, ..area }.intersection(area);
        let Some(about) = transport(key).map(Transport::about).filter(|_| !row.is_empty()) else {
            continue;
        };
        let name = text::fit(about.name, usize::from(names.saturating_sub(1)));
        let style = view.colour_of(key).map_or(look.style(Role::Text), |colour| look.theme.series(colour));
        Line::styled(name, style).render(Rect { width: names, ..row }, buffer);
        for (x, size) in columns.iter().enumerate() {
            let at = Rect { x: row.x + names + x as u16 * width, width, ..row };
            let cell = cells.iter().find(|cell| *cell.transport == **key && cell.size == *size);
            draw_cell(buffer, at, cell, (range, trips), look);
        }
    }
    let used = 1 + view.spec.transports.len() as u16;
    let below = Rect { y: area.y + used, height: area.height.saturating_sub(used), ..area };
    reasons(buffer, below, cells, view, look);
}

/// What a cell shows: bytes a second, or nanoseconds.
fn value(cell: &Cell, trips: bool) -> Option<f64> {
    if trips { cell.round_trip_p50.map(|p50| p50.0 as f64) } else { cell.bytes_per_s }
}

/// Why the selected transport has no figures at some sizes.
fn reasons(buffer: &mut ratatui::buffer::Buffer, area: Rect, cells: &[Cell], view: &View, look: &Look<'_>) {
    let about = view.selected();
    let missing = cells.iter().filter(|cell| *cell.transport == *about.key && cell.why.is_some());
    let Some(least) = missing.min_by_key(|cell| cell.size) else { return };
    let why = least.why.as_deref().unwrap_or_default();
    let said = format!("— {} at {}: {why}", about.name, super::settings::size(least.size));
    for (y, row) in text::wrap(&said, usize::from(area.width)).into_iter().enumerate() {
        if (y as u16) < area.height {
            let at = Rect { y: area.y + y as u16, height: 1, ..area };
            Line::styled(row, look.style(Role::Dim)).render(at, buffer);
        }
    }
}

fn draw_cell(
    buffer: &mut ratatui::buffer::Buffer,
    at: Rect,
    cell: Option<&Cell>,
    (range, trips): ((f64, f64), bool),
    look: &Look<'_>,
) {
    let columns = usize::from(at.width);
    let (figure, style) = match cell.map(|cell| value(cell, trips)) {
        None => ("·".to_owned(), look.style(Role::Faint)),
        Some(None) => ("—".to_owned(), look.style(Role::Dim)),
        // The best is the brightest: of times that is the shortest.
        Some(Some(time)) if trips => (brief(time), heat::look(1.0 - share(time, range), look.theme)),
        Some(Some(rate)) => (short(rate), heat::look(share(rate, range), look.theme)),
    };
    buffer.set_stringn(at.x, at.y, text::right(&figure, columns), columns, style);
}

/// Where a rate stands between the lowest and the highest, on a log scale.
fn share(rate: f64, (low, high): (f64, f64)) -> f64 {
    if high > low { (rate / low).ln() / (high / low).ln() } else { 1.0 }
}

/// Bytes a second in at most four columns: `980`, `1.2k`, `18M`, `4.7G`.
fn short(rate: f64) -> String {
    let (mut value, mut unit) = (rate, 0);
    while value >= 999.5 && unit < 4 {
        (value, unit) = (value / 1000.0, unit + 1);
    }
    let unit = ["", "k", "M", "G", "T"][unit];
    if value < 9.95 && !unit.is_empty() { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") }
}

/// A time in at most four columns: `511n`, `4.6µ`, `46µ`, `1.2m`, `3s`.
fn brief(nanos: f64) -> String {
    let (mut value, mut unit) = (nanos, 0);
    while value >= 999.5 && unit < 3 {
        (value, unit) = (value / 1000.0, unit + 1);
    }
    let unit = ["n", "µ", "m", "s"][unit];
    if value < 9.95 && unit != "n" { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_take_at_most_four_columns() {
        let cases =
            [(0.4, "0"), (980.0, "980"), (1_234.0, "1.2k"), (999_600.0, "1.0M"), (18e6, "18M"), (4.66e9, "4.7G")];
        for (rate, text) in cases {
            assert_eq!(short(rate), text);
        }
        for (time, text) in [(511.0, "511n"), (4_620.0, "4.6µ"), (999_700.0, "1.0m"), (46e3, "46µ"), (3e9, "3.0s")] {
            assert_eq!(brief(time), text);
        }
        let mut rate = 1.0;
        while rate < 9e14 {
            assert!(short(rate).len() <= 4, "{rate}");
            rate *= 1.01;
        }
    }

    #[test]
    fn shares_are_logarithmic() {
        assert!((share(1e6, (1e3, 1e9)) - 0.5).abs() < 1e-9);
        assert!((share(7.0, (7.0, 7.0)) - 1.0).abs() < 1e-9, "one figure is the best there is");
    }
}
