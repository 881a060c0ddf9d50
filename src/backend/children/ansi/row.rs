//! One row of a terminal, as wide as it needs to be: what a line looks like
//! after all that returned to its beginning, went back, wrote over and erased.
//!
//! ```text
//! CR BS HT   CSI n G ` C D      where to write next
//! CSI n K J X P @               erases, deletes, inserts
//! CSI … A B E F H d f           other rows: there are none here
//! ```

use unicode_width::UnicodeWidthChar;

use super::pen;
use super::sequence::{ESC, Found, find};
use super::{SHIFT_IN, SHIFT_OUT};
use crate::model::ink::Ink;
use crate::model::text;

/// Bytes of one cell: a letter and the marks that stand on it.
const ROOM: usize = 12;
/// A sequence goes no further to the right than this, or the text's end.
const FARTHEST: usize = 1_000;
const TAB: usize = 8;

/// A column of the row.
#[derive(Clone, Copy, Debug)]
struct Cell {
    bytes: [u8; ROOM],
    length: u8,
    ink: Ink,
}

impl Cell {
    fn of(bytes: &[u8], ink: Ink) -> Self {
        let mut cell = Cell { bytes: [0; ROOM], length: bytes.len().min(ROOM) as u8, ink };
        cell.bytes[..usize::from(cell.length)].copy_from_slice(&bytes[..usize::from(cell.length)]);
        cell
    }

    fn blank() -> Self {
        Cell::of(b" ", Ink::default())
    }

    /// The second column of a wide letter.
    fn tail(ink: Ink) -> Self {
        Cell::of(b"", ink)
    }

    fn is_tail(&self) -> bool {
        self.length == 0
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// The row.
#[derive(Debug, Default)]
pub(super) struct Row {
    cells: Vec<Cell>,
    column: usize,
    /// How what comes next looks.
    pub(super) ink: Ink,
}

impl Row {
    pub(super) fn new(ink: Ink) -> Self {
        Row { ink, ..Row::default() }
    }

    /// Does what a terminal would.
    pub(super) fn write(&mut self, mut bytes: &[u8]) {
        while let Some(&first) = bytes.first() {
            let taken = match first {
                ESC => self.escape(bytes),
                b'\r' => {
                    self.column = 0;
                    1
                }
                b'\x08' => {
                    self.column = self.column.saturating_sub(1);
                    1
                }
                b'\t' => {
                    self.column = self.to_the_right(TAB - self.column % TAB);
                    1
                }
                SHIFT_OUT | SHIFT_IN => 1,
                first if first.is_ascii_control() => {
                    self.put(&[first], 1);
                    1
                }
                _ => {
                    let end = bytes.iter().position(u8::is_ascii_control).unwrap_or(bytes.len());
                    self.text(&bytes[..end]);
                    end
                }
            };
            bytes = &bytes[taken..];
        }
    }

    /// The runs of equal looks: their bytes as they came, and how they look.
    pub(super) fn runs(&self) -> Vec<(Vec<u8>, Ink)> {
        let mut runs: Vec<(Vec<u8>, Ink)> = Vec::new();
        for cell in &self.cells {
            match runs.last_mut() {
                Some((bytes, ink)) if *ink == cell.ink => bytes.extend_from_slice(cell.bytes()),
                _ => runs.push((cell.bytes().to_vec(), cell.ink)),
            }
        }
        runs
    }

    /// The shortest bytes that lead to this row from an empty one with the look
    /// `from`.
    pub(super) fn bytes(&self, from: Ink) -> Vec<u8> {
        let mut out = Vec::new();
        let mut ink = from;
        let change = |out: &mut Vec<u8>, ink: &mut Ink, to: Ink| {
            if *ink != to {
                out.extend_from_slice(pen::sequence(to).as_bytes());
                *ink = to;
            }
        };
        for (bytes, look) in self.runs() {
            change(&mut out, &mut ink, look);
            out.extend_from_slice(&bytes);
        }
        change(&mut out, &mut ink, self.ink);
        if self.column != self.cells.len() {
            out.push(b'\r');
            if self.column > 0 {
                out.extend_from_slice(format!("\x1b[{}C", self.column).as_bytes());
            }
        }
        out
    }

    fn text(&mut self, bytes: &[u8]) {
        if bytes.is_ascii() {
            return self.plain(bytes);
        }
        let mut letter = [0; 4];
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                let encoded = c.encode_utf8(&mut letter).as_bytes();
                match c.width() {
                    Some(0) | None => self.mark(encoded),
                    Some(width) => self.put(encoded, width),
                }
            }
            self.put_visibly(chunk.invalid());
        }
    }

    /// Letters of a byte and a column each: most of all text.
    fn plain(&mut self, bytes: &[u8]) {
        let end = self.column + bytes.len();
        self.split(self.column);
        self.split(end);
        if self.cells.len() < end {
            self.cells.resize(end, Cell::blank());
        }
        let mut cell = Cell::of(b" ", self.ink);
        for (place, byte) in self.cells[self.column..end].iter_mut().zip(bytes) {
            cell.bytes[0] = *byte;
            *place = cell;
        }
        self.column = end;
    }

    /// Writes at the column, over what is there.
    fn put(&mut self, bytes: &[u8], width: usize) {
        let width = width.min(2);
        self.split(self.column);
        self.split(self.column + width);
        let end = self.column + width;
        if self.cells.len() < end {
            self.cells.resize(end, Cell::blank());
        }
        self.cells[self.column] = Cell::of(bytes, self.ink);
        self.cells[self.column + 1..end].fill(Cell::tail(self.ink));
        self.column = end;
    }

    /// A character without a width belongs to the one before.
    fn mark(&mut self, bytes: &[u8]) {
        let before = self.cells.get_mut(..self.column).and_then(|cells| cells.iter_mut().rfind(|cell| !cell.is_tail()));
        match before {
            Some(cell) if usize::from(cell.length) + bytes.len() <= ROOM => {
                let from = usize::from(cell.length);
                cell.bytes[from..from + bytes.len()].copy_from_slice(bytes);
                cell.length += bytes.len() as u8;
            }
            // It stands on nothing.
            _ => self.put_visibly(bytes),
        }
    }

    /// As it will be shown: what comes to stand beside it later must not make a
    /// character of it.
    fn put_visibly(&mut self, bytes: &[u8]) {
        text::visible(bytes).bytes().for_each(|byte| self.put(&[byte], 1));
    }

    /// Half a wide letter is none: where one lies across this column it goes.
    fn split(&mut self, column: usize) {
        if column > 0 && self.cells.get(column).is_some_and(Cell::is_tail) {
            self.cells[column - 1..=column].fill(Cell::blank());
        }
    }

    fn to_the_right(&self, by: usize) -> usize {
        self.column.saturating_add(by).min(self.cells.len().max(FARTHEST).max(self.column))
    }

    /// Returns how many bytes that took.
    fn escape(&mut self, bytes: &[u8]) -> usize {
        match find(bytes) {
            Found::Control(length, parameters, last) => {
                self.control(parameters, last);
                length
            }
            Found::Other(length) => length,
            Found::Reset => {
                self.ink = Ink::default();
                2
            }
            // A title has an end, or it is none.
            Found::Cut if bytes.get(1) == Some(&b'k') => 2,
            // Shown for what it is, and so is what follows.
            Found::Cut | Found::Nothing => {
                self.put_visibly(&[ESC]);
                1
            }
        }
    }

    fn control(&mut self, parameters: &[u8], last: u8) {
        self.ink = pen::after(self.ink, parameters, last);
        let first = parameters.split(|&byte| byte == b';').next().unwrap_or_default();
        if !first.iter().all(u8::is_ascii_digit) {
            // A private one.
            return;
        }
        let given = pen::number(first).map_or(0, |number| number as usize);
        let count = given.max(1);
        match last {
            b'G' | b'`' => self.column = (count - 1).min(self.cells.len().max(FARTHEST)),
            b'C' | b'a' => self.column = self.to_the_right(count),
            b'D' => self.column = self.column.saturating_sub(count),
            b'K' | b'J' if given == 0 => {
                self.split(self.column);
                self.cells.truncate(self.column);
            }
            b'K' if given == 1 => self.erase(0, self.column + 1),
            b'K' => self.cells.clear(),
            b'X' => self.erase(self.column, self.column.saturating_add(count)),
            b'P' | b'@' => {
                let end = self.column.saturating_add(count).min(self.cells.len().max(FARTHEST));
                self.split(self.column);
                if last == b'P' {
                    self.split(end);
                    let end = end.min(self.cells.len());
                    self.cells.drain(self.column.min(end)..end);
                } else if self.column < self.cells.len() {
                    // What is pushed over the right edge is gone.
                    let most = self.cells.len().max(FARTHEST);
                    let blanks = std::iter::repeat_n(Cell::blank(), end - self.column);
                    self.cells.splice(self.column..self.column, blanks);
                    self.split(most);
                    self.cells.truncate(most);
                }
            }
            // Words that stand in different rows are different words.
            b'A' | b'B' | b'E' | b'F' | b'H' | b'd' | b'f' if self.column > 0 => {
                self.column = self.cells.len();
                if self.cells.last().is_some_and(|last| last.bytes() != b" ") {
                    self.cells.push(Cell::blank());
                    self.column += 1;
                }
            }
            _ => {}
        }
        self.column = self.column.min(self.cells.len().max(FARTHEST));
    }

    fn erase(&mut self, from: usize, until: usize) {
        let until = until.min(self.cells.len());
        if from < until {
            self.split(from);
            self.split(until);
            self.cells[from..until].fill(Cell::blank());
        }
    }
}
