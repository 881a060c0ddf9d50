//! The frames of a blocked thread, and what their code says of the registers in them
//! that nobody tells.
//!
//! ```text
//! complete   from the outermost frame inwards: what a function has put into a register before it calls
//! tell       from the system call outwards: its arguments are known, and so is what they were copied from
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use iced_x86::{FlowControl, InstructionInfoFactory, Mnemonic, OpAccess};

use super::stage::OnStage;
use crate::backend::observe::rehearsal::flow::{Calls, KEPT, Origin, Origins, REGISTERS, RSP, at_call};
use crate::backend::observe::rehearsal::{Function, Kind, Memory, Stage, fails, first_argument, kind_of};
use crate::backend::observe::target::lsda::landing_pad;
use crate::backend::observe::target::stack::{Callee, LONGEST_CALL, callee, stub_slot};
use crate::backend::observe::target::unwind::{Frame, Walk};

/// The first argument of a function, and the accumulator, as [`Origins`] counts the registers.
const RDI: usize = 7;
const RAX: usize = 0;
/// The arguments of a system call: rdi, rsi, rdx, r10, r8, r9.
const ARGUMENTS: [usize; 6] = [7, 6, 2, 10, 8, 9];
/// A function that only jumps to another has no more instructions.
const THUNK: usize = 12;
/// Of so many frames it is told what their registers hold.
const TOLD: usize = 8;
/// A table of call sites is read so far.
const TABLE: usize = 64 << 10;

/// The code and the memory of a process, as far as they have been read.
pub(in crate::backend::observe) struct CodeOf<'c> {
    pub(in crate::backend::observe) stage: &'c OnStage<'c>,
    pub(in crate::backend::observe) memory: &'c Memory<'c>,
    /// Where a call goes on if it unwinds, by the address it returns to.
    pads: HashMap<u64, Option<u64>>,
    /// Tables of what to do about exceptions.
    tables: HashMap<u64, Vec<u8>>,
    /// Where registers come from, by the address that a call returns to.
    origins: HashMap<u64, Option<Origins>>,
}

impl<'c> CodeOf<'c> {
    pub(in crate::backend::observe) fn new(stage: &'c OnStage<'c>, memory: &'c Memory<'c>) -> Self {
        let (pads, tables, origins) = (HashMap::new(), HashMap::new(), HashMap::new());
        CodeOf { stage, memory, pads, tables, origins }
    }
}

impl CodeOf<'_> {
    /// Where a frame goes on if the call it is in unwinds.
    pub(in crate::backend::observe) fn pad(&mut self, frame: &Frame) -> Option<u64> {
        if is_outermost(&self.stage.function(frame.function)) {
            return None;
        }
        self.pad_of(frame, frame.registers.pc)
    }

    /// Where a call in the function of this frame goes on if it unwinds.
    fn pad_of(&mut self, frame: &Frame, behind: u64) -> Option<u64> {
        if let Some(known) = self.pads.get(&behind) {
            return *known;
        }
        let look = |at| {
            let table = self.tables.entry(at).or_insert_with(|| {
                let mut table = vec![0; TABLE];
                let length = self.memory.fill(at, &mut table);
                table.truncate(length);
                table
            });
            // The call ends before the address that it returns to.
            landing_pad(table, frame.function, behind - 1)
        };
        let pad = frame.exceptions.and_then(look);
        self.pads.insert(behind, pad);
        pad
    }

    /// Adds what the code of each frame says of the registers that its caller cannot
    /// have saved, from the outermost frame inwards.
    pub(in crate::backend::observe) fn complete(&mut self, walk: &mut Walk) {
        let mut entry = [None; REGISTERS];
        let mut called = None;
        for at in (0..walk.frames.len()).rev() {
            let frame = &walk.frames[at];
            // Whether the caller calls this very function; else another may have changed
            // what is handed over.
            if called != Some(frame.function) {
                let kept = KEPT.map(|(register, _)| (register, entry[register]));
                entry = [None; REGISTERS];
                for (register, value) in kept {
                    entry[register] = value;
                }
            }
            entry[RSP] = frame.cfa.checked_sub(8);
            let registers = self.origins(frame).map(|origins| origins.map(|origin| origin?.value(&entry)));
            // It must have come to the same place on the stack.
            let registers = registers.filter(|registers| registers[RSP] == Some(frame.registers.sp));
            called = self.target(frame.registers.pc);
            let own = &mut walk.frames[at].registers;
            entry = registers.unwrap_or([None; REGISTERS]);
            for (register, number) in KEPT {
                let known = own.get(number).or(entry[register]);
                own.set(number, known);
                entry[register] = known;
            }
            // What stands directly before the call may tell where the whole does not.
            entry[RDI] = entry[RDI].or_else(|| first_argument(&walk.frames[at], self.memory));
        }
    }

    /// Adds what the arguments of a system call tell of the registers in the frames
    /// around it, from the innermost frame outwards.
    pub(in crate::backend::observe) fn tell(&mut self, walk: &mut Walk, number: u64, arguments: &[u64; 6]) {
        let mut known = [None; REGISTERS];
        known[RAX] = Some(number);
        for (register, argument) in ARGUMENTS.into_iter().zip(arguments) {
            known[register] = Some(*argument);
        }
        for at in 0..walk.frames.len().min(TOLD) {
            let frame = walk.frames[at].clone();
            let Some(origins) = self.origins(&frame) else { return };
            let (mut entry, mut made) = ([None; REGISTERS], HashMap::new());
            for (origin, value) in origins.iter().zip(known) {
                match (origin, value) {
                    (Some(Origin::Entry(register, more)), Some(value)) => {
                        entry[*register] = Some(value.wrapping_sub(*more));
                    }
                    (Some(Origin::Made(by, more)), Some(value)) => drop(made.insert(*by, value.wrapping_sub(*more))),
                    _ => {}
                }
            }
            entry[RSP] = frame.cfa.checked_sub(8);
            // It must have come to the same place on the stack.
            if origins[RSP].and_then(|origin| origin.value(&entry)) != Some(frame.registers.sp) {
                return;
            }
            for (register, number) in KEPT {
                let value = match origins[register] {
                    Some(Origin::Made(by, more)) => {
                        let value = made.get(&by).copied().or_else(|| self.constant(by));
                        value.map(|value| value.wrapping_add(more))
                    }
                    origin => origin.and_then(|origin| origin.value(&entry)),
                };
                let own = &mut walk.frames[at].registers;
                let value = own.get(number).or(value);
                own.set(number, value);
            }
            let Some(caller) = walk.frames.get(at + 1).cloned() else { return };
            let changed = self.enters(&caller, frame.function);
            known = std::array::from_fn(|register| {
                let kept = KEPT.iter().any(|(kept, _)| *kept == register);
                let same = changed.is_some_and(|changed| changed & 1 << register == 0);
                entry[register].filter(|_| kept || same)
            });
        }
    }

    /// Which registers are changed on the way from the call that a frame is in to this
    /// function, as bits: none where it is called, a few where what is called jumps there
    /// at once. `None` where it is not known to come there so.
    fn enters(&mut self, frame: &Frame, function: u64) -> Option<u32> {
        let target = self.target(frame.registers.pc).or_else(|| self.through_register(frame))?;
        let (mut at, mut changed, mut info) = (target, 0, InstructionInfoFactory::new());
        for _ in 0..THUNK {
            if at == function {
                return Some(changed);
            }
            let instruction = self.memory.instruction(at)?;
            for used in info.info(&instruction).used_registers() {
                use OpAccess::{CondWrite, ReadCondWrite, ReadWrite, Write};
                let full = used.register().full_register();
                if full.is_gpr64() && matches!(used.access(), Write | CondWrite | ReadWrite | ReadCondWrite) {
                    changed |= 1 << full.number();
                }
            }
            at = match instruction.flow_control() {
                FlowControl::Next => instruction.next_ip(),
                FlowControl::UnconditionalBranch => instruction.near_branch_target(),
                _ => return None,
            };
        }
        None
    }

    /// Where the call that a frame is in goes through a register: `call *%rax`, `call *%r8`.
    fn through_register(&mut self, frame: &Frame) -> Option<u64> {
        let behind = frame.registers.pc;
        let mut code = [0; 3];
        let read = self.memory.fill(behind.checked_sub(3)?, &mut code) == code.len();
        let register = match code {
            [0x41, 0xff, modrm] if modrm & 0xf8 == 0xd0 => usize::from(modrm & 7) + 8,
            [_, 0xff, modrm] if modrm & 0xf8 == 0xd0 => usize::from(modrm & 7),
            _ => return None,
        };
        match self.origins(frame).filter(|_| read)?[register]? {
            Origin::Number(number) => Some(number),
            Origin::Made(by, 0) => self.constant(by),
            _ => None,
        }
    }

    /// What an instruction loads that takes it from where nothing is ever changed, as a
    /// linkage table.
    fn constant(&self, by: u64) -> Option<u64> {
        let instruction = self.memory.instruction(by)?;
        let loads = instruction.mnemonic() == Mnemonic::Mov && instruction.op0_register().is_gpr64();
        let from = instruction.is_ip_rel_memory_operand().then(|| instruction.ip_rel_memory_address())?;
        let mut word = [0; 8];
        let read = loads && self.stage.is_constant(from) && self.memory.fill(from, &mut word) == word.len();
        read.then(|| u64::from_le_bytes(word))
    }

    /// Where the registers of a frame come from at the call that it is in.
    fn origins(&mut self, frame: &Frame) -> Option<Origins> {
        let pc = frame.registers.pc;
        if frame.bare || frame.length == 0 {
            return None;
        }
        if let Some(known) = self.origins.get(&pc) {
            return *known;
        }
        let memory = self.memory;
        let found = at_call(memory, (frame.function, frame.length), pc, &mut CallsOf { code: self, frame });
        self.origins.insert(pc, found);
        found
    }

    /// The name of the function that the call before a return address enters.
    fn called(&self, behind: u64) -> Option<Arc<str>> {
        let mut code = [0; LONGEST_CALL];
        let read = self.memory.fill(behind.checked_sub(LONGEST_CALL as u64)?, &mut code);
        match callee(code, behind).filter(|_| read == code.len())? {
            Callee::Behind(slot) => self.stage.import(slot),
            Callee::At(to) => {
                let mut stub = [0; 11];
                let length = self.memory.fill(to, &mut stub);
                match stub_slot(&stub[..length], to) {
                    Some(slot) => self.stage.import(slot),
                    None => self.stage.function(to).name,
                }
            }
        }
    }

    /// The function that the call before a return address enters.
    fn target(&self, behind: u64) -> Option<u64> {
        let mut code = [0; LONGEST_CALL];
        let read = self.memory.fill(behind.checked_sub(LONGEST_CALL as u64)?, &mut code);
        let word = |at| {
            let mut word = [0; 8];
            (self.memory.fill(at, &mut word) == word.len()).then(|| u64::from_le_bytes(word))
        };
        match callee(code, behind).filter(|_| read == code.len())? {
            Callee::Behind(slot) => word(slot),
            Callee::At(to) => {
                let mut stub = [0; 11];
                let length = self.memory.fill(to, &mut stub);
                stub_slot(&stub[..length], to).map_or(Some(to), word)
            }
        }
    }
}

/// The calls in the function of a frame.
struct CallsOf<'f, 'c> {
    code: &'f mut CodeOf<'c>,
    frame: &'f Frame,
}

impl Calls for CallsOf<'_, '_> {
    fn never_returns(&mut self, behind: u64) -> bool {
        match self.code.called(behind) {
            Some(name) => never_returns(&name),
            None => self.code.target(behind).is_some_and(|target| fails(self.code.memory, self.code.stage, target)),
        }
    }

    fn pad(&mut self, behind: u64) -> Option<u64> {
        self.code.pad_of(self.frame, behind)
    }
}

/// Whether a function of this name does not come back to who calls it.
fn never_returns(name: &str) -> bool {
    matches!(kind_of(name, false), Kind::End | Kind::Failure) && name != "__cxa_begin_catch"
}

/// Whether a function of the runtime has called all others: it holds no lock of
/// theirs, and there is much to clean up.
fn is_outermost(function: &Function) -> bool {
    const OF_RUST: [&str; 3] = ["12thread_start", "10lang_start", "19lang_start_internal"];
    function.name.as_ref().is_some_and(|name| OF_RUST.iter().any(|part| name.contains(part)))
}
