//! The past of one value as a filled area, newest on the right.
//!
//! ```text
//!      ▂█▅
//! ▁▁▃▆████▇▄▁
//! ```

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::ui::theme::Theme;

const EIGHTHS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// Draws values between 0 and `max`, one a column; each row has the colour of
/// its height on the theme's scale. A value above zero shows at least an
/// eighth.
pub fn draw<I>(buffer: &mut Buffer, area: Rect, values: I, max: f32, theme: &Theme)
where
    I: IntoIterator<Item = f32>,
    I::IntoIter: ExactSizeIterator,
{
    let values = values.into_iter();
    let width = usize::from(area.width);
    let skip = values.len().saturating_sub(width);
    let indent = width.saturating_sub(values.len()) as u16;
    for (x, value) in values.skip(skip).enumerate() {
        let share = if max > 0.0 && value.is_finite() { (value / max).clamp(0.0, 1.0) } else { 0.0 };
        let mut eighths = (share * f32::from(area.height) * 8.0).round() as u16;
        if share > 0.0 {
            eighths = eighths.max(1);
        }
        for row in 0..area.height {
            let filled = eighths.saturating_sub(row * 8).min(8);
            if filled == 0 {
                break;
            }
            let height = (f64::from(row) + 0.5) / f64::from(area.height);
            if let Some(cell) = buffer.cell_mut((area.x + indent + x as u16, area.bottom() - 1 - row)) {
                cell.set_symbol(EIGHTHS[usize::from(filled) - 1]).set_style(theme.scale(0.35 + 0.65 * height));
            }
        }
    }
}
