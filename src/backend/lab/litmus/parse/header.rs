//! What stands before the threads: name, keys, initial values.

use super::error::Complaint;
use super::lexer::Kind;
use super::{Parsed, Parser};
use crate::model::text::visible;

/// Name, headline and `Key=value` lines.
type Header = (String, String, Vec<(String, String)>);

impl Parser<'_> {
    /// Everything up to the `{` of the initial values.
    pub(super) fn header(&mut self) -> Parsed<Header> {
        let kind = self.lexer.bare_word()?;
        match kind.kind {
            Kind::Word("C") => {}
            Kind::Word(other) => {
                let other = visible(other.as_bytes());
                let what = format!("expected 'C' and the test's name, found '{other}': only the C dialect is read");
                return Err(Complaint::new(kind.offset, what));
            }
            _ => return Err(Complaint::new(kind.offset, "expected 'C' and the test's name, found nothing")),
        }
        let name = self.lexer.bare_word()?;
        let Kind::Word(name) = name.kind else {
            return Err(Complaint::new(name.offset, "expected the test's name"));
        };
        self.token = self.lexer.next()?;
        let (mut headline, mut keys) = (String::new(), Vec::new());
        loop {
            match self.token.kind {
                Kind::Quoted(text) => {
                    headline = visible(text.as_bytes());
                    self.take()?;
                }
                Kind::Word(key) => {
                    self.take()?;
                    if !self.is("=") {
                        return Err(self.unexpected("'=' and a value: header lines are 'Key=value'"));
                    }
                    let value = self.lexer.rest_of_line().trim();
                    keys.push((visible(key.as_bytes()), visible(value.as_bytes())));
                    self.token = self.lexer.next()?;
                }
                Kind::Symbol("{") => return Ok((visible(name.as_bytes()), headline, keys)),
                _ => return Err(self.unexpected("'{' and the initial values")),
            }
        }
    }

    /// `{ [x]=1; int y=2; }`
    pub(super) fn initial_values(&mut self) -> Parsed<()> {
        self.expect("{")?;
        while !self.accept("}")? {
            if self.accept(";")? {
                continue;
            }
            self.initial_value()?;
            if !self.is("}") && !self.accept(";")? {
                return Err(self.unexpected("';' or '}'"));
            }
        }
        Ok(())
    }

    fn initial_value(&mut self) -> Parsed<()> {
        if matches!(self.token.kind, Kind::Number(_)) {
            let what = "registers have no initial values: set them in the thread's body";
            return Err(Complaint::new(self.token.offset, what));
        }
        let (offset, name) = if self.accept("[")? {
            let found = self.word("a location's name")?;
            self.expect("]")?;
            found
        } else {
            self.types()?;
            self.accept("*")?;
            self.word("a location's name, '[x]=1' or 'x=1'")?
        };
        let location = self.location(offset, name)?;
        if self.accept("=")? {
            self.locations[location.0].initial = self.integer()?;
        }
        Ok(())
    }
}
