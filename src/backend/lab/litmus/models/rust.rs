//! Rust's model: the rules of C++20, on which Rust's atomics are defined
//! (<https://doc.rust-lang.org/std/sync/atomic/>).
//!
//! As RC11, with two differences. A release sequence is continued by
//! read-modify-writes only, no longer by later relaxed stores of the same thread.
//! And load buffering is allowed: instead of all of sb ∪ rf only dependencies
//! and rf must be acyclic, so that no value comes out of thin air. That axiom is
//! a stand-in: a compiler may remove a syntactic dependency.

use super::Model;
use super::rc11::{common, races, synchronises};
use crate::backend::lab::litmus::axiom::{Axiom, Consistency};
use crate::backend::lab::litmus::execution::Execution;
use crate::backend::lab::litmus::relation::Relation;

/// The model.
pub const MODEL: Model = Model {
    name: "rust",
    title: "Rust",
    about: "Rust and C++20: as RC11, load buffering allowed; thin-air values excluded by syntactic dependencies",
    consistent,
    stronger_than: &[],
    synchronises: Some(|x| synchronises(x, release_sequence)),
    races: Some(|x| races(x, &synchronises(x, release_sequence))),
};

const NO_THIN_AIR: Axiom =
    Axiom { name: "no-thin-air", meaning: "a value cannot depend on itself (a stand-in: syntactic dependencies)" };

fn consistent(x: &Execution) -> Consistency {
    common(x, &synchronises(x, release_sequence))?;
    // A read-modify-write is one operation: what its operand depends on, what it
    // read does too.
    let operand = x.data.then(&x.rmw.inverse()).irreflexive_part();
    NO_THIN_AIR.acyclic(x, &[("rf", &x.rf), ("data", &x.data), ("data", &operand), ("ctrl", &x.ctrl), ("rmw", &x.rmw)])
}

/// rs = [W ⊒ rlx] ; (rf;rmw)*
fn release_sequence(x: &Execution) -> Relation {
    x.rf.then(&x.rmw).star().from(x.writes & x.atomics)
}
