//! The condition at the end, and what a final state shows.

use super::error::Complaint;
use super::lexer::Kind;
use super::{Parsed, Parser};
use crate::backend::lab::litmus::ast::{Condition, Observable, Proposition, Quantifier, Register};
use crate::model::sorting;
use crate::model::text::visible;

/// What stands behind the threads.
pub(super) struct End {
    pub condition: Condition,
    pub filter: Option<Proposition>,
    pub observed: Vec<Observable>,
}

impl Parser<'_> {
    pub(super) fn condition(&mut self) -> Parsed<End> {
        let mut observed = Vec::new();
        if self.is_word("locations") {
            self.take()?;
            self.expect("[")?;
            while !self.accept("]")? {
                let observable = self.observable()?;
                note(&mut observed, observable);
                if !self.is("]") {
                    self.expect(";")?;
                }
            }
        }
        self.terms = 0;
        let mut filter = None;
        if self.is_word("filter") {
            self.take()?;
            filter = Some(self.implication(&mut observed)?);
        }
        let negated = self.accept("~")?;
        let quantifier = match self.token.kind {
            Kind::Word("exists") if negated => Quantifier::NotExists,
            Kind::Word("exists") => Quantifier::Exists,
            Kind::Word("forall") if !negated => Quantifier::Forall,
            _ => return Err(self.unexpected("the next thread, 'exists', '~exists' or 'forall'")),
        };
        self.take()?;
        let mut proposition = self.implication(&mut observed)?;
        if self.token.kind != Kind::End {
            return Err(self.unexpected("'/\\', '\\/' or the end of the file"));
        }
        self.sort(&mut observed, [Some(&mut proposition), filter.as_mut()]);
        let text = format!("{quantifier} ({})", self.show(&proposition, &observed, Level::Or));
        Ok(End { condition: Condition { quantifier, proposition, text }, filter, observed })
    }

    /// Registers by thread and name, then locations by name.
    fn sort(&self, observed: &mut [Observable], propositions: [Option<&mut Proposition>; 2]) {
        let before = observed.to_vec();
        sorting::by_key(observed, |observable| match observable {
            Observable::Register(thread, register) => (*thread, self.threads[*thread].registers[register.0].clone()),
            Observable::Location(location) => (usize::MAX, self.locations[location.0].name.clone()),
        });
        for proposition in propositions.into_iter().flatten() {
            renumber(proposition, &|index| {
                before.get(index).and_then(|known| observed.iter().position(|o| o == known)).unwrap_or(index)
            });
        }
    }

    fn implication(&mut self, observed: &mut Vec<Observable>) -> Parsed<Proposition> {
        self.deeper(|parser| {
            let left = parser.disjunction(observed)?;
            if !parser.accept("=>")? {
                return Ok(left);
            }
            let right = parser.implication(observed)?;
            Ok(Proposition::Or(Box::new(Proposition::Not(Box::new(left))), Box::new(right)))
        })
    }

    fn disjunction(&mut self, observed: &mut Vec<Observable>) -> Parsed<Proposition> {
        let mut left = self.conjunction(observed)?;
        while self.is("\\/") || self.is("||") {
            self.take()?;
            left = Proposition::Or(Box::new(left), Box::new(self.conjunction(observed)?));
            self.count_term()?;
        }
        Ok(left)
    }

    fn conjunction(&mut self, observed: &mut Vec<Observable>) -> Parsed<Proposition> {
        let mut left = self.atom(observed)?;
        while self.is("/\\") || self.is("&&") {
            self.take()?;
            left = Proposition::And(Box::new(left), Box::new(self.atom(observed)?));
            self.count_term()?;
        }
        Ok(left)
    }

    fn atom(&mut self, observed: &mut Vec<Observable>) -> Parsed<Proposition> {
        if self.is("~") || self.is_word("not") {
            self.take()?;
            return self.deeper(|parser| Ok(Proposition::Not(Box::new(parser.atom(observed)?))));
        }
        if self.accept("(")? {
            let inner = self.implication(observed)?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.is_word("true") || self.is_word("false") {
            let value = self.is_word("true");
            self.take()?;
            return Ok(Proposition::Constant(value));
        }
        let observable = self.observable()?;
        let unequal = self.is("!=");
        if !unequal && !self.is("=") && !self.is("==") {
            return Err(self.unexpected("'=' and a number"));
        }
        self.take()?;
        let equals = Proposition::Equals(note(observed, observable), self.integer()?);
        Ok(if unequal { Proposition::Not(Box::new(equals)) } else { equals })
    }

    /// `0:r0`, `P0:r0`, `[x]`, `*x` or `x`.
    fn observable(&mut self) -> Parsed<Observable> {
        let offset = self.token.offset;
        if let Kind::Number(thread) = self.token.kind {
            self.take()?;
            self.expect(":")?;
            return self.register_of(offset, thread as usize);
        }
        if self.accept("[")? {
            let (offset, name) = self.word("a location's name")?;
            self.expect("]")?;
            return self.known_location(offset, name);
        }
        self.accept("*")?;
        let (offset, name) = self.word("'0:r0=1', '[x]=1', '~' or '('")?;
        if self.accept(":")? {
            let number = name.strip_prefix('P').and_then(|digits| digits.parse().ok());
            let number = number.ok_or_else(|| Complaint::new(offset, "expected a thread before ':'"))?;
            return self.register_of(offset, number);
        }
        self.known_location(offset, name)
    }

    fn register_of(&mut self, offset: usize, thread: usize) -> Parsed<Observable> {
        let (at, name) = self.word("a register's name")?;
        let Some(found) = self.threads.get(thread) else {
            let last = self.threads.len() - 1;
            return Err(Complaint::new(offset, format!("no thread {thread}: the last one is {last}")));
        };
        let register = found.registers.iter().position(|register| register == name);
        let register = register.ok_or_else(|| {
            Complaint::new(at, format!("thread {thread} has no register '{}'", visible(name.as_bytes())))
        })?;
        Ok(Observable::Register(thread, Register(register)))
    }

    fn known_location(&self, offset: usize, name: &str) -> Parsed<Observable> {
        self.location_named(name)
            .map(Observable::Location)
            .ok_or_else(|| Complaint::new(offset, format!("no shared location '{}'", visible(name.as_bytes()))))
    }

    /// The proposition in one spelling, however it was written.
    fn show(&self, proposition: &Proposition, observed: &[Observable], outside: Level) -> String {
        let both = |a, symbol, b, level| {
            let inner = format!("{} {symbol} {}", self.show(a, observed, level), self.show(b, observed, level));
            if level < outside { format!("({inner})") } else { inner }
        };
        match proposition {
            Proposition::Constant(value) => value.to_string(),
            Proposition::Not(inner) => format!("~({})", self.show(inner, observed, Level::Or)),
            Proposition::And(a, b) => both(a, "/\\", b, Level::And),
            Proposition::Or(a, b) => both(a, "\\/", b, Level::Or),
            Proposition::Equals(index, value) => match observed.get(*index) {
                Some(Observable::Register(thread, register)) => {
                    format!("{thread}:{}={value}", self.threads[*thread].registers[register.0])
                }
                Some(Observable::Location(location)) => format!("[{}]={value}", self.locations[location.0].name),
                None => String::new(),
            },
        }
    }
}

/// How tightly a connective binds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Or,
    And,
}

/// The observable's index, added where it is new.
fn note(observed: &mut Vec<Observable>, observable: Observable) -> usize {
    observed.iter().position(|known| *known == observable).unwrap_or_else(|| {
        observed.push(observable);
        observed.len() - 1
    })
}

fn renumber(proposition: &mut Proposition, index: &impl Fn(usize) -> usize) {
    match proposition {
        Proposition::Constant(_) => {}
        Proposition::Equals(observable, _) => *observable = index(*observable),
        Proposition::Not(inner) => renumber(inner, index),
        Proposition::And(a, b) | Proposition::Or(a, b) => {
            renumber(a, index);
            renumber(b, index);
        }
    }
}
