//! A thread's body done by compiled code: the operations one by one, with Rust's
//! own atomics. Slower than machine code that is made for the test, and the
//! compiler has its say; for architectures without an assembler here.

use std::sync::atomic::{AtomicI32, Ordering, fence};

use super::{Body, LINE, Line};
use crate::backend::lab::litmus::ast::{CompareExchange, Expression, Location, Modification, Op, Register};
use crate::model::litmus::Order;

/// What is to be done, and where its values go.
#[derive(Debug)]
pub(super) struct Compiled {
    ops: Vec<Op>,
    registers: usize,
    outputs: Vec<Register>,
    /// Lines from one location to the next, and from one instance to the next.
    spacing: usize,
    stride: usize,
}

/// One iteration.
struct Turn<'a> {
    body: &'a Compiled,
    memory: &'a [Line],
    iteration: i32,
    registers: Vec<i32>,
}

impl Compiled {
    pub(super) fn new(body: &Body<'_>) -> Self {
        Compiled {
            ops: body.ops.to_vec(),
            registers: body.registers,
            outputs: body.outputs.to_vec(),
            spacing: body.spacing,
            stride: body.stride / LINE,
        }
    }

    pub(super) fn run(&self, memory: &[Line], out: &[AtomicI32], count: usize, first: i32) {
        let registers = vec![0; self.registers];
        let mut turn = Turn { body: self, memory, iteration: first, registers };
        for n in 0..count {
            turn.registers.fill(0);
            turn.memory = &memory[n * self.stride..];
            turn.iteration = first.wrapping_add(n as i32);
            turn.ops(&self.ops);
            for (index, register) in self.outputs.iter().enumerate() {
                out[n * self.outputs.len() + index].store(turn.registers[register.0], Ordering::Relaxed);
            }
        }
    }
}

impl Turn<'_> {
    fn ops(&mut self, ops: &[Op]) {
        for op in ops {
            self.op(op);
        }
    }

    fn op(&mut self, op: &Op) {
        match op {
            Op::Set { to, value } => self.registers[to.0] = self.value(value),
            Op::Load { to, from, order } => self.registers[to.0] = self.at(*from).load(load(*order)),
            Op::Store { to, value, order } => self.at(*to).store(self.value(value), store(*order)),
            Op::Modify { old, at, kind, operand, order } => {
                let (at, operand, order) = (self.at(*at), self.value(operand), modify(*order));
                self.registers[old.0] = match kind {
                    Modification::Swap => at.swap(operand, order),
                    Modification::Add => at.fetch_add(operand, order),
                    Modification::Sub => at.fetch_sub(operand, order),
                    Modification::And => at.fetch_and(operand, order),
                    Modification::Or => at.fetch_or(operand, order),
                    Modification::Xor => at.fetch_xor(operand, order),
                };
            }
            Op::CompareExchange(exchange) => self.compare_exchange(exchange),
            Op::Fence { order: Order::Plain | Order::Relaxed } => {}
            Op::Fence { order } => fence(modify(*order)),
            Op::If { condition, then, otherwise } => {
                if self.value(condition) == 0 {
                    self.ops(otherwise);
                } else {
                    self.ops(then);
                }
            }
        }
    }

    fn compare_exchange(&mut self, exchange: &CompareExchange) {
        let (expected, desired) = (self.value(&exchange.expected), self.value(&exchange.desired));
        let (at, order, failure) = (self.at(exchange.at), modify(exchange.order), load(exchange.failure));
        let found = if exchange.weak {
            at.compare_exchange_weak(expected, desired, order, failure)
        } else {
            at.compare_exchange(expected, desired, order, failure)
        };
        self.registers[exchange.success.0] = i32::from(found.is_ok());
        self.registers[exchange.old.0] = found.unwrap_or_else(|old| old);
    }

    fn at(&self, location: Location) -> &AtomicI32 {
        &self.memory[location.0 * self.body.spacing].value
    }

    fn value(&self, value: &Expression) -> i32 {
        match value {
            Expression::Iteration => self.iteration,
            other => other.evaluate(&|register| self.registers[register.0]),
        }
    }
}

fn load(order: Order) -> Ordering {
    match order {
        Order::SeqCst => Ordering::SeqCst,
        Order::Acquire | Order::AcqRel => Ordering::Acquire,
        Order::Plain | Order::Relaxed | Order::Release => Ordering::Relaxed,
    }
}

fn store(order: Order) -> Ordering {
    match order {
        Order::SeqCst => Ordering::SeqCst,
        Order::Release | Order::AcqRel => Ordering::Release,
        Order::Plain | Order::Relaxed | Order::Acquire => Ordering::Relaxed,
    }
}

fn modify(order: Order) -> Ordering {
    match order {
        Order::SeqCst => Ordering::SeqCst,
        Order::AcqRel => Ordering::AcqRel,
        Order::Acquire => Ordering::Acquire,
        Order::Release => Ordering::Release,
        Order::Plain | Order::Relaxed => Ordering::Relaxed,
    }
}
