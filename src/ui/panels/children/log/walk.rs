//! Where in a log one is, and how one gets about in it: line by line, and where
//! long lines are wrapped, row by row.

use unicode_width::UnicodeWidthChar;

use crate::model::child::OutputLine;

/// The lines that are shown, with their numbers.
pub(super) type Numbered<'a> = (u64, &'a OutputLine);

/// A row of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The line's number, counted from the first that was ever written.
    pub(super) line: u64,
    /// Which of its rows, where it is wrapped.
    pub(super) row: usize,
}

/// Lines as they are cut into rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Walk<'a> {
    pub(super) all: &'a [Numbered<'a>],
    /// Columns of a row; `None` where lines are cut, not wrapped.
    pub(super) width: Option<usize>,
    /// Rows that are seen at once.
    pub(super) rows: usize,
}

impl Walk<'_> {
    /// The index of the line at a place, or of the first that is kept of those
    /// after it; the last where there is none.
    pub(super) fn index(&self, place: Place) -> usize {
        let index = self.all.partition_point(|(number, _)| *number < place.line);
        index.min(self.all.len().saturating_sub(1))
    }

    /// How many rows a line takes.
    fn rows_of(&self, index: usize) -> usize {
        match (self.all.get(index), self.width) {
            (Some((_, line)), Some(width)) => pieces(&line.text, width).count(),
            _ => 1,
        }
    }

    fn place(&self, index: usize, row: usize) -> Place {
        Place { line: self.all.get(index).map_or(0, |(number, _)| *number), row }
    }

    /// The place from which on the last rows fill what is seen.
    pub(super) fn end(&self) -> Place {
        let mut left = self.rows.max(1);
        for index in (0..self.all.len()).rev() {
            let rows = self.rows_of(index);
            if rows >= left {
                return self.place(index, rows - left);
            }
            left -= rows;
        }
        self.place(0, 0)
    }

    /// The place so many rows further on, or with a negative number before;
    /// not beyond the first row or [`Walk::end`].
    pub(super) fn step(&self, from: Place, by: isize) -> Place {
        let mut index = self.index(from);
        let kept = self.all.get(index).is_some_and(|(number, _)| *number == from.line);
        let row = if kept { from.row.min(self.rows_of(index) - 1) } else { 0 };
        if by < 0 {
            let mut left = by.unsigned_abs();
            let mut row = row;
            while left > row {
                if index == 0 {
                    return self.place(0, 0);
                }
                left -= row + 1;
                index -= 1;
                row = self.rows_of(index) - 1;
            }
            return self.place(index, row - left);
        }
        let mut row = row + by.unsigned_abs();
        while index + 1 < self.all.len() {
            let rows = self.rows_of(index);
            if row < rows {
                break;
            }
            row -= rows;
            index += 1;
        }
        self.place(index, row).min(self.end())
    }

    /// The rows of a line in which these bytes of it begin, each once.
    pub(super) fn rows_with(&self, line: &OutputLine, begins: impl Iterator<Item = usize>) -> Vec<usize> {
        let Some(width) = self.width else { return begins.take(1).map(|_| 0).collect() };
        let mut ends = pieces(&line.text, width).scan(0, |end, piece| {
            *end += piece.len();
            Some(*end)
        });
        let (mut row, mut end, mut found) = (0, ends.next().unwrap_or(0), Vec::new());
        for begin in begins {
            while begin >= end {
                let Some(next) = ends.next() else { break };
                (row, end) = (row + 1, next);
            }
            if found.last() != Some(&row) {
                found.push(row);
            }
        }
        found
    }
}

/// Cuts a text into rows of at most `width` columns; an empty one is a row, too.
pub(super) fn pieces(text: &str, width: usize) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut used = 0;
        let full = |(at, c): (usize, char)| {
            let columns = c.width().unwrap_or(0);
            let is_full = used + columns > width && used > 0;
            used += columns;
            is_full.then_some(at)
        };
        let end = text.char_indices().find_map(full);
        rest = end.map(|end| &text[end..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Nanos;
    use crate::model::child::Stream;

    fn line(text: &str) -> OutputLine {
        OutputLine { at: Nanos::ZERO, stream: Stream::Stdout, text: text.into(), strokes: None, continues: false }
    }

    #[test]
    fn rows_are_cut_at_columns_not_bytes() {
        let cut = |text, width| pieces(text, width).collect::<Vec<_>>();
        assert_eq!(cut("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(cut("进程进", 4), ["进程", "进"]);
        assert_eq!(cut("", 4), [""]);
        // A mark stands on the letter before it, at the end of a row too.
        assert_eq!(cut("ae\u{301}bc", 2), ["ae\u{301}", "bc"]);
        assert_eq!(cut("进", 1), ["进"]);
    }

    #[test]
    fn one_gets_through_a_long_line_row_by_row_and_back() {
        let lines = [line("one"), line("aaaabbbbccccdd"), line("two")];
        let all: Vec<Numbered<'_>> = (7..).zip(&lines).collect();
        let wrapped = Walk { all: &all, width: Some(4), rows: 2 };
        let at = |line, row| Place { line, row };
        assert_eq!(wrapped.end(), at(8, 3));
        let mut place = at(7, 0);
        for expected in [at(8, 0), at(8, 1), at(8, 2), at(8, 3), at(8, 3)] {
            place = wrapped.step(place, 1);
            assert_eq!(place, expected);
        }
        for expected in [at(8, 2), at(8, 1), at(8, 0), at(7, 0), at(7, 0)] {
            place = wrapped.step(place, -1);
            assert_eq!(place, expected);
        }
        assert_eq!([wrapped.step(place, 100), wrapped.step(at(8, 3), -100)], [at(8, 3), at(7, 0)]);
        let cut = Walk { width: None, ..wrapped };
        assert_eq!([cut.end(), cut.step(at(7, 0), 1), cut.step(at(9, 0), -1)], [at(8, 0), at(8, 0), at(8, 0)]);
        // One that is not kept any more, and rows that a wider screen has not.
        assert_eq!([wrapped.step(at(2, 9), 0), wrapped.step(at(8, 9), 0)], [at(7, 0), at(8, 3)]);
        assert_eq!(Walk { all: &[], ..wrapped }.end(), at(0, 0));
    }

    #[test]
    fn each_row_that_has_something_is_told_once() {
        let text = line("xaxabbbbccxcx");
        let walk = Walk { all: &[], width: Some(4), rows: 1 };
        let begins = || text.text.match_indices('x').map(|(at, _)| at);
        assert_eq!(walk.rows_with(&text, begins()), [0, 2, 3]);
        assert_eq!(Walk { width: None, ..walk }.rows_with(&text, begins()), [0]);
    }
}
