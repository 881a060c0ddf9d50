//! Which iterations of two threads can be paired by what they read, found out
//! from the test.

use crate::backend::lab::litmus::ast::{Expression, Location, Observable, Op, Register, Test};

/// The most loads that a condition may mention.
pub(super) const MOST_LOADS: usize = 4;

/// An observed load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Load {
    /// Whether the pivot does it.
    pub(super) by_pivot: bool,
    /// Which output of its thread.
    pub(super) output: usize,
    /// Whether the pivot writes what it reads.
    pub(super) of_pivot: bool,
}

/// How the iterations of two threads are paired.
pub(super) struct Pairing {
    /// The thread whose reads lead to the other's iteration.
    pub(super) pivot: usize,
    /// Which of its outputs does.
    pub(super) link: usize,
    /// What is observed, in the order of the test's states.
    pub(super) loads: Vec<Load>,
    /// The state for each combination of seen (1) and missed (0), the first load
    /// in the highest bit, and whether it satisfies the condition.
    pub(super) states: Vec<(Vec<i32>, bool)>,
}

/// Whether a test can run perpetually, from what it does and not from its name;
/// the reason where it cannot.
pub(super) fn pairing(test: &Test) -> Result<Pairing, &'static str> {
    if test.filter.is_some() {
        return Err("its filter is applied instance by instance");
    }
    if test.threads.len() != 2 {
        return Err("only two threads can be paired by what they read");
    }
    let mut writers = vec![None; test.locations.len()];
    for (thread, body) in test.threads.iter().enumerate() {
        for op in &body.body {
            match op {
                Op::Load { .. } | Op::Fence { .. } => {}
                Op::Store { to, value: Expression::Constant(value), .. } => {
                    if *value == test.locations[to.0].initial {
                        return Err("it stores a location's initial value");
                    }
                    if writers[to.0].replace((thread, *value)).is_some() {
                        return Err("two stores to one location");
                    }
                }
                Op::Store { .. } => return Err("a stored value depends on what was read"),
                Op::Set { .. } | Op::Modify { .. } | Op::CompareExchange(_) | Op::If { .. } => {
                    return Err("it does more than load, store a constant, and fence");
                }
            }
        }
    }
    let mut loads = Vec::new();
    let mut values = Vec::new();
    for observable in &test.observed {
        let Observable::Register(thread, register) = observable else {
            return Err("the condition asks for a location's final value");
        };
        let location = only_load(test, *thread, *register)?;
        let (writer, value) = writers[location.0].ok_or("nobody writes what it reads")?;
        let output = test.observed_by(*thread).iter().position(|output| output == register).unwrap_or_default();
        loads.push((*thread, output, writer, program_position(test, *thread, *register)));
        values.push((test.locations[location.0].initial, value));
    }
    if loads.len() > MOST_LOADS {
        return Err("the condition mentions too many registers");
    }
    let links = loads.iter().filter(|(thread, _, writer, _)| thread != writer);
    let link = links.min_by_key(|(thread, _, _, position)| (*thread, *position));
    let (pivot, link, ..) = *link.ok_or("no thread reads what the other writes")?;
    let states = (0..1_usize << loads.len()).map(|bits| {
        let seen = |load: usize| bits >> (loads.len() - 1 - load) & 1 == 1;
        let state: Vec<i32> = values
            .iter()
            .enumerate()
            .map(|(load, (missed, value))| if seen(load) { *value } else { *missed })
            .collect();
        let holds = test.condition.proposition.holds(&state);
        (state, holds)
    });
    let states = states.collect();
    let loads = loads.iter().map(|(thread, output, writer, _)| Load {
        by_pivot: *thread == pivot,
        output: *output,
        of_pivot: *writer == pivot,
    });
    Ok(Pairing { pivot, link, loads: loads.collect(), states })
}

/// The location that a register is loaded from, where it is loaded once.
fn only_load(test: &Test, thread: usize, register: Register) -> Result<Location, &'static str> {
    let mut from = test.threads[thread].body.iter().filter_map(|op| match op {
        Op::Load { to, from, .. } if *to == register => Some(*from),
        _ => None,
    });
    match (from.next(), from.next()) {
        (Some(location), None) => Ok(location),
        _ => Err("a register of the condition is not loaded exactly once"),
    }
}

fn program_position(test: &Test, thread: usize, register: Register) -> usize {
    let is_it = |op: &Op| matches!(op, Op::Load { to, .. } if *to == register);
    test.threads[thread].body.iter().position(is_it).unwrap_or_default()
}
