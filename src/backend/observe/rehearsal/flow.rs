//! What is in the registers where a function calls, by its own code: what a blocked
//! thread keeps in registers nobody tells, and often the code says it.
//!
//! ```text
//! call get ◄─ rdi: what the caller has put there
//!   get:  push %rbx                      rsp: 8 below its beginning
//!         mov  %rdi,%rbx                 rbx: what rdi was at the beginning
//!         lea  LOCK(%rip),%r12           r12: a number
//!         call nanosleep                 rbx, r12 as they were: a call keeps them
//! ```
//!
//! Every way from the beginning to the call is followed, those of exceptions among
//! them, and all must agree. Memory is not followed. A jump to where nobody can tell
//! ends it: another way may lead to the call from there.

use std::collections::HashMap;

use iced_x86::{FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register};

use super::machine::Memory;

/// So many instructions are looked at, some more than once.
const MOST: usize = 6_000;
/// How many general registers there are.
pub const REGISTERS: usize = 16;
/// What a call keeps, as they are numbered here: rbx, rbp, r12 to r15; each with its
/// DWARF number.
pub const KEPT: [(usize, u16); 6] = [(3, 3), (5, 6), (12, 12), (13, 13), (14, 14), (15, 15)];
/// The stack pointer.
pub const RSP: usize = 4;
const RBP: usize = 5;

/// Where the content of a register comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is this number.
    Number(u64),
    /// It is what this register was when the function was called, and so much more.
    Entry(usize, u64),
}

impl Origin {
    fn plus(self, more: u64) -> Self {
        match self {
            Origin::Number(number) => Origin::Number(number.wrapping_add(more)),
            Origin::Entry(register, offset) => Origin::Entry(register, offset.wrapping_add(more)),
        }
    }

    /// Its value, if those of the registers at the beginning are these.
    pub fn value(self, entry: &[Option<u64>; REGISTERS]) -> Option<u64> {
        match self {
            Origin::Number(number) => Some(number),
            Origin::Entry(register, offset) => entry[register].map(|value| value.wrapping_add(offset)),
        }
    }
}

/// The content of each register; `None` where it is not known.
pub type Origins = [Option<Origin>; REGISTERS];

/// How a function goes on behind its calls.
pub trait Calls {
    /// Whether the call before this address never returns.
    fn never_returns(&mut self, behind: u64) -> bool;

    /// Where it goes on if it unwinds.
    fn pad(&mut self, behind: u64) -> Option<u64>;
}

/// What the registers hold at the call that returns to `behind`, in the function that
/// begins at `function`.
pub fn at_call(memory: &Memory<'_>, function: u64, behind: u64, calls: &mut dyn Calls) -> Option<Origins> {
    let mut info = InstructionInfoFactory::new();
    let beginning: Origins = std::array::from_fn(|register| Some(Origin::Entry(register, 0)));
    let mut known: HashMap<u64, Origins> = HashMap::from([(function, beginning)]);
    let (mut open, mut looked, mut found) = (vec![function], 0, None::<Origins>);
    while let Some(here) = open.pop() {
        looked += 1;
        if looked > MOST {
            return None;
        }
        let instruction = memory.instruction(here)?;
        let before = *known.get(&here)?;
        let next = instruction.next_ip();
        let mut after = before;
        follow(&mut info, &instruction, &mut after);
        let mut ways: Vec<u64> = Vec::with_capacity(2);
        match instruction.flow_control() {
            FlowControl::Next => ways.push(next),
            FlowControl::Call | FlowControl::IndirectCall => {
                if next == behind {
                    // What is there at the last time that it is looked at counts.
                    found = Some(before);
                }
                if !calls.never_returns(next) {
                    ways.push(next);
                }
                ways.extend(calls.pad(next));
            }
            FlowControl::ConditionalBranch => ways.extend([next, instruction.near_branch_target()]),
            FlowControl::UnconditionalBranch => ways.push(instruction.near_branch_target()),
            FlowControl::Return | FlowControl::Exception | FlowControl::Interrupt => {}
            FlowControl::IndirectBranch if leaves(&instruction) => {}
            _ => return None,
        }
        for way in ways {
            let merged = match known.get(&way) {
                None => after,
                Some(other) => std::array::from_fn(|at| after[at].filter(|_| after[at] == other[at])),
            };
            if known.insert(way, merged) != Some(merged) {
                open.push(way);
            }
        }
    }
    found
}

/// Whether a jump to an address from memory is the last call of a function: through
/// a linkage table or a table of methods, but no table of cases, which has an index.
fn leaves(instruction: &Instruction) -> bool {
    instruction.op0_kind() == OpKind::Memory && instruction.memory_index() == Register::None
}

fn follow(info: &mut InstructionInfoFactory, instruction: &Instruction, registers: &mut Origins) {
    let (first, second) = (instruction.op0_register(), instruction.op1_register());
    let whole = |register: Register| register.is_gpr64().then(|| register.number());
    let is_number = !matches!(instruction.op1_kind(), OpKind::Register | OpKind::Memory);
    let moved = i64::from(instruction.stack_pointer_increment());
    match (instruction.mnemonic(), whole(first)) {
        (Mnemonic::Syscall, _) => forget(registers, &[0, 1, 11]),
        (Mnemonic::Call, _) => forget(registers, &[0, 1, 2, 6, 7, 8, 9, 10, 11]),
        (Mnemonic::Push, _) => add(registers, RSP, moved),
        (Mnemonic::Pop, Some(to)) if to != RSP => {
            registers[to] = None;
            add(registers, RSP, moved);
        }
        (Mnemonic::Leave, _) => {
            registers[RSP] = registers[RBP].map(|origin| origin.plus(8));
            registers[RBP] = None;
        }
        (Mnemonic::Mov, Some(to)) if whole(second).is_some() => registers[to] = registers[second.number()],
        (Mnemonic::Mov, Some(to)) if is_number => registers[to] = Some(Origin::Number(instruction.immediate(1))),
        // The upper half becomes zero.
        (Mnemonic::Mov, None) if first.is_gpr32() && is_number => {
            registers[first.full_register().number()] = Some(Origin::Number(instruction.immediate(1) & 0xffff_ffff));
        }
        (Mnemonic::Xor, _) if first.is_gpr() && first.size() >= 4 && first == second => {
            registers[first.full_register().number()] = Some(Origin::Number(0));
        }
        (Mnemonic::Add, Some(to)) if is_number => add(registers, to, instruction.immediate(1).cast_signed()),
        (Mnemonic::Sub, Some(to)) if is_number => {
            add(registers, to, instruction.immediate(1).cast_signed().wrapping_neg());
        }
        (Mnemonic::Lea, Some(to)) => registers[to] = pointed_to(instruction, registers),
        _ => {
            for used in info.info(instruction).used_registers() {
                use OpAccess::{CondWrite, ReadCondWrite, ReadWrite, Write};
                let full = used.register().full_register();
                if full.is_gpr64() && matches!(used.access(), Write | CondWrite | ReadWrite | ReadCondWrite) {
                    registers[full.number()] = None;
                }
            }
        }
    }
}

fn forget(registers: &mut Origins, which: &[usize]) {
    for &register in which {
        registers[register] = None;
    }
}

fn add(registers: &mut Origins, register: usize, by: i64) {
    registers[register] = registers[register].map(|origin| origin.plus(by.cast_unsigned()));
}

/// What `lea` computes.
fn pointed_to(instruction: &Instruction, registers: &Origins) -> Option<Origin> {
    if instruction.is_ip_rel_memory_operand() {
        return Some(Origin::Number(instruction.ip_rel_memory_address()));
    }
    let by = instruction.memory_displacement64();
    match (instruction.memory_base(), instruction.memory_index()) {
        (base, Register::None) if base.is_gpr64() => registers[base.number()].map(|origin| origin.plus(by)),
        (Register::None, Register::None) => Some(Origin::Number(by)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: u64 = 0x1000;
    const RDI: usize = 7;
    const RBX: usize = 3;

    /// The only landing pad, behind a call that returns there; one that returns behind
    /// the end does not.
    struct Pad(Option<(u64, u64)>);

    impl Calls for Pad {
        fn never_returns(&mut self, behind: u64) -> bool {
            behind == CODE + 0x100
        }

        fn pad(&mut self, behind: u64) -> Option<u64> {
            self.0.filter(|(call, _)| CODE + call == behind).map(|(_, pad)| CODE + pad)
        }
    }

    /// What is in the registers at the call that returns to the offset `behind`.
    fn flow(code: &[u8], behind: u64, pad: Option<(u64, u64)>) -> Option<Origins> {
        let mut page = vec![0xcc; 4096];
        page[..code.len()].copy_from_slice(code);
        let read = |address: u64, buffer: &mut [u8]| {
            let is_there = address == CODE && buffer.len() == page.len();
            if is_there {
                buffer.copy_from_slice(&page);
            }
            is_there
        };
        let memory = Memory::new(&read);
        at_call(&memory, CODE, CODE + behind, &mut Pad(pad))
    }

    #[test]
    fn what_is_put_into_registers_is_there_at_the_call() {
        // push %rbx; mov %rdi,%rbx; lea 8(%rdi),%rdi; call; ret
        let code = [0x53, 0x48, 0x89, 0xfb, 0x48, 0x8d, 0x7f, 8, 0xe8, 0, 0, 0, 0, 0x5b, 0xc3];
        let found = flow(&code, 13, None).unwrap();
        assert_eq!((found[RBX], found[RDI]), (Some(Origin::Entry(RDI, 0)), Some(Origin::Entry(RDI, 8))));
        assert_eq!(found[RSP], Some(Origin::Entry(RSP, 8_u64.wrapping_neg())));
        let mut entry = [None; REGISTERS];
        assert_eq!(found[RDI].unwrap().value(&entry), None);
        entry[RDI] = Some(0x4000);
        assert_eq!(found[RDI].unwrap().value(&entry), Some(0x4008));
        // lea 0x10(%rip),%rbx; xor %edi,%edi; call; call: the second keeps rbx, and rdi
        // is not known any more
        let code = [0x48, 0x8d, 0x1d, 0x10, 0, 0, 0, 0x31, 0xff, 0xe8, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xc3];
        assert_eq!(flow(&code, 14, None).unwrap()[RDI], Some(Origin::Number(0)));
        let found = flow(&code, 19, None).unwrap();
        assert_eq!((found[RBX], found[RDI]), (Some(Origin::Number(CODE + 0x17)), None));
    }

    #[test]
    fn all_ways_must_agree() {
        // mov $1,%ebx; je +5; mov $2,%ebx; call; ret
        let code = [0xbb, 1, 0, 0, 0, 0x74, 5, 0xbb, 2, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xc3];
        assert_eq!(flow(&code, 17, None).unwrap()[RBX], None);
        let mut same = code;
        same[8] = 1;
        assert_eq!(flow(&same, 17, None).unwrap()[RBX], Some(Origin::Number(1)));
        // A loop that changes it: mov $1,%ebx; call; mov $2,%ebx; jmp to the call
        let code = [0xbb, 1, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xbb, 2, 0, 0, 0, 0xeb, 0xf4];
        assert_eq!(flow(&code, 10, None).unwrap()[RBX], None);
        // An exception that comes back: mov $1,%ebx; call; call; ret; pad: mov $2,%ebx; jmp to the second
        let code = [0xbb, 1, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0xc3, 0xbb, 2, 0, 0, 0, 0xeb, 0xf3];
        assert_eq!(flow(&code, 15, None).unwrap()[RBX], Some(Origin::Number(1)));
        assert_eq!(flow(&code, 15, Some((10, 16))).unwrap()[RBX], None);
    }

    #[test]
    fn what_cannot_be_followed_has_no_answer() {
        // call; jmp *%rax: perhaps back to the call
        assert_eq!(flow(&[0xe8, 0, 0, 0, 0, 0xff, 0xe0], 5, None), None);
        // call; jmp *0(,%rax,8): a table of cases
        assert_eq!(flow(&[0xe8, 0, 0, 0, 0, 0xff, 0x24, 0xc5, 0, 0, 0, 0], 5, None), None);
        // call; jmp *8(%rax): another function's turn
        assert!(flow(&[0xe8, 0, 0, 0, 0, 0xff, 0x60, 8], 5, None).is_some());
        // ret: no way leads to the call
        assert_eq!(flow(&[0xc3, 0xe8, 0, 0, 0, 0], 6, None), None);
        // mov %bl,%al; movzbl %bl,%ebx; call
        let found = flow(&[0x88, 0xd8, 0x0f, 0xb6, 0xdb, 0xe8, 0, 0, 0, 0, 0xc3], 10, None).unwrap();
        assert_eq!(found[RBX], None);
    }
}
