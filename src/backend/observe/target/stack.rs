//! Return addresses on the stack of a blocked thread.
//!
//! `/proc/PID/task/TID/syscall` tells the stack pointer and the program counter
//! of a blocked thread, and nothing else of its registers. From the stack
//! pointer upward every word is a candidate that lies in executable memory and
//! stands behind a call instruction:
//!
//! ```text
//! e8 rel32                        call, direct
//! ff /2 (modrm, sib, disp)        call through a register or memory
//! 41 ff /2                        the same with r8–r15
//! ```
//!
//! The frames that matter here are the first few, inside the C library or the
//! Rust standard library. A word left over from an earlier call can pass for a
//! return address, so no decoder rests on this alone.

/// How much of a stack is looked at.
pub const DEPTH: usize = 1024;
/// The longest call instruction.
pub const LONGEST_CALL: usize = 7;

/// Whether `code`, the bytes directly before a return address, end in a call.
pub fn ends_in_call(code: [u8; LONGEST_CALL]) -> bool {
    code[2] == 0xe8 || (2..=LONGEST_CALL).any(|length| is_indirect_call(&code[LONGEST_CALL - length..]))
}

/// What the call before a return address goes to: an address, or a place in
/// memory where the address stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    /// This address.
    At(u64),
    /// The address that stands here (`call *slot(%rip)`).
    Behind(u64),
}

/// Where the call that ends directly before `address` goes; `None` for one
/// through a register.
pub fn callee(code: [u8; LONGEST_CALL], address: u64) -> Option<Callee> {
    let relative = i32::from_le_bytes([code[3], code[4], code[5], code[6]]);
    let to = address.wrapping_add_signed(i64::from(relative));
    match code {
        [_, 0xff, 0x15, ..] => Some(Callee::Behind(to)),
        [_, _, 0xe8, ..] => Some(Callee::At(to)),
        _ => None,
    }
}

/// Where a stub of the procedure linkage table at `address` takes its target
/// from: `[endbr64] [bnd] jmp *slot(%rip)`.
pub fn stub_slot(code: &[u8], address: u64) -> Option<u64> {
    let mut at = 0;
    at += if code.starts_with(&[0xf3, 0x0f, 0x1e, 0xfa]) { 4 } else { 0 };
    at += usize::from(code.get(at) == Some(&0xf2));
    let [0xff, 0x25, a, b, c, d, ..] = *code.get(at..)? else { return None };
    let next = address + at as u64 + 6;
    Some(next.wrapping_add_signed(i64::from(i32::from_le_bytes([a, b, c, d]))))
}

/// Whether these bytes are exactly one `call` through a register or memory.
fn is_indirect_call(mut code: &[u8]) -> bool {
    if code[0] & 0xf0 == 0x40 {
        code = &code[1..];
    }
    let [0xff, modrm, rest @ ..] = code else { return false };
    let (mode, operation, register) = (modrm >> 6, modrm >> 3 & 7, modrm & 7);
    let has_sib = mode != 3 && register == 4;
    let displacement = match mode {
        0 if register == 5 => 4,
        0 if has_sib && rest.first().is_some_and(|sib| sib & 7 == 5) => 4,
        1 => 1,
        2 => 4,
        _ => 0,
    };
    operation == 2 && rest.len() == usize::from(has_sib) + displacement
}

/// A place in a process's code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    /// The address in the process.
    pub address: u64,
    /// The file it belongs to, empty for none.
    pub file: std::sync::Arc<str>,
    /// Which C library that file is.
    pub runtime: super::module::Runtime,
    /// The function, as the file names it (mangled); `None` where it does not.
    pub function: Option<std::sync::Arc<str>>,
}

impl Code {
    /// The function's name, empty where it has none.
    pub fn name(&self) -> &str {
        self.function.as_deref().unwrap_or("")
    }
}

/// Where a blocked thread is, and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallSite {
    /// The instruction that entered the kernel.
    pub at: Code,
    /// Return addresses above, nearest first.
    pub callers: Vec<Code>,
}

impl CallSite {
    /// The nearest caller.
    pub fn caller(&self) -> Option<&Code> {
        self.callers.first()
    }

    /// The first of the nearest `depth` callers for which `test` holds of the
    /// name.
    pub fn among(&self, depth: usize, test: impl Fn(&str) -> bool) -> Option<&Code> {
        self.callers.iter().take(depth).find(|code| test(code.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_of_a_call_is_found() {
        assert_eq!(callee([0, 0, 0xe8, 0x10, 0, 0, 0], 0x1000), Some(Callee::At(0x1010)));
        assert_eq!(callee([0, 0, 0xe8, 0xf0, 0xff, 0xff, 0xff], 0x1000), Some(Callee::At(0xff0)));
        assert_eq!(callee([0, 0xff, 0x15, 0x10, 0, 0, 0], 0x1000), Some(Callee::Behind(0x1010)));
        assert_eq!(callee([0, 0, 0, 0, 0, 0xff, 0xd0], 0x1000), None);
        assert_eq!(stub_slot(&[0xff, 0x25, 0x10, 0, 0, 0], 0x1000), Some(0x1016));
        assert_eq!(stub_slot(&[0xf3, 0x0f, 0x1e, 0xfa, 0xf2, 0xff, 0x25, 0x10, 0, 0, 0], 0x1000), Some(0x101b));
        assert_eq!(stub_slot(&[0x55, 0x48, 0x89, 0xe5], 0x1000), None);
    }

    #[test]
    fn calls_are_told_from_other_code() {
        let calls: &[[u8; 7]] = &[
            [0x90, 0x90, 0xe8, 1, 2, 3, 4],
            [0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xd0],
            [0x90, 0x90, 0x90, 0x90, 0x41, 0xff, 0xd4],
            [0x90, 0xff, 0x15, 1, 2, 3, 4],
            [0x90, 0x90, 0x90, 0x90, 0xff, 0x50, 0x18],
            [0xff, 0x94, 0x24, 1, 2, 3, 4],
            [0x90, 0x90, 0x90, 0x90, 0xff, 0x14, 0xc3],
        ];
        for code in calls {
            assert!(ends_in_call(*code), "{code:x?}");
        }
        let others: &[[u8; 7]] = &[
            [0x90; 7],
            [0; 7],
            // jmp *%rax, push (%rax), inc %eax
            [0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xe0],
            [0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0x30],
            [0x90, 0x90, 0x90, 0x90, 0x90, 0xff, 0xc0],
        ];
        for code in others {
            assert!(!ends_in_call(*code), "{code:x?}");
        }
    }
}
