//! The colours of a child's output, as this terminal and this theme have them.
//!
//! Letters of the sixteen colours that have names are the theme's own, so that
//! they can be read on its ground. Others, and all on a ground that the child
//! gives, are the child's, or the nearest that the terminal has. Where it gives
//! a ground and no letters, these are black or white, whichever can be read
//! there. Without colours (`NO_COLOR`) bold, underlined and their like are left.

use ratatui::style::{Color, Modifier, Style};

use super::depth::{Depth, nearest_of_256};
use crate::model::ink::{Colour, Ink};

/// The sixteen colours of a terminal as they usually are.
const USUAL: [(Color, [u8; 3]); 16] = [
    (Color::Black, [0, 0, 0]),
    (Color::Red, [205, 0, 0]),
    (Color::Green, [0, 205, 0]),
    (Color::Yellow, [205, 205, 0]),
    (Color::Blue, [0, 0, 238]),
    (Color::Magenta, [205, 0, 205]),
    (Color::Cyan, [0, 205, 205]),
    (Color::Gray, [229, 229, 229]),
    (Color::DarkGray, [127, 127, 127]),
    (Color::LightRed, [255, 0, 0]),
    (Color::LightGreen, [0, 255, 0]),
    (Color::LightYellow, [255, 255, 0]),
    (Color::LightBlue, [92, 92, 255]),
    (Color::LightMagenta, [255, 0, 255]),
    (Color::LightCyan, [0, 255, 255]),
    (Color::White, [255, 255, 255]),
];

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Inks {
    depth: Depth,
    named: Vec<Color>,
}

impl Inks {
    /// `named` are the letters of the sixteen, none where there are no colours.
    pub(super) fn new(depth: Depth, named: Vec<Color>) -> Self {
        Inks { depth, named }
    }

    pub(super) fn style(&self, base: Style, ink: Ink) -> Style {
        let mut style = base;
        for (mark, modifier) in [
            (Ink::BOLD, Modifier::BOLD),
            (Ink::FAINT, Modifier::DIM),
            (Ink::ITALIC, Modifier::ITALIC),
            (Ink::UNDERLINED, Modifier::UNDERLINED),
            (Ink::REVERSED, Modifier::REVERSED),
            (Ink::STRUCK, Modifier::CROSSED_OUT),
        ] {
            if ink.has(mark) {
                style = style.add_modifier(modifier);
            }
        }
        let ground = self.color(ink.ground);
        let letters = match ink.letters {
            Colour::Ansi(number) if ground.is_none() => self.named.get(usize::from(number)).copied(),
            colour => self.color(colour),
        };
        style.bg = ground.or(style.bg);
        style.fg = letters.or(ground.map(readable_on)).or(style.fg);
        style
    }

    fn color(&self, colour: Colour) -> Option<Color> {
        let color = match colour {
            Colour::Default => return None,
            Colour::Ansi(number) => USUAL[usize::from(number % 16)].0,
            Colour::Indexed(number) => Color::Indexed(number),
            Colour::Rgb(r, g, b) => Color::Rgb(r, g, b),
        };
        match self.depth {
            Depth::Mono => None,
            _ if matches!(colour, Colour::Ansi(_)) => Some(color),
            Depth::Ansi16 => Some(nearest_of_16(rgb(color))),
            Depth::Ansi256 => Some(nearest_of_256(color)),
            Depth::True => Some(color),
        }
    }
}

/// Black or white, by how bright the ground is (Rec. 601).
fn readable_on(ground: Color) -> Color {
    let [r, g, b] = rgb(ground).map(u32::from);
    if 299 * r + 587 * g + 114 * b > 128_000 { Color::Black } else { Color::White }
}

fn nearest_of_16(wanted: [u8; 3]) -> Color {
    let distance = |other: [u8; 3]| (0..3).map(|i| u32::from(wanted[i].abs_diff(other[i])).pow(2)).sum::<u32>();
    USUAL.iter().min_by_key(|(_, rgb)| distance(*rgb)).map_or(Color::Reset, |(color, _)| *color)
}

/// What it usually looks like.
fn rgb(color: Color) -> [u8; 3] {
    match color {
        Color::Rgb(r, g, b) => [r, g, b],
        Color::Indexed(number @ 0..=15) => USUAL[usize::from(number)].1,
        Color::Indexed(number @ 16..=231) => {
            let level = |step: u8| if step == 0 { 0 } else { 55 + 40 * step };
            let cube = number - 16;
            [level(cube / 36), level(cube / 6 % 6), level(cube % 6)]
        }
        Color::Indexed(grey) => [8 + 10 * (grey - 232); 3],
        named => USUAL.iter().find(|(known, _)| *known == named).map_or([127; 3], |(_, rgb)| *rgb),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::{Role, THEMES, Theme};

    fn letters(letters: Colour) -> Ink {
        Ink { letters, ..Ink::default() }
    }

    fn fg(depth: Depth, colour: Colour) -> Option<Color> {
        Theme::load("night", depth).unwrap().ink(Style::new(), letters(colour)).fg
    }

    #[test]
    fn colours_become_what_the_terminal_has() {
        let orange = Colour::Rgb(255, 135, 0);
        assert_eq!(fg(Depth::True, orange), Some(Color::Rgb(255, 135, 0)));
        assert_eq!(fg(Depth::Ansi256, orange), Some(Color::Indexed(208)));
        assert_eq!(fg(Depth::Ansi256, Colour::Indexed(208)), Some(Color::Indexed(208)));
        assert_eq!(fg(Depth::Ansi16, Colour::Rgb(250, 5, 5)), Some(Color::LightRed));
        assert_eq!(fg(Depth::Ansi16, Colour::Indexed(244)), Some(Color::DarkGray));
        assert_eq!(fg(Depth::Ansi16, Colour::Ansi(1)), Some(Color::Red));
        assert_eq!(fg(Depth::Mono, orange), None);
        assert_eq!(fg(Depth::Mono, Colour::Ansi(1)), None);
    }

    #[test]
    fn marks_are_left_without_colours() {
        let theme = Theme::load("night", Depth::Mono).unwrap();
        let ink = Ink { ground: Colour::Ansi(1), marks: Ink::BOLD | Ink::STRUCK, ..letters(Colour::Ansi(2)) };
        let plain = Style::new().add_modifier(Modifier::BOLD | Modifier::CROSSED_OUT);
        assert_eq!(theme.ink(Style::new(), ink), plain);
    }

    #[test]
    fn letters_can_be_read_on_a_ground_that_has_none() {
        let theme = Theme::load("night", Depth::Ansi16).unwrap();
        let on = |number| theme.ink(theme.style(Role::Text), Ink { ground: Colour::Ansi(number), ..Ink::default() });
        assert_eq!((on(7).fg, on(7).bg), (Some(Color::Black), Some(Color::Gray)));
        assert_eq!((on(4).fg, on(4).bg), (Some(Color::White), Some(Color::Blue)));
    }

    /// No theme has letters of the colour of its ground.
    #[test]
    fn the_sixteen_can_be_told_from_the_ground() {
        for (name, _) in THEMES {
            for depth in [Depth::Ansi16, Depth::Ansi256, Depth::True] {
                let theme = Theme::load(name, depth).unwrap();
                let ground = theme.ground().bg.unwrap_or(Color::Black);
                for number in 0..16 {
                    let color = theme.ink(Style::new(), letters(Colour::Ansi(number))).fg.unwrap();
                    assert_ne!(color, ground, "{name} at {depth:?}: {number}");
                }
            }
        }
    }
}
