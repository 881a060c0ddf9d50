//! Writes what changed in a frame with few bytes.
//!
//! The changed cells become runs of one look. Where every glyph is one column
//! wide their order is free, so they are written look by look: saying a colour
//! of 24 bits takes some twenty bytes, moving the cursor four to eight. What a
//! space would look like if it were a letter is not said at all.
//!
//! ```text
//! frame     AGE 10s … FOR 10s        written   moves and ages of all rows in the
//!           AGE 10s … FOR 10s                  one look, then those of the other
//! ```
//!
//! Control sequences: ECMA-48, CUP, CUF, CUD and SGR; colours: xterm's `ctlseqs`.

use std::cell::Cell;
use std::io::{self, Write};

use ratatui::backend::{Backend, ClearType, CrosstermBackend, WindowSize};
use ratatui::buffer::Cell as Glyph;
use ratatui::layout::{Position, Size};
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr;

/// Modifiers that can be seen on a space.
const SEEN_ON_BLANK: Modifier = Modifier::UNDERLINED.union(Modifier::REVERSED).union(Modifier::CROSSED_OUT);

/// The codes of SGR that switch the modifiers on.
const MODIFIERS: [(Modifier, u8); 9] = [
    (Modifier::BOLD, 1),
    (Modifier::DIM, 2),
    (Modifier::ITALIC, 3),
    (Modifier::UNDERLINED, 4),
    (Modifier::SLOW_BLINK, 5),
    (Modifier::RAPID_BLINK, 6),
    (Modifier::REVERSED, 7),
    (Modifier::HIDDEN, 8),
    (Modifier::CROSSED_OUT, 9),
];

/// Moves the cursor to the left, by a column.
const BACKSPACE: u8 = 0x08;
/// More of them are longer than saying where to go.
const STEPS: u16 = 4;

/// What a cell looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Look {
    modifiers: Modifier,
    ink: Color,
    ground: Color,
}

impl Look {
    fn of(cell: &Glyph) -> Self {
        Look { modifiers: cell.modifier, ink: cell.fg, ground: cell.bg }
    }

    /// Whether a space looks the same either way.
    fn same_on_blank(self, other: Look) -> bool {
        self.ground == other.ground && !(self.modifiers | other.modifiers).intersects(SEEN_ON_BLANK)
    }

    /// Any order will do, so long as equal looks come together.
    fn order(self) -> (u16, u32, u32) {
        (self.modifiers.bits(), number(self.ground), number(self.ink))
    }
}

/// Different for different colours.
fn number(color: Color) -> u32 {
    match color {
        Color::Rgb(r, g, b) => u32::from_be_bytes([2, r, g, b]),
        Color::Indexed(index) => u32::from_be_bytes([1, 0, 0, index]),
        named => u32::from(code(named, 30).unwrap_or_default()),
    }
}

/// The SGR code of a named colour; `base` is 30 for ink, 40 for ground.
fn code(color: Color, base: u8) -> Option<u8> {
    Some(match color {
        Color::Reset => base + 9,
        Color::Black => base,
        Color::Red => base + 1,
        Color::Green => base + 2,
        Color::Yellow => base + 3,
        Color::Blue => base + 4,
        Color::Magenta => base + 5,
        Color::Cyan => base + 6,
        Color::Gray => base + 7,
        Color::DarkGray => base + 60,
        Color::LightRed => base + 61,
        Color::LightGreen => base + 62,
        Color::LightYellow => base + 63,
        Color::LightBlue => base + 64,
        Color::LightMagenta => base + 65,
        Color::LightCyan => base + 66,
        Color::White => base + 67,
        Color::Indexed(_) | Color::Rgb(..) => return None,
    })
}

/// Cells side by side that look alike.
#[derive(Clone, Copy, Debug)]
struct Run {
    x: u16,
    y: u16,
    width: u16,
    look: Look,
    /// Whether it holds nothing but spaces so far.
    blank: bool,
    /// Whether it ends with a glyph that not all terminals give the same room.
    unsure: bool,
    /// Where its text ends.
    end: usize,
    start: usize,
}

/// A terminal that is written to with few bytes.
#[derive(Debug)]
pub struct Painter<W: Write> {
    terminal: CrosstermBackend<W>,
    runs: Vec<Run>,
    text: String,
    out: Vec<u8>,
    cursor_hidden: bool,
    /// How wide the terminal was when it was asked last; 0 where it was not.
    columns: Cell<u16>,
}

impl<W: Write> Painter<W> {
    /// A terminal of which nothing is known.
    pub fn new(writer: W) -> Self {
        Painter {
            terminal: CrosstermBackend::new(writer),
            runs: Vec::new(),
            text: String::new(),
            out: Vec::new(),
            cursor_hidden: false,
            columns: Cell::default(),
        }
    }

    /// Gathers the runs; true where every glyph is one column wide.
    fn gather<'a>(&mut self, cells: impl Iterator<Item = (u16, u16, &'a Glyph)>) -> bool {
        self.runs.clear();
        self.text.clear();
        let mut all_narrow = true;
        for (x, y, cell) in cells {
            let (symbol, look) = (cell.symbol(), Look::of(cell));
            let unsure = !is_sure(symbol);
            all_narrow &= !unsure && (symbol.len() == 1 || symbol.width() == 1);
            let (start, blank) = (self.text.len(), symbol == " ");
            self.text.push_str(symbol);
            let end = self.text.len();
            match self.runs.last_mut().filter(|run| run.y == y && run.x + run.width == x) {
                Some(run)
                    if !run.unsure && (run.look == look || ((blank || run.blank) && run.look.same_on_blank(look))) =>
                {
                    if run.blank {
                        (run.look, run.blank) = (look, blank);
                    }
                    (run.width, run.end, run.unsure) = (run.width + 1, end, unsure);
                }
                _ => self.runs.push(Run { x, y, width: 1, look, blank, unsure, start, end }),
            }
        }
        all_narrow
    }

    /// Writes the runs, look by look where all glyphs are `narrow`. Steps count from
    /// where the cursor stands, which is known only behind such glyphs.
    fn compose(&mut self, narrow: bool) {
        if narrow {
            // Stable: within a look, from the top down.
            self.runs.sort_by_key(|run| run.look.order());
        }
        let (out, columns) = (&mut self.out, self.columns.get());
        out.clear();
        let (mut look, mut at) = (Look::default(), None);
        for run in &self.runs {
            match at {
                Some((x, y)) if (x, y) == (run.x, run.y) => {}
                Some((x, y)) if narrow && y == run.y && x < run.x => sequence(out, &[run.x - x], b'C'),
                // To the row below; not from the right edge, where terminals
                // differ in what a step back means.
                Some((x, y)) if narrow && y + 1 == run.y && x < columns && (run.x..=run.x + STEPS).contains(&x) => {
                    out.extend_from_slice(b"\x1b[B");
                    out.extend((run.x..x).map(|_| BACKSPACE));
                }
                _ => sequence(out, &[run.y + 1, run.x + 1], b'H'),
            }
            change(out, look, run.look);
            out.extend_from_slice(&self.text.as_bytes()[run.start..run.end]);
            (look, at) = (run.look, (!run.unsure).then_some((run.x + run.width, run.y)));
        }
        if look != Look::default() {
            out.extend_from_slice(b"\x1b[0m");
        }
    }
}

/// Whether every terminal gives this glyph the room that we do: not what several
/// characters make up, nor what is newer or rarer than Latin, Greek, Cyrillic
/// and the signs that this program draws with.
fn is_sure(symbol: &str) -> bool {
    let mut characters = symbol.chars();
    let first = characters.next().unwrap_or(' ');
    characters.next().is_none() && matches!(first, '\0'..='\u{2ff}' | '\u{370}'..='\u{482}' | '\u{2010}'..='\u{28ff}')
}

/// Writes a control sequence.
fn sequence(out: &mut Vec<u8>, numbers: &[u16], last: u8) {
    out.extend_from_slice(b"\x1b[");
    for (index, number) in numbers.iter().enumerate() {
        if index > 0 {
            out.push(b';');
        }
        decimal(out, *number);
    }
    out.push(last);
}

fn decimal(out: &mut Vec<u8>, number: u16) {
    if number >= 10 {
        decimal(out, number / 10);
    }
    out.push(b'0' + (number % 10) as u8);
}

/// Goes from one look to another by SGR.
fn change(out: &mut Vec<u8>, mut from: Look, to: Look) {
    if from == to {
        return;
    }
    let mut numbers = Numbers::default();
    if !to.modifiers.contains(from.modifiers) {
        numbers.push(0);
        from = Look::default();
    }
    let added = to.modifiers - from.modifiers;
    MODIFIERS.iter().filter(|(modifier, _)| added.contains(*modifier)).for_each(|(_, code)| numbers.push(*code));
    for (before, color, base) in [(from.ink, to.ink, 30), (from.ground, to.ground, 40)] {
        match color {
            color if color == before => {}
            Color::Rgb(r, g, b) => [base + 8, 2, r, g, b].into_iter().for_each(|n| numbers.push(n)),
            Color::Indexed(index) => [base + 8, 5, index].into_iter().for_each(|n| numbers.push(n)),
            named => numbers.push(code(named, base).unwrap_or_default()),
        }
    }
    sequence(out, numbers.as_slice(), b'm');
}

/// The numbers of one SGR: a reset, nine modifiers and two colours at most.
#[derive(Default)]
struct Numbers {
    numbers: [u16; 20],
    count: usize,
}

impl Numbers {
    fn push(&mut self, number: u8) {
        self.numbers[self.count] = u16::from(number);
        self.count += 1;
    }

    fn as_slice(&self) -> &[u16] {
        &self.numbers[..self.count]
    }
}

impl<W: Write> Backend for Painter<W> {
    type Error = io::Error;

    fn draw<'a, I: Iterator<Item = (u16, u16, &'a Glyph)>>(&mut self, content: I) -> io::Result<()> {
        let narrow = self.gather(content);
        self.compose(narrow);
        self.terminal.write_all(&self.out)
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        if !std::mem::replace(&mut self.cursor_hidden, true) {
            self.terminal.hide_cursor()?;
        }
        Ok(())
    }

    /// A terminal that has been closed has no cursor to show: no failure, since
    /// ratatui would complain of it to that very terminal, and panic.
    fn show_cursor(&mut self) -> io::Result<()> {
        self.cursor_hidden = false;
        let _ = self.terminal.show_cursor();
        Ok(())
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        self.terminal.get_cursor_position()
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        self.terminal.set_cursor_position(position)
    }

    /// Whoever clears no longer knows what the terminal shows, nor the cursor.
    fn clear(&mut self) -> io::Result<()> {
        self.cursor_hidden = false;
        self.terminal.clear()
    }

    fn clear_region(&mut self, region: ClearType) -> io::Result<()> {
        self.cursor_hidden = false;
        self.terminal.clear_region(region)
    }

    fn size(&self) -> io::Result<Size> {
        let size = self.terminal.size()?;
        self.columns.set(size.width);
        Ok(size)
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        self.terminal.window_size()
    }

    fn flush(&mut self) -> io::Result<()> {
        Backend::flush(&mut self.terminal)
    }
}

#[cfg(test)]
mod tests;
