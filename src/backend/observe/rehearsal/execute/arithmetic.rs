//! Sums, differences, shifts and logic, and the flags they set.

use iced_x86::{Mnemonic, OpKind, Register};

use super::Step;
use crate::backend::observe::rehearsal::Act;
use crate::backend::observe::rehearsal::machine::{Flags, THREAD};
use crate::backend::observe::rehearsal::value::Value;

/// Where a thread keeps what its functions protect their stack with.
const CANARY: u64 = 0x28;

impl Step<'_, '_> {
    pub(super) fn add(&mut self, one: Value, other: Value, size: usize, carry: Option<bool>) -> Value {
        let Some(carry) = carry else {
            self.machine.flags = Flags::default();
            return Value::UNKNOWN;
        };
        let sum = one.with(other, size, |a, b| a.wrapping_add(b).wrapping_add(u64::from(carry)));
        self.sign_and_zero(sum, size);
        let flags = match (one.get(size), other.get(size)) {
            (Some(a), Some(b)) => {
                let wide = u128::from(a) + u128::from(b) + u128::from(carry);
                let top = 1 << (8 * size - 1);
                let result = wide as u64;
                (Some(wide >> (8 * size) != 0), Some((a ^ result) & (b ^ result) & top != 0))
            }
            _ => (None, None),
        };
        (self.machine.flags.carry, self.machine.flags.overflow) = flags;
        sum
    }

    /// Sets the flags as a subtraction does; the difference.
    pub(super) fn compare(&mut self, one: Value, other: Value, size: usize) -> Value {
        self.subtract(one, other, size, Some(false))
    }

    pub(super) fn subtract(&mut self, one: Value, other: Value, size: usize, borrow: Option<bool>) -> Value {
        let Some(borrow) = borrow else {
            self.machine.flags = Flags::default();
            return Value::UNKNOWN;
        };
        let difference = one.with(other, size, |a, b| a.wrapping_sub(b).wrapping_sub(u64::from(borrow)));
        self.sign_and_zero(difference, size);
        // They differ in a bit that is known of both.
        if !borrow && self.machine.flags.zero.is_none() && (one ^ other).is_zero(size) == Some(false) {
            self.machine.flags.zero = Some(false);
        }
        let flags = match (one.get(size), other.get(size), difference.get(size)) {
            (Some(a), Some(b), Some(result)) => {
                let top = 1 << (8 * size - 1);
                let carry = u128::from(a) < u128::from(b) + u128::from(borrow);
                (Some(carry), Some((a ^ b) & (a ^ result) & top != 0))
            }
            _ => (None, None),
        };
        (self.machine.flags.carry, self.machine.flags.overflow) = flags;
        difference
    }

    pub(super) fn sign_and_zero(&mut self, result: Value, size: usize) {
        self.machine.flags.zero = result.is_zero(size);
        self.machine.flags.sign = result.bit(8 * size as u32 - 1);
        self.machine.flags.parity = result.get(1).map(|byte| byte.count_ones().is_multiple_of(2));
    }

    /// Whether both operands are the same, whatever they are: one register; or what a
    /// function has put on its stack and what it took that from, where it makes sure that
    /// nobody has written over it. If somebody had, the program would fail there.
    fn is_same(&self) -> bool {
        let kinds = (self.instruction.op_kind(0), self.instruction.op_kind(1));
        match kinds {
            (OpKind::Register, OpKind::Register) => self.instruction.op0_register() == self.instruction.op1_register(),
            (OpKind::Register, OpKind::Memory) => self.address(1) == Some(THREAD + CANARY),
            _ => false,
        }
    }

    pub(super) fn arithmetic(&mut self) -> Option<()> {
        use Mnemonic as M;
        let size = self.size(0);
        let (one, carry) = (self.read(0), self.machine.flags.carry);
        let unary = self.instruction.op_count() < 2;
        let other = if unary { Value::of(1) } else { self.read(1) };
        let is_same = !unary && self.is_same();
        let locked = self.instruction.has_lock_prefix();
        let mnemonic = self.instruction.mnemonic();
        let result = match mnemonic {
            M::Sub | M::Cmp if is_same => self.compare(Value::ZERO, Value::ZERO, size),
            M::Add => self.add(one, other, size, Some(false)),
            M::Adc => self.add(one, other, size, carry),
            M::Sub | M::Cmp => self.compare(one, other, size),
            M::Sbb => self.subtract(one, other, size, carry),
            M::Inc => self.add(one, other, size, Some(false)),
            M::Dec => self.compare(one, other, size),
            M::Neg => self.compare(Value::ZERO, one, size),
            _ => return None,
        };
        if matches!(mnemonic, M::Inc | M::Dec) {
            self.machine.flags.carry = carry;
        }
        if locked {
            let negative = Value::ZERO.with(other, size, u64::wrapping_sub);
            let act = match mnemonic {
                M::Add | M::Inc => Act::Add(other.get(size)),
                M::Sub | M::Dec => Act::Add(negative.get(size)),
                _ => Act::Other,
            };
            self.atomic(0, act)?;
        }
        if mnemonic == M::Cmp { Some(()) } else { self.write(0, result) }
    }

    pub(super) fn logic(&mut self) -> Option<()> {
        use Mnemonic as M;
        let size = self.size(0);
        let (one, other) = (self.read(0), self.read(1));
        let result = match self.instruction.mnemonic() {
            M::And | M::Test => one & other,
            M::Or => one | other,
            _ if self.is_same() => Value::ZERO,
            _ => one ^ other,
        };
        self.sign_and_zero(result, size);
        self.machine.flags.carry = Some(false);
        self.machine.flags.overflow = Some(false);
        if self.instruction.has_lock_prefix() {
            self.atomic(0, Act::Other)?;
        }
        if self.instruction.mnemonic() == M::Test { Some(()) } else { self.write(0, result) }
    }

    pub(super) fn shift(&mut self) -> Option<()> {
        let size = self.size(0);
        let value = self.read(0);
        let count = if self.instruction.op_count() > 1 { self.read(1).get(1) } else { Some(1) };
        let limit = if size == 8 { 63 } else { 31 };
        let result = match count.map(|count| count as u32 & limit) {
            Some(0) => return Some(()),
            Some(count) => match self.instruction.mnemonic() {
                Mnemonic::Shl | Mnemonic::Sal => value.left(count),
                Mnemonic::Shr => value.low(size).right(count),
                _ => Value::of(0).with_low(value.extended(size), 8).arithmetic_right(count),
            },
            None => Value::UNKNOWN,
        };
        self.machine.flags = Flags::default();
        self.sign_and_zero(result, size);
        self.write(0, result)
    }

    pub(super) fn multiply(&mut self) -> Option<()> {
        let size = self.size(0);
        let first = u32::from(self.instruction.op_count() == 3);
        let (one, other) = (self.read(first), self.read(first + 1));
        let product = one.with(other, size, u64::wrapping_mul);
        self.machine.flags = Flags::default();
        self.write(0, product)
    }

    pub(super) fn bit_test(&mut self) {
        let size = self.size(0);
        let carry = match self.read(1).get(1) {
            // In memory the bit may lie outside of the operand.
            Some(index) if self.instruction.op_kind(0) == OpKind::Register => {
                self.read(0).bit(index as u32 % (8 * size as u32))
            }
            _ => None,
        };
        self.machine.flags.carry = carry;
    }

    pub(super) fn widen(&mut self, from: Register, to: Register) {
        let value = self.machine.register(from).extended(from.size());
        self.machine.set_register(to, value);
    }
}

impl Value {
    /// The bits moved right, the sign repeated.
    fn arithmetic_right(self, count: u32) -> Value {
        match self.get(8) {
            Some(bits) => Value::of((bits.cast_signed() >> count).cast_unsigned()),
            None => Value::UNKNOWN,
        }
    }
}
