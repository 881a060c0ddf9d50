//! Atomic accesses, the locations they are to, and their orderings.

use super::error::Complaint;
use super::{Parsed, Parser};
use crate::backend::lab::litmus::ast::{CompareExchange, Expression, Location, Modification, Op, Register};
use crate::model::litmus::Order;
use crate::model::text::visible;

const ORDERS: &[(&str, Order)] = &[
    ("memory_order_relaxed", Order::Relaxed),
    ("memory_order_acquire", Order::Acquire),
    ("memory_order_release", Order::Release),
    ("memory_order_acq_rel", Order::AcqRel),
    ("memory_order_seq_cst", Order::SeqCst),
];

const FETCHES: &[(&str, Modification)] = &[
    ("atomic_exchange", Modification::Swap),
    ("atomic_fetch_add", Modification::Add),
    ("atomic_fetch_sub", Modification::Sub),
    ("atomic_fetch_and", Modification::And),
    ("atomic_fetch_or", Modification::Or),
    ("atomic_fetch_xor", Modification::Xor),
];

const ALL: &[Order] = &[Order::Relaxed, Order::Acquire, Order::Release, Order::AcqRel, Order::SeqCst];

impl Parser<'_> {
    /// `atomic_load…`, `atomic_exchange…`, `atomic_fetch_…`,
    /// `atomic_compare_exchange_…`: the register its result is in.
    pub(super) fn access_for_effect(&mut self, ops: &mut Vec<Op>) -> Parsed<Register> {
        let (offset, name) = self.word("an atomic access")?;
        let kind = name.strip_suffix("_explicit").unwrap_or(name);
        let fetch = FETCHES.iter().find(|(fetch, _)| *fetch == kind);
        if fetch.is_none()
            && !matches!(kind, "atomic_load" | "atomic_compare_exchange_strong" | "atomic_compare_exchange_weak")
        {
            let name = visible(name.as_bytes());
            return Err(Complaint::new(offset, format!("'{name}' is not an atomic access that can be read here")));
        }
        self.expect("(")?;
        let at = self.accessed()?;
        if kind == "atomic_load" {
            let order = self.order_argument(name, "a load", &[Order::Relaxed, Order::Acquire, Order::SeqCst])?;
            self.expect(")")?;
            let to = self.temporary(offset)?;
            self.push(offset, ops, Op::Load { to, from: at, order })?;
            return Ok(to);
        }
        self.expect(",")?;
        let Some((_, kind)) = fetch else { return self.compare_exchange(offset, name, at, ops) };
        let operand = self.expression(ops)?;
        let order = self.order_argument(name, "a read-modify-write", ALL)?;
        self.expect(")")?;
        let old = self.temporary(offset)?;
        self.push(offset, ops, Op::Modify { old, at, kind: *kind, operand, order })?;
        Ok(old)
    }

    /// The rest of a compare-exchange, from the pointer to the expected value
    /// on: a location (read plainly before, written plainly on failure) or the
    /// address of a register.
    fn compare_exchange(&mut self, offset: usize, name: &str, at: Location, ops: &mut Vec<Op>) -> Parsed<Register> {
        let (expected_in, expected_at) = if self.accept("&")? {
            let (offset, word) = self.word("a register's name")?;
            let known = self.registers.iter().position(|register| register == word);
            let missing = || Complaint::new(offset, format!("no register '{word}' in this thread"));
            (Register(known.ok_or_else(missing)?), None)
        } else {
            let from = self.pointer()?;
            let to = self.temporary(offset)?;
            self.push(offset, ops, Op::Load { to, from, order: Order::Plain })?;
            (to, Some(from))
        };
        self.expect(",")?;
        let desired = self.expression(ops)?;
        let order = self.order_argument(name, "a compare-exchange", ALL)?;
        let failure = self.order_argument(
            name,
            "the failure of a compare-exchange",
            &[Order::Relaxed, Order::Acquire, Order::SeqCst],
        )?;
        self.expect(")")?;
        let (old, success) = (self.temporary(offset)?, self.temporary(offset)?);
        let weak = name.contains("weak");
        let expected = Expression::Register(expected_in);
        let exchange = CompareExchange { success, old, at, expected, desired, order, failure, weak };
        self.push(offset, ops, Op::CompareExchange(exchange))?;
        // On failure the caller learns what the location held.
        let value = Expression::Register(old);
        let report = match expected_at {
            Some(to) => Op::Store { to, value, order: Order::Plain },
            None => Op::Set { to: expected_in, value },
        };
        let condition = Expression::Register(success);
        self.push(offset, ops, Op::If { condition, then: Vec::new(), otherwise: vec![report] })?;
        Ok(success)
    }

    /// The name of a location that is a parameter of this thread, in
    /// parentheses or not.
    pub(super) fn pointer(&mut self) -> Parsed<Location> {
        if self.accept("(")? {
            if self.is_type() {
                self.cast()?;
                return self.deeper(Self::pointer);
            }
            let inner = self.deeper(Self::pointer)?;
            self.not_displaced()?;
            self.expect(")")?;
            return Ok(inner);
        }
        self.accept("&")?;
        let (offset, word) = self.word("a shared location")?;
        let location = self.location_named(word).filter(|location| self.parameters.contains(location));
        location.ok_or_else(|| {
            let name = visible(word.as_bytes());
            Complaint::new(offset, format!("'{name}' is no parameter of this thread"))
        })
    }

    /// Refuses `x + (r0 ^ r0)` and `x[r0]` where a pointer was read.
    fn not_displaced(&self) -> Parsed<()> {
        if self.is("+") || self.is("-") || self.is("[") {
            let what = "addresses are not computed: an access names one location, with nothing added to it";
            return Err(Complaint::new(self.token.offset, what));
        }
        Ok(())
    }

    /// The location of an atomic access, its first argument.
    pub(super) fn accessed(&mut self) -> Parsed<Location> {
        let location = self.pointer()?;
        self.not_displaced()?;
        Ok(location)
    }

    /// `, memory_order_…` after the other arguments of `name`; `seq_cst` where
    /// the name is the short form.
    pub(super) fn order_argument(&mut self, name: &str, what: &str, permitted: &[Order]) -> Parsed<Order> {
        if !name.ends_with("_explicit") {
            return Ok(Order::SeqCst);
        }
        self.expect(",")?;
        let offset = self.token.offset;
        let order = self.order()?;
        if permitted.contains(&order) {
            return Ok(order);
        }
        let names: Vec<&str> =
            ORDERS.iter().filter(|(_, order)| permitted.contains(order)).map(|(name, _)| *name).collect();
        Err(Complaint::new(offset, format!("{what} cannot be ordered so; expected {}", names.join(", "))))
    }

    pub(super) fn order(&mut self) -> Parsed<Order> {
        let offset = self.token.offset;
        let (_, word) = self.word("a memory order")?;
        if word == "memory_order_consume" {
            let what = "memory_order_consume is not judged: C++ has given it up; \
                compilers make memory_order_acquire of it";
            return Err(Complaint::new(offset, what));
        }
        ORDERS.iter().find(|(name, _)| *name == word).map(|(_, order)| *order).ok_or_else(|| {
            let names: Vec<&str> = ORDERS.iter().map(|(name, _)| *name).collect();
            let word = visible(word.as_bytes());
            Complaint::new(offset, format!("'{word}' is no memory order; expected {}", names.join(", ")))
        })
    }
}
