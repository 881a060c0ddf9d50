//! What a function was called with, by the code directly before the call.
//!
//! ```text
//!     …            ◄── a jump, a call, or where one leads to: nothing from before is believed
//!     mov  -0x18(%rbp),%rax       the caller's stack, as it is: who waits does not write to it
//!     mov  %rax,%rdi              the argument
//!     call pthread_mutex_lock     the thread is in here
//! ```

use std::collections::BTreeSet;

use iced_x86::{FlowControl, InstructionInfoFactory, OpAccess, Register};

use super::Memory;
use super::execute::{Next, execute};
use super::machine::Machine;
use super::value::Value;
use crate::backend::observe::target::unwind::Frame;

/// A longer function is not looked through.
const LONGEST: u64 = 64 << 10;

/// The first argument of the call that this frame is in; `None` where the code before
/// it does not tell.
pub fn first_argument(frame: &Frame, memory: &Memory<'_>) -> Option<u64> {
    let behind = frame.registers.pc;
    if frame.length == 0 || frame.length > LONGEST {
        return None;
    }
    let (mut own, mut targets, mut at) = (Vec::new(), BTreeSet::new(), frame.function);
    while at < frame.function + frame.length {
        let instruction = memory.instruction(at)?;
        targets.insert(instruction.near_branch_target());
        own.push(instruction);
        at = instruction.next_ip();
    }
    let call = own.iter().position(|instruction| instruction.next_ip() == behind)?;
    let before = &own[..call];
    let leads_here =
        |at: usize| targets.contains(&own[at].ip()) || at == 0 || own[at - 1].flow_control() != FlowControl::Next;
    let first = (0..=call).rev().find(|&at| leads_here(at))?;
    let block = before.get(first..)?;
    let mut machine = Machine::at(own[first].ip());
    let kept = [Register::RBX, Register::RBP, Register::R12, Register::R13, Register::R14, Register::R15];
    for (register, number) in kept.into_iter().zip([3, 6, 12, 13, 14, 15]) {
        machine.set_register(register, frame.registers.get(number).map_or(Value::UNKNOWN, Value::of));
    }
    machine.set_register(Register::RSP, Value::of(frame.registers.sp));
    // They are known as they are at the call: what the code changes before is not.
    let mut info = InstructionInfoFactory::new();
    for instruction in block {
        for used in info.info(instruction).used_registers() {
            use OpAccess::{CondWrite, ReadCondWrite, ReadWrite, Write};
            if matches!(used.access(), Write | CondWrite | ReadWrite | ReadCondWrite) {
                machine.set_register(used.register().full_register(), Value::UNKNOWN);
            }
        }
    }
    for instruction in block {
        if execute(instruction, &mut machine, memory).0 != Next::Behind {
            return None;
        }
    }
    machine.register(Register::RDI).get(8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::target::unwind::Registers;

    const CODE: u64 = 0x1000;
    const STACK: u64 = 0x2000;

    /// The argument of the call at the end of this code, in a frame at the beginning
    /// of a stack with these words, with its rbp 16 bytes above it and rbx 0x77.
    fn argument(code: &[u8], words: &[u64]) -> Option<u64> {
        let mut pages = [vec![0xcc; 4096], vec![0; 4096]];
        pages[0][..code.len()].copy_from_slice(code);
        pages[0][code.len()..code.len() + 6].copy_from_slice(&[0xe8, 0, 0, 0, 0, 0xc3]);
        for (at, word) in words.iter().enumerate() {
            pages[1][8 * at..8 * at + 8].copy_from_slice(&word.to_le_bytes());
        }
        let read = |address: u64, buffer: &mut [u8]| {
            let page = address.checked_sub(CODE).and_then(|from| pages.get((from / 4096) as usize));
            page.is_some_and(|page| {
                buffer.copy_from_slice(page);
                true
            })
        };
        let mut registers = Registers::new(STACK, CODE + code.len() as u64 + 5);
        registers.set(6, Some(STACK + 16));
        registers.set(3, Some(0x77));
        let length = code.len() as u64 + 6;
        let frame = Frame { registers, cfa: STACK + 64, function: CODE, length, exceptions: None, bare: false };
        first_argument(&frame, &Memory::new(&read))
    }

    #[test]
    fn it_is_computed_as_the_code_does() {
        // mov -0x8(%rbp),%rax; add $0x28,%rax; mov %rax,%rdi
        let loaded = [0x48, 0x8b, 0x45, 0xf8, 0x48, 0x83, 0xc0, 0x28, 0x48, 0x89, 0xc7];
        assert_eq!(argument(&loaded, &[0, 0x5000]), Some(0x5028));
        // lea 0x10(%rip),%rdi; mov %rbx,%rdi
        assert_eq!(argument(&[0x48, 0x8d, 0x3d, 0x10, 0, 0, 0], &[]), Some(CODE + 0x17));
        assert_eq!(argument(&[0x48, 0x89, 0xdf], &[]), Some(0x77));
    }

    #[test]
    fn what_the_code_does_not_tell_is_not_believed() {
        // Nothing sets it; mov %rsi,%rdi.
        assert_eq!(argument(&[0x90], &[]), None);
        assert_eq!(argument(&[0x48, 0x89, 0xf7], &[]), None);
        // mov %rbx,%rdi; add $8,%rbx: what rbx was before is not known.
        assert_eq!(argument(&[0x48, 0x89, 0xdf, 0x48, 0x83, 0xc3, 8], &[]), None);
        // mov %rbx,%rdi; je +3; mov %rbp,%rdi: two ways lead to the call.
        assert_eq!(argument(&[0x48, 0x89, 0xdf, 0x74, 3, 0x48, 0x89, 0xef], &[]), None);
    }
}
