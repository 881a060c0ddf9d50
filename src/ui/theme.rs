//! Roles and their looks.
//!
//! A panel names a role ([`Role::Warn`]), never a colour. The looks come from
//! `assets/themes/*.toml`; what reaches the terminal depends on what it can
//! show ([`Depth`]): 24 bits, 256 colours, 16, or none at all (`NO_COLOR`,
//! <https://no-color.org>), where attributes tell roles apart.

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

use crate::model::Fault;

/// What a piece of the screen means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Ordinary text.
    Text,
    /// Text that matters most on its line.
    Strong,
    /// Secondary text.
    Dim,
    /// Units, separators, what may be overlooked.
    Faint,
    /// Frames.
    Border,
    /// The frame that has the focus.
    Focus,
    /// Titles in frames.
    Title,
    /// The one accent: what is active.
    Accent,
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// Wrong: a deadlock, a violated invariant.
    Danger,
    /// The selected row.
    Selection,
    /// A banner or a search hit.
    Marked,
    /// Column headings.
    Heading,
    /// A key that can be pressed.
    Key,
    /// A lane's time spent waiting for the lock.
    Wanting,
    /// A lane's time spent holding it.
    Holding,
    /// A lane's other time.
    Outside,
}

const ROLES: usize = Role::Outside as usize + 1;

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

/// The looks of one theme at one depth.
#[derive(Clone, Debug)]
pub struct Theme {
    name: &'static str,
    ground: Style,
    roles: [Style; ROLES],
    series: Vec<Style>,
    scale: Vec<Style>,
}

/// The themes that exist, the default first.
pub const THEMES: &[(&str, &str)] = &[
    ("night", include_str!("../../assets/themes/night.toml")),
    ("day", include_str!("../../assets/themes/day.toml")),
    ("contrast", include_str!("../../assets/themes/contrast.toml")),
];

impl Theme {
    /// The theme of that name for a terminal of that depth.
    ///
    /// # Errors
    /// A fault where there is no such theme or its file is wrong.
    pub fn load(name: &str, depth: Depth) -> Result<Self, Fault> {
        let Some((name, source)) = THEMES.iter().find(|(n, _)| *n == name) else {
            return Err(Fault::new("theme", format!("there is no theme `{name}`")));
        };
        let file: File = toml::from_str(source).map_err(|e| Fault::new(format!("theme {name}"), e.to_string()))?;
        Ok(file.at(name, depth))
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What everything is drawn on: nothing where the theme leaves the
    /// terminal's own background.
    pub fn ground(&self) -> Style {
        self.ground
    }

    /// The look of a role.
    pub fn style(&self, role: Role) -> Style {
        self.roles[role as usize]
    }

    /// The look of the `index`-th line of a chart.
    pub fn series(&self, index: usize) -> Style {
        self.series[index % self.series.len()]
    }

    /// The look of a value between 0 and 1 on the data's own scale.
    pub fn scale(&self, value: f64) -> Style {
        let last = self.scale.len() - 1;
        self.scale[((value.clamp(0.0, 1.0) * self.scale.len() as f64) as usize).min(last)]
    }
}

#[derive(Deserialize)]
struct File {
    roles: Roles,
    series: Palette,
    scale: Palette,
}

#[derive(Deserialize)]
struct Roles {
    ground: Option<Look>,
    text: Look,
    strong: Look,
    dim: Look,
    faint: Look,
    border: Look,
    focus: Look,
    title: Look,
    accent: Look,
    good: Look,
    warn: Look,
    danger: Look,
    selection: Look,
    marked: Look,
    heading: Look,
    key: Look,
    wanting: Look,
    holding: Look,
    outside: Look,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {
    rgb: Option<Ink>,
    on: Option<Ink>,
    ansi: Option<Ink>,
    ansi_on: Option<Ink>,
    #[serde(default)]
    bold: bool,
    #[serde(default)]
    underline: bool,
    #[serde(default)]
    mono: String,
}

#[derive(Deserialize)]
struct Palette {
    rgb: Vec<Ink>,
    ansi: Vec<Ink>,
}

/// A colour as themes write it: `#7fb4e6` or an ANSI name.
#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "String")]
struct Ink(Color);

impl TryFrom<String> for Ink {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Ink).map_err(|_| format!("`{text}` is no colour"))
    }
}

impl File {
    fn at(&self, name: &'static str, depth: Depth) -> Theme {
        let r = &self.roles;
        let roles = [
            &r.text,
            &r.strong,
            &r.dim,
            &r.faint,
            &r.border,
            &r.focus,
            &r.title,
            &r.accent,
            &r.good,
            &r.warn,
            &r.danger,
            &r.selection,
            &r.marked,
            &r.heading,
            &r.key,
            &r.wanting,
            &r.holding,
            &r.outside,
        ];
        Theme {
            name,
            ground: r.ground.as_ref().map(|look| look.at(depth)).unwrap_or_default(),
            roles: roles.map(|look| look.at(depth)),
            series: self.series.at(depth),
            scale: self.scale.at(depth),
        }
    }
}

impl Look {
    fn at(&self, depth: Depth) -> Style {
        let mut style = Style::new();
        if depth == Depth::Mono {
            for word in self.mono.split_whitespace() {
                style = style.add_modifier(match word {
                    "bold" => Modifier::BOLD,
                    "dim" => Modifier::DIM,
                    "underline" => Modifier::UNDERLINED,
                    _ => Modifier::REVERSED,
                });
            }
            return style;
        }
        style.fg = at_depth(self.rgb, self.ansi, depth);
        style.bg = at_depth(self.on, self.ansi_on, depth);
        if self.bold {
            style = style.add_modifier(Modifier::BOLD);
        }
        if self.underline {
            style = style.add_modifier(Modifier::UNDERLINED);
        }
        style
    }
}

impl Palette {
    fn at(&self, depth: Depth) -> Vec<Style> {
        let pairs = self.rgb.iter().zip(&self.ansi);
        let styles = pairs.map(|(rgb, ansi)| Style { fg: at_depth(Some(*rgb), Some(*ansi), depth), ..Style::new() });
        styles.collect()
    }
}

fn at_depth(rgb: Option<Ink>, ansi: Option<Ink>, depth: Depth) -> Option<Color> {
    match depth {
        Depth::Mono => None,
        Depth::Ansi16 => ansi.map(|ink| ink.0),
        Depth::Ansi256 => rgb.map(|ink| nearest_of_256(ink.0)),
        Depth::True => rgb.map(|ink| ink.0),
    }
}

/// The nearest colour of xterm's palette: its 6 × 6 × 6 cube (16..=231) or its
/// 24 greys (232..=255).
fn nearest_of_256(color: Color) -> Color {
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
    fn a_theme_for_a_light_terminal_brings_its_light() {
        for depth in [Depth::True, Depth::Ansi256, Depth::Ansi16] {
            assert!(Theme::load("day", depth).unwrap().ground().bg.is_some());
            assert_eq!(Theme::load("night", depth).unwrap().ground().bg, None, "the terminal's own");
        }
        assert_eq!(Theme::load("day", Depth::Mono).unwrap().ground(), Style::new());
    }

    #[test]
    fn every_theme_is_whole_at_every_depth() {
        for (name, _) in THEMES {
            for depth in [Depth::Mono, Depth::Ansi16, Depth::Ansi256, Depth::True] {
                let theme = Theme::load(name, depth).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert!(theme.series.len() >= 6 && theme.scale.len() >= 5, "{name}");
                let colours = theme.roles.iter().any(|s| s.fg.is_some() || s.bg.is_some());
                assert_eq!(colours, depth != Depth::Mono, "{name} at {depth:?}");
                assert_ne!(theme.style(Role::Selection), theme.style(Role::Text), "{name} at {depth:?}");
                assert_ne!(theme.style(Role::Danger), theme.style(Role::Text), "{name} at {depth:?}");
            }
        }
        assert!(Theme::load("noon", Depth::True).is_err());
    }

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
