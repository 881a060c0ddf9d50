//! The memory models, each a short definition over the relations of one
//! execution.
//!
//! Notation in their comments: `;` composition, `?` or the same event, `⁺`
//! transitive closure, `⁻¹` inverse, `[S]` the events of S, `⊒ rlx` at least
//! relaxed.

pub mod rc11;
pub mod rust;
pub mod sc;
pub mod tso;

use super::axiom::Consistency;
use super::execution::Execution;
use super::relation::Relation;

/// A memory model.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    /// Its name on the command line.
    pub name: &'static str,
    /// Its name as a heading.
    pub title: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Whether an execution is consistent.
    pub consistent: fn(&Execution) -> Consistency,
    /// Which events synchronise, in models of languages.
    pub synchronises: Option<fn(&Execution) -> Relation>,
    /// Models that find consistent whatever this one does, since their axioms
    /// speak of parts of the relations that its axioms speak of.
    pub stronger_than: &'static [&'static str],
    /// Pairs of events that race in a consistent execution: the program is
    /// undefined then. A machine has no undefined programs.
    pub races: Option<fn(&Execution) -> Relation>,
}

/// All models, strongest first.
pub const MODELS: &[Model] = &[sc::MODEL, tso::MODEL, rc11::MODEL, rust::MODEL];

/// The model of this name.
pub fn named(name: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.name == name)
}
