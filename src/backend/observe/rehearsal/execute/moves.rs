//! The stack, strings, and vector registers, by which structures are copied.

use iced_x86::{Mnemonic, OpKind, Register};

use super::{Act, Step};
use crate::backend::observe::rehearsal::machine::Flags;
use crate::backend::observe::rehearsal::value::Value;

/// Copies longer than this are not followed.
const LONGEST_COPY: u64 = 1 << 16;

impl Step<'_, '_> {
    pub(super) fn push(&mut self) -> Option<()> {
        let below = self.stack()?.wrapping_sub(8);
        let size = if self.instruction.op_kind(0) == OpKind::Register { self.size(0) } else { 8 };
        if size != 8 {
            return None;
        }
        let value = self.read(0);
        self.machine.store(self.memory, below, value, 8);
        self.machine.set_register(Register::RSP, Value::of(below));
        Some(())
    }

    pub(super) fn pop(&mut self) -> Option<()> {
        let at = self.stack()?;
        let value = self.machine.load(self.memory, at, 8);
        self.machine.set_register(Register::RSP, Value::of(at.wrapping_add(8)));
        self.write(0, value)
    }

    pub(super) fn leave(&mut self) -> Option<()> {
        let frame = self.machine.register(Register::RBP).get(8)?;
        let caller = self.machine.load(self.memory, frame, 8);
        self.machine.set_register(Register::RBP, caller);
        self.machine.set_register(Register::RSP, Value::of(frame.wrapping_add(8)));
        Some(())
    }

    /// `movs` and `stos`, repeated or not, forwards.
    pub(super) fn string(&mut self) -> Option<()> {
        use Mnemonic as M;
        let size = match self.instruction.mnemonic() {
            M::Movsb | M::Stosb => 1,
            M::Movsw | M::Stosw => 2,
            M::Movsd | M::Stosd => 4,
            _ => 8,
        };
        let repeats = self.instruction.has_rep_prefix() || self.instruction.has_repne_prefix();
        let count = if repeats { self.machine.register(Register::RCX).get(8)? } else { 1 };
        let to = self.machine.register(Register::RDI).get(8)?;
        let length = count.checked_mul(size).filter(|&length| length <= LONGEST_COPY)?;
        if matches!(self.instruction.mnemonic(), M::Stosb | M::Stosw | M::Stosd | M::Stosq) {
            let value = self.machine.register(Register::RAX);
            for index in 0..count {
                self.machine.store(self.memory, to.wrapping_add(index * size), value, size as usize);
            }
        } else {
            let from = self.machine.register(Register::RSI).get(8)?;
            // The processor copies one after the other: so does whoever overlaps.
            let overlaps = to > from && to - from < length;
            if overlaps {
                return None;
            }
            self.machine.copy(self.memory, from, to, length);
            self.machine.set_register(Register::RSI, Value::of(from.wrapping_add(length)));
        }
        self.machine.set_register(Register::RDI, Value::of(to.wrapping_add(length)));
        if repeats {
            self.machine.set_register(Register::RCX, Value::ZERO);
        }
        Some(())
    }

    /// Moves by vector registers, as structures are copied; of any other
    /// instruction the result is unknown.
    pub(super) fn vector(&mut self, mnemonic: Mnemonic) -> Option<()> {
        use Mnemonic as M;
        let whole = [M::Movups, M::Movaps, M::Movdqu, M::Movdqa, M::Movupd, M::Movapd];
        let wide = [M::Vmovups, M::Vmovaps, M::Vmovdqu, M::Vmovdqa, M::Vmovupd, M::Vmovapd];
        let is_move = whole.contains(&mnemonic) || wide.contains(&mnemonic);
        if is_move && self.instruction.op_count() == 2 && self.vector_size() == 16 {
            let value = self.read_vector(1);
            return self.write_vector(0, value);
        }
        let part = match mnemonic {
            M::Movq | M::Movsd | M::Vmovq | M::Vmovsd => Some(8),
            M::Movd | M::Movss | M::Vmovd | M::Vmovss => Some(4),
            _ => None,
        };
        if let (Some(size), 2) = (part, self.instruction.op_count()) {
            return self.move_part(size);
        }
        let clears = [M::Xorps, M::Xorpd, M::Pxor, M::Vxorps, M::Vxorpd, M::Vpxor];
        let last = self.instruction.op_count().checked_sub(1)?;
        let before = last.checked_sub(1)?;
        if clears.contains(&mnemonic)
            && self.instruction.op_kind(last) == OpKind::Register
            && self.instruction.op_register(before) == self.instruction.op_register(last)
        {
            let register = self.instruction.op_register(0);
            self.machine.set_vector(register, [Value::ZERO; 2]);
            return Some(());
        }
        self.unknown_result()
    }

    pub(super) fn vector_size(&self) -> usize {
        let of = |operand| self.instruction.op_kind(operand) == OpKind::Register;
        let register = u32::from(!of(0));
        self.instruction.op_register(register).size()
    }

    pub(super) fn read_vector(&self, operand: u32) -> [Value; 2] {
        if self.instruction.op_kind(operand) == OpKind::Register {
            return self.machine.vector(self.instruction.op_register(operand));
        }
        self.address(operand).map_or([Value::UNKNOWN; 2], |address| {
            [0, 8].map(|offset| self.machine.load(self.memory, address.wrapping_add(offset), 8))
        })
    }

    pub(super) fn write_vector(&mut self, operand: u32, value: [Value; 2]) -> Option<()> {
        if self.instruction.op_kind(operand) == OpKind::Register {
            let register = self.instruction.op_register(operand);
            self.machine.set_vector(register, value);
        } else {
            let Some(address) = self.address(operand) else { return self.machine.passes_over.then_some(()) };
            self.machine.store(self.memory, address, value[0], 8);
            self.machine.store(self.memory, address.wrapping_add(8), value[1], 8);
        }
        Some(())
    }

    /// The lowest four or eight bytes, between vectors, registers and memory.
    pub(super) fn move_part(&mut self, size: usize) -> Option<()> {
        let is_vector = |operand| {
            self.instruction.op_kind(operand) == OpKind::Register
                && self.instruction.op_register(operand).is_vector_register()
        };
        let (to_vector, from_vector) = (is_vector(0), is_vector(1));
        let value = if from_vector { self.machine.vector(self.instruction.op_register(1))[0] } else { self.read(1) };
        if !to_vector {
            return self.write(0, value.low(size));
        }
        let register = self.instruction.op_register(0);
        let scalar = matches!(self.instruction.mnemonic(), Mnemonic::Movsd | Mnemonic::Movss);
        let halves = if from_vector && scalar {
            let [low, high] = self.machine.vector(register);
            [low.with_low(value, size), high]
        } else {
            [value.low(size), Value::ZERO]
        };
        self.machine.set_vector(register, halves);
        Some(())
    }

    pub(super) fn unknown_result(&mut self) -> Option<()> {
        self.machine.flags = Flags::default();
        match self.instruction.op_kind(0) {
            OpKind::Register => {
                let register = self.instruction.op_register(0);
                if register.is_vector_register() {
                    self.machine.set_vector(register, [Value::UNKNOWN; 2]);
                } else if register.is_gpr() {
                    self.machine.set_register(register, Value::UNKNOWN);
                } else {
                    return None;
                }
            }
            OpKind::Memory => {
                if self.instruction.has_lock_prefix() {
                    // A register could tell of a bit of another word.
                    if !self.machine.passes_over || self.instruction.op1_kind() == OpKind::Register {
                        return None;
                    }
                    self.atomic(0, Act::Other)?;
                }
                let Some(address) = self.address(0) else { return self.machine.passes_over.then_some(()) };
                let size = self.size(0);
                self.machine.forget(self.memory, address, size as u64);
            }
            _ => return None,
        }
        Some(())
    }
}
