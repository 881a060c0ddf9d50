//! Expressions.
//!
//! Precedence as in C: `||`, `&&`, `|`, `^`, `&`, equality, comparison, sums,
//! products, unary. A nested access becomes an operation of its own, in the
//! order in which it is written.

use super::error::Complaint;
use super::lexer::Kind;
use super::{Parsed, Parser};
use crate::backend::lab::litmus::ast::{Expression, Op, Operator, Register};
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
    pub(super) fn cast(&mut self) -> Parsed<()> {
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
}

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
