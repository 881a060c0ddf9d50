//! Values computed from registers, in `int` arithmetic that wraps.

use super::ast::Register;

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
