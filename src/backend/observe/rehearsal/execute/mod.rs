//! What one instruction does, as far as cleaning up needs it. An instruction
//! that is not understood makes its result unknown, or ends the rehearsal.

mod arithmetic;
mod moves;

use iced_x86::{ConditionCode, FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::machine::{Flags, Machine, Memory, THREAD};
use super::value::Value;
use super::{Act, Event};

/// How it goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
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
pub(super) fn execute(instruction: &Instruction, machine: &mut Machine, memory: &Memory<'_>) -> (Next, Option<Event>) {
    let mut step = Step { instruction, machine, memory, event: None };
    let next = match instruction.flow_control() {
        // A program may not do that: musl fails with it.
        _ if instruction.mnemonic() == Mnemonic::Hlt => Next::Trap,
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
            // Behind rt_sigreturn(2) goes on whatever the signal has interrupted.
            FlowControl::Call if self.returns_from_signal() => Next::Lost,
            FlowControl::Call if self.instruction.mnemonic() == Mnemonic::Syscall => {
                self.forget(&[Register::RAX, Register::RCX, Register::R11]);
                Next::Behind
            }
            FlowControl::Call => Next::Call(target),
            FlowControl::IndirectCall => self.read(0).get(8).map_or(Next::CallSomewhere, Next::Call),
            FlowControl::Return => Next::Return,
            FlowControl::Interrupt | FlowControl::Exception => Next::Trap,
            _ => Next::Lost,
        }
    }

    fn returns_from_signal(&self) -> bool {
        let number = libc::SYS_rt_sigreturn.cast_unsigned();
        self.instruction.mnemonic() == Mnemonic::Syscall && self.machine.register(Register::RAX).get(8) == Some(number)
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
            OpKind::Memory => match self.address(operand) {
                Some(address) => self.machine.store(self.memory, address, value, self.size(operand)),
                None => return self.machine.passes_over.then_some(()),
            },
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

    /// Those whose result goes to known registers; whether it is one.
    fn compute_in_place(&mut self) -> bool {
        use Mnemonic as M;
        match self.instruction.mnemonic() {
            M::Imul if self.instruction.op_count() > 1 => return false,
            M::Imul | M::Mul | M::Div | M::Idiv => self.forget(&[Register::RAX, Register::RDX]),
            M::Cdq | M::Cqo | M::Cwd => self.forget(&[Register::RDX]),
            M::Cdqe => self.widen(Register::EAX, Register::RAX),
            M::Cwde => self.widen(Register::AX, Register::EAX),
            M::Bt => self.bit_test(),
            _ => return false,
        }
        true
    }

    fn compute(&mut self) -> Option<()> {
        use Mnemonic as M;
        if self.compute_in_place() {
            return Some(());
        }
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
            M::Imul => self.multiply(),
            M::Movsb | M::Movsw | M::Movsq | M::Stosb | M::Stosw | M::Stosd | M::Stosq => self.string(),
            M::Movsd if self.instruction.op_kind(0) == OpKind::MemoryESRDI => self.string(),
            mnemonic => match mnemonic {
                _ if self.is_set() => self.set_on_condition(),
                _ if self.is_conditional_move() => self.move_on_condition(),
                _ => self.vector(mnemonic),
            },
        }
    }

    fn forget(&mut self, registers: &[Register]) {
        for &register in registers {
            self.machine.set_register(register, Value::UNKNOWN);
        }
        self.machine.flags = Flags::default();
    }

    fn stack(&self) -> Option<u64> {
        self.machine.register(Register::RSP).get(8)
    }

    /// An atomic access to memory at a known place, which whoever asks wants to
    /// hear of; at an unknown place, everything is.
    fn atomic(&mut self, operand: u32, act: Act) -> Option<()> {
        if self.instruction.op_kind(operand) == OpKind::Memory {
            let Some(address) = self.address(operand) else {
                // In none of these ways is a lock taken; by the last an Arc is asked whether
                // it is the only one.
                const ALONE: Act = Act::CompareExchange { expected: Some(1), new: Some(u64::MAX) };
                let leaves = matches!(act, Act::Exchange(Some(0 | 1)) | Act::Add(_)) || act == ALONE;
                return (self.machine.passes_over && leaves).then_some(());
            };
            let size = self.size(operand);
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
}

fn accumulator(size: usize) -> Register {
    match size {
        1 => Register::AL,
        2 => Register::AX,
        4 => Register::EAX,
        _ => Register::RAX,
    }
}

#[cfg(test)]
mod tests;
