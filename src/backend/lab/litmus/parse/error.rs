//! What is wrong with a litmus file, and where.

use crate::model::text::visible;

/// A position in a file, both counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The column, in characters.
    pub column: usize,
}

impl Position {
    /// The position of the byte at `offset` of `text`.
    pub fn of(text: &str, offset: usize) -> Self {
        let mut end = offset.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let before = &text[..end];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }
}

/// Why a text is no litmus test.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{}:{}: {what}", at.line, at.column)]
pub struct ParseError {
    /// The file's name, made visible.
    pub file: String,
    /// Where.
    pub at: Position,
    /// What was found and what was expected.
    pub what: String,
}

/// A complaint inside the parser: where in the text, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Complaint {
    /// Byte offset.
    pub offset: usize,
    /// What was found and what was expected.
    pub what: String,
}

impl Complaint {
    pub(super) fn new(offset: usize, what: impl Into<String>) -> Self {
        Complaint { offset, what: what.into() }
    }

    pub(super) fn in_file(self, file: &str, text: &str) -> ParseError {
        ParseError { file: visible(file.as_bytes()), at: Position::of(text, self.offset), what: self.what }
    }
}
