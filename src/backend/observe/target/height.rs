//! How far a function's stack pointer lies below where it was when the function
//! was called, by the code that leads from its first instruction to where it is.
//!
//! ```text
//! 0:  push %rbp            8 below
//!     mov  %rsp,%rbp         rbp: 8 below
//!     sub  $16,%rsp        24
//!     call f                 passed over: it leaves the stack as it was
//! ─►                       24
//!     leave                  back to where rbp is, one more popped
//! ```
//!
//! All ways that come to a place must agree. Where one of them does something to
//! the stack pointer that is not known, as `and $-32,%rsp`, nothing is known behind.

use std::collections::HashMap;

use iced_x86::{
    Decoder, DecoderOptions, FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};

/// So many instructions are looked at, some more than once.
const MOST: usize = 20_000;

/// How far two registers lie below the stack pointer of the beginning, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Below {
    sp: Option<i64>,
    rbp: Option<i64>,
}

/// How far the stack pointer lies below where it was at the beginning, at the
/// offset `at` of a function with this code; `None` where that is not clear.
pub fn below(code: &[u8], at: usize) -> Option<u64> {
    let mut info = InstructionInfoFactory::new();
    let mut known: HashMap<usize, Below> = HashMap::from([(0, Below { sp: Some(0), rbp: None })]);
    let (mut open, mut looked) = (vec![0], 0);
    while let Some(here) = open.pop() {
        looked += 1;
        if looked > MOST {
            return None;
        }
        // Behind the last instruction, which calls what does not return.
        let Some(rest) = code.get(here..).filter(|rest| !rest.is_empty()) else { continue };
        let instruction = Decoder::with_ip(64, rest, here as u64, DecoderOptions::NONE).decode();
        let Some(&before) = known.get(&here).filter(|_| !instruction.is_invalid()) else { continue };
        let after = follow(&mut info, &instruction, before);
        let behind = instruction.next_ip();
        let target = instruction.near_branch_target();
        let ways: &[u64] = match instruction.flow_control() {
            FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall => &[behind],
            FlowControl::ConditionalBranch => &[behind, target],
            FlowControl::UnconditionalBranch => &[target],
            _ => &[],
        };
        for &next in ways {
            let Some(next) = usize::try_from(next).ok().filter(|&next| next <= code.len()) else { continue };
            let merged = match known.get(&next) {
                None => after,
                Some(other) => Below {
                    sp: after.sp.filter(|_| other.sp == after.sp),
                    rbp: after.rbp.filter(|_| other.rbp == after.rbp),
                },
            };
            if known.insert(next, merged) != Some(merged) {
                open.push(next);
            }
        }
    }
    u64::try_from(known.get(&at)?.sp?).ok()
}

/// What an instruction does to both.
fn follow(info: &mut InstructionInfoFactory, instruction: &Instruction, before: Below) -> Below {
    let Below { sp, rbp } = before;
    let (first, second) = (instruction.op0_register(), instruction.op1_register());
    let lower = |by: i64| sp.and_then(|sp| sp.checked_add(by));
    let is_number = !matches!(instruction.op1_kind(), OpKind::Register | OpKind::Memory);
    match instruction.mnemonic() {
        Mnemonic::Syscall => before,
        Mnemonic::Call => before,
        Mnemonic::Push => Below { sp: lower(-i64::from(instruction.stack_pointer_increment())), rbp },
        Mnemonic::Pop if first == Register::RSP => Below { sp: None, rbp },
        Mnemonic::Pop => {
            let sp = lower(-i64::from(instruction.stack_pointer_increment()));
            Below { sp, rbp: rbp.filter(|_| first.full_register() != Register::RBP) }
        }
        Mnemonic::Sub if first == Register::RSP && is_number => {
            Below { sp: lower(instruction.immediate(1).cast_signed()), rbp }
        }
        Mnemonic::Add if first == Register::RSP && is_number => {
            Below { sp: instruction.immediate(1).cast_signed().checked_neg().and_then(lower), rbp }
        }
        Mnemonic::Lea if first == Register::RSP && instruction.memory_index() == Register::None => {
            let base = match instruction.memory_base() {
                Register::RSP => sp,
                Register::RBP => rbp,
                _ => None,
            };
            let by = instruction.memory_displacement64().cast_signed();
            Below { sp: base.and_then(|base| base.checked_sub(by)), rbp }
        }
        Mnemonic::Mov if first == Register::RBP && second == Register::RSP => Below { sp, rbp: sp },
        Mnemonic::Mov if first == Register::RSP && second == Register::RBP => Below { sp: rbp, rbp },
        Mnemonic::Leave => Below { sp: rbp.and_then(|rbp| rbp.checked_sub(8)), rbp: None },
        _ => {
            let mut after = before;
            for used in info.info(instruction).used_registers() {
                use OpAccess::{CondWrite, ReadCondWrite, ReadWrite, Write};
                if matches!(used.access(), Write | CondWrite | ReadWrite | ReadCondWrite) {
                    match used.register().full_register() {
                        Register::RSP => after.sp = None,
                        Register::RBP => after.rbp = None,
                        _ => {}
                    }
                }
            }
            after
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_counted_from_the_first_instruction() {
        // push %rbp; mov %rsp,%rbp; call; leave; ret
        let plain = [0x55, 0x48, 0x89, 0xe5, 0xe8, 0, 0, 0, 0, 0xc9, 0xc3];
        assert_eq!([0, 1, 4, 9, 10].map(|at| below(&plain, at)), [0, 8, 8, 8, 0].map(Some));
        assert_eq!(below(&plain, 2), None, "within an instruction");
        // push %rbp; mov %rsp,%rbp; push %rbx; sub $24,%rsp; call, which does not return
        let last = [0x55, 0x48, 0x89, 0xe5, 0x53, 0x48, 0x83, 0xec, 24, 0xe8, 0, 0, 0, 0];
        assert_eq!(below(&last, last.len()), Some(40));
    }

    #[test]
    fn all_ways_must_agree() {
        // je +1; push %rax; nop
        assert_eq!(below(&[0x74, 1, 0x50, 0x90], 3), None);
        // push %rax; je +2; pop %rax; push %rax; nop
        assert_eq!(below(&[0x50, 0x74, 2, 0x58, 0x50, 0x90], 5), Some(8));
        // 0: push %rax; jmp 0
        assert_eq!(below(&[0x50, 0xeb, 0xfd], 1), None);
        // push %rax; ret; nop: nothing leads there
        assert_eq!(below(&[0x50, 0xc3, 0x90], 2), None);
    }

    #[test]
    fn what_is_not_known_stays_so_until_rbp_tells() {
        // push %rbp; mov %rsp,%rbp; and $-32,%rsp; nop; mov %rbp,%rsp; nop
        let aligned = [0x55, 0x48, 0x89, 0xe5, 0x48, 0x83, 0xe4, 0xe0, 0x90, 0x48, 0x89, 0xec, 0x90];
        assert_eq!((below(&aligned, 8), below(&aligned, 12)), (None, Some(8)));
        // push %rbp; mov %rsp,%rbp; push %rbx; lea -8(%rbp),%rsp; nop
        let back = [0x55, 0x48, 0x89, 0xe5, 0x53, 0x48, 0x8d, 0x65, 0xf8, 0x90];
        assert_eq!(below(&back, 9), Some(16));
        // push %rbp; mov %rsp,%rbp; mov %rax,%rbp; mov %rbp,%rsp; nop
        let other = [0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0xc5, 0x48, 0x89, 0xec, 0x90];
        assert_eq!(below(&other, 10), None);
        // sub %rax,%rsp; nop
        assert_eq!(below(&[0x48, 0x29, 0xc4, 0x90], 3), None);
    }
}
