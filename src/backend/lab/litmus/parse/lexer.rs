//! Cuts a litmus file into tokens.
//!
//! Comments: `(* … *)`, nested, everywhere; inside a thread's body only where a
//! blank or another `*` follows the `(*`, since `(*x)` reads a location there.
//! `/* … */` and `// …` too.

use super::error::Complaint;
use crate::model::text::visible;

/// A token and where it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    /// Byte offset.
    pub offset: usize,
    /// What it is.
    pub kind: Kind<'a>,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind<'a> {
    /// A name, a keyword or a type.
    Word(&'a str),
    /// A number, its sign apart.
    Number(i64),
    /// A quoted string, without its quotes.
    Quoted(&'a str),
    /// An operator or a bracket.
    Symbol(&'static str),
    /// The end of the file.
    End,
}

impl Kind<'_> {
    /// As an error message names it.
    pub(super) fn describe(&self) -> String {
        match self {
            Kind::Word(word) => format!("'{}'", visible(word.as_bytes())),
            Kind::Number(number) => format!("'{number}'"),
            Kind::Quoted(_) => "a quoted string".to_owned(),
            Kind::Symbol(symbol) => format!("'{symbol}'"),
            Kind::End => "the end of the file".to_owned(),
        }
    }
}

/// Longest first, so that `==` is not read as two `=`.
const SYMBOLS: &[&str] = &[
    "/\\", "\\/", "==", "!=", "<=", ">=", "&&", "||", "=>", "{", "}", "(", ")", "[", "]", ";", ",", ":", "=", "~", "+",
    "-", "*", "&", "|", "^", "!", "<", ">", ".",
];

/// The lexer: a text and how far it was read.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
    /// Whether a thread's body is being read.
    pub(super) in_body: bool,
    /// The first `(* … *)` comment.
    pub(super) first_comment: Option<&'a str>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Lexer { text, at: 0, in_body: false, first_comment: None }
    }

    /// The next word, whatever is in it, up to the next blank.
    pub(super) fn bare_word(&mut self) -> Result<Token<'a>, Complaint> {
        self.skip_blanks()?;
        let rest = self.rest();
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let token = Token { offset: self.at, kind: if end == 0 { Kind::End } else { Kind::Word(&rest[..end]) } };
        self.at += end;
        Ok(token)
    }

    /// What is left of the current line, which is read over.
    pub(super) fn rest_of_line(&mut self) -> &'a str {
        let rest = self.rest();
        let end = rest.find('\n').unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// The next token.
    pub(super) fn next(&mut self) -> Result<Token<'a>, Complaint> {
        self.skip_blanks()?;
        let (offset, rest) = (self.at, self.rest());
        let Some(first) = rest.chars().next() else { return Ok(Token { offset, kind: Kind::End }) };
        let kind = if first.is_ascii_alphabetic() || first == '_' {
            Kind::Word(self.take_while(|c| c.is_ascii_alphanumeric() || c == '_'))
        } else if first.is_ascii_digit() {
            self.number()?
        } else if first == '"' {
            self.quoted()?
        } else if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            self.at += symbol.len();
            Kind::Symbol(symbol)
        } else {
            let shown = visible(first.to_string().as_bytes());
            return Err(Complaint::new(offset, format!("'{shown}' does not belong here")));
        };
        Ok(Token { offset, kind })
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn take_while(&mut self, belongs: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn number(&mut self) -> Result<Kind<'a>, Complaint> {
        let offset = self.at;
        let digits = self.take_while(|c| c.is_ascii_alphanumeric());
        let value = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
            Some(hexadecimal) => i64::from_str_radix(hexadecimal, 16),
            None => digits.parse(),
        };
        let value = value.ok().filter(|value| *value <= i64::from(i32::MAX) + 1);
        value.map(Kind::Number).ok_or_else(|| {
            Complaint::new(offset, format!("'{}' is no number that fits an int", visible(digits.as_bytes())))
        })
    }

    fn quoted(&mut self) -> Result<Kind<'a>, Complaint> {
        let (offset, rest) = (self.at, &self.rest()[1..]);
        let end = rest.find(['"', '\n']).filter(|end| rest[*end..].starts_with('"'));
        let end = end.ok_or_else(|| Complaint::new(offset, "this string has no closing '\"' on its line"))?;
        self.at += end + 2;
        Ok(Kind::Quoted(&rest[..end]))
    }

    fn skip_blanks(&mut self) -> Result<(), Complaint> {
        loop {
            self.take_while(char::is_whitespace);
            let rest = self.rest();
            if rest.starts_with("//") {
                self.rest_of_line();
            } else if rest.starts_with("/*") {
                let end = rest.find("*/").ok_or_else(|| Complaint::new(self.at, "this '/*' is never closed"))?;
                self.at += end + 2;
            } else if self.comment_begins(rest) {
                self.skip_nested()?;
            } else {
                return Ok(());
            }
        }
    }

    fn comment_begins(&self, rest: &str) -> bool {
        rest.strip_prefix("(*")
            .is_some_and(|inside| !self.in_body || inside.starts_with(char::is_whitespace) || inside.starts_with('*'))
    }

    fn skip_nested(&mut self) -> Result<(), Complaint> {
        let (start, bytes) = (self.at, self.text.as_bytes());
        let (mut at, mut depth) = (start + 2, 1);
        while depth > 0 {
            match bytes.get(at..at + 2) {
                Some(b"(*") => (at, depth) = (at + 2, depth + 1),
                Some(b"*)") => (at, depth) = (at + 2, depth - 1),
                Some(_) => at += 1,
                None => return Err(Complaint::new(start, "this '(*' is never closed by '*)'")),
            }
        }
        self.first_comment.get_or_insert(self.text[start + 2..at - 2].trim());
        self.at = at;
        Ok(())
    }
}
