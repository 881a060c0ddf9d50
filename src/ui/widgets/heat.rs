//! A grid of values as colours, with the figure in each cell where it fits.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

use crate::ui::theme::{Role, Theme};

/// Draws a square matrix, one row of the screen a row, `cell` columns a cell,
/// coloured by the share of the largest value. Without colour the figures
/// alone speak; in cells of less than three columns shades do. Rows and columns
/// beyond `area` are left out.
pub fn matrix(buffer: &mut Buffer, area: Rect, values: &[Vec<u64>], cell: u16, theme: &Theme) {
    matrix_of(buffer, area, values, (cell, 1), theme);
}

/// As [`matrix`], with cells of so many columns and rows.
pub fn matrix_of(buffer: &mut Buffer, area: Rect, values: &[Vec<u64>], (width, height): (u16, u16), theme: &Theme) {
    let (width, height) = (width.max(1), height.max(1));
    let max = values.iter().flatten().copied().max().unwrap_or(0).max(1) as f64;
    let columns = usize::from(width);
    for (y, row) in values.iter().enumerate().take(usize::from(area.height / height)) {
        for (x, value) in row.iter().enumerate().take(usize::from(area.width / width)) {
            let at = (area.x + x as u16 * width, area.y + y as u16 * height);
            let share = *value as f64 / max;
            let style = look(share, theme);
            for line in 0..height {
                let figure = if line == (height - 1) / 2 { share_text(share, columns) } else { " ".repeat(columns) };
                buffer.set_stringn(at.0, at.1 + line, figure, columns, style);
            }
        }
    }
}

/// How a cell looks whose value is this share of the scale, 0 to 1.
pub fn look(share: f64, theme: &Theme) -> Style {
    let Some(colour) = theme.scale(share).fg else { return theme.style(Role::Text) };
    let ink = if share > 0.55 { Color::Black } else { Color::White };
    Style::new().fg(ink).bg(colour)
}

fn share_text(share: f64, width: usize) -> String {
    if share <= 0.0 {
        return format!("{:^width$}", "·");
    }
    if width < 3 {
        const SHADES: [&str; 4] = ["░", "▒", "▓", "█"];
        return SHADES[((share * 4.0) as usize).min(3)].repeat(width);
    }
    format!("{:^width$}", ((share * 100.0).round() as u32).max(1))
}
