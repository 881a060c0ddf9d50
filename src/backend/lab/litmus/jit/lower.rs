//! From operations to instructions, the same way for every architecture: an
//! accumulator, registers of the test in machine registers as far as they go
//! and on the stack beyond, and a [`Target`] that knows the instructions.

use std::fmt::Write;

use super::{Body, LINE, MachineCode};
use crate::backend::lab::litmus::ast::{CompareExchange, Expression, Location, Modification, Op, Operator, Register};
use crate::model::Fault;
use crate::model::litmus::{Instruction, Order};

/// Where a register of the test lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the n-th machine register that the target keeps for this.
    Machine(usize),
    /// On the stack, at this offset from the stack pointer.
    Stack(u32),
}

/// The right side of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// A number.
    Constant(i32),
    /// A register of the test, or a value put aside.
    Place(Place),
    /// The iteration's number.
    Iteration,
}

/// Each instruction's offset and text.
pub(super) type Texts = Vec<(usize, String)>;

/// A jump's target, in the target's own counting.
pub(super) type Label = dynasmrt::DynamicLabel;

/// A jump's target as text, until [`resolve`] knows where it is.
pub(super) fn name(label: Label) -> String {
    format!("@{}", label.get_id())
}

/// Writes the offsets of labels where [`name`] has put a sign for them.
pub(super) fn resolve(mut texts: Texts, bound: &[(Label, usize)]) -> Texts {
    for (_, text) in &mut texts {
        let Some(at) = text.find('@') else { continue };
        if let Some((_, offset)) = bound.iter().find(|(label, _)| text[at..] == name(*label)) {
            text.truncate(at);
            let _ = write!(text, "{offset:#x}");
        }
    }
    texts
}

/// What an architecture can emit. `A` is its accumulator, a machine register
/// that holds no register of the test.
pub(super) trait Target {
    /// How many registers of the test fit into machine registers.
    const MACHINE_REGISTERS: usize;

    fn new() -> Self;
    /// Saves what the calling convention wants kept, and makes `stack` bytes
    /// of room, a multiple of 16.
    fn prologue(&mut self, stack: u32);
    /// Steps to the next iteration and jumps to `again` while there is one.
    fn step(&mut self, stride: usize, outputs: usize, again: Label);
    /// Restores and returns.
    fn epilogue(&mut self, stack: u32);
    /// Sets a register of the test to 0.
    fn clear(&mut self, place: Place);
    /// A = source
    fn get(&mut self, source: Source);
    /// place = A
    fn put(&mut self, place: Place);
    /// A = A operator source
    fn operate(&mut self, operator: Operator, source: Source);
    /// A = (A == 0)
    fn not(&mut self);
    /// place = memory[offset]
    fn load(&mut self, place: Place, offset: u32, order: Order);
    /// memory[offset] = source
    fn store(&mut self, source: Source, offset: u32, order: Order);
    /// memory[offset] = A
    fn store_accumulator(&mut self, offset: u32, order: Order);
    /// A = memory[offset], which becomes (memory[offset] kind A)
    fn modify(&mut self, kind: Modification, offset: u32, order: Order);
    /// Keeps A as the value that the next compare-exchange stores.
    fn desire(&mut self);
    /// Where memory[offset] == A, stores the desired value. A = what was read;
    /// success = whether it was equal.
    fn compare_exchange(&mut self, success: Place, offset: u32, order: Order, failure: Order);
    /// A fence.
    fn fence(&mut self, order: Order);
    /// out[index] = place
    fn output(&mut self, index: usize, place: Place);
    fn label(&mut self) -> Label;
    fn bind(&mut self, label: Label);
    fn jump(&mut self, to: Label);
    /// Jumps where A is 0.
    fn jump_if_zero(&mut self, to: Label);
    /// How many bytes were emitted so far.
    fn offset(&self) -> usize;
    /// The code, and each instruction's offset and text.
    fn finish(self) -> Result<(Vec<u8>, Texts), Fault>;
}

/// Assembles a body for the target `T`.
pub(super) fn lower<T: Target>(body: &Body<'_>) -> Result<MachineCode, Fault> {
    let spilled = body.registers.saturating_sub(T::MACHINE_REGISTERS);
    let mut lowering =
        Lowering { target: T::new(), apart: (body.spacing * LINE) as u32, put_aside: spilled as u32 * 4, deepest: 0 };
    let room = (lowering.put_aside + 4 * deepest(body.ops) + 15) & !15;
    lowering.target.prologue(room);
    let again = lowering.target.label();
    lowering.target.bind(again);
    let begin = lowering.target.offset();
    for register in unassigned(body) {
        lowering.target.clear(Lowering::<T>::place(register));
    }
    lowering.ops(body.ops);
    debug_assert!(lowering.deepest <= deepest(body.ops));
    let end = lowering.target.offset();
    for (index, register) in body.outputs.iter().enumerate() {
        lowering.target.output(index, Lowering::<T>::place(*register));
    }
    lowering.target.step(body.stride, body.outputs.len(), again);
    lowering.target.epilogue(room);
    let (bytes, texts) = lowering.target.finish()?;
    let ends = texts.iter().skip(1).map(|(offset, _)| *offset).chain([bytes.len()]);
    let listing = texts.iter().zip(ends).map(|((offset, text), next)| Instruction {
        offset: *offset,
        bytes: bytes[*offset..next].to_vec(),
        text: text.clone(),
        body: (begin..end).contains(offset),
    });
    Ok(MachineCode { listing: listing.collect(), bytes })
}

struct Lowering<T> {
    target: T,
    /// Bytes from one location to the next.
    apart: u32,
    /// Where on the stack values are put aside: behind the spilled registers.
    put_aside: u32,
    deepest: u32,
}

impl<T: Target> Lowering<T> {
    fn place(register: Register) -> Place {
        match register.0.checked_sub(T::MACHINE_REGISTERS) {
            None => Place::Machine(register.0),
            Some(spilled) => Place::Stack(spilled as u32 * 4),
        }
    }

    fn ops(&mut self, ops: &[Op]) {
        for op in ops {
            self.op(op);
        }
    }

    fn op(&mut self, op: &Op) {
        match op {
            Op::Set { to, value } => {
                self.value(value, 0);
                self.target.put(Self::place(*to));
            }
            Op::Load { to, from, order } => self.target.load(Self::place(*to), self.at(*from), *order),
            Op::Store { to, value, order } => {
                if let Some(source) = Self::leaf(value) {
                    self.target.store(source, self.at(*to), *order);
                } else {
                    self.value(value, 0);
                    self.target.store_accumulator(self.at(*to), *order);
                }
            }
            Op::Modify { old, at: location, kind, operand, order } => {
                self.value(operand, 0);
                self.target.modify(*kind, self.at(*location), *order);
                self.target.put(Self::place(*old));
            }
            Op::CompareExchange(exchange) => self.compare_exchange(exchange),
            Op::Fence { order } => self.target.fence(*order),
            Op::If { condition, then, otherwise } => self.branch(condition, then, otherwise),
        }
    }

    fn compare_exchange(&mut self, exchange: &CompareExchange) {
        self.value(&exchange.desired, 0);
        self.target.desire();
        self.value(&exchange.expected, 0);
        let success = Self::place(exchange.success);
        self.target.compare_exchange(success, self.at(exchange.at), exchange.order, exchange.failure);
        self.target.put(Self::place(exchange.old));
    }

    fn branch(&mut self, condition: &Expression, then: &[Op], otherwise: &[Op]) {
        let (other, end) = (self.target.label(), self.target.label());
        self.value(condition, 0);
        self.target.jump_if_zero(other);
        self.ops(then);
        if !otherwise.is_empty() {
            self.target.jump(end);
        }
        self.target.bind(other);
        self.ops(otherwise);
        self.target.bind(end);
    }

    fn at(&self, location: Location) -> u32 {
        location.0 as u32 * self.apart
    }

    fn leaf(value: &Expression) -> Option<Source> {
        match value {
            Expression::Constant(value) => Some(Source::Constant(*value)),
            Expression::Register(register) => Some(Source::Place(Self::place(*register))),
            Expression::Iteration => Some(Source::Iteration),
            Expression::Not(_) | Expression::Binary(..) => None,
        }
    }

    /// A = value; up to `depth` values are put aside already.
    fn value(&mut self, value: &Expression, depth: u32) {
        if let Some(leaf) = Self::leaf(value) {
            return self.target.get(leaf);
        }
        match value {
            Expression::Not(inner) => {
                self.value(inner, depth);
                self.target.not();
            }
            Expression::Binary(operator, a, b) => {
                let right = Self::leaf(b).unwrap_or_else(|| {
                    let aside = Place::Stack(self.put_aside + 4 * depth);
                    self.deepest = self.deepest.max(depth + 1);
                    self.value(b, depth);
                    self.target.put(aside);
                    Source::Place(aside)
                });
                self.value(a, depth + u32::from(Self::leaf(b).is_none()));
                self.target.operate(*operator, right);
            }
            Expression::Constant(_) | Expression::Register(_) | Expression::Iteration => {}
        }
    }
}

/// How many values are put aside at once at most.
fn deepest(ops: &[Op]) -> u32 {
    ops.iter()
        .map(|op| match op {
            Op::Set { value, .. } | Op::Store { value, .. } | Op::Modify { operand: value, .. } => aside(value),
            Op::CompareExchange(exchange) => aside(&exchange.desired).max(aside(&exchange.expected)),
            Op::If { condition, then, otherwise } => aside(condition).max(deepest(then)).max(deepest(otherwise)),
            Op::Load { .. } | Op::Fence { .. } => 0,
        })
        .max()
        .unwrap_or(0)
}

fn aside(value: &Expression) -> u32 {
    match value {
        Expression::Not(inner) => aside(inner),
        Expression::Binary(_, a, b) if matches!(**b, Expression::Not(_) | Expression::Binary(..)) => {
            aside(b).max(1).max(1 + aside(a))
        }
        Expression::Binary(_, a, _) => aside(a),
        Expression::Constant(_) | Expression::Register(_) | Expression::Iteration => 0,
    }
}

/// The registers that may be read, or written out, before they are assigned:
/// they begin each iteration as 0.
fn unassigned(body: &Body<'_>) -> Vec<Register> {
    let mut assigned = vec![false; body.registers];
    let mut missing = vec![false; body.registers];
    follow(body.ops, &mut assigned, &mut missing);
    for output in body.outputs {
        missing[output.0] |= !assigned[output.0];
    }
    (0..body.registers).filter(|register| missing[*register]).map(Register).collect()
}

fn follow(ops: &[Op], assigned: &mut Vec<bool>, missing: &mut [bool]) {
    for op in ops {
        let mut reads = |value: &Expression, assigned: &[bool]| {
            value.registers(&mut |register| missing[register.0] |= !assigned[register.0]);
        };
        match op {
            Op::Set { to, value } => {
                reads(value, assigned);
                assigned[to.0] = true;
            }
            Op::Load { to, .. } => assigned[to.0] = true,
            Op::Store { value, .. } => reads(value, assigned),
            Op::Modify { old, operand, .. } => {
                reads(operand, assigned);
                assigned[old.0] = true;
            }
            Op::CompareExchange(exchange) => {
                reads(&exchange.expected, assigned);
                reads(&exchange.desired, assigned);
                assigned[exchange.old.0] = true;
                assigned[exchange.success.0] = true;
            }
            Op::Fence { .. } => {}
            Op::If { condition, then, otherwise } => {
                reads(condition, assigned);
                let mut other = assigned.clone();
                follow(then, assigned, missing);
                follow(otherwise, &mut other, missing);
                for (one, other) in assigned.iter_mut().zip(other) {
                    *one &= other;
                }
            }
        }
    }
}
