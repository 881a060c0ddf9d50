//! What stands before the threads: name, keys, initial values.

use super::error::Complaint;
use super::lexer::Kind;
use super::{Parsed, Parser};
use crate::backend::lab::litmus::ast::{Expression, Op};
use crate::model::text::visible;

/// Name, headline and `Key=value` lines.
type Header = (String, String, Vec<(String, String)>);

/// A register's value before its thread begins.
#[derive(Clone, Debug)]
pub(super) struct InitialRegister {
    /// Where it is written.
    pub offset: usize,
    /// Whose.
    pub thread: i64,
    /// The register.
    pub name: String,
    /// Its value.
    pub value: i32,
}

impl Parser<'_> {
    /// Everything up to the `{` of the initial values.
    pub(super) fn header(&mut self) -> Parsed<Header> {
        let kind = self.lexer.bare_word()?;
        match kind.kind {
            Kind::Word("C") => {}
            Kind::Word("Rust") => self.short = true,
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
        if let Kind::Number(thread) = self.token.kind {
            return self.initial_register(thread);
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
            self.locations[location.0].initial = self.initial_integer()?;
        }
        Ok(())
    }

    /// `1`, `-2`, `0x3`, or `ATOMIC_INIT(1)` around it.
    fn initial_integer(&mut self) -> Parsed<i32> {
        if self.is("&") {
            let what = "pointers as values are not read: a location holds an int";
            return Err(Complaint::new(self.token.offset, what));
        }
        let wrapped = self.is_word("ATOMIC_INIT") || self.is_word("ATOMIC_VAR_INIT");
        if wrapped {
            self.take()?;
            self.expect("(")?;
        }
        let value = self.integer()?;
        if wrapped {
            self.expect(")")?;
        }
        Ok(value)
    }

    /// `0:r0=1`, kept until that thread is read.
    fn initial_register(&mut self, thread: i64) -> Parsed<()> {
        let offset = self.take()?.offset;
        self.expect(":")?;
        let (_, name) = self.word("a register's name")?;
        self.expect("=")?;
        let value = self.initial_integer()?;
        self.initial.push(InitialRegister { offset, thread, name: name.to_owned(), value });
        Ok(())
    }

    /// The initial values of the registers of thread `number`, as its first
    /// operations.
    pub(super) fn initial_registers(&mut self, number: usize, body: &mut Vec<Op>) -> Parsed<()> {
        let (own, others) =
            std::mem::take(&mut self.initial).into_iter().partition(|initial| initial.thread == number as i64);
        self.initial = others;
        let own: Vec<InitialRegister> = own;
        for InitialRegister { offset, name, value, .. } in own {
            let to = self.register(offset, &name)?;
            self.push(offset, body, Op::Set { to, value: Expression::Constant(value) })?;
        }
        Ok(())
    }
}
