//! Expressions, the atomic accesses inside them, and orderings.
//!
//! Precedence as in C: `||`, `&&`, `|`, `^`, `&`, equality, comparison, sums,
//! products, unary. A nested access becomes an operation of its own, in the
//! order in which it is written.

use super::error::Complaint;
use super::lexer::Kind;
use super::{Parsed, Parser};
use crate::backend::lab::litmus::ast::{CompareExchange, Expression, Location, Modification, Op, Operator, Register};
use crate::model::litmus::Order;
use crate::model::text::visible;

/// The binary operators, loosest first.
const LEVELS: &[&[(&str, Operator)]] = &[
    &[("|", Operator::Or)],
    &[("^", Operator::Xor)],
    &[("&", Operator::And)],
    &[("==", Operator::Equal), ("!=", Operator::Unequal)],
    &[("<", Operator::Less), ("<=", Operator::LessOrEqual), (">", Operator::Greater), (">=", Operator::GreaterOrEqual)],
    &[("+", Operator::Add), ("-", Operator::Sub)],
    &[("*", Operator::Mul)],
];

/// The same in Rust, where comparisons bind loosest.
const SHORT_LEVELS: &[&[(&str, Operator)]] = &[
    &[
        ("==", Operator::Equal),
        ("!=", Operator::Unequal),
        ("<", Operator::Less),
        ("<=", Operator::LessOrEqual),
        (">", Operator::Greater),
        (">=", Operator::GreaterOrEqual),
    ],
    &[("|", Operator::Or)],
    &[("^", Operator::Xor)],
    &[("&", Operator::And)],
    &[("+", Operator::Add), ("-", Operator::Sub)],
    &[("*", Operator::Mul)],
];

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

impl Parser<'_> {
    pub(super) fn expression(&mut self, ops: &mut Vec<Op>) -> Parsed<Expression> {
        self.deeper(|parser| parser.logical_or(ops))
    }

    fn logical_or(&mut self, ops: &mut Vec<Op>) -> Parsed<Expression> {
        let mut left = self.logical_and(ops)?;
        while self.is("||") {
            left = self.short_circuit(left, Operator::Or, Self::logical_and, ops)?;
        }
        Ok(left)
    }

    fn logical_and(&mut self, ops: &mut Vec<Op>) -> Parsed<Expression> {
        let mut left = self.level(0, ops)?;
        while self.is("&&") {
            left = self.short_circuit(left, Operator::And, |parser, ops| parser.level(0, ops), ops)?;
        }
        Ok(left)
    }

    /// `left && right` or `left || right`. Where the right side accesses memory
    /// it does so only if the left side has not decided: an `if` of its own.
    fn short_circuit(
        &mut self,
        left: Expression,
        operator: Operator,
        operand: impl FnOnce(&mut Self, &mut Vec<Op>) -> Parsed<Expression>,
        ops: &mut Vec<Op>,
    ) -> Parsed<Expression> {
        self.count_term()?;
        let offset = self.take()?.offset;
        let mut inside = Vec::new();
        let right = truth(operand(self, &mut inside)?);
        let left = truth(left);
        if inside.is_empty() {
            return Ok(binary(operator, left, right));
        }
        let to = self.temporary(offset)?;
        self.push(offset, ops, Op::Set { to, value: left })?;
        self.push(offset, &mut inside, Op::Set { to, value: right })?;
        let condition = Self::held(to);
        let (then, otherwise) = if operator == Operator::And { (inside, Vec::new()) } else { (Vec::new(), inside) };
        self.push(offset, ops, Op::If { condition, then, otherwise })?;
        Ok(Self::held(to))
    }

    fn level(&mut self, level: usize, ops: &mut Vec<Op>) -> Parsed<Expression> {
        let levels = if self.short { SHORT_LEVELS } else { LEVELS };
        let Some(operators) = levels.get(level) else { return self.unary(ops) };
        let mut left = self.level(level + 1, ops)?;
        while let Some((_, operator)) = operators.iter().find(|(symbol, _)| self.is(symbol)) {
            self.count_term()?;
            self.take()?;
            let right = self.level(level + 1, ops)?;
            left = binary(*operator, left, right);
        }
        Ok(left)
    }

    fn unary(&mut self, ops: &mut Vec<Op>) -> Parsed<Expression> {
        if self.short && self.is("!") {
            return Err(Complaint::new(self.token.offset, "write 'e == 0': '!' inverts bits in Rust"));
        }
        if self.accept("!")? {
            return self.deeper(|parser| Ok(Expression::Not(Box::new(parser.unary(ops)?))));
        }
        if self.accept("-")? {
            if let Kind::Number(value) = self.token.kind {
                self.take()?;
                // -2147483648 is the one number whose positive does not fit.
                return Ok(Expression::Constant((-value) as i32));
            }
            let zero = Expression::Constant(0);
            return self.deeper(|parser| Ok(binary(Operator::Sub, zero, parser.unary(ops)?)));
        }
        if self.accept("~")? {
            let ones = Expression::Constant(-1);
            return self.deeper(|parser| Ok(binary(Operator::Xor, parser.unary(ops)?, ones)));
        }
        if self.accept("+")? {
            return self.deeper(|parser| parser.unary(ops));
        }
        self.primary(ops)
    }

    fn primary(&mut self, ops: &mut Vec<Op>) -> Parsed<Expression> {
        if self.short {
            return self.short_primary(ops);
        }
        let offset = self.token.offset;
        match self.token.kind {
            Kind::Number(_) => Ok(Expression::Constant(self.integer()?)),
            Kind::Symbol("(") => {
                self.take()?;
                // A cast: every value is an int.
                if self.is_type() {
                    self.cast()?;
                    return self.deeper(|parser| parser.unary(ops));
                }
                let inner = self.expression(ops)?;
                self.expect(")")?;
                Ok(inner)
            }
            Kind::Symbol("*") => {
                self.take()?;
                let from = self.pointer()?;
                let to = self.temporary(offset)?;
                self.push(offset, ops, Op::Load { to, from, order: Order::Plain })?;
                Ok(Self::held(to))
            }
            Kind::Word(word) if word.starts_with("atomic_") => Ok(Self::held(self.access_for_effect(ops)?)),
            Kind::Word(word) => {
                let Some(register) = self.registers.iter().position(|register| register == word) else {
                    return Err(self.no_register(word));
                };
                self.take()?;
                Ok(Self::held(Register(register)))
            }
            _ => Err(self.unexpected("a value")),
        }
    }

    /// The rest of `(int)`, or of `(volatile int *)` before a pointer.
    fn cast(&mut self) -> Parsed<()> {
        if self.is_word("void") {
            self.take()?;
        }
        self.types()?;
        while self.accept("*")? {
            self.types()?;
        }
        self.expect(")")
    }

    fn no_register(&self, word: &str) -> Complaint {
        let name = visible(word.as_bytes());
        let what = if self.location_named(word).is_some() {
            format!("'{name}' is a shared location: read it with '*{name}' or 'atomic_load_explicit({name},…)'")
        } else {
            format!("no register '{name}' in this thread; expected a value")
        };
        Complaint::new(self.token.offset, what)
    }

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

const ALL: &[Order] = &[Order::Relaxed, Order::Acquire, Order::Release, Order::AcqRel, Order::SeqCst];

fn binary(operator: Operator, left: Expression, right: Expression) -> Expression {
    Expression::Binary(operator, Box::new(left), Box::new(right))
}

fn is_truth(value: &Expression) -> bool {
    match value {
        Expression::Not(_) => true,
        Expression::Binary(operator, ..) if operator.compares() => true,
        Expression::Binary(Operator::And | Operator::Or, a, b) => is_truth(a) && is_truth(b),
        _ => false,
    }
}

/// 1 where it is not 0.
fn truth(value: Expression) -> Expression {
    match value {
        truth @ Expression::Not(_) => truth,
        Expression::Binary(operator, a, b) if operator.compares() => Expression::Binary(operator, a, b),
        // `&&` and `||` of truths.
        Expression::Binary(operator @ (Operator::And | Operator::Or), a, b) if is_truth(&a) && is_truth(&b) => {
            Expression::Binary(operator, a, b)
        }
        other => binary(Operator::Unequal, other, Expression::Constant(0)),
    }
}

/// Where `value` is just what the last operation read, lets that operation put
/// it into `to` at once, so that `int r0 = atomic_load(x);` is one operation.
pub(super) fn redirect(ops: &mut [Op], value: &Expression, to: Register) -> bool {
    let Expression::Register(held) = value else { return false };
    match ops.last_mut() {
        Some(Op::Load { to: target, .. } | Op::Modify { old: target, .. }) if target == held => {
            *target = to;
            true
        }
        _ => false,
    }
}
