//! What one instruction does, as far as cleaning up needs it. An instruction
//! that is not understood makes its result unknown, or ends the rehearsal.

use iced_x86::{ConditionCode, FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::machine::{Flags, Machine, Memory, THREAD};
use super::value::Value;
use super::{Act, Event};

/// Copies longer than this are not followed.
const LONGEST_COPY: u64 = 1 << 16;

/// How it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// With the instruction behind.
    Behind,
    /// There.
    At(u64),
    /// Behind or there: it depends on something unknown.
    Either(u64),
    /// Into a function.
    Call(u64),
    /// Into a function that is not known.
    CallSomewhere,
    /// Back from a function.
    Return,
    /// The program would fail here.
    Trap,
    /// Nobody knows.
    Lost,
}

/// Does what `instruction` does; an access that is atomic comes with it.
pub fn execute(instruction: &Instruction, machine: &mut Machine, memory: &Memory<'_>) -> (Next, Option<Event>) {
    let mut step = Step { instruction, machine, memory, event: None };
    let next = match instruction.flow_control() {
        FlowControl::Next => step.compute().map_or(Next::Lost, |()| Next::Behind),
        _ => step.flow(),
    };
    (next, step.event)
}

struct Step<'s, 'r> {
    instruction: &'s Instruction,
    machine: &'s mut Machine,
    memory: &'s Memory<'r>,
    event: Option<Event>,
}

impl Step<'_, '_> {
    fn flow(&mut self) -> Next {
        let target = self.instruction.near_branch_target();
        let known = |value: Option<u64>, next: fn(u64) -> Next| value.map_or(Next::Lost, next);
        match self.instruction.flow_control() {
            FlowControl::UnconditionalBranch => Next::At(target),
            FlowControl::ConditionalBranch => match self.condition() {
                Some(true) => Next::At(target),
                Some(false) => Next::Behind,
                None => Next::Either(target),
            },
            FlowControl::IndirectBranch => known(self.read(0).get(8), Next::At),
            FlowControl::Call => Next::Call(target),
            FlowControl::IndirectCall => self.read(0).get(8).map_or(Next::CallSomewhere, Next::Call),
            FlowControl::Return => Next::Return,
            FlowControl::Interrupt | FlowControl::Exception => Next::Trap,
            _ => Next::Lost,
        }
    }

    fn size(&self, operand: u32) -> usize {
        match self.instruction.op_kind(operand) {
            OpKind::Register => self.instruction.op_register(operand).size(),
            _ => self.instruction.memory_size().size(),
        }
    }

    /// The address of a memory operand; `None` where it is unknown.
    fn address(&self, operand: u32) -> Option<u64> {
        self.instruction.virtual_address(operand, 0, |register, _, _| match register {
            Register::DS | Register::SS | Register::ES | Register::CS => Some(0),
            Register::FS => Some(THREAD),
            register if register.is_gpr() => self.machine.register(register).get(register.size()),
            _ => None,
        })
    }

    fn read(&self, operand: u32) -> Value {
        match self.instruction.op_kind(operand) {
            OpKind::Register => self.machine.register(self.instruction.op_register(operand)),
            OpKind::Memory => match self.address(operand) {
                Some(address) => self.machine.load(self.memory, address, self.size(operand)),
                None => Value::UNKNOWN,
            },
            _ => Value::of(self.instruction.immediate(operand)),
        }
    }

    /// `None` where nobody knows what is written over.
    fn write(&mut self, operand: u32, value: Value) -> Option<()> {
        match self.instruction.op_kind(operand) {
            OpKind::Register => self.machine.set_register(self.instruction.op_register(operand), value),
            OpKind::Memory => self.machine.store(self.address(operand)?, value, self.size(operand)),
            _ => return None,
        }
        Some(())
    }

    fn condition(&self) -> Option<bool> {
        let Flags { carry, zero, sign, overflow, parity } = self.machine.flags;
        let either = |one: Option<bool>, other: Option<bool>| match (one, other) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            _ => None,
        };
        let less = || Some(sign? != overflow?);
        match self.instruction.condition_code() {
            ConditionCode::o => overflow,
            ConditionCode::no => overflow.map(|flag| !flag),
            ConditionCode::b => carry,
            ConditionCode::ae => carry.map(|flag| !flag),
            ConditionCode::e => zero,
            ConditionCode::ne => zero.map(|flag| !flag),
            ConditionCode::be => either(carry, zero),
            ConditionCode::a => either(carry, zero).map(|flag| !flag),
            ConditionCode::s => sign,
            ConditionCode::ns => sign.map(|flag| !flag),
            ConditionCode::p => parity,
            ConditionCode::np => parity.map(|flag| !flag),
            ConditionCode::l => less(),
            ConditionCode::ge => less().map(|flag| !flag),
            ConditionCode::le => either(zero, less()),
            ConditionCode::g => either(zero, less()).map(|flag| !flag),
            ConditionCode::None => None,
        }
    }

    fn compute(&mut self) -> Option<()> {
        use Mnemonic as M;
        match self.instruction.mnemonic() {
            M::Nop | M::Endbr64 | M::Pause | M::Lfence | M::Mfence | M::Sfence => Some(()),
            M::Prefetcht0 | M::Prefetcht1 | M::Prefetcht2 | M::Prefetchnta | M::Prefetchw => Some(()),
            M::Mov if !self.instruction.op_register(0).is_segment_register() => self.write(0, self.read(1)),
            M::Movzx => self.write(0, self.read(1).low(self.size(1))),
            M::Movsx | M::Movsxd => self.write(0, self.read(1).extended(self.size(1))),
            M::Lea => {
                let address = self.address(1).map_or(Value::UNKNOWN, Value::of);
                self.write(0, address)
            }
            M::Push => self.push(),
            M::Pop => self.pop(),
            M::Leave => self.leave(),
            M::Xchg => self.exchange(),
            M::Cmpxchg => self.compare_exchange(),
            M::Xadd => self.exchange_add(),
            M::Add | M::Sub | M::Adc | M::Sbb | M::Cmp | M::Inc | M::Dec | M::Neg => self.arithmetic(),
            M::And | M::Or | M::Xor | M::Test => self.logic(),
            M::Not => self.write(0, !self.read(0)),
            M::Shl | M::Sal | M::Shr | M::Sar => self.shift(),
            M::Imul if self.instruction.op_count() > 1 => self.multiply(),
            M::Imul | M::Mul | M::Div | M::Idiv => self.forget(&[Register::RAX, Register::RDX]),
            M::Cdq | M::Cqo | M::Cwd => self.forget(&[Register::RDX]),
            M::Cdqe => self.widen(Register::EAX, Register::RAX),
            M::Cwde => self.widen(Register::AX, Register::EAX),
            M::Bt => self.bit_test(),
            M::Movsb | M::Movsw | M::Movsq | M::Stosb | M::Stosw | M::Stosd | M::Stosq => self.string(),
            M::Movsd if self.instruction.op_kind(0) == OpKind::MemoryESRDI => self.string(),
            mnemonic => match mnemonic {
                _ if self.is_set() => self.set_on_condition(),
                _ if self.is_conditional_move() => self.move_on_condition(),
                _ => self.vector(mnemonic),
            },
        }
    }

    fn forget(&mut self, registers: &[Register]) -> Option<()> {
        for &register in registers {
            self.machine.set_register(register, Value::UNKNOWN);
        }
        self.machine.flags = Flags::default();
        Some(())
    }

    fn stack(&self) -> Option<u64> {
        self.machine.register(Register::RSP).get(8)
    }

    fn push(&mut self) -> Option<()> {
        let below = self.stack()?.wrapping_sub(8);
        let size = if self.instruction.op_kind(0) == OpKind::Register { self.size(0) } else { 8 };
        if size != 8 {
            return None;
        }
        let value = self.read(0);
        self.machine.store(below, value, 8);
        self.machine.set_register(Register::RSP, Value::of(below));
        Some(())
    }

    fn pop(&mut self) -> Option<()> {
        let at = self.stack()?;
        let value = self.machine.load(self.memory, at, 8);
        self.machine.set_register(Register::RSP, Value::of(at.wrapping_add(8)));
        self.write(0, value)
    }

    fn leave(&mut self) -> Option<()> {
        let frame = self.machine.register(Register::RBP).get(8)?;
        let caller = self.machine.load(self.memory, frame, 8);
        self.machine.set_register(Register::RBP, caller);
        self.machine.set_register(Register::RSP, Value::of(frame.wrapping_add(8)));
        Some(())
    }

    fn widen(&mut self, from: Register, to: Register) -> Option<()> {
        let value = self.machine.register(from).extended(from.size());
        self.machine.set_register(to, value);
        Some(())
    }

    /// An atomic access to memory at a known place, which whoever asks wants to
    /// hear of; at an unknown place, everything is.
    fn atomic(&mut self, operand: u32, act: Act) -> Option<()> {
        if self.instruction.op_kind(operand) == OpKind::Memory {
            let (address, size) = (self.address(operand)?, self.size(operand));
            self.event = Some(Event { address, size, act, pc: self.instruction.ip() });
        }
        Some(())
    }

    fn exchange(&mut self) -> Option<()> {
        let (one, other) = (self.read(0), self.read(1));
        let size = self.size(0);
        self.atomic(0, Act::Exchange(other.get(size)))?;
        self.write(1, one)?;
        self.write(0, other)
    }

    fn compare_exchange(&mut self) -> Option<()> {
        let size = self.size(0);
        let accumulator = accumulator(size);
        let (there, expected, new) = (self.read(0), self.machine.register(accumulator), self.read(1));
        self.atomic(0, Act::CompareExchange { expected: expected.get(size), new: new.get(size) })?;
        self.compare(expected, there, size);
        match (there.get(size), expected.get(size)) {
            (Some(there), Some(expected)) if there == expected => self.write(0, new),
            (Some(_), Some(_)) => {
                self.machine.set_register(accumulator, there);
                Some(())
            }
            _ => {
                self.machine.set_register(accumulator, Value::UNKNOWN);
                self.write(0, Value::UNKNOWN)
            }
        }
    }

    fn exchange_add(&mut self) -> Option<()> {
        let size = self.size(0);
        let (there, more) = (self.read(0), self.read(1));
        self.atomic(0, Act::Add(more.get(size)))?;
        let sum = self.add(there, more, size, Some(false));
        self.write(1, there)?;
        self.write(0, sum)
    }

    fn add(&mut self, one: Value, other: Value, size: usize, carry: Option<bool>) -> Value {
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
    fn compare(&mut self, one: Value, other: Value, size: usize) -> Value {
        self.subtract(one, other, size, Some(false))
    }

    fn subtract(&mut self, one: Value, other: Value, size: usize, borrow: Option<bool>) -> Value {
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

    fn sign_and_zero(&mut self, result: Value, size: usize) {
        self.machine.flags.zero = result.is_zero(size);
        self.machine.flags.sign = result.bit(8 * size as u32 - 1);
        self.machine.flags.parity = result.get(1).map(|byte| byte.count_ones().is_multiple_of(2));
    }

    fn arithmetic(&mut self) -> Option<()> {
        use Mnemonic as M;
        let size = self.size(0);
        let (one, carry) = (self.read(0), self.machine.flags.carry);
        let unary = self.instruction.op_count() < 2;
        let other = if unary { Value::of(1) } else { self.read(1) };
        let is_self = !unary
            && self.instruction.op_kind(1) == OpKind::Register
            && self.instruction.op_kind(0) == OpKind::Register
            && self.instruction.op_register(0) == self.instruction.op_register(1);
        let locked = self.instruction.has_lock_prefix();
        let mnemonic = self.instruction.mnemonic();
        let result = match mnemonic {
            M::Sub | M::Cmp if is_self => self.compare(Value::ZERO, Value::ZERO, size),
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

    fn logic(&mut self) -> Option<()> {
        use Mnemonic as M;
        let size = self.size(0);
        let (one, other) = (self.read(0), self.read(1));
        let is_self = self.instruction.op_kind(0) == OpKind::Register
            && self.instruction.op_kind(1) == OpKind::Register
            && self.instruction.op_register(0) == self.instruction.op_register(1);
        let result = match self.instruction.mnemonic() {
            M::And | M::Test => one & other,
            M::Or => one | other,
            _ if is_self => Value::ZERO,
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

    fn shift(&mut self) -> Option<()> {
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

    fn multiply(&mut self) -> Option<()> {
        let size = self.size(0);
        let first = if self.instruction.op_count() == 3 { 1 } else { 0 };
        let (one, other) = (self.read(first), self.read(first + 1));
        let product = one.with(other, size, u64::wrapping_mul);
        self.machine.flags = Flags::default();
        self.write(0, product)
    }

    fn bit_test(&mut self) -> Option<()> {
        let size = self.size(0);
        let carry = match self.read(1).get(1) {
            // In memory the bit may lie outside of the operand.
            Some(index) if self.instruction.op_kind(0) == OpKind::Register => {
                self.read(0).bit(index as u32 % (8 * size as u32))
            }
            _ => None,
        };
        self.machine.flags.carry = carry;
        Some(())
    }

    fn is_set(&self) -> bool {
        self.instruction.condition_code() != ConditionCode::None
            && self.instruction.op_count() == 1
            && self.size(0) == 1
    }

    fn set_on_condition(&mut self) -> Option<()> {
        let value = match self.condition() {
            Some(is) => Value::of(u64::from(is)),
            // One bit, whichever it is.
            None => Value::UNKNOWN & Value::of(1),
        };
        self.write(0, value)
    }

    fn is_conditional_move(&self) -> bool {
        self.instruction.condition_code() != ConditionCode::None && self.instruction.op_count() == 2
    }

    fn move_on_condition(&mut self) -> Option<()> {
        let (old, new) = (self.read(0), self.read(1));
        let value = match self.condition() {
            Some(true) => new,
            Some(false) => old,
            None if old == new => old,
            None => Value::UNKNOWN,
        };
        self.write(0, value)
    }

    /// `movs` and `stos`, repeated or not, forwards.
    fn string(&mut self) -> Option<()> {
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
                self.machine.store(to.wrapping_add(index * size), value, size as usize);
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
    fn vector(&mut self, mnemonic: Mnemonic) -> Option<()> {
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

    fn vector_size(&self) -> usize {
        let of = |operand| self.instruction.op_kind(operand) == OpKind::Register;
        let register = if of(0) { 0 } else { 1 };
        self.instruction.op_register(register).size()
    }

    fn read_vector(&self, operand: u32) -> [Value; 2] {
        if self.instruction.op_kind(operand) == OpKind::Register {
            return self.machine.vector(self.instruction.op_register(operand));
        }
        self.address(operand).map_or([Value::UNKNOWN; 2], |address| {
            [0, 8].map(|offset| self.machine.load(self.memory, address.wrapping_add(offset), 8))
        })
    }

    fn write_vector(&mut self, operand: u32, value: [Value; 2]) -> Option<()> {
        if self.instruction.op_kind(operand) == OpKind::Register {
            let register = self.instruction.op_register(operand);
            self.machine.set_vector(register, value);
        } else {
            let address = self.address(operand)?;
            self.machine.store(address, value[0], 8);
            self.machine.store(address.wrapping_add(8), value[1], 8);
        }
        Some(())
    }

    /// The lowest four or eight bytes, between vectors, registers and memory.
    fn move_part(&mut self, size: usize) -> Option<()> {
        let is_vector = |operand| {
            self.instruction.op_kind(operand) == OpKind::Register
                && self.instruction.op_register(operand).is_vector_register()
        };
        let (to_vector, from_vector) = (is_vector(0), is_vector(1));
        let value = if from_vector {
            self.machine.vector(self.instruction.op_register(1))[0]
        } else {
            self.read(1)
        };
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

    fn unknown_result(&mut self) -> Option<()> {
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
            OpKind::Memory if self.instruction.has_lock_prefix() => return None,
            OpKind::Memory => {
                let (address, size) = (self.address(0)?, self.size(0));
                self.machine.forget(address, size as u64);
            }
            _ => return None,
        }
        Some(())
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

fn accumulator(size: usize) -> Register {
    match size {
        1 => Register::AL,
        2 => Register::AX,
        4 => Register::EAX,
        _ => Register::RAX,
    }
}

