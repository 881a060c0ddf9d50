//! Out of a function that has no call frame table, by its own code: from where
//! it is to every `ret` that it can come to.
//!
//! ```text
//! pc ─►  cmp  $-4,%eax
//!        je   ─────────┐     both ways
//!        call f        │     passed over: it leaves the stack as it was
//!        add  $16,%rsp ◄┘
//!        pop  %rbx           the caller's rbx
//!        ret                 sp: the return address
//! ```
//!
//! Only the stack pointer and the registers that a call keeps are followed. All
//! returns must stand at the same place, and that must hold an address behind a
//! call; an instruction whose effect on the stack pointer is not known ends it
//! without an answer. musl is made without tables; so are hand-written functions.

use std::collections::HashMap;

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};

use super::signal_frame::returned;
use super::unwind::Registers;

/// So many instructions are looked at.
const MOST: usize = 4000;
const PAGE: u64 = 4096;
/// The longest instruction.
const LONGEST: usize = 15;
/// What a call keeps: with its DWARF number.
const KEPT: [(Register, u16); 6] = [
    (Register::RBX, 3),
    (Register::RBP, 6),
    (Register::R12, 12),
    (Register::R13, 13),
    (Register::R14, 14),
    (Register::R15, 15),
];

/// What is followed on the way to a return.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    pc: u64,
    sp: u64,
    kept: [Option<u64>; KEPT.len()],
    /// What has been pushed on the way, by its place.
    pushed: HashMap<u64, Option<u64>>,
}

/// The registers of the caller of the function that a thread with these registers
/// is in, once it has returned; `None` where that is not clear. `never_returns`
/// says so of a function that is called.
pub fn leave(
    registers: &Registers,
    read: impl Fn(u64, &mut [u8]) -> bool,
    never_returns: impl Fn(u64) -> bool,
) -> Option<Registers> {
    let kept = KEPT.map(|(_, number)| registers.get(number));
    let start = State { pc: registers.pc, sp: registers.sp, kept, pushed: HashMap::new() };
    let (mut open, mut seen, mut end) = (vec![start], HashMap::new(), None::<State>);
    let mut way = Way { read: &read, pages: HashMap::new(), info: InstructionInfoFactory::new() };
    while let Some(mut state) = open.pop() {
        loop {
            // The same code with another stack is no code of a compiler.
            if let Some((sp, known)) = seen.get_mut(&state.pc) {
                if *sp != state.sp {
                    return None;
                }
                if *known == state.kept {
                    break;
                }
                // Another value of a register than before: neither is sure.
                let merged = merge(*known, state.kept);
                if merged == *known {
                    break;
                }
                *known = merged;
                state.kept = merged;
            } else if seen.len() == MOST {
                return None;
            } else {
                seen.insert(state.pc, (state.sp, state.kept));
            }
            let instruction = way.decode(state.pc)?;
            state.pc = instruction.next_ip();
            match instruction.flow_control() {
                FlowControl::Next => way.follow(&instruction, &mut state)?,
                FlowControl::Call if instruction.mnemonic() == Mnemonic::Syscall => {}
                FlowControl::Call if never_returns(instruction.near_branch_target()) => break,
                FlowControl::Call | FlowControl::IndirectCall => {}
                FlowControl::UnconditionalBranch => state.pc = instruction.near_branch_target(),
                FlowControl::ConditionalBranch => {
                    open.push(State { pc: instruction.near_branch_target(), ..state.clone() });
                }
                FlowControl::Return if instruction.op_count() == 0 => {
                    match &mut end {
                        None => end = Some(state),
                        Some(known) if known.sp != state.sp => return None,
                        Some(known) => known.kept = merge(known.kept, state.kept),
                    }
                    break;
                }
                // The program fails here: it does not return.
                FlowControl::Exception => break,
                _ => return None,
            }
            // `hlt`, which musl fails with.
            if instruction.mnemonic() == Mnemonic::Hlt {
                break;
            }
        }
    }
    let end = end.filter(|end| end.sp >= registers.sp)?;
    let mut caller = returned(end.sp + 8, way.word(end.sp)?, &read)?;
    if !caller.interrupted {
        KEPT.into_iter().zip(end.kept).for_each(|((_, number), value)| caller.set(number, value));
    }
    Some(caller)
}

fn merge(one: [Option<u64>; KEPT.len()], other: [Option<u64>; KEPT.len()]) -> [Option<u64>; KEPT.len()] {
    let mut both = one;
    for (value, other) in both.iter_mut().zip(other) {
        *value = value.filter(|value| Some(*value) == other);
    }
    both
}

struct Way<'w, R> {
    read: &'w R,
    /// The code, page by page, each read once.
    pages: HashMap<u64, Option<Vec<u8>>>,
    info: InstructionInfoFactory,
}

impl<R: Fn(u64, &mut [u8]) -> bool> Way<'_, R> {
    fn decode(&mut self, pc: u64) -> Option<Instruction> {
        let mut code = [0; LONGEST];
        let mut length = 0;
        for (at, slot) in (pc..).zip(&mut code) {
            let Some(byte) = self.byte(at) else { break };
            *slot = byte;
            length += 1;
        }
        let instruction = Decoder::with_ip(64, &code[..length], pc, DecoderOptions::NONE).decode();
        (!instruction.is_invalid()).then_some(instruction)
    }

    fn byte(&mut self, address: u64) -> Option<u8> {
        let start = address & !(PAGE - 1);
        let page = self.pages.entry(start).or_insert_with(|| {
            let mut page = vec![0; PAGE as usize];
            (self.read)(start, &mut page).then_some(page)
        });
        page.as_ref().map(|page| page[(address - start) as usize])
    }

    fn word(&self, address: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        (self.read)(address, &mut bytes).then(|| u64::from_le_bytes(bytes))
    }

    /// What an instruction does to what is followed; `None` where that is not
    /// known of the stack pointer.
    fn follow(&mut self, instruction: &Instruction, state: &mut State) -> Option<()> {
        let first = instruction.op0_register();
        match instruction.mnemonic() {
            Mnemonic::Push => {
                state.sp = state.sp.checked_sub(8).filter(|_| instruction.stack_pointer_increment() == -8)?;
                let value = kept(first).and_then(|index| state.kept[index]);
                state.pushed.insert(state.sp, value);
            }
            Mnemonic::Pop => {
                (instruction.stack_pointer_increment() == 8 && first != Register::RSP).then_some(())?;
                let value = match state.pushed.remove(&state.sp) {
                    Some(value) => value,
                    None => self.word(state.sp),
                };
                state.sp += 8;
                if let Some(index) = kept(first) {
                    state.kept[index] = value;
                }
            }
            Mnemonic::Add | Mnemonic::Sub if first == Register::RSP => {
                (instruction.op1_kind() != OpKind::Register && instruction.op1_kind() != OpKind::Memory)
                    .then_some(())?;
                let by = instruction.immediate(1).cast_signed();
                let by = if instruction.mnemonic() == Mnemonic::Sub { by.checked_neg()? } else { by };
                state.sp = state.sp.checked_add_signed(by)?;
            }
            Mnemonic::Lea if first == Register::RSP => {
                (instruction.memory_base() == Register::RSP && instruction.memory_index() == Register::None)
                    .then_some(())?;
                state.sp = state.sp.wrapping_add(instruction.memory_displacement64());
            }
            _ => self.spoil(instruction, state)?,
        }
        Some(())
    }

    /// Forgets what any other instruction writes.
    fn spoil(&mut self, instruction: &Instruction, state: &mut State) -> Option<()> {
        let writes = |access: OpAccess| {
            use OpAccess::{CondWrite, ReadCondWrite, ReadWrite, Write};
            matches!(access, Write | CondWrite | ReadWrite | ReadCondWrite)
        };
        for used in self.info.info(instruction).used_registers().iter().filter(|used| writes(used.access())) {
            match used.register().full_register() {
                Register::RSP => return None,
                register => {
                    if let Some(index) = kept(register) {
                        state.kept[index] = None;
                    }
                }
            }
        }
        Some(())
    }
}

/// Which of the registers that a call keeps this one is, as wide as it is.
fn kept(register: Register) -> Option<usize> {
    KEPT.iter().position(|(kept, _)| *kept == register)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: u64 = 0x1000;
    const CALLER: u64 = 0x9000;
    const STACK: u64 = 0x7000;

    /// Leaves a function with this code and this on its stack.
    fn left(code: &[u8], stack: &[u64]) -> Option<Registers> {
        let mut page = vec![0xff; PAGE as usize];
        page[..code.len()].copy_from_slice(code);
        let mut call = [0x90; 16];
        call[11] = 0xe8;
        let stack: Vec<u8> = stack.iter().flat_map(|word| word.to_le_bytes()).collect();
        let parts = [(CODE, &page[..]), (CALLER - 16, &call[..]), (STACK, &stack[..])];
        let read = |address: u64, buffer: &mut [u8]| {
            let part = parts.iter().find(|(start, bytes)| (*start..start + bytes.len() as u64).contains(&address));
            let Some((start, bytes)) = part else { return false };
            let from = (address - start) as usize;
            bytes.get(from..from + buffer.len()).map(|bytes| buffer.copy_from_slice(bytes)).is_some()
        };
        leave(&Registers::new(STACK, CODE), read, |target| target == 0xdead)
    }

    #[test]
    fn what_was_saved_is_the_callers() {
        // add $8,%rsp; pop %rbx; pop %rbp; ret
        let caller = left(&[0x48, 0x83, 0xc4, 8, 0x5b, 0x5d, 0xc3], &[0, 11, 12, CALLER]).unwrap();
        assert_eq!((caller.pc, caller.sp), (CALLER, STACK + 32));
        assert_eq!((caller.get(3), caller.get(6), caller.get(12)), (Some(11), Some(12), None));
        // push %rax; pop %rbx; ret: what it pushed itself is not known
        let caller = left(&[0x50, 0x5b, 0xc3], &[CALLER]).unwrap();
        assert_eq!((caller.pc, caller.get(3)), (CALLER, None));
        // mov %rax,%rbx after it was restored
        assert_eq!(left(&[0x5b, 0x48, 0x89, 0xc3, 0xc3], &[11, CALLER]).unwrap().get(3), None);
        assert_eq!(left(&[0x5b, 0x89, 0xc3, 0xc3], &[11, CALLER]).unwrap().get(3), None, "of four bytes");
    }

    #[test]
    fn all_ways_must_come_to_the_same_return() {
        // je +2; pop %rbx; ret; pop %rbp; ret
        let code = [0x74, 2, 0x5b, 0xc3, 0x5d, 0xc3];
        let caller = left(&code, &[11, CALLER]).unwrap();
        assert_eq!((caller.pc, caller.get(3), caller.get(6)), (CALLER, None, None));
        // je +1; pop %rbx; ret
        assert_eq!(left(&[0x74, 1, 0x5b, 0xc3], &[CALLER, CALLER]), None);
        // 0: push %rbx; jmp 0
        assert_eq!(left(&[0x53, 0xeb, 0xfd], &[CALLER]), None);
        // 0: je 0; ret
        assert!(left(&[0x74, 0xfe, 0xc3], &[CALLER]).is_some());
    }

    #[test]
    fn what_is_not_understood_has_no_answer() {
        assert_eq!(left(&[0xc3], &[CALLER + 8]), None, "that stands behind no call");
        assert_eq!(left(&[0xc2, 8, 0], &[CALLER]), None, "ret $8");
        assert_eq!(left(&[0x48, 0x89, 0xec, 0xc3], &[CALLER]), None, "mov %rbp,%rsp");
        assert_eq!(left(&[0x48, 0x29, 0xc4, 0xc3], &[CALLER]), None, "sub %rax,%rsp");
        assert_eq!(left(&[0xff, 0xe0], &[CALLER]), None, "jmp *%rax");
        assert_eq!(left(&[0xf4], &[CALLER]), None, "hlt");
        assert_eq!(left(&[0x90], &[CALLER]), None, "no code behind it");
    }

    #[test]
    fn a_call_is_passed_over_unless_it_never_returns() {
        let call = |target: u64| {
            let relative = (target.wrapping_sub(CODE + 7) as u32).to_le_bytes();
            // je +5; call target; ret at 7, or else pop %rbx
            [&[0x74, 5, 0xe8][..], &relative, &[0xc3]].concat()
        };
        assert!(left(&call(0x5000), &[CALLER]).is_some());
        let mut failing = call(0xdead);
        failing.splice(7.., [0xc3]);
        assert!(left(&failing, &[CALLER]).is_some());
        // je +1 over it: ret; call, and behind it another function's code.
        let relative = (0xdead_u64.wrapping_sub(CODE + 8) as u32).to_le_bytes();
        let code = [&[0x74, 1, 0xc3, 0xe8][..], &relative, &[0x5b, 0xc3]].concat();
        assert!(left(&code, &[CALLER, CALLER]).is_some());
    }
}
