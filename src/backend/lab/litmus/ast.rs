//! A litmus test as the checker and the assembler see it: each operation
//! accesses memory at most once, and expressions are over registers only. The
//! parser lowers nested accesses into registers of their own.

pub use super::condition::{Condition, Proposition, Quantifier};
pub use super::expression::{Expression, Modification, Operator};
use crate::model::litmus::{Order, Slot};

/// A shared location, by index into [`Test::locations`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location(pub usize);

/// A register of a thread, by index into [`Thread::registers`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Register(pub usize);

/// A whole test.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// Its name.
    pub name: String,
    /// The quoted line of the header.
    pub headline: String,
    /// The first comment.
    pub comment: String,
    /// `Key=value` lines of the header.
    pub keys: Vec<(String, String)>,
    /// The shared locations.
    pub locations: Vec<Place>,
    /// The threads.
    pub threads: Vec<Thread>,
    /// The condition.
    pub condition: Condition,
    /// Only final states that satisfy this are looked at.
    pub filter: Option<Proposition>,
    /// What a final state shows: registers first, then locations, sorted.
    pub observed: Vec<Observable>,
}

/// A shared location.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its name.
    pub name: String,
    /// Its initial value.
    pub initial: i32,
}

/// A thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thread {
    /// Names of its registers.
    pub registers: Vec<String>,
    /// What it does.
    pub body: Vec<Op>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// `r = value`.
    Set {
        /// The register.
        to: Register,
        /// Its new value.
        value: Expression,
    },
    /// `r = x.load(order)`, or a plain read.
    Load {
        /// Where the value goes.
        to: Register,
        /// The location.
        from: Location,
        /// How it is ordered.
        order: Order,
    },
    /// `x.store(value, order)`, or a plain write.
    Store {
        /// The location.
        to: Location,
        /// What is stored.
        value: Expression,
        /// How it is ordered.
        order: Order,
    },
    /// `r = x.fetch_add(operand, order)` and its kin, `swap` among them.
    Modify {
        /// Where the old value goes.
        old: Register,
        /// The location.
        at: Location,
        /// What is done to it.
        kind: Modification,
        /// With what.
        operand: Expression,
        /// How it is ordered.
        order: Order,
    },
    /// A compare-exchange.
    CompareExchange(CompareExchange),
    /// `fence(order)`.
    Fence {
        /// How it is ordered.
        order: Order,
    },
    /// `if condition { … } else { … }`.
    If {
        /// Taken where this is not zero.
        condition: Expression,
        /// What is done then.
        then: Vec<Op>,
        /// What is done otherwise.
        otherwise: Vec<Op>,
    },
}

/// `success = x.compare_exchange(expected, desired, order, failure)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompareExchange {
    /// Gets 1 where it stored, 0 where it did not.
    pub success: Register,
    /// Gets what the location held.
    pub old: Register,
    /// The location.
    pub at: Location,
    /// The value it must hold.
    pub expected: Expression,
    /// What is stored then.
    pub desired: Expression,
    /// How it is ordered where it stores.
    pub order: Order,
    /// How the read is ordered where it does not store.
    pub failure: Order,
    /// Whether it may fail though the values are equal.
    pub weak: bool,
}

/// What a final state shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Observable {
    /// A register of a thread.
    Register(usize, Register),
    /// A shared location.
    Location(Location),
}

impl Test {
    /// The registers of a thread that the condition asks for, in its order.
    pub fn observed_by(&self, thread: usize) -> Vec<Register> {
        let registers = self.observed.iter().filter_map(|observable| match observable {
            Observable::Register(of, register) if *of == thread => Some(*register),
            _ => None,
        });
        registers.collect()
    }

    /// A final state as text, as in `0:r0=0; [x]=1;`.
    pub fn state_text(&self, state: &[i32]) -> String {
        self.state_writer()(state)
    }

    /// Writes many final states as [`Test::state_text`] does one.
    pub fn state_writer(&self) -> impl Fn(&[i32]) -> String {
        use std::fmt::Write;
        let name = |observable: &Observable| match observable {
            Observable::Register(thread, register) => {
                format!("{thread}:{}=", self.threads[*thread].registers[register.0])
            }
            Observable::Location(location) => format!("[{}]=", self.locations[location.0].name),
        };
        let names: Vec<String> = self.observed.iter().map(name).collect();
        move |state| {
            let mut text = String::with_capacity(names.iter().map(|name| name.len() + 3).sum());
            for (name, value) in names.iter().zip(state) {
                text.push_str(if text.is_empty() { "" } else { " " });
                text.push_str(name);
                match value {
                    0..10 => text.push(char::from(b'0' + *value as u8)),
                    // Writing to a string cannot fail.
                    _ => drop(write!(text, "{value}")),
                }
                text.push(';');
            }
            text
        }
    }

    /// The orderings of all threads, with where they stand and what they may be.
    pub fn orders_mut(&mut self) -> Vec<(Slot, &mut Order, &'static [Order])> {
        let mut found = Vec::new();
        for (thread, body) in self.threads.iter_mut().enumerate() {
            let mut index = 0;
            visit_orders(&mut body.body, &mut |order, choices| {
                found.push((Slot { thread, index }, order, choices));
                index += 1;
            });
        }
        found
    }
}

/// What a load may be.
pub const LOAD: &[Order] = &[Order::Relaxed, Order::Acquire, Order::SeqCst];
/// What a store may be.
pub const STORE: &[Order] = &[Order::Relaxed, Order::Release, Order::SeqCst];
/// What a read-modify-write may be.
pub const MODIFY: &[Order] = &[Order::Relaxed, Order::Acquire, Order::Release, Order::AcqRel, Order::SeqCst];
/// What a fence may be.
pub const FENCE: &[Order] = &[Order::Acquire, Order::Release, Order::AcqRel, Order::SeqCst];
/// A plain access has no ordering to choose.
pub const PLAIN: &[Order] = &[Order::Plain];

fn visit_orders<'a>(ops: &'a mut [Op], each: &mut dyn FnMut(&'a mut Order, &'static [Order])) {
    let or_plain = |order: Order, choices| if order == Order::Plain { PLAIN } else { choices };
    for op in ops {
        match op {
            Op::Set { .. } => {}
            Op::Load { order, .. } => {
                let choices = or_plain(*order, LOAD);
                each(order, choices);
            }
            Op::Store { order, .. } => {
                let choices = or_plain(*order, STORE);
                each(order, choices);
            }
            Op::Modify { order, .. } => each(order, MODIFY),
            Op::CompareExchange(exchange) => {
                each(&mut exchange.order, MODIFY);
                each(&mut exchange.failure, LOAD);
            }
            Op::Fence { order } => each(order, FENCE),
            Op::If { then, otherwise, .. } => {
                visit_orders(then, each);
                visit_orders(otherwise, each);
            }
        }
    }
}
