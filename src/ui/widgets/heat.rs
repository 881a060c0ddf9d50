//! A grid of values as colours, with the figure in each cell where it fits.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

use crate::ui::theme::{Role, Theme};

/// Draws a matrix in cells of so many columns and rows: each figure is the share
/// of its row's sum in per cent; colours go up to the largest of these shares.
/// Without colour the figures alone speak; in cells of less than three columns
/// shades do, which go as far. Rows and columns
/// beyond `area` are left out.
pub fn rows(buffer: &mut Buffer, area: Rect, values: &[Vec<u64>], (width, height): (u16, u16), theme: &Theme) {
    let (width, height) = (width.max(1), height.max(1));
    let columns = usize::from(width);
    let sum = |row: &[u64]| row.iter().sum::<u64>().max(1) as f64;
    let most = |row: &Vec<u64>| row.iter().copied().max().unwrap_or(0) as f64 / sum(row);
    let most = values.iter().map(most).fold(f64::MIN_POSITIVE, f64::max);
    for (y, row) in values.iter().enumerate().take(usize::from(area.height / height)) {
        let all = sum(row);
        for (x, value) in row.iter().enumerate().take(usize::from(area.width / width)) {
            let at = (area.x + x as u16 * width, area.y + y as u16 * height);
            let share = *value as f64 / all;
            let style = look(share / most, theme);
            for line in 0..height {
                let figure = match line == (height - 1) / 2 {
                    true if columns < 3 => shade(share / most).repeat(columns),
                    true => share_text(share, columns),
                    false => " ".repeat(columns),
                };
                buffer.set_stringn(at.0, at.1 + line, figure, columns, style);
            }
        }
    }
}

/// How a cell looks whose value is this share of the scale, 0 to 1.
pub fn look(share: f64, theme: &Theme) -> Style {
    let Some(colour) = theme.scale(share).fg else { return theme.style(Role::Text) };
    let is_light = luminance(colour).map_or(share > 0.55, |luminance| luminance > 0.45);
    Style::new().fg(if is_light { Color::Black } else { Color::White }).bg(colour)
}

/// How light a colour is, 0 to 1 (ITU-R BT.601); `None` for one of the sixteen
/// that every terminal shows as it likes.
fn luminance(colour: Color) -> Option<f64> {
    let [red, green, blue] = match colour {
        Color::Rgb(red, green, blue) => [red, green, blue],
        // xterm's cube of six levels, and its greys.
        Color::Indexed(at @ 16..=231) => {
            [(at - 16) / 36, (at - 16) / 6 % 6, (at - 16) % 6].map(|level| if level == 0 { 0 } else { 55 + 40 * level })
        }
        Color::Indexed(at @ 232..) => [8 + 10 * (at - 232); 3],
        _ => return None,
    };
    Some((0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue)) / 255.0)
}

fn shade(share: f64) -> &'static str {
    const SHADES: [&str; 4] = ["░", "▒", "▓", "█"];
    if share <= 0.0 { "·" } else { SHADES[((share * 4.0) as usize).min(3)] }
}

fn share_text(share: f64, width: usize) -> String {
    if share <= 0.0 {
        return format!("{:^width$}", "·");
    }
    let percent = (share * 100.0).round() as u32;
    format!("{:^width$}", if percent == 0 { "<1".to_owned() } else { percent.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::Depth;

    #[test]
    fn the_figures_of_a_row_are_shares_of_it() {
        let theme = Theme::load("night", Depth::True).unwrap();
        let area = Rect::new(0, 0, 12, 2);
        let mut buffer = Buffer::empty(area);
        rows(&mut buffer, area, &[vec![3, 1, 0], vec![1, 998, 1]], (4, 1), &theme);
        let text: String = buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect();
        assert_eq!(text, " 75  25  ·   <1 100  <1 ");
    }

    #[test]
    fn ink_is_dark_on_light_and_light_on_dark_in_every_theme() {
        for name in ["night", "day", "contrast"] {
            for depth in [Depth::True, Depth::Ansi256] {
                let theme = Theme::load(name, depth).unwrap();
                for step in 0..=10 {
                    let style = look(f64::from(step) / 10.0, &theme);
                    let light = luminance(style.bg.unwrap()).unwrap();
                    assert_eq!(style.fg, Some(if light > 0.45 { Color::Black } else { Color::White }), "{name} {step}");
                }
            }
        }
        assert!(luminance(Color::Indexed(231)) > Some(0.99) && luminance(Color::Indexed(16)) < Some(0.01));
    }
}
