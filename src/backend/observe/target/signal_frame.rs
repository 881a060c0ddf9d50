//! From a signal handler to what it has interrupted: where a handler returns to, no
//! call stands, but the function that ends it (`rt_sigreturn(2)`), above all registers
//! of the interrupted code as the kernel has put them down.
//!
//! ```text
//!       ┌ the handler ┐ ra ┌ flags, link, stack ┐ r8 … r15 rdi rsi rbp rbx rdx rax rcx rsp rip …
//!        mov $15,%rax ◄─┘  ▲                     ▲
//!        syscall           sp once it returns    sp + 40
//! ```

use super::stack::{LONGEST_CALL, ends_in_call};
use super::unwind::Registers;

/// `mov $15,%rax; syscall`, in glibc as in musl.
const RESTORE: [u8; 9] = [0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05];
/// Where `uc_mcontext` stands in a `struct ucontext`.
const CONTEXT: u64 = 40;
/// Whose values stand there, by their DWARF numbers: rsp last, and behind it rip.
const ORDER: [u16; 16] = [8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7];

/// What is known of the registers where a function goes on that returns to an address
/// and leaves the stack pointer there: behind a call, or in what a signal has
/// interrupted. `None` where it is neither.
pub fn returned(sp: u64, returns_to: u64, read: &dyn Fn(u64, &mut [u8]) -> bool) -> Option<Registers> {
    let mut code = [0; LONGEST_CALL];
    if read(returns_to.checked_sub(LONGEST_CALL as u64)?, &mut code) && ends_in_call(code) {
        return Some(Registers::new(sp, returns_to));
    }
    let (mut code, mut context) = ([0; RESTORE.len()], [0; 8 * (ORDER.len() + 1)]);
    let is_signal = read(returns_to, &mut code) && code == RESTORE;
    (is_signal && read(sp.checked_add(CONTEXT)?, &mut context)).then_some(())?;
    let mut words =
        context.chunks_exact(8).map(|word| word.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte)));
    let mut registers = Registers::new(0, 0);
    for number in ORDER {
        registers.sp = words.next()?;
        registers.set(number, Some(registers.sp));
    }
    (registers.pc, registers.interrupted) = (words.next()?, true);
    Some(registers)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: u64 = 0x1000;
    const STACK: u64 = 0x7000;

    /// Where a function goes on that returns to this code, with the words 100, 101, … on
    /// the stack: as many.
    fn at(code: &[u8], words: u64) -> Option<Registers> {
        let stack: Vec<u8> = (100..100 + words).flat_map(u64::to_le_bytes).collect();
        let parts = [(CODE - 8, [&[0x90; 8], code].concat()), (STACK, stack)];
        returned(STACK, CODE, &|address, buffer| {
            let part = parts.iter().find(|(start, bytes)| (*start..start + bytes.len() as u64).contains(&address));
            let Some((start, bytes)) = part else { return false };
            let from = bytes.get((address - start) as usize..).and_then(|bytes| bytes.get(..buffer.len()));
            from.map(|bytes| buffer.copy_from_slice(bytes)).is_some()
        })
    }

    #[test]
    fn all_registers_of_what_was_interrupted_are_known() {
        let found = at(&RESTORE, 5 + 17).unwrap();
        assert!(found.interrupted);
        // Five words before; rsp and rip stand last.
        assert_eq!((found.sp, found.pc), (120, 121));
        assert_eq!((found.get(8), found.get(15), found.get(5)), (Some(105), Some(112), Some(113)));
        let rest = [4, 6, 3, 1, 0, 2, 7].map(|number| found.get(number).unwrap());
        assert_eq!(rest, [114, 115, 116, 117, 118, 119, 120]);
        assert_eq!(found.behind(), 122, "no call stands before it");
    }

    #[test]
    fn other_code_and_a_short_stack_are_refused() {
        let mut other = RESTORE;
        other[3] = 14;
        assert_eq!(at(&other, 22), None, "another system call");
        assert_eq!(at(&RESTORE[..8], 22), None);
        assert_eq!(at(&RESTORE, 21), None);
    }
}
