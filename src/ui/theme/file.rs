//! A theme's file: for each role its colours by depth, and its attributes.
//!
//! ```text
//! [roles]
//! warn = { rgb = "#d7af5f", ansi = "yellow", mono = "bold" }
//! ```

use ratatui::style::{Color, Modifier, Style};
use serde::Deserialize;

use super::Theme;
use super::depth::{Depth, nearest_of_256};
use super::inks::Inks;

#[derive(Deserialize)]
pub(super) struct File {
    roles: Roles,
    series: Palette,
    scale: Palette,
    /// The sixteen colours that a child's output names.
    inks: Palette,
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
    /// The looks at this depth.
    pub(super) fn at(&self, name: &'static str, depth: Depth) -> Theme {
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
            inks: self.inks(depth),
        }
    }
}

impl File {
    fn inks(&self, depth: Depth) -> Inks {
        let pairs = self.inks.rgb.iter().zip(&self.inks.ansi);
        Inks::new(depth, pairs.filter_map(|(rgb, ansi)| at_depth(Some(*rgb), Some(*ansi), depth)).collect())
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
