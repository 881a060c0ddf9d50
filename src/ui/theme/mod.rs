//! Roles and their looks.
//!
//! A panel names a role ([`Role::Warn`]), never a colour. The looks come from
//! `assets/themes/*.toml`; what reaches the terminal depends on what it can
//! show ([`Depth`]): 24 bits, 256 colours, 16, or none at all (`NO_COLOR`,
//! <https://no-color.org>), where attributes tell roles apart.

mod depth;
mod file;
mod inks;

use ratatui::style::Style;

pub use self::depth::Depth;
use self::file::File;
use self::inks::Inks;
use crate::model::Fault;
use crate::model::ink::Ink;

/// What a piece of the screen means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

impl Role {
    /// What themes call them, in their order.
    const NAMES: [&str; ROLES] = [
        "text",
        "strong",
        "dim",
        "faint",
        "border",
        "focus",
        "title",
        "accent",
        "good",
        "warn",
        "danger",
        "selection",
        "marked",
        "heading",
        "key",
        "wanting",
        "holding",
        "outside",
    ];
}

/// The looks of one theme at one depth.
#[derive(Clone, Debug)]
pub struct Theme {
    name: &'static str,
    ground: Style,
    roles: [Style; ROLES],
    series: Vec<Style>,
    scale: Vec<Style>,
    inks: Inks,
}

/// The themes that exist, the default first.
pub const THEMES: &[(&str, &str)] = &[
    ("night", include_str!("../../../assets/themes/night.toml")),
    ("day", include_str!("../../../assets/themes/day.toml")),
    ("contrast", include_str!("../../../assets/themes/contrast.toml")),
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
        let file = File::read(source).map_err(|fault| Fault::new(format!("theme {name}"), fault.to_string()))?;
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

impl Theme {
    /// The look of a child's text, on top of what it has without.
    pub fn ink(&self, base: Style, ink: Ink) -> Style {
        self.inks.style(base, ink)
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
}
