//! Thread bodies assembled at run time, so that no compiler stands between a
//! test and the machine.
//!
//! A body is a function that runs its part of the test `count` times:
//!
//! ```text
//! extern "C" fn(memory: *mut u8, out: *mut i32, count: u64, first: i32)
//!     repeat count times:
//!         the operations, location k at memory + 64 k
//!         out[i] = the i-th register that is asked for
//!         memory += stride;  out += number of registers asked for;  first += 1
//! ```
//!
//! How an ordering becomes instructions is told in [`x86_64`] and [`aarch64`].
//! Both assemble on any host; only the host's own can run.

pub mod aarch64;
mod lower;
pub mod x86_64;

use std::io;

use dynasmrt::mmap::{ExecutableBuffer, MutableBuffer};

use self::lower::lower;
use super::ast::{Op, Register};
use crate::model::Fault;
use crate::model::litmus::Instruction;

/// Bytes from one location to the next: a cache line, so that locations do not
/// disturb each other.
pub const LINE: usize = 64;

/// What is to be assembled.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    /// The operations.
    pub ops: &'a [Op],
    /// How many registers they use.
    pub registers: usize,
    /// The registers that are written out.
    pub outputs: &'a [Register],
    /// Bytes from one instance of the locations to the next; 0 where every
    /// iteration uses the same.
    pub stride: usize,
}

/// A body in machine code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MachineCode {
    /// The bytes; execution begins with the first.
    pub bytes: Vec<u8>,
    /// The same, instruction by instruction.
    pub listing: Vec<Instruction>,
}

/// An architecture that can be assembled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// x86-64.
    X86_64,
    /// AArch64.
    Aarch64,
}

impl Architecture {
    /// The one this program runs on.
    ///
    /// # Errors
    /// A fault where there is no assembler for it.
    pub fn host() -> Result<Self, Fault> {
        match std::env::consts::ARCH {
            "x86_64" => Ok(Architecture::X86_64),
            "aarch64" => Ok(Architecture::Aarch64),
            other => Err(Fault::new("litmus", format!("no assembler for this architecture ({other})"))
                .hint("'litmus check' judges tests without running them")),
        }
    }

    /// The memory model that bounds what it may show, where there is one here.
    pub fn model(self) -> Option<&'static str> {
        match self {
            Architecture::X86_64 => Some("tso"),
            Architecture::Aarch64 => None,
        }
    }
}

/// Assembles a body.
///
/// # Errors
/// A fault where an address or a jump does not fit, which the parser's limits
/// rule out.
pub fn assemble(architecture: Architecture, body: &Body<'_>) -> Result<MachineCode, Fault> {
    match architecture {
        Architecture::X86_64 => lower::<x86_64::Assembler>(body),
        Architecture::Aarch64 => lower::<aarch64::Assembler>(body),
    }
}

/// A body that can be called.
#[derive(Debug)]
pub struct Runnable {
    code: ExecutableBuffer,
}

type Entry = unsafe extern "C" fn(*mut u8, *mut i32, u64, i32);

impl Runnable {
    /// Makes machine code of the host's architecture callable.
    ///
    /// # Errors
    /// What mmap(2) or mprotect(2) says.
    pub fn new(code: &MachineCode) -> io::Result<Self> {
        let mut buffer = MutableBuffer::new(code.bytes.len())?;
        buffer.set_len(code.bytes.len());
        buffer.copy_from_slice(&code.bytes);
        Ok(Runnable { code: buffer.make_exec()? })
    }

    /// Runs the body `count` times.
    ///
    /// # Safety
    /// The code must have been assembled for this architecture by
    /// [`assemble`]. `memory` must be valid for `count` strides of all the
    /// test's locations and `out` for `count` times the body's outputs, both
    /// for the whole call. Other threads may access `memory` at the same time
    /// only by such code or by atomics, and `out` not at all.
    pub unsafe fn run(&self, memory: *mut u8, out: *mut i32, count: u64, first: i32) {
        let entry = self.code.ptr(dynasmrt::AssemblyOffset(0));
        // SAFETY: the buffer starts with a function of this signature, which
        // `lower` has emitted and which keeps the C calling convention.
        let entry: Entry = unsafe { std::mem::transmute(entry) };
        // SAFETY: the caller vouches for the pointers.
        unsafe { entry(memory, out, count, first) }
    }
}

#[cfg(test)]
mod tests;
