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
//! What an instruction has made has no number, but whatever it was copied to is the same.
//! Every way from the beginning to the call is followed, those of exceptions among
//! them, and all must agree. Memory is not followed. A jump to where nobody can tell
//! ends it: another way may lead to the call from there.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use iced_x86::{FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register};

use super::machine::Memory;
use crate::model::sorting;

/// So many instructions are looked at, some more than once.
const MOST: usize = 6_000;
/// So many cases of one table are followed.
const CASES: u64 = 256;
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
    /// It is what the instruction at this address has put there last, and so much more.
    Made(u64, u64),
}

impl Origin {
    fn plus(self, more: u64) -> Self {
        match self {
            Origin::Number(number) => Origin::Number(number.wrapping_add(more)),
            Origin::Entry(register, offset) => Origin::Entry(register, offset.wrapping_add(more)),
            Origin::Made(at, offset) => Origin::Made(at, offset.wrapping_add(more)),
        }
    }

    /// Its value, if those of the registers at the beginning are these.
    pub fn value(self, entry: &[Option<u64>; REGISTERS]) -> Option<u64> {
        match self {
            Origin::Number(number) => Some(number),
            Origin::Entry(register, offset) => entry[register].map(|value| value.wrapping_add(offset)),
            Origin::Made(..) => None,
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
pub fn at_call(memory: &Memory<'_>, function: (u64, u64), behind: u64, calls: &mut dyn Calls) -> Option<Origins> {
    let (found, unknown) = go_through(memory, function, behind, calls, &[])?;
    if unknown.is_empty() {
        return found;
    }
    // What several ways leave in a register has no origin in common, but how far another is
    // behind it is known: it gets one there from the beginning.
    go_through(memory, function, behind, calls, &unknown)?.0
}

/// The same, and where a register of unknown origin is added to. Where it is `renamed`, it
/// gets an origin of its own.
fn go_through(
    memory: &Memory<'_>,
    (function, length): (u64, u64),
    behind: u64,
    calls: &mut dyn Calls,
    renamed: &[u64],
) -> Option<(Option<Origins>, Vec<u64>)> {
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
        if let Some(source) = added_to(&instruction).filter(|_| renamed.contains(&here)) {
            after[source] = None;
        }
        follow(&mut info, &instruction, &mut after);
        let mut ways: Vec<u64> = Vec::with_capacity(2);
        match instruction.flow_control() {
            FlowControl::Next => ways.push(next),
            FlowControl::Call | FlowControl::IndirectCall => {
                if next == behind {
                    // What is there at the last time that it is looked at counts.
                    found = Some(before);
                }
                // Nothing comes back behind the end of the function.
                if next < function + length && !calls.never_returns(next) {
                    ways.push(next);
                }
                ways.extend(calls.pad(next));
            }
            FlowControl::ConditionalBranch => ways.extend([next, instruction.near_branch_target()]),
            FlowControl::UnconditionalBranch => ways.push(instruction.near_branch_target()),
            FlowControl::Return | FlowControl::Exception | FlowControl::Interrupt => {}
            FlowControl::IndirectBranch if leaves(&instruction) => {}
            FlowControl::IndirectBranch => {
                let within = function..function + length;
                ways = match absolute_table(&instruction) {
                    Some(table) => cases(within, |at| word(memory, table + 8 * at)),
                    None => {
                        let table = table_of_cases(memory, &known, &instruction)?;
                        cases(within, |at| Some(table.wrapping_add_signed(distance(memory, table + 4 * at)?)))
                    }
                };
                if ways.is_empty() {
                    return None;
                }
            }
            FlowControl::XbeginXabortXend => return None,
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
    let unknown = |(at, origins): (&u64, &Origins)| {
        let source = added_to(&memory.instruction(*at)?)?;
        origins[source].is_none().then_some(*at)
    };
    Some((found, known.iter().filter_map(unknown).collect()))
}

/// The register that an instruction adds to, for another.
fn added_to(instruction: &Instruction) -> Option<usize> {
    let lea = instruction.mnemonic() == Mnemonic::Lea && instruction.memory_index() == Register::None;
    let (base, to) = (instruction.memory_base(), instruction.op0_register());
    (lea && base.is_gpr64() && to.is_gpr64()).then(|| base.number())
}

/// Whether a jump to an address from memory is the last call of a function: through
/// a linkage table or a table of methods, but no table of cases, which has an index.
fn leaves(instruction: &Instruction) -> bool {
    instruction.op0_kind() == OpKind::Memory && instruction.memory_index() == Register::None
}

/// Where the table of cases is that a jump through a register goes by, with entries that
/// say how far behind its beginning each case is:
///
/// ```text
/// lea table(%rip),%a      movslq (%a,%index,4),%b      add %a,%b      jmp *%b
/// ```
fn table_of_cases(memory: &Memory<'_>, known: &HashMap<u64, Origins>, jump: &Instruction) -> Option<u64> {
    let register = |of: u64, register: Register| {
        let origins = known.get(&of)?;
        register.is_gpr64().then(|| origins[register.number()]).flatten()
    };
    let Some(Origin::Made(sum, 0)) = register(jump.ip(), jump.op0_register()) else { return None };
    let sum = memory.instruction(sum).filter(|sum| sum.mnemonic() == Mnemonic::Add)?;
    let parts = [sum.op0_register(), sum.op1_register()].map(|part| register(sum.ip(), part));
    let ([Some(Origin::Number(table)), Some(Origin::Made(load, 0))]
    | [Some(Origin::Made(load, 0)), Some(Origin::Number(table))]) = parts
    else {
        return None;
    };
    let load = memory.instruction(load).filter(|load| load.mnemonic() == Mnemonic::Movsxd)?;
    let begins = register(load.ip(), load.memory_base()) == Some(Origin::Number(table));
    let plain = load.memory_index_scale() == 4 && load.memory_displacement64() == 0;
    (begins && plain && load.memory_index() != Register::None).then_some(table)
}

/// Where the table of cases is that a jump goes by, with the addresses of the cases:
/// `jmp *table(,%index,8)`.
fn absolute_table(jump: &Instruction) -> Option<u64> {
    let indexed = jump.op0_kind() == OpKind::Memory && jump.memory_base() == Register::None;
    (indexed && jump.memory_index_scale() == 8).then(|| jump.memory_displacement64())
}

fn word(memory: &Memory<'_>, at: u64) -> Option<u64> {
    let mut bytes = [0; 8];
    (memory.fill(at, &mut bytes) == bytes.len()).then(|| u64::from_le_bytes(bytes))
}

fn distance(memory: &Memory<'_>, at: u64) -> Option<i64> {
    let mut bytes = [0; 4];
    (memory.fill(at, &mut bytes) == bytes.len()).then(|| i64::from(i32::from_le_bytes(bytes)))
}

/// The cases of a table: its entries as long as they lie in the function. What stands
/// behind its end may pass for more of them, and only makes less certain.
fn cases(function: Range<u64>, entry: impl Fn(u64) -> Option<u64>) -> Vec<u64> {
    let mut found: Vec<u64> = (0..CASES).map_while(entry).take_while(|case| function.contains(case)).collect();
    sorting::by(&mut found, Ord::cmp);
    found.dedup();
    found
}

fn follow(info: &mut InstructionInfoFactory, instruction: &Instruction, registers: &mut Origins) {
    let (first, second) = (instruction.op0_register(), instruction.op1_register());
    let whole = |register: Register| register.is_gpr64().then(|| register.number());
    let is_number = !matches!(instruction.op1_kind(), OpKind::Register | OpKind::Memory);
    let moved = i64::from(instruction.stack_pointer_increment());
    let own = instruction.ip();
    // What it has put anywhere before is no more what it has put there last.
    for origin in registers.iter_mut() {
        origin.take_if(|origin| matches!(origin, Origin::Made(at, _) if *at == own));
    }
    match (instruction.mnemonic(), whole(first)) {
        (Mnemonic::Syscall, _) => forget(registers, &[0, 1, 11]),
        (Mnemonic::Call, _) => {
            forget(registers, &[0, 1, 2, 6, 7, 8, 9, 10, 11]);
            registers[0] = Some(Origin::Made(own, 0));
        }
        (Mnemonic::Push, _) => add(registers, RSP, moved),
        (Mnemonic::Pop, Some(to)) if to != RSP => {
            registers[to] = None;
            add(registers, RSP, moved);
        }
        (Mnemonic::Leave, _) => {
            registers[RSP] = registers[RBP].map(|origin| origin.plus(8));
            registers[RBP] = None;
        }
        (Mnemonic::Mov, Some(to)) if whole(second).is_some() => {
            // Whatever it is, from here on both are the same.
            let origin = registers[second.number()].or(Some(Origin::Made(own, 0)));
            (registers[to], registers[second.number()]) = (origin, origin);
        }
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
        (Mnemonic::Lea, Some(to)) => {
            // Whatever is in the other, from here on it is known how far they are apart.
            if let Some(base) = added_to(instruction) {
                registers[base].get_or_insert(Origin::Made(own, 0));
            }
            registers[to] = pointed_to(instruction, registers).or(Some(Origin::Made(own, 0)));
        }
        _ => {
            let mut written = BTreeSet::new();
            for used in info.info(instruction).used_registers() {
                use OpAccess::{CondWrite, ReadCondWrite, ReadWrite, Write};
                let full = used.register().full_register();
                if full.is_gpr64() && matches!(used.access(), Write | CondWrite | ReadWrite | ReadCondWrite) {
                    written.insert(full.number());
                }
            }
            let made = (written.len() == 1).then_some(Origin::Made(own, 0));
            for register in written {
                registers[register] = made;
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
mod tests;
