//! How a piece of a child's text was meant to look: what SGR sequences
//! (ECMA-48 8.3.117) say of it, as plain data.

use serde::{Deserialize, Serialize};

/// A colour as a child names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// Whatever the text has without it.
    #[default]
    Default,
    /// One of the sixteen of a terminal: 0–7, and 8–15 their bright forms.
    Ansi(u8),
    /// One of xterm's palette of 256: 16–231 its cube, 232–255 its greys.
    Indexed(u8),
    /// Red, green, blue.
    Rgb(u8, u8, u8),
}

/// How a piece of text looks.
///
/// Blinking (5, 6) is not kept, for nothing blinks here; nor is concealment
/// (8): what a child writes is to be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ink {
    /// The colour of the letters.
    pub letters: Colour,
    /// The colour behind them.
    pub ground: Colour,
    /// See [`Ink::BOLD`] and its like.
    pub marks: u8,
}

impl Ink {
    /// SGR 1.
    pub const BOLD: u8 = 1;
    /// SGR 2.
    pub const FAINT: u8 = 2;
    /// SGR 3.
    pub const ITALIC: u8 = 4;
    /// SGR 4, of whatever shape, and 21.
    pub const UNDERLINED: u8 = 8;
    /// SGR 7.
    pub const REVERSED: u8 = 16;
    /// SGR 9.
    pub const STRUCK: u8 = 32;

    /// Whether it has one of the marks.
    pub fn has(self, mark: u8) -> bool {
        self.marks & mark != 0
    }
}

/// A stretch of a text that looks the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stroke {
    /// Where it ends, in bytes; it begins where the one before ends.
    pub until: u32,
    /// How it looks.
    pub ink: Ink,
}
