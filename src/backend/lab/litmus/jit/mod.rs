//! Thread bodies assembled at run time, so that no compiler stands between a
//! test and the machine.
//!
//! A body is a function that runs its part of the test `count` times:
//!
//! ```text
//! extern "C" fn(memory: *mut u8, out: *mut i32, count: u64, first: i32)
//!     repeat count times:
//!         the operations, location k at memory + 64 k spacing
//!         out[i] = the i-th register that is asked for
//!         memory += stride;  out += number of registers asked for;  first += 1
//! ```
//!
//! How an ordering becomes instructions is told in [`x86_64`] and [`aarch64`].
//! Both assemble on any host; only the host's own can run. Where there is no
//! assembler for the host, compiled code does the same with Rust's atomics.

#[expect(
    clippy::used_underscore_binding,
    clippy::useless_conversion,
    clippy::unnecessary_semicolon,
    reason = "that is how dynasm! expands"
)]
pub mod aarch64;
mod compiled;
mod lower;
#[expect(clippy::used_underscore_binding, clippy::useless_conversion, reason = "that is how dynasm! expands")]
pub mod x86_64;

use std::io;
use std::sync::atomic::AtomicI32;

use dynasmrt::mmap::{ExecutableBuffer, MutableBuffer};

use self::compiled::Compiled;
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
    /// Cache lines from one location to the next.
    pub spacing: usize,
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
                .hint("compiled code runs the tests instead")),
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

/// A cache line of shared memory: one location of one instance, in its first
/// cell.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Line {
    /// The location.
    pub value: AtomicI32,
}

/// A body that can be called.
#[derive(Debug)]
pub struct Runnable {
    code: MachineCode,
    entry: Way,
    /// Lines that the body accesses, from one instance's first line on.
    reach: usize,
    /// Lines from one instance to the next.
    stride: usize,
    outputs: usize,
}

/// How a body is executed.
#[derive(Debug)]
enum Way {
    Native(ExecutableBuffer),
    Compiled(Compiled),
}

type Entry = unsafe extern "C" fn(*mut u8, *mut i32, u64, i32);

impl Runnable {
    /// Assembles a body for this machine, or prepares it to be done by compiled
    /// code where there is no assembler; it accesses `locations` locations.
    ///
    /// # Errors
    /// A fault where the kernel gives no executable memory.
    pub fn new(body: &Body<'_>, locations: usize) -> Result<Self, Fault> {
        let Ok(host) = Architecture::host() else { return Ok(Self::compiled(body, locations)) };
        let code = assemble(host, body)?;
        let buffer = executable(&code.bytes).map_err(|error| {
            Fault::new("litmus", format!("the kernel gives no executable memory: {error} (mmap, mprotect)"))
        })?;
        Ok(Self::with(code, Way::Native(buffer), body, locations))
    }

    /// A body that is done by compiled code.
    pub fn compiled(body: &Body<'_>, locations: usize) -> Self {
        let code = MachineCode { bytes: Vec::new(), listing: Vec::new() };
        Self::with(code, Way::Compiled(Compiled::new(body)), body, locations)
    }

    fn with(code: MachineCode, entry: Way, body: &Body<'_>, locations: usize) -> Self {
        let reach = locations.saturating_sub(1) * body.spacing + usize::from(locations > 0);
        Runnable { code, entry, reach, stride: body.stride / LINE, outputs: body.outputs.len() }
    }

    /// What it executes.
    pub fn code(&self) -> &MachineCode {
        &self.code
    }

    /// Runs the body `count` times on the instances that begin with `memory`,
    /// counting from `first`.
    ///
    /// # Panics
    /// Where `memory` or `out` is too small for so many.
    pub fn run(&self, memory: &[Line], out: &[AtomicI32], count: usize, first: i32) {
        if count == 0 {
            return;
        }
        assert!(memory.len() >= (count - 1) * self.stride + self.reach && out.len() >= count * self.outputs);
        let buffer = match &self.entry {
            Way::Native(buffer) => buffer,
            Way::Compiled(compiled) => return compiled.run(memory, out, count, first),
        };
        let entry = buffer.ptr(dynasmrt::AssemblyOffset(0));
        // SAFETY: the buffer starts with a function of this signature, which
        // `lower` has emitted for this architecture and which keeps the C
        // calling convention.
        let entry: Entry = unsafe { std::mem::transmute(entry) };
        let memory = memory.as_ptr().cast_mut().cast();
        let out = out.as_ptr().cast_mut().cast();
        // SAFETY: it accesses the first cells of the first `reach` lines of each
        // of `count` instances, and `outputs` cells of `out` for each, which the
        // assertion found to be there. All of them are atomics, so that being
        // accessed by others meanwhile is no data race.
        unsafe { entry(memory, out, count as u64, first) }
    }
}

fn executable(bytes: &[u8]) -> io::Result<ExecutableBuffer> {
    let mut buffer = MutableBuffer::new(bytes.len())?;
    buffer.set_len(bytes.len());
    buffer.copy_from_slice(bytes);
    buffer.make_exec()
}

#[cfg(test)]
mod tests;
