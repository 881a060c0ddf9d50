//! Words of which some bits are not known.

use std::ops::{BitAnd, BitOr, BitXor, Not};

/// Up to 64 bits, each known or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Value {
    /// The known bits; 0 where not known.
    bits: u64,
    /// Which are known.
    known: u64,
}

/// The bits of so many bytes.
pub(super) fn mask(size: usize) -> u64 {
    if size >= 8 { u64::MAX } else { (1 << (8 * size)) - 1 }
}

impl Value {
    /// Nothing known.
    pub(super) const UNKNOWN: Value = Value { bits: 0, known: 0 };
    /// Every bit zero.
    pub(super) const ZERO: Value = Value { bits: 0, known: u64::MAX };

    /// All known.
    pub(super) const fn of(bits: u64) -> Self {
        Value { bits, known: u64::MAX }
    }

    /// The lowest `size` bytes, if all of them are known.
    pub(super) fn get(self, size: usize) -> Option<u64> {
        let mask = mask(size);
        (self.known & mask == mask).then_some(self.bits & mask)
    }

    /// All but the lowest `size` bytes made zero.
    pub(super) fn low(self, size: usize) -> Self {
        let mask = mask(size);
        Value { bits: self.bits & mask, known: self.known | !mask }
    }

    /// The lowest `size` bytes of `low`, the rest of this.
    pub(super) fn with_low(self, low: Value, size: usize) -> Self {
        let mask = mask(size);
        Value { bits: self.bits & !mask | low.bits & mask, known: self.known & !mask | low.known & mask }
    }

    /// The sign of the lowest `size` bytes repeated to the left.
    pub(super) fn extended(self, size: usize) -> Self {
        let Some(shift) = 64_u32.checked_sub(8 * size as u32) else { return self };
        let spread = |bits: u64| ((bits << shift) as i64 >> shift).cast_unsigned();
        Value { bits: spread(self.bits), known: spread(self.known) }
    }

    /// What two have in common.
    pub(super) fn agreed(self, other: Value) -> Self {
        let known = self.known & other.known & !(self.bits ^ other.bits);
        Value { bits: self.bits & known, known }
    }

    /// The bits moved left.
    pub(super) fn left(self, count: u32) -> Self {
        Value { bits: self.bits << count, known: self.known << count | ((1 << count) - 1) }
    }

    /// The bits moved right, zeros after them.
    pub(super) fn right(self, count: u32) -> Self {
        Value { bits: self.bits >> count, known: self.known >> count | !(u64::MAX >> count) }
    }

    /// Bit `index`, if known.
    pub(super) fn bit(self, index: u32) -> Option<bool> {
        (self.known >> index & 1 == 1).then_some(self.bits >> index & 1 == 1)
    }

    /// With the lowest `size` bytes of another in place of those from `index` on.
    pub(super) fn with_bytes(self, other: Value, index: usize, size: usize) -> Self {
        let (shift, there) = (8 * index as u32, mask(size) << (8 * index));
        let other = other.left(shift);
        Value { bits: self.bits & !there | other.bits & there, known: self.known & !there | other.known & there }
    }

    /// Whether the lowest `size` bytes are all zero, if that is known.
    pub(super) fn is_zero(self, size: usize) -> Option<bool> {
        if self.bits & mask(size) != 0 { Some(false) } else { self.get(size).map(|bits| bits == 0) }
    }

    /// A function of two numbers, where both are known in their lowest `size`
    /// bytes.
    pub(super) fn with(self, other: Value, size: usize, function: impl Fn(u64, u64) -> u64) -> Value {
        match (self.get(size), other.get(size)) {
            (Some(one), Some(other)) => Value::of(function(one, other) & mask(size)),
            _ => Value::UNKNOWN,
        }
    }
}

impl BitAnd for Value {
    type Output = Value;

    fn bitand(self, other: Value) -> Value {
        let zero = self.known & !self.bits | other.known & !other.bits;
        Value { bits: self.bits & other.bits, known: self.known & other.known | zero }
    }
}

impl BitOr for Value {
    type Output = Value;

    fn bitor(self, other: Value) -> Value {
        Value { bits: self.bits | other.bits, known: self.known & other.known | self.bits | other.bits }
    }
}

impl BitXor for Value {
    type Output = Value;

    fn bitxor(self, other: Value) -> Value {
        let known = self.known & other.known;
        Value { bits: (self.bits ^ other.bits) & known, known }
    }
}

impl Not for Value {
    type Output = Value;

    fn not(self) -> Value {
        Value { bits: !self.bits & self.known, known: self.known }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_one_side_decides_is_known() {
        let half = Value::UNKNOWN.with_low(Value::of(0xf0), 1);
        assert_eq!(half.get(1), Some(0xf0));
        assert_eq!(half.get(2), None);
        assert_eq!((half & Value::of(0xff)).get(8), Some(0xf0));
        assert_eq!((half | Value::of(u64::MAX)).get(8), Some(u64::MAX));
        assert_eq!((half ^ Value::ZERO).get(2), None);
        assert_eq!(half.is_zero(8), Some(false));
        assert_eq!(Value::UNKNOWN.is_zero(1), None);
        assert_eq!(Value::of(0x80).extended(1).get(8), Some(0xffff_ffff_ffff_ff80));
        assert_eq!(Value::UNKNOWN.low(4).right(32).get(8), Some(0));
        let one = Value::of(0x1122_3344_5566_7788);
        assert_eq!(one.with_bytes(Value::of(0xaabb), 2, 2).get(8), Some(0x1122_3344_aabb_7788));
        assert_eq!(one.with_bytes(Value::UNKNOWN, 7, 1).get(7), Some(0x22_3344_5566_7788));
        assert_eq!(one.with_bytes(Value::UNKNOWN, 7, 1).get(8), None);
    }

    proptest! {
        #[test]
        fn whatever_the_unknown_bits_are_the_known_ones_are_right(a: u64, b: u64, ka: u64, kb: u64, count in 0_u32..64) {
            let value = |bits: u64, known: u64| Value { bits: bits & known, known };
            let (x, y) = (value(a, ka), value(b, kb));
            let holds = |got: Value, truth: u64| got.bits == truth & got.known;
            prop_assert!(holds(x & y, a & b));
            prop_assert!(holds(x | y, a | b));
            prop_assert!(holds(x ^ y, a ^ b));
            prop_assert!(holds(!x, !a));
            prop_assert!(holds(x.left(count), a << count));
            prop_assert!(holds(x.right(count), a >> count));
            prop_assert!(holds(x.low(2), a & 0xffff));
            prop_assert!(holds(x.extended(4), i64::from(a as i32).cast_unsigned()));
        }
    }
}
