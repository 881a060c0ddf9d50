//! Whether a thread that waits for a lock can be asked by its landing pads whether
//! it holds that lock itself.
//!
//! A guard that is alive where the lock is taken a second time means that it is
//! held, but for one case: a condition variable lets go of the lock while the guard
//! lives on, and takes it again. Its function may be seen on the stack, or have been
//! put into another by the compiler, which then waits itself:
//!
//! ```text
//! lock_contended ◄── sys Condvar::wait ◄── program             by its name
//! lock_contended ◄── program: call futex_wait … lock_contended  by its code
//! ```

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};

use crate::backend::observe::rehearsal::Stage;
use crate::backend::observe::target::stack::stub_slot;
use crate::backend::observe::target::unwind::{Frame, Walk};
use crate::backend::observe::wait::CodeOf;
use crate::model::sorting;
use crate::model::wait::WaitKind;

/// A longer function is not looked through.
const LONGEST: u64 = 64 << 10;
/// What the standard library takes a lock with, if it is not free.
const SLOW: [&str; 3] = ["14lock_contended", "14read_contended", "15write_contended"];
/// `FUTEX_WAKE` and what may stand beside it.
const WAKE: u64 = 1;
const PRIVATE: u64 = 0x80;
/// And runs an initialisation with.
const ONCE: &str = "4Once4call";

/// How many of the innermost frames may be believed: in those outside of them a
/// guard may be alive without its lock being held.
pub(super) fn believed(code: &CodeOf<'_>, walk: &Walk, kind: Option<WaitKind>) -> usize {
    use WaitKind::{RustMutex, RustOnce, RustRwlockRead, RustRwlockWrite};
    // Other libraries' guards can be parted from their locks by the program.
    if !matches!(kind, Some(RustMutex | RustOnce | RustRwlockRead | RustRwlockWrite)) {
        return 0;
    }
    // No condition variable lets go of one.
    if matches!(kind, Some(RustRwlockRead | RustRwlockWrite)) {
        return walk.frames.len();
    }
    let mut taken = None;
    for (depth, frame) in walk.frames.iter().enumerate() {
        let function = code.stage.function(frame.registers.pc.saturating_sub(1));
        let name = function.name.as_deref().unwrap_or("");
        if name.contains("ondvar") {
            return depth;
        }
        let slow = SLOW.iter().any(|part| name.contains(part)) || name.contains(ONCE);
        if slow {
            taken = Some(depth);
        } else if taken == Some(depth.wrapping_sub(1)) && waits(code, frame) {
            return depth;
        }
    }
    if taken.is_some() { walk.frames.len() } else { 0 }
}

/// Whether a function calls what sleeps on a futex.
fn waits(code: &CodeOf<'_>, frame: &Frame) -> bool {
    let mut bytes = vec![0; frame.length.min(LONGEST) as usize];
    if frame.length == 0 || frame.length > LONGEST || code.memory.fill(frame.function, &mut bytes) != bytes.len() {
        return true;
    }
    let instructions = || Decoder::with_ip(64, &bytes, frame.function, DecoderOptions::NONE).into_iter();
    let targets = sorting::set(instructions().map(|instruction| instruction.near_branch_target()));
    let (mut known, mut info) = (Arguments::default(), InstructionInfoFactory::new());
    for instruction in instructions() {
        // Another way leads here.
        if targets.contains(&instruction.ip()) {
            known = Arguments::default();
        }
        let name = called(code, &instruction);
        if name.is_some_and(|name| name.contains("futex_wait") || &*name == "syscall" && known.may_wait()) {
            return true;
        }
        known.follow(&mut info, &instruction);
    }
    false
}

/// Arguments of a call of `syscall(number, word, operation, …)`, as far as they are
/// put into their registers on the only way there.
#[derive(Default)]
struct Arguments {
    number: Option<u64>,
    operation: Option<u64>,
}

impl Arguments {
    /// Whether it could be a wait for a futex.
    fn may_wait(&self) -> bool {
        let wakes = self.operation.is_some_and(|operation| operation & !PRIVATE == WAKE);
        self.number.is_none_or(|number| number == libc::SYS_futex.cast_unsigned()) && !wakes
    }

    fn follow(&mut self, info: &mut InstructionInfoFactory, instruction: &Instruction) {
        if instruction.flow_control() != FlowControl::Next {
            *self = Arguments::default();
            return;
        }
        let number = instruction.mnemonic() == Mnemonic::Mov && is_immediate(instruction);
        let number = number.then(|| instruction.immediate(1));
        for used in info.info(instruction).used_registers() {
            use OpAccess::{CondWrite, ReadCondWrite, ReadWrite, Write};
            if !matches!(used.access(), Write | CondWrite | ReadWrite | ReadCondWrite) {
                continue;
            }
            match used.register().full_register() {
                Register::RDI => self.number = number,
                Register::RDX => self.operation = number,
                _ => {}
            }
        }
    }
}

fn is_immediate(instruction: &Instruction) -> bool {
    matches!(instruction.op1_kind(), OpKind::Immediate32 | OpKind::Immediate32to64 | OpKind::Immediate64)
}

/// The name of the function that an instruction calls.
fn called(code: &CodeOf<'_>, instruction: &Instruction) -> Option<std::sync::Arc<str>> {
    match instruction.flow_control() {
        FlowControl::Call => {
            let target = instruction.near_branch_target();
            let mut stub = [0; 11];
            let length = code.memory.fill(target, &mut stub);
            match stub_slot(&stub[..length], target) {
                Some(slot) => code.stage.import(slot),
                None => code.stage.function(target).name,
            }
        }
        FlowControl::IndirectCall if instruction.is_ip_rel_memory_operand() => {
            code.stage.import(instruction.ip_rel_memory_address())
        }
        _ => None,
    }
}
