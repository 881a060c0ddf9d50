//! What is on the screen of a program in a pseudo-terminal, piece by piece.

use std::num::NonZeroU16;
use std::time::{Duration, Instant};

use vt100::{Color, Screen};

use crate::pty::Pty;

/// Reads along.
pub(crate) struct Eye<'t> {
    terminal: &'t Pty,
    parser: vt100::Parser,
    pieces: usize,
}

impl<'t> Eye<'t> {
    /// One that has seen nothing yet of a terminal with so many columns and rows.
    pub(crate) fn on(terminal: &'t Pty, columns: u16, rows: u16) -> Self {
        let [rows, columns] = [rows, columns].map(|n| NonZeroU16::new(n).unwrap());
        Eye { terminal, parser: vt100::Parser::new(rows, columns, 0), pieces: 0 }
    }

    /// The row that has a background of its own, at the left and in this column, as
    /// things stand.
    pub(crate) fn selected(&mut self, column: u16) -> Option<u16> {
        while self.next(Duration::ZERO).is_some() {}
        selected(self.parser.screen(), column)
    }

    /// When another row than this one was selected.
    pub(crate) fn until_other(&mut self, before: Option<u16>, column: u16) -> Instant {
        self.until(|screen| selected(screen, column).is_some_and(|row| Some(row) != before))
    }

    /// When the screen was as `is` wants it.
    pub(crate) fn until(&mut self, is: impl Fn(&Screen) -> bool) -> Instant {
        let mut at = Instant::now();
        while !is(self.parser.screen()) {
            at = self.next(Duration::from_secs(20)).unwrap();
        }
        at
    }

    fn next(&mut self, limit: Duration) -> Option<Instant> {
        let (at, bytes) = self.terminal.piece(self.pieces, limit)?;
        self.pieces += 1;
        self.parser.process(&bytes);
        Some(at)
    }
}

/// Below the tabs and above the line of keys.
fn selected(screen: &Screen, column: u16) -> Option<u16> {
    let coloured = |row: u16, column| screen.cell(row, column).is_some_and(|c| c.bgcolor() != Color::Default);
    (3..screen.size().0.get() - 1).find(|row| coloured(*row, 3) && coloured(*row, column))
}
