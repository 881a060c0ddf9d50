//! A grid of values as colours, with the figure in each cell where it fits.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

use crate::ui::theme::{Role, Theme};

/// Draws a square matrix, one row of the screen a row, `cell` columns a cell,
/// coloured by the share of the largest value. Without colour the figures
/// alone speak. Rows and columns beyond `area` are left out.
pub fn matrix(buffer: &mut Buffer, area: Rect, values: &[Vec<u64>], cell: u16, theme: &Theme) {
    let max = values.iter().flatten().copied().max().unwrap_or(0).max(1) as f64;
    for (y, row) in values.iter().enumerate().take(usize::from(area.height)) {
        for (x, value) in row.iter().enumerate().take(usize::from(area.width / cell.max(1))) {
            let at = (area.x + x as u16 * cell, area.y + y as u16);
            let share = *value as f64 / max;
            let text = share_text(share, usize::from(cell));
            buffer.set_stringn(at.0, at.1, text, usize::from(cell), look(share, theme));
        }
    }
}

fn look(share: f64, theme: &Theme) -> Style {
    let Some(colour) = theme.scale(share).fg else { return theme.style(Role::Text) };
    let ink = if share > 0.55 { Color::Black } else { Color::White };
    Style::new().fg(ink).bg(colour)
}

fn share_text(share: f64, width: usize) -> String {
    if share <= 0.0 {
        return format!("{:^width$}", "·");
    }
    format!("{:^width$}", ((share * 100.0).round() as u32).max(1))
}
