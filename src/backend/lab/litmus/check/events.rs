//! Events in words, and an execution with its relations.

use crate::backend::lab::litmus::ast::Test;
use crate::backend::lab::litmus::execution::{Execution, Kind};
use crate::backend::lab::litmus::models::Model;
use crate::backend::lab::litmus::relation::Relation;
use crate::model::litmus::{Order, Witness};

pub(super) fn witness(test: &Test, model: Model, x: &Execution) -> Witness {
    let events = (0..x.size()).map(|event| describe(test, x, event)).collect();
    let mut edges = Vec::new();
    let mut add = |name: &str, relation: &Relation| {
        edges.extend(relation.pairs().map(|(a, b)| (name.to_owned(), a, b)));
    };
    add("sb", &next_only(&x.sb));
    add("rf", &x.rf);
    add("mo", &next_only(&x.mo));
    add("fr", &x.rb);
    add("rmw", &x.rmw);
    if let Some(synchronises) = model.synchronises {
        let sw = synchronises(x);
        // Of what happens before, what no shorter step tells.
        let hb = (&x.sb | &sw).closure() - &x.sb - &sw;
        add("sw", &sw);
        add("hb", &hb);
    }
    Witness { events, edges }
}

/// A transitive relation without the pairs that follow from others.
fn next_only(relation: &Relation) -> Relation {
    relation - relation.then(relation)
}

/// An event in words: `P0: y.load(Relaxed) = 1`.
pub fn describe(test: &Test, x: &Execution, event: usize) -> String {
    let e = &x.events[event];
    let name = test.locations.get(e.location.0).map_or("", |place| place.name.as_str());
    let Some(thread) = e.thread else { return format!("initially {name} = {}", e.value) };
    let access = match (e.kind, e.order) {
        (Kind::Fence, order) => format!("fence({order})"),
        (Kind::Read, Order::Plain) => format!("*{name} read as {}", e.value),
        (Kind::Write, Order::Plain) => format!("*{name} = {}", e.value),
        (Kind::Read, order) => format!("{name}.load({order}) = {}", e.value),
        (Kind::Write, order) => format!("{name}.store({}, {order})", e.value),
    };
    format!("P{thread}: {access}")
}
