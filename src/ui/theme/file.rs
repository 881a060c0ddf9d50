//! A theme's file: for each role its colours by depth, and its attributes.
//!
//! ```text
//! [roles]
//! warn = { rgb = "#d7af5f", ansi = "yellow", mono = "bold" }
//! ```

use ratatui::style::{Color, Modifier, Style};

use super::depth::{Depth, nearest_of_256};
use super::inks::Inks;
use super::{ROLES, Role, Theme};
use crate::model::Fault;
use crate::model::settings::Settings;

/// What a theme's file says.
pub(super) struct File {
    ground: Option<Look>,
    roles: [Look; ROLES],
    series: Palette,
    scale: Palette,
    /// The sixteen colours that a child's output names.
    inks: Palette,
}

#[derive(Default)]
struct Look {
    rgb: Option<Color>,
    on: Option<Color>,
    ansi: Option<Color>,
    ansi_on: Option<Color>,
    bold: bool,
    underline: bool,
    mono: String,
}

struct Palette {
    rgb: Vec<Color>,
    ansi: Vec<Color>,
}

impl File {
    pub(super) fn read(text: &str) -> Result<File, Fault> {
        Settings::parse(text, |file| {
            let palette = |name| match file.table(name)? {
                Some(table) => Palette::read(table),
                None => Err(file.fault(name, "is missing")),
            };
            let Some(table) = file.table("roles")? else { return Err(file.fault("roles", "is missing")) };
            table.only(&[&Role::NAMES[..], &["ground"]].concat())?;
            let look = |name| table.table(name)?.map(Look::read).transpose();
            let mut roles = std::array::from_fn::<_, ROLES, _>(|_| Look::default());
            for (role, name) in roles.iter_mut().zip(Role::NAMES) {
                *role = look(name)?.ok_or_else(|| table.fault(name, "is missing"))?;
            }
            Ok(File {
                ground: look("ground")?,
                roles,
                series: palette("series")?,
                scale: palette("scale")?,
                inks: palette("inks")?,
            })
        })
    }

    /// The looks at this depth.
    pub(super) fn at(&self, name: &'static str, depth: Depth) -> Theme {
        Theme {
            name,
            ground: self.ground.as_ref().map(|look| look.at(depth)).unwrap_or_default(),
            roles: std::array::from_fn(|role| self.roles[role].at(depth)),
            series: self.series.at(depth),
            scale: self.scale.at(depth),
            inks: self.inks(depth),
        }
    }

    fn inks(&self, depth: Depth) -> Inks {
        let pairs = self.inks.rgb.iter().zip(&self.inks.ansi);
        Inks::new(depth, pairs.filter_map(|(rgb, ansi)| at_depth(Some(*rgb), Some(*ansi), depth)).collect())
    }
}

/// A colour as themes write it: `#7fb4e6` or an ANSI name.
fn color(table: Settings, field: &str, text: &str) -> Result<Color, Fault> {
    text.parse().map_err(|_| table.fault(field, &format!("`{text}` is no colour")))
}

impl Look {
    fn read(table: Settings) -> Result<Look, Fault> {
        table.only(&["rgb", "on", "ansi", "ansi_on", "bold", "underline", "mono"])?;
        let colour = |field| table.text(field)?.map(|text| color(table, field, text)).transpose();
        Ok(Look {
            rgb: colour("rgb")?,
            on: colour("on")?,
            ansi: colour("ansi")?,
            ansi_on: colour("ansi_on")?,
            bold: table.switch("bold")?.unwrap_or_default(),
            underline: table.switch("underline")?.unwrap_or_default(),
            mono: table.text("mono")?.unwrap_or_default().to_owned(),
        })
    }

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
    fn read(table: Settings) -> Result<Palette, Fault> {
        let colours = |field| -> Result<_, Fault> {
            table.texts(field)?.into_iter().map(|text| color(table, field, text)).collect()
        };
        Ok(Palette { rgb: colours("rgb")?, ansi: colours("ansi")? })
    }

    fn at(&self, depth: Depth) -> Vec<Style> {
        let pairs = self.rgb.iter().zip(&self.ansi);
        let styles = pairs.map(|(rgb, ansi)| Style { fg: at_depth(Some(*rgb), Some(*ansi), depth), ..Style::new() });
        styles.collect()
    }
}

fn at_depth(rgb: Option<Color>, ansi: Option<Color>, depth: Depth) -> Option<Color> {
    match depth {
        Depth::Mono => None,
        Depth::Ansi16 => ansi,
        Depth::Ansi256 => rgb.map(nearest_of_256),
        Depth::True => rgb,
    }
}
