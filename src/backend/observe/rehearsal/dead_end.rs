//! Functions without a name that only fail: a panic, by its code.
//!
//! ```text
//! call index_fail            no way back: no return, no jump out of it
//!   index_fail:  call panic_fmt        no loop: it serves nobody for ever
//!     panic_fmt:   call begin_panic      and ends by calling another such
//!       begin_panic: call …                so deep that it is no main loop within functions
//! ```

use std::sync::Arc;

use iced_x86::{FlowControl, Instruction, Mnemonic};

use super::kind::{Kind, kind_of};
use super::{Memory, Stage};
use crate::backend::observe::target::stack::stub_slot;

/// A longer function is none.
const LONGEST: u64 = 1 << 10;
/// So many call each other, each without a way back.
const DEPTH: usize = 4;

/// Whether a function that has no name does nothing but fail, as far as its code tells.
pub fn fails(memory: &Memory<'_>, stage: &dyn Stage, function: u64) -> bool {
    let mut at = function;
    for _ in 0..DEPTH {
        let Some((last, trapped)) = last_call(memory, stage, at) else { return false };
        let mut target = target_of(memory, stage, &last);
        // What stands last cleans up: it is come to only where one before it unwinds.
        if target.as_ref().is_some_and(|(name, _)| name.as_deref() == Some("_Unwind_Resume")) {
            target = trapped.and_then(|call| target_of(memory, stage, &call));
        }
        let Some((name, there)) = target else { return false };
        if let Some(name) = name {
            return kind_of(&name, false) == Kind::Failure;
        }
        let Some(there) = there.filter(|&there| !stage.function(there).library) else { return false };
        at = there;
    }
    true
}

/// The function that an instruction calls, by its name and its address.
fn target_of(memory: &Memory<'_>, stage: &dyn Stage, call: &Instruction) -> Option<(Option<Arc<str>>, Option<u64>)> {
    let slot = match call.flow_control() {
        FlowControl::Call => {
            let there = call.near_branch_target();
            let mut stub = [0; 11];
            let length = memory.fill(there, &mut stub);
            let Some(slot) = stub_slot(&stub[..length], there) else {
                return Some((stage.function(there).name, Some(there)));
            };
            slot
        }
        FlowControl::IndirectCall if call.is_ip_rel_memory_operand() => call.ip_rel_memory_address(),
        _ => return None,
    };
    Some((stage.import(slot), word(memory, slot)))
}

/// The call that a function ends with, if it has no way back and no loop; and the last that
/// stands before a trap, for nothing comes back from it.
fn last_call(memory: &Memory<'_>, stage: &dyn Stage, function: u64) -> Option<(Instruction, Option<Instruction>)> {
    let (start, length) = stage.extent(function).filter(|&(start, length)| start == function && length <= LONGEST)?;
    let (end, mut at, mut last, mut trapped) = (start + length, start, None, None);
    while at < end {
        let instruction = memory.instruction(at)?;
        let traps = instruction.flow_control() == FlowControl::Exception || instruction.mnemonic() == Mnemonic::Int3;
        match instruction.flow_control() {
            _ if traps => trapped = last.or(trapped),
            FlowControl::Next => {}
            FlowControl::Call | FlowControl::IndirectCall => last = Some(instruction),
            FlowControl::ConditionalBranch | FlowControl::UnconditionalBranch => {
                let target = instruction.near_branch_target();
                if target <= at || target >= end {
                    return None;
                }
            }
            _ => return None,
        }
        at = instruction.next_ip();
        // What stands behind it is never come to, but for what traps or fills up.
        let fills = instruction.is_invalid() || instruction.mnemonic() == Mnemonic::Nop;
        if instruction.flow_control() == FlowControl::Next && !fills {
            last = None;
        }
    }
    last.map(|last| (last, trapped))
}

fn word(memory: &Memory<'_>, address: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    (memory.fill(address, &mut bytes) == bytes.len()).then(|| u64::from_le_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Function;
    use super::*;

    const CODE: u64 = 0x40_0000;
    const SIZE: u64 = 0x20;

    /// Functions of 32 bytes each, without names.
    struct Nameless;

    impl Stage for Nameless {
        fn function(&self, _: u64) -> Function {
            Function { name: None, library: false }
        }

        fn import(&self, _: u64) -> Option<Arc<str>> {
            None
        }

        fn extent(&self, address: u64) -> Option<(u64, u64)> {
            Some((address & !(SIZE - 1), SIZE))
        }
    }

    /// Whether the first of these functions fails, each of which calls the next behind
    /// what it has before, and before what it has behind.
    fn is_failure(functions: &[(&[u8], &[u8])]) -> bool {
        let mut code = Vec::new();
        for (number, (before, behind)) in functions.iter().enumerate() {
            code.extend_from_slice(before);
            let distance = (number + 1) * SIZE as usize - (code.len() + 5);
            code.push(0xe8);
            code.extend((distance as u32).to_le_bytes());
            code.extend_from_slice(behind);
            code.resize((number + 1) * SIZE as usize, 0x90);
        }
        let read = |address: u64, buffer: &mut [u8]| {
            for (at, byte) in (address..).zip(buffer.iter_mut()) {
                *byte = at.checked_sub(CODE).and_then(|at| code.get(at as usize).copied()).unwrap_or(0);
            }
            true
        };
        fails(&Memory::new(&read), &Nameless, CODE)
    }

    #[test]
    fn only_what_calls_deeper_and_deeper_without_a_way_back_fails() {
        const PLAIN: (&[u8], &[u8]) = (&[0x48, 0x83, 0xec, 8], &[0x0f, 0x0b]); // sub rsp, 8 … ud2
        const BRANCH: (&[u8], &[u8]) = (&[0x75, 0], &[]); // jne to the call
        assert!(is_failure(&[PLAIN, BRANCH, PLAIN, PLAIN]));
        let lookalikes: [(&[u8], &[u8]); 5] = [
            (&[], &[0xc3]),                 // it returns
            (&[], &[0xeb, 0xf9]),           // it serves for ever
            (&[0x75, 0x70], &[0x0f, 0x0b]), // it may leave by a jump
            (&[0xff, 0xe0], &[]),           // it may go anywhere
            (&[], &[0x31, 0xc0]),           // it goes on behind the call
        ];
        for at in 0..4 {
            for lookalike in lookalikes {
                let mut functions = [PLAIN; 4];
                functions[at] = lookalike;
                assert!(!is_failure(&functions), "{at}: {lookalike:x?}");
            }
        }
    }
}
