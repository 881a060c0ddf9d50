//! The ways through a thread: each `if` taken or not, each compare-exchange
//! successful or not. A path is straight-line; its values are nodes of a graph
//! that is evaluated once it is known what each read sees.

use std::collections::HashMap;

use super::ast::{CompareExchange, Expression, Location, Modification, Op, Operator, Register, Thread};
use super::execution::Kind;
use super::relation::Set;
use crate::model::litmus::Order;

/// The most paths of one thread.
const MOST_PATHS: usize = 4096;

/// A value, by index into [`Path::nodes`].
pub type NodeId = usize;

/// How a value comes about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Node {
    /// It is given. What it depends on syntactically is kept apart.
    Constant(i32),
    /// What an event of the path reads.
    Read(usize),
    /// 1 where the other is 0.
    Not(NodeId),
    /// Two combined.
    Binary(Operator, NodeId, NodeId),
    /// What a read-modify-write stores.
    Modified(Modification, NodeId, NodeId),
}

/// An event of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PathEvent {
    /// What it does.
    pub kind: Kind,
    /// Where.
    pub location: Location,
    /// How it is ordered.
    pub order: Order,
    /// What it writes.
    pub value: Option<NodeId>,
    /// Reads of the path on which its value depends, one bit each.
    pub data: u64,
    /// Reads that decided whether it happens.
    pub ctrl: u64,
    /// Whether it is the write of a read-modify-write, whose read stands before.
    pub rmw: bool,
}

/// A way through a thread.
#[derive(Clone, Debug, Default)]
pub struct Path {
    /// The values.
    pub nodes: Vec<Node>,
    /// For each value the reads that it depends on, one bit each.
    depends: Vec<u64>,
    /// What happens, in order.
    pub events: Vec<PathEvent>,
    /// What must hold for the thread to go this way: value, and whether it is
    /// to be other than 0.
    pub assumptions: Vec<(NodeId, bool)>,
    /// What the registers hold in the end, or at the point that was reached.
    pub registers: HashMap<Register, NodeId>,
}

/// All ways through a thread.
///
/// # Errors
/// A sentence where there are too many.
pub fn paths(thread: &Thread) -> Result<Vec<Path>, String> {
    let mut found = Vec::new();
    let work: Vec<Step<'_>> = thread.body.iter().rev().map(|op| Step::Do(op, 0)).collect();
    follow(Path::default(), work, &mut found)?;
    Ok(found)
}

/// What is left to do: an operation, and the reads that decided that it is done.
#[derive(Clone, Copy)]
enum Step<'a> {
    Do(&'a Op, u64),
}

/// Goes on with `path` through what is left (the next step last).
fn follow(mut path: Path, mut left: Vec<Step<'_>>, found: &mut Vec<Path>) -> Result<(), String> {
    while let Some(Step::Do(op, ctrl)) = left.pop() {
        match op {
            Op::If { condition, then, otherwise } => {
                let value = path.value(condition);
                let ctrl = ctrl | path.depends[value];
                let mut other = (path.clone(), left.clone());
                other.0.assumptions.push((value, false));
                other.1.extend(otherwise.iter().rev().map(|op| Step::Do(op, ctrl)));
                path.assumptions.push((value, true));
                left.extend(then.iter().rev().map(|op| Step::Do(op, ctrl)));
                // What is known already need not be tried.
                if path.decided(value) != Some(false) {
                    follow(path, left, found)?;
                }
                if other.0.decided(value) != Some(true) {
                    follow(other.0, other.1, found)?;
                }
                return Ok(());
            }
            Op::CompareExchange(exchange) => {
                let mut failed = path.clone();
                failed.fails(exchange, ctrl);
                follow(failed, left.clone(), found)?;
                path.succeeds(exchange, ctrl);
            }
            simple => path.simple(simple, ctrl),
        }
        if path.events.len() >= super::relation::MOST_EVENTS {
            return Err(format!("a thread of more than {} events is not checked", super::relation::MOST_EVENTS));
        }
    }
    if found.len() == MOST_PATHS {
        return Err(format!("a thread with more than {MOST_PATHS} ways through it is not checked"));
    }
    found.push(path);
    Ok(())
}

/// A value, given what reads see and what the values before it are.
pub fn value_of(
    node: &Node,
    read: impl Fn(usize) -> Option<i32>,
    other: impl Fn(NodeId) -> Option<i32>,
) -> Option<i32> {
    let both = |a: NodeId, b: NodeId| other(a).zip(other(b));
    match node {
        Node::Constant(value) => Some(*value),
        Node::Read(event) => read(*event),
        Node::Not(inner) => other(*inner).map(|value| i32::from(value == 0)),
        Node::Binary(operator, a, b) => both(*a, *b).map(|(a, b)| operator.apply(a, b)),
        Node::Modified(Modification::Swap, _, operand) => other(*operand),
        Node::Modified(kind, old, operand) => both(*old, *operand).map(|(old, operand)| kind.apply(old, operand)),
    }
}

impl Path {
    fn node(&mut self, node: Node, depends: u64) -> NodeId {
        self.nodes.push(node);
        self.depends.push(depends);
        self.nodes.len() - 1
    }

    fn value(&mut self, value: &Expression) -> NodeId {
        match value {
            Expression::Constant(value) => self.node(Node::Constant(*value), 0),
            Expression::Register(register) => match self.registers.get(register) {
                Some(node) => *node,
                None => self.node(Node::Constant(0), 0),
            },
            Expression::Iteration => self.node(Node::Constant(0), 0),
            Expression::Not(inner) => {
                let inner = self.value(inner);
                self.node(Node::Not(inner), self.depends[inner])
            }
            Expression::Binary(operator, a, b) => {
                let (a, b) = (self.value(a), self.value(b));
                self.node(Node::Binary(*operator, a, b), self.depends[a] | self.depends[b])
            }
        }
    }

    /// What a value is already known to be, as a truth.
    fn decided(&self, value: NodeId) -> Option<bool> {
        (self.depends[value] == 0).then(|| self.evaluate(&|_| None)[value].is_some_and(|value| value != 0))
    }

    /// The reads of this path on which a value depends, by index.
    pub fn reads_behind(&self, node: NodeId) -> Vec<usize> {
        Set(self.depends[node]).iter().collect()
    }

    /// All values, given what each read sees; `None` where that is not known.
    /// A node stands behind those that it is made of, so one pass suffices.
    fn evaluate(&self, read: &dyn Fn(usize) -> Option<i32>) -> Vec<Option<i32>> {
        let mut values: Vec<Option<i32>> = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let value = value_of(node, read, |other| values[other]);
            values.push(value);
        }
        values
    }

    fn event(&mut self, kind: Kind, location: Location, order: Order, ctrl: u64) -> &mut PathEvent {
        self.events.push(PathEvent { kind, location, order, value: None, data: 0, ctrl, rmw: false });
        let last = self.events.len() - 1;
        &mut self.events[last]
    }

    fn read(&mut self, location: Location, order: Order, ctrl: u64) -> NodeId {
        self.event(Kind::Read, location, order, ctrl);
        let event = self.events.len() - 1;
        self.node(Node::Read(event), 1 << event)
    }

    fn write(&mut self, location: Location, order: Order, ctrl: u64, value: NodeId) -> &mut PathEvent {
        let data = self.depends[value];
        let event = self.event(Kind::Write, location, order, ctrl);
        (event.value, event.data) = (Some(value), data);
        event
    }

    fn simple(&mut self, op: &Op, ctrl: u64) {
        match op {
            Op::Set { to, value } => {
                let value = self.value(value);
                self.registers.insert(*to, value);
            }
            Op::Load { to, from, order } => {
                let value = self.read(*from, *order, ctrl);
                self.registers.insert(*to, value);
            }
            Op::Store { to, value, order } => {
                let value = self.value(value);
                self.write(*to, *order, ctrl, value);
            }
            Op::Modify { old, at, kind, operand, order } => {
                let operand = self.value(operand);
                let read = self.read(*at, *order, ctrl);
                let depends = match kind {
                    Modification::Swap => self.depends[operand],
                    _ => self.depends[operand] | self.depends[read],
                };
                let stored = self.node(Node::Modified(*kind, read, operand), depends);
                self.write(*at, *order, ctrl, stored).rmw = true;
                self.registers.insert(*old, read);
            }
            Op::Fence { order } => {
                self.event(Kind::Fence, Location(0), *order, ctrl);
            }
            // Taken apart by `follow`.
            Op::CompareExchange(_) | Op::If { .. } => {}
        }
    }

    fn succeeds(&mut self, exchange: &CompareExchange, ctrl: u64) {
        let (expected, desired) = (self.value(&exchange.expected), self.value(&exchange.desired));
        let read = self.read(exchange.at, exchange.order, ctrl);
        let depends = self.depends[expected] | self.depends[read];
        let equal = self.node(Node::Binary(Operator::Equal, read, expected), depends);
        self.assumptions.push((equal, true));
        self.write(exchange.at, exchange.order, ctrl, desired).rmw = true;
        self.result(exchange, read, 1, depends);
    }

    fn fails(&mut self, exchange: &CompareExchange, ctrl: u64) {
        let expected = self.value(&exchange.expected);
        let read = self.read(exchange.at, exchange.failure, ctrl);
        let depends = self.depends[expected] | self.depends[read];
        if !exchange.weak {
            let equal = self.node(Node::Binary(Operator::Equal, read, expected), depends);
            self.assumptions.push((equal, false));
        }
        self.result(exchange, read, 0, depends);
    }

    fn result(&mut self, exchange: &CompareExchange, read: NodeId, success: i32, depends: u64) {
        let success = self.node(Node::Constant(success), depends);
        self.registers.insert(exchange.old, read);
        self.registers.insert(exchange.success, success);
    }
}
