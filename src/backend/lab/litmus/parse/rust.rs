//! The short notation, as the panel shows a test and as Rust writes it:
//!
//! ```text
//! Rust SB "a headline"
//! { x = 0; y = 0; }
//! P0: x.store(1, Relaxed); let r0 = y.load(Relaxed);
//! P1: *d = 1; fence(SeqCst); if r0 == 1 { let r1 = x.swap(2, AcqRel); }
//! P2: let (ok, old) = x.compare_exchange_weak(0, 1, AcqRel, Relaxed);
//! exists (0:r0=0)
//! ```
//!
//! Each statement means what one of the C dialect means. A compare-exchange
//! gives 1 or 0 and what the location held.

use super::error::Complaint;
use super::expression::redirect;
use super::lexer::Kind;
use super::{Parsed, Parser};
use crate::backend::lab::litmus::ast::{CompareExchange, Expression, Location, Modification, Op, Register, Thread};
use crate::model::litmus::Order;
use crate::model::text::visible;

const FETCHES: [Modification; 6] =
    [Modification::Swap, Modification::Add, Modification::Sub, Modification::And, Modification::Or, Modification::Xor];
const ORDERS: &[Order] = &[Order::Relaxed, Order::Acquire, Order::Release, Order::AcqRel, Order::SeqCst];
const LOAD: &[Order] = &[Order::Relaxed, Order::Acquire, Order::SeqCst];
const STORE: &[Order] = &[Order::Relaxed, Order::Release, Order::SeqCst];
const FENCE: &[Order] = &[Order::Acquire, Order::Release, Order::AcqRel, Order::SeqCst];

impl Parser<'_> {
    /// `P0: …`, up to the next thread or the condition.
    pub(super) fn short_thread(&mut self) -> Parsed<()> {
        let number = self.begin_thread()?;
        self.lexer.in_body = true;
        self.expect(":")?;
        let mut body = Vec::new();
        self.initial_registers(number, &mut body)?;
        while !self.ends_short_thread() {
            self.short_statement(&mut body)?;
        }
        self.lexer.in_body = false;
        self.threads.push(Thread { registers: std::mem::take(&mut self.registers), body });
        Ok(())
    }

    fn ends_short_thread(&self) -> bool {
        match self.token.kind {
            Kind::Word("exists" | "forall" | "locations" | "filter") | Kind::Symbol("~") | Kind::End => true,
            Kind::Word(word) => super::body::thread_number(word).is_some(),
            _ => false,
        }
    }

    fn short_statement(&mut self, ops: &mut Vec<Op>) -> Parsed<()> {
        self.deeper(|parser| parser.short_statement_inside(ops))
    }

    fn short_statement_inside(&mut self, ops: &mut Vec<Op>) -> Parsed<()> {
        if self.accept(";")? {
            return Ok(());
        }
        let offset = self.token.offset;
        if self.accept("*")? {
            let to = self.place()?;
            self.expect("=")?;
            let value = self.expression(ops)?;
            self.push(offset, ops, Op::Store { to, value, order: Order::Plain })?;
            return self.expect(";");
        }
        match self.token.kind {
            Kind::Word("if") => self.short_if(ops),
            Kind::Word("while" | "for" | "loop") => {
                Err(Complaint::new(offset, "loops are not read: a litmus test is loop-free"))
            }
            Kind::Word("fence") => {
                self.take()?;
                self.expect("(")?;
                let order = self.short_order("a fence", FENCE)?;
                self.expect(")")?;
                self.push(offset, ops, Op::Fence { order })?;
                self.expect(";")
            }
            Kind::Word("let") => {
                self.take()?;
                if self.accept("(")? { self.short_exchange(ops) } else { self.short_assignment(ops) }
            }
            Kind::Word(word) => {
                let next = self.lexer.clone().next()?;
                if next.kind == Kind::Symbol(".") {
                    self.take()?;
                    self.take()?;
                    self.short_effect(offset, word, ops)
                } else {
                    self.short_assignment(ops)
                }
            }
            _ => Err(self.unexpected("a statement, the next thread, 'exists', '~exists' or 'forall'")),
        }
    }

    /// `r0 = …;`
    fn short_assignment(&mut self, ops: &mut Vec<Op>) -> Parsed<()> {
        let (offset, name) = self.word("a register's name")?;
        let to = self.register(offset, name)?;
        self.expect("=")?;
        let before = ops.len();
        let value = self.expression(ops)?;
        if ops.len() > before && redirect(ops, &value, to) {
            // The register that was made for the access is not needed.
            self.registers.pop();
        } else {
            self.push(offset, ops, Op::Set { to, value })?;
        }
        self.expect(";")
    }

    fn short_if(&mut self, ops: &mut Vec<Op>) -> Parsed<()> {
        let offset = self.take()?.offset;
        let condition = self.expression(ops)?;
        let then = self.short_block()?;
        let mut otherwise = Vec::new();
        if self.is_word("else") {
            self.take()?;
            if self.is_word("if") {
                self.deeper(|parser| parser.short_if(&mut otherwise))?;
            } else {
                otherwise = self.short_block()?;
            }
        }
        self.push(offset, ops, Op::If { condition, then, otherwise })
    }

    fn short_block(&mut self) -> Parsed<Vec<Op>> {
        let mut ops = Vec::new();
        self.expect("{")?;
        while !self.accept("}")? {
            self.short_statement(&mut ops)?;
        }
        Ok(ops)
    }

    /// `ok, old) = x.compare_exchange(…);`
    fn short_exchange(&mut self, ops: &mut Vec<Op>) -> Parsed<()> {
        let (offset, name) = self.word("a register's name")?;
        let success = self.register(offset, name)?;
        self.expect(",")?;
        let (at, name) = self.word("a register's name")?;
        let old = self.register(at, name)?;
        self.expect(")")?;
        self.expect("=")?;
        let at = self.place()?;
        self.expect(".")?;
        let (method, name) = self.word("compare_exchange")?;
        let weak = match name {
            "compare_exchange" => false,
            "compare_exchange_weak" => true,
            _ => return Err(Complaint::new(method, "expected compare_exchange or compare_exchange_weak")),
        };
        self.expect("(")?;
        let expected = self.expression(ops)?;
        self.expect(",")?;
        let desired = self.expression(ops)?;
        self.expect(",")?;
        let order = self.short_order("a compare-exchange", ORDERS)?;
        self.expect(",")?;
        let failure = self.short_order("the failure of a compare-exchange", LOAD)?;
        self.expect(")")?;
        let exchange = CompareExchange { success, old, at, expected, desired, order, failure, weak };
        self.push(offset, ops, Op::CompareExchange(exchange))?;
        self.expect(";")
    }

    /// `x.store(1, Relaxed);`, or an access whose result is dropped; up to the
    /// dot it has been read.
    fn short_effect(&mut self, offset: usize, word: &str, ops: &mut Vec<Op>) -> Parsed<()> {
        if !self.is_word("store") {
            self.short_access(offset, word, ops)?;
            return self.expect(";");
        }
        self.take()?;
        let to = self.place_named(offset, word)?;
        self.expect("(")?;
        let value = self.expression(ops)?;
        self.expect(",")?;
        let order = self.short_order("a store", STORE)?;
        self.expect(")")?;
        self.push(offset, ops, Op::Store { to, value, order })?;
        self.expect(";")
    }

    /// A value, as [`Parser::primary`] reads one in C.
    pub(super) fn short_primary(&mut self, ops: &mut Vec<Op>) -> Parsed<Expression> {
        let offset = self.token.offset;
        match self.token.kind {
            Kind::Number(_) => Ok(Expression::Constant(self.integer()?)),
            Kind::Symbol("(") => {
                self.take()?;
                let inner = self.expression(ops)?;
                self.expect(")")?;
                Ok(inner)
            }
            Kind::Symbol("*") => {
                self.take()?;
                let from = self.place()?;
                let to = self.temporary(offset)?;
                self.push(offset, ops, Op::Load { to, from, order: Order::Plain })?;
                Ok(Expression::Register(to))
            }
            Kind::Word(word) => {
                self.take()?;
                if self.accept(".")? {
                    return Ok(Expression::Register(self.short_access(offset, word, ops)?));
                }
                let known = self.registers.iter().position(|register| register == word);
                let missing = || {
                    let name = visible(word.as_bytes());
                    Complaint::new(offset, format!("no register '{name}' in this thread; expected a value"))
                };
                known.map(|register| Expression::Register(Register(register))).ok_or_else(missing)
            }
            _ => Err(self.unexpected("a value")),
        }
    }

    /// `load(Relaxed)`, `swap(1, AcqRel)`, …: the register its result is in.
    fn short_access(&mut self, offset: usize, word: &str, ops: &mut Vec<Op>) -> Parsed<Register> {
        let at = self.place_named(offset, word)?;
        let (method, name) = self.word("load, store, swap or fetch_…")?;
        let fetch = FETCHES.iter().find(|fetch| fetch.rust() == name);
        if fetch.is_none() && name != "load" {
            let hint = if name.starts_with("compare_exchange") {
                "a compare-exchange gives two values: let (ok, old) = x.compare_exchange(…)".to_owned()
            } else {
                format!("'{}' is no access whose value can be used", visible(name.as_bytes()))
            };
            return Err(Complaint::new(method, hint));
        }
        self.expect("(")?;
        let Some(kind) = fetch else {
            let order = self.short_order("a load", LOAD)?;
            self.expect(")")?;
            let to = self.temporary(offset)?;
            self.push(offset, ops, Op::Load { to, from: at, order })?;
            return Ok(to);
        };
        let operand = self.expression(ops)?;
        self.expect(",")?;
        let order = self.short_order("a read-modify-write", ORDERS)?;
        self.expect(")")?;
        let old = self.temporary(offset)?;
        self.push(offset, ops, Op::Modify { old, at, kind: *kind, operand, order })?;
        Ok(old)
    }

    fn place(&mut self) -> Parsed<Location> {
        let (offset, word) = self.word("a shared location")?;
        self.place_named(offset, word)
    }

    fn place_named(&mut self, offset: usize, word: &str) -> Parsed<Location> {
        if self.registers.iter().any(|register| register == word) {
            let name = visible(word.as_bytes());
            return Err(Complaint::new(offset, format!("'{name}' is a register, and no shared location")));
        }
        self.location(offset, word)
    }

    /// `Relaxed`, or `Ordering::Relaxed`.
    fn short_order(&mut self, what: &str, permitted: &[Order]) -> Parsed<Order> {
        if self.is_word("Ordering") {
            self.take()?;
            self.expect(":")?;
            self.expect(":")?;
        }
        let (offset, word) = self.word("an ordering")?;
        let order = ORDERS.iter().copied().find(|order| order.rust() == word && permitted.contains(order));
        order.ok_or_else(|| {
            let names: Vec<&str> = permitted.iter().map(|order| order.rust()).collect();
            Complaint::new(offset, format!("{what} cannot be ordered so; expected {}", names.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests;
