//! Reads the C litmus dialect that the herd tools use.
//!
//! ```text
//! C SB-relaxed "a headline"            name, optional headline
//! Key=value                            any number of header lines
//! (* what it teaches *)                comments
//! { [x]=1; y=2; 0:r0=3; }              initial values; 0 where unsaid
//! P0 (atomic_int* x, int* d) {         threads, from P0 on
//!   atomic_store_explicit(x, 1, memory_order_relaxed);
//!   int r0 = *d;
//! }
//! locations [y;]                       optional: what to show besides
//! filter (0:r1=0)                      optional: look at such final states only
//! exists (0:r0=1 /\ [x]=1)             or ~exists, or forall
//! ```
//!
//! The same in Rust's words begins with `Rust` and is shorter: see `parse/rust.rs`.
//!
//! Programs are loop-free and every value is an `int`. The [limits](Limits) are
//! far above what an exhaustive check can handle. No input makes the parser
//! panic or recurse without bound.

mod access;
mod body;
mod condition;
mod error;
mod expression;
mod header;
mod lexer;
mod rust;

use self::condition::End;
use self::error::Complaint;
pub use self::error::{ParseError, Position};
use self::lexer::{Kind, Lexer, Token};
use super::ast::{Expression, Location, Op, Place, Register, Test, Thread};

/// What a test may have at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits;

impl Limits {
    /// Bytes of the file.
    pub const BYTES: usize = 64 << 10;
    /// Threads.
    pub const THREADS: usize = 8;
    /// Shared locations.
    pub const LOCATIONS: usize = 16;
    /// Registers of one thread, those for nested accesses included.
    pub const REGISTERS: usize = 64;
    /// Operations of one thread.
    pub const OPERATIONS: usize = 128;
    /// Operators of one thread, or connectives of the condition.
    pub const TERMS: usize = 256;
    /// How deep blocks, parentheses and operators may be nested.
    pub const DEPTH: usize = 32;
}

/// Reads the test in `text`; `file` is for error messages.
///
/// # Errors
/// The first thing that is wrong, with line, column and what was expected.
pub fn parse(file: &str, text: &str) -> Result<Test, ParseError> {
    if text.len() > Limits::BYTES {
        let what = format!("the file has {} bytes; at most {} are read", text.len(), Limits::BYTES);
        return Err(Complaint::new(0, what).in_file(file, text));
    }
    // A byte order mark says nothing here.
    Parser::new(text.strip_prefix('\u{feff}').unwrap_or(text)).test().map_err(|complaint| complaint.in_file(file, text))
}

/// The parser: the lexer, one token ahead, and what has been read.
#[derive(Debug)]
struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token<'a>,
    locations: Vec<Place>,
    threads: Vec<Thread>,
    /// Locations that the thread being read has as parameters.
    parameters: Vec<Location>,
    /// The registers of the thread being read.
    registers: Vec<String>,
    /// Initial values of registers whose thread has not been read yet.
    initial: Vec<header::InitialRegister>,
    /// How many operations the thread has so far.
    operations: usize,
    /// How many operators or connectives.
    terms: usize,
    depth: usize,
    /// Whether the test is written in the short notation.
    short: bool,
}

type Parsed<T> = Result<T, Complaint>;

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        Parser {
            lexer: Lexer::new(text),
            token: Token { offset: 0, kind: Kind::End },
            locations: Vec::new(),
            threads: Vec::new(),
            parameters: Vec::new(),
            registers: Vec::new(),
            initial: Vec::new(),
            operations: 0,
            terms: 0,
            depth: 0,
            short: false,
        }
    }

    fn test(mut self) -> Parsed<Test> {
        let (name, headline, keys) = self.header()?;
        self.initial_values()?;
        while self.is_thread_header()? {
            if self.short { self.short_thread()? } else { self.thread()? }
        }
        if self.threads.is_empty() {
            return Err(self.unexpected("a thread: 'P0 (…) { … }'"));
        }
        if let Some(initial) = self.initial.first() {
            let last = self.threads.len() - 1;
            let what = format!("no thread {}: the last one is {last}", initial.thread);
            return Err(Complaint::new(initial.offset, what));
        }
        let End { condition, filter, observed } = self.condition()?;
        let comment = self.lexer.first_comment.unwrap_or_default();
        let comment = comment.split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Test {
            name,
            headline,
            comment: crate::model::text::visible(comment.as_bytes()),
            keys,
            locations: self.locations,
            threads: self.threads,
            condition,
            filter,
            observed,
        })
    }

    /// Reads over the current token and gives it.
    fn take(&mut self) -> Parsed<Token<'a>> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.token, next))
    }

    fn is(&self, symbol: &str) -> bool {
        matches!(self.token.kind, Kind::Symbol(found) if found == symbol)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.token.kind, Kind::Word(found) if found == word)
    }

    /// Reads over `symbol` where it is next.
    fn accept(&mut self, symbol: &str) -> Parsed<bool> {
        let found = self.is(symbol);
        if found {
            self.take()?;
        }
        Ok(found)
    }

    fn expect(&mut self, symbol: &str) -> Parsed<()> {
        if self.accept(symbol)? { Ok(()) } else { Err(self.unexpected(&format!("'{symbol}'"))) }
    }

    fn word(&mut self, expected: &str) -> Parsed<(usize, &'a str)> {
        match self.token.kind {
            Kind::Word(word) => Ok((self.take()?.offset, word)),
            _ => Err(self.unexpected(expected)),
        }
    }

    /// A number with its sign.
    fn integer(&mut self) -> Parsed<i32> {
        let offset = self.token.offset;
        let negative = self.accept("-")?;
        let Kind::Number(value) = self.token.kind else { return Err(self.unexpected("a number")) };
        self.take()?;
        let value = if negative { -value } else { value };
        i32::try_from(value).map_err(|_| Complaint::new(offset, format!("{value} does not fit an int")))
    }

    fn unexpected(&self, expected: &str) -> Complaint {
        Complaint::new(self.token.offset, format!("expected {expected}, found {}", self.token.kind.describe()))
    }

    /// Guards what calls itself.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= Limits::DEPTH {
            return Err(Complaint::new(self.token.offset, format!("nested deeper than {} levels", Limits::DEPTH)));
        }
        self.depth += 1;
        let done = inner(self);
        self.depth -= 1;
        done
    }

    /// Counts an operator: a long chain makes a deep tree, which later passes
    /// recurse over.
    fn count_term(&mut self) -> Parsed<()> {
        self.terms += 1;
        if self.terms > Limits::TERMS {
            return Err(Complaint::new(self.token.offset, format!("more than {} operators", Limits::TERMS)));
        }
        Ok(())
    }

    fn location_named(&self, name: &str) -> Option<Location> {
        self.locations.iter().position(|place| place.name == name).map(Location)
    }

    /// The location of this name, made where there is none yet.
    fn location(&mut self, offset: usize, name: &str) -> Parsed<Location> {
        if let Some(location) = self.location_named(name) {
            return Ok(location);
        }
        if self.locations.len() == Limits::LOCATIONS {
            return Err(Complaint::new(offset, format!("more than {} shared locations", Limits::LOCATIONS)));
        }
        self.locations.push(Place { name: name.to_owned(), initial: 0 });
        Ok(Location(self.locations.len() - 1))
    }

    /// A register for the value of a nested access.
    fn temporary(&mut self, offset: usize) -> Parsed<Register> {
        let mut names = (0..=self.registers.len()).map(|n| format!("t{n}"));
        let name = names.find(|name| !self.registers.contains(name)).unwrap_or_default();
        self.register(offset, &name)
    }

    /// The register of this name, made where there is none yet.
    fn register(&mut self, offset: usize, name: &str) -> Parsed<Register> {
        if let Some(known) = self.registers.iter().position(|register| register == name) {
            return Ok(Register(known));
        }
        if self.registers.len() == Limits::REGISTERS {
            return Err(Complaint::new(offset, format!("more than {} registers in one thread", Limits::REGISTERS)));
        }
        self.registers.push(name.to_owned());
        Ok(Register(self.registers.len() - 1))
    }

    /// Adds an operation to `ops`, within the limit.
    fn push(&mut self, offset: usize, ops: &mut Vec<Op>, op: Op) -> Parsed<()> {
        if self.operations == Limits::OPERATIONS {
            return Err(Complaint::new(offset, format!("more than {} operations in one thread", Limits::OPERATIONS)));
        }
        self.operations += 1;
        ops.push(op);
        Ok(())
    }

    /// The value that was just computed, as an expression.
    fn held(register: Register) -> Expression {
        Expression::Register(register)
    }
}

#[cfg(test)]
mod tests;
