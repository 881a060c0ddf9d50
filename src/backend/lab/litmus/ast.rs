//! A litmus test as the checker and the assembler see it: each operation
//! accesses memory at most once, and expressions are over registers only. The
//! parser lowers nested accesses into registers of their own.

use std::fmt;

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

/// What a read-modify-write does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Modification {
    /// The operand replaces the value.
    Swap,
    /// value + operand
    Add,
    /// value - operand
    Sub,
    /// value & operand
    And,
    /// value | operand
    Or,
    /// value ^ operand
    Xor,
}

impl Modification {
    /// What is stored where `old` was read.
    pub fn apply(self, old: i32, operand: i32) -> i32 {
        match self {
            Modification::Swap => operand,
            Modification::Add => old.wrapping_add(operand),
            Modification::Sub => old.wrapping_sub(operand),
            Modification::And => old & operand,
            Modification::Or => old | operand,
            Modification::Xor => old ^ operand,
        }
    }

    /// The method's name in Rust.
    pub fn rust(self) -> &'static str {
        match self {
            Modification::Swap => "swap",
            Modification::Add => "fetch_add",
            Modification::Sub => "fetch_sub",
            Modification::And => "fetch_and",
            Modification::Or => "fetch_or",
            Modification::Xor => "fetch_xor",
        }
    }
}

/// A value computed from registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expression {
    /// A number.
    Constant(i32),
    /// What a register holds.
    Register(Register),
    /// Perpetual runs only: a value that names the iteration, counted from 1.
    Iteration,
    /// `!e`: 1 where e is 0, else 0.
    Not(Box<Expression>),
    /// Two values combined.
    Binary(Operator, Box<Expression>, Box<Expression>),
}

/// How two values are combined; comparisons give 1 or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `+`
    Add,
    /// `-`
    Sub,
    /// `*`
    Mul,
    /// `&`
    And,
    /// `|`
    Or,
    /// `^`
    Xor,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Operator {
    /// The two combined, as `int` arithmetic that wraps.
    pub fn apply(self, a: i32, b: i32) -> i32 {
        match self {
            Operator::Add => a.wrapping_add(b),
            Operator::Sub => a.wrapping_sub(b),
            Operator::Mul => a.wrapping_mul(b),
            Operator::And => a & b,
            Operator::Or => a | b,
            Operator::Xor => a ^ b,
            Operator::Equal => i32::from(a == b),
            Operator::Unequal => i32::from(a != b),
            Operator::Less => i32::from(a < b),
            Operator::LessOrEqual => i32::from(a <= b),
            Operator::Greater => i32::from(a > b),
            Operator::GreaterOrEqual => i32::from(a >= b),
        }
    }

    /// Whether it compares: 1 or 0 comes of it.
    pub fn compares(self) -> bool {
        matches!(
            self,
            Operator::Equal
                | Operator::Unequal
                | Operator::Less
                | Operator::LessOrEqual
                | Operator::Greater
                | Operator::GreaterOrEqual
        )
    }

    /// As it is written.
    pub fn symbol(self) -> &'static str {
        match self {
            Operator::Add => "+",
            Operator::Sub => "-",
            Operator::Mul => "*",
            Operator::And => "&",
            Operator::Or => "|",
            Operator::Xor => "^",
            Operator::Equal => "==",
            Operator::Unequal => "!=",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
        }
    }
}

impl Expression {
    /// Its value, given the registers'. [`Expression::Iteration`] counts as 0.
    pub fn evaluate(&self, registers: &impl Fn(Register) -> i32) -> i32 {
        match self {
            Expression::Constant(value) => *value,
            Expression::Register(register) => registers(*register),
            Expression::Iteration => 0,
            Expression::Not(inner) => i32::from(inner.evaluate(registers) == 0),
            Expression::Binary(operator, a, b) => operator.apply(a.evaluate(registers), b.evaluate(registers)),
        }
    }

    /// Calls `each` for every register in it.
    pub fn registers(&self, each: &mut impl FnMut(Register)) {
        match self {
            Expression::Constant(_) | Expression::Iteration => {}
            Expression::Register(register) => each(*register),
            Expression::Not(inner) => inner.registers(each),
            Expression::Binary(_, a, b) => {
                a.registers(each);
                b.registers(each);
            }
        }
    }
}

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
    /// An observable has a value; by index into [`Test::observed`].
    Equals(usize, i32),
    /// Not so.
    Not(Box<Proposition>),
    /// Both.
    And(Box<Proposition>, Box<Proposition>),
    /// One or both.
    Or(Box<Proposition>, Box<Proposition>),
}

impl Proposition {
    /// Whether it holds for a state: the values of [`Test::observed`].
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

/// What a final state shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Observable {
    /// A register of a thread.
    Register(usize, Register),
    /// A shared location.
    Location(Location),
}

impl Test {
    /// A final state as text, as in `0:r0=0; [x]=1;`.
    pub fn state_text(&self, state: &[i32]) -> String {
        let parts: Vec<String> = self
            .observed
            .iter()
            .zip(state)
            .map(|(observable, value)| match observable {
                Observable::Register(thread, register) => {
                    format!("{thread}:{}={value};", self.threads[*thread].registers[register.0])
                }
                Observable::Location(location) => format!("[{}]={value};", self.locations[location.0].name),
            })
            .collect();
        parts.join(" ")
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

impl fmt::Display for Quantifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Quantifier::Exists => "exists",
            Quantifier::NotExists => "~exists",
            Quantifier::Forall => "forall",
        })
    }
}
