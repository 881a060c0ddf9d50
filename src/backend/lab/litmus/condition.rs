//! What a test asks about its final states.

use std::fmt;

/// What a test asks about the final states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// How it is quantified.
    pub quantifier: Quantifier,
    /// What it says of one state.
    pub proposition: Proposition,
    /// As it was written.
    pub text: String,
}

/// How a condition is quantified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// `exists`: some final state satisfies it.
    Exists,
    /// `~exists`: none does.
    NotExists,
    /// `forall`: each does.
    Forall,
}

/// What is said of one final state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proposition {
    /// Always or never so.
    Constant(bool),
    /// An observable has a value; by index into `Test::observed`.
    Equals(usize, i32),
    /// Not so.
    Not(Box<Proposition>),
    /// Both.
    And(Box<Proposition>, Box<Proposition>),
    /// One or both.
    Or(Box<Proposition>, Box<Proposition>),
}

impl Proposition {
    /// Whether it holds for a state: the values of `Test::observed`.
    pub fn holds(&self, state: &[i32]) -> bool {
        match self {
            Proposition::Constant(value) => *value,
            Proposition::Equals(observable, value) => state.get(*observable) == Some(value),
            Proposition::Not(inner) => !inner.holds(state),
            Proposition::And(a, b) => a.holds(state) && b.holds(state),
            Proposition::Or(a, b) => a.holds(state) || b.holds(state),
        }
    }
}

impl Proposition {
    /// What each of `count` observables must be for it to hold; nothing where
    /// that is not so simple.
    pub fn required(&self, count: usize) -> Vec<Option<i32>> {
        let mut required = vec![None; count];
        self.require(&mut required);
        required
    }

    fn require(&self, required: &mut [Option<i32>]) {
        match self {
            Proposition::Equals(observable, value) => {
                if let Some(place) = required.get_mut(*observable) {
                    place.get_or_insert(*value);
                }
            }
            Proposition::And(a, b) => {
                a.require(required);
                b.require(required);
            }
            Proposition::Constant(_) | Proposition::Not(_) | Proposition::Or(..) => {}
        }
    }
}

impl fmt::Display for Quantifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Quantifier::Exists => "exists",
            Quantifier::NotExists => "~exists",
            Quantifier::Forall => "forall",
        })
    }
}
