//! Sequential consistency (Lamport 1979): one order of all accesses that every
//! thread agrees on, and in which a read sees the latest write.

use super::Model;
use crate::backend::lab::litmus::axiom::{Axiom, Consistency};
use crate::backend::lab::litmus::execution::Execution;

/// The model.
pub const MODEL: Model = Model {
    name: "sc",
    title: "SC",
    about: "sequential consistency: the threads take turns, one access at a time",
    consistent,
    // sb, rf, mo and rb contain all that the others order.
    stronger_than: &["tso", "rc11", "rust"],
    synchronises: None,
    races: None,
};

const SC: Axiom =
    Axiom { name: "sc", meaning: "some order of all accesses must agree with the program and with what each read saw" };

/// Shared by all models.
pub(super) const ATOMICITY: Axiom =
    Axiom { name: "atomicity", meaning: "nothing is written between the read and the write of a read-modify-write" };

/// acyclic(sb ∪ rf ∪ mo ∪ rb); rmw ∩ (rb;mo) empty
fn consistent(x: &Execution) -> Consistency {
    SC.acyclic(x, &[("rf", &x.rf), ("mo", &x.mo), ("fr", &x.rb), ("sb", &x.sb)])?;
    atomicity(x)
}

/// rmw ∩ (rb;mo) empty
pub(super) fn atomicity(x: &Execution) -> Consistency {
    if x.rmw.is_empty() {
        return Ok(());
    }
    let between = &x.rmw & x.rb.then(&x.mo);
    ATOMICITY.empty(x, &between, "rmw", &[("fr", &x.rb), ("mo", &x.mo)])
}
