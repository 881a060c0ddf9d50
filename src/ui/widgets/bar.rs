//! Horizontal bars with eighths of a cell.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

const EIGHTHS: [&str; 9] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];

/// A bar of `fraction` (0 to 1) of `width` cells, as text padded to `width`.
/// Anything above zero shows at least an eighth of a cell.
pub fn text(fraction: f64, width: usize) -> String {
    let (full, rest) = cells(fraction, width);
    let mut out = "█".repeat(full);
    out.push_str(EIGHTHS[rest]);
    let used = full + usize::from(rest > 0);
    out.extend(std::iter::repeat_n(' ', width - used));
    out
}

/// Draws a bar into one row of `area`, over a track of `track` style.
pub fn draw(buffer: &mut Buffer, area: Rect, fraction: f64, fill: Style, track: Style) {
    let width = usize::from(area.width);
    let (full, rest) = cells(fraction, width);
    for x in 0..width {
        let position = (area.x + x as u16, area.y);
        let Some(cell) = buffer.cell_mut(position) else { return };
        if x < full {
            cell.set_symbol("█").set_style(fill);
        } else if x == full && rest > 0 {
            cell.set_symbol(EIGHTHS[rest]).set_style(fill);
        } else {
            cell.set_symbol("·").set_style(track);
        }
    }
}

fn cells(fraction: f64, width: usize) -> (usize, usize) {
    let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
    let mut eighths = (fraction * width as f64 * 8.0).round() as usize;
    if fraction > 0.0 && width > 0 {
        eighths = eighths.max(1);
    }
    (eighths / 8, eighths % 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_exact_to_an_eighth() {
        assert_eq!(text(0.0, 4), "    ");
        assert_eq!(text(0.5, 4), "██  ");
        assert_eq!(text(1.0, 4), "████");
        assert_eq!(text(7.0, 4), "████");
        assert_eq!(text(0.0001, 4), "▏   ");
        assert_eq!(text(f64::NAN, 2), "  ");
        assert_eq!(text(0.5625, 2), "█▏");
    }
}
