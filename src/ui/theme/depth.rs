//! How many colours a terminal shows, and a theme's colours for it.

use ratatui::style::Color;

/// How many colours the terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Depth {
    /// None: attributes only.
    Mono,
    /// The sixteen ANSI colours.
    Ansi16,
    /// The 256-colour palette.
    Ansi256,
    /// 24 bits.
    True,
}

impl Depth {
    /// What the environment says: `NO_COLOR`, `COLORTERM`, `TERM`.
    pub fn detect() -> Self {
        let var = |name| std::env::var(name).unwrap_or_default();
        Self::from_vars(&var("NO_COLOR"), &var("COLORTERM"), &var("TERM"))
    }

    fn from_vars(no_color: &str, colorterm: &str, term: &str) -> Self {
        if !no_color.is_empty() || term == "dumb" || term.contains("-mono") || term == "vt100" {
            Depth::Mono
        } else if matches!(colorterm, "truecolor" | "24bit") || term.ends_with("-direct") {
            Depth::True
        } else if term.contains("256color")
            || ["kitty", "alacritty", "foot", "ghostty"].iter().any(|t| term.contains(t))
        {
            Depth::Ansi256
        } else {
            Depth::Ansi16
        }
    }
}

/// The nearest colour of xterm's palette: its 6 × 6 × 6 cube (16..=231) or its
/// 24 greys (232..=255).
pub(super) fn nearest_of_256(color: Color) -> Color {
    const LEVELS: [i32; 6] = [0, 95, 135, 175, 215, 255];
    let Color::Rgb(r, g, b) = color else { return color };
    let rgb = [i32::from(r), i32::from(g), i32::from(b)];
    let distance = |other: [i32; 3]| (0..3).map(|i| (rgb[i] - other[i]).pow(2)).sum::<i32>();
    let level = |v: i32| (0..6).min_by_key(|i| (LEVELS[*i] - v).abs()).unwrap_or(0);
    let cube = rgb.map(level);
    let grey = ((rgb.iter().sum::<i32>() / 3 - 8 + 5) / 10).clamp(0, 23);
    if distance([8 + 10 * grey; 3]) < distance(cube.map(|i| LEVELS[i])) {
        Color::Indexed(232 + grey as u8)
    } else {
        Color::Indexed((16 + 36 * cube[0] + 6 * cube[1] + cube[2]) as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides_the_depth() {
        let cases = [
            (("", "truecolor", "xterm-256color"), Depth::True),
            (("", "", "xterm-256color"), Depth::Ansi256),
            (("", "", "xterm"), Depth::Ansi16),
            (("", "", "linux"), Depth::Ansi16),
            (("1", "truecolor", "xterm-256color"), Depth::Mono),
            (("", "", "dumb"), Depth::Mono),
        ];
        for ((no_color, colorterm, term), depth) in cases {
            assert_eq!(Depth::from_vars(no_color, colorterm, term), depth, "{term}");
        }
    }

    #[test]
    fn colours_map_to_the_nearest_of_256() {
        assert_eq!(nearest_of_256(Color::Rgb(255, 0, 0)), Color::Indexed(196));
        assert_eq!(nearest_of_256(Color::Rgb(128, 128, 128)), Color::Indexed(244));
        assert_eq!(nearest_of_256(Color::Rgb(0, 0, 0)), Color::Indexed(16));
    }
}
