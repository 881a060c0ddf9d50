//! The live frames of a blocked thread, by the call frame tables of its files
//! (`.eh_frame`; DWARF 5, section 6.4; LSB, "Exception Frames").
//!
//! ```text
//! sp ─► ┌ frame 0 ┐ ra ┌ frame 1 ┐ ra ┌ frame 2 ┐ ra …   to the frame that has no caller
//!       sp ─────► cfa = sp ────► cfa = sp ────► cfa
//! ```
//!
//! The kernel tells the stack pointer and the program counter only. Most rows
//! count from the stack pointer. Where one counts from rbp, and rbp has not
//! been restored from a frame before, its value follows from what the prologue
//! does, read from the code:
//!
//! ```text
//! 55            push %rbp            48 83 ec ib   sub $n,%rsp
//! 48 89 e5      mov %rsp,%rbp        48 81 ec id   sub $n,%rsp
//! 5x, 41 5x     push of others, as many as the row says are saved
//! ```
//!
//! Of any other the code is followed from its first instruction to where it is
//! ([`height`](super::height)). Where that is not clear the walk ends as incomplete,
//! and so it does at a return address that neither stands behind a call nor ends a
//! signal handler ([`signal_frame`](super::signal_frame)): no frame is guessed.

use std::ops::Deref;

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, EndianSlice, FrameDescriptionEntry, LittleEndian, Pointer, Register,
    RegisterRule, UnwindContext, UnwindSection, X86_64,
};

use super::height::below;
use super::signal_frame::returned;

/// So many frames are followed.
pub const FRAMES: usize = 256;
const REGISTERS: usize = 16;
/// The longest prologue: push rbp, mov, five pushes of two bytes, sub.
const PROLOGUE: usize = 21;
/// A longer function is not followed.
const LONGEST: usize = 64 << 10;

/// The call frame table of a file.
#[derive(Debug)]
pub struct FrameTable {
    bytes: Vec<u8>,
    /// `.eh_frame_hdr`: the same, sorted by address, to look it up.
    sorted: Vec<u8>,
    bases: BaseAddresses,
}

type Bytes<'t> = EndianSlice<'t, LittleEndian>;

/// What is known of a frame's registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registers {
    /// The stack pointer.
    pub sp: u64,
    /// The program counter.
    pub pc: u64,
    /// Whether a signal has come before the instruction there; else a call has just been
    /// done.
    pub interrupted: bool,
    known: [Option<u64>; REGISTERS],
}

impl Registers {
    /// Of a thread of which the kernel tells no others.
    pub fn new(sp: u64, pc: u64) -> Self {
        let mut known = [None; REGISTERS];
        known[usize::from(X86_64::RSP.0)] = Some(sp);
        Registers { sp, pc, interrupted: false, known }
    }

    /// An address behind the first byte of what is done there: where a call returns to, or
    /// within the instruction that was not done.
    pub fn behind(&self) -> u64 {
        self.pc.wrapping_add(u64::from(self.interrupted))
    }

    /// Sets a register, by its DWARF number.
    pub fn set(&mut self, register: u16, value: Option<u64>) {
        self.known[usize::from(register)] = value;
    }

    /// The value that a register (by its DWARF number) has in this frame.
    pub fn get(&self, register: u16) -> Option<u64> {
        self.known.get(usize::from(register)).copied().flatten()
    }
}

/// One live frame: `sp..cfa` of the stack, its return address included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The registers in it.
    pub registers: Registers,
    /// The canonical frame address, where the caller's frame begins.
    pub cfa: u64,
    /// Where its function begins.
    pub function: u64,
    /// How long it is; 0 where no table says.
    pub length: u64,
    /// Where the table of what to do about exceptions stands, if it has one.
    pub exceptions: Option<u64>,
    /// Whether no table says this, but its code.
    pub bare: bool,
}

/// The frames of a thread, innermost first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Those found.
    pub frames: Vec<Frame>,
    /// Whether the last of them is the one that has no caller.
    pub complete: bool,
    /// Whether they end with a signal handler, those that it has interrupted left out.
    pub interrupts: bool,
}

impl Walk {
    /// Leaves out what a signal has interrupted: that is not done before the handler has
    /// returned, and no call of it tells what it was about to do.
    #[must_use]
    pub fn until_signal(mut self) -> Self {
        if let Some(inner) = self.frames.iter().position(|frame| frame.registers.interrupted) {
            self.frames.truncate(inner);
            (self.complete, self.interrupts) = (false, true);
        }
        self
    }
}

/// A step from a frame to its caller.
#[derive(Debug)]
struct Step {
    frame: Frame,
    /// `None` for the outermost frame.
    caller: Option<Registers>,
}

impl Step {
    /// From a function without a table.
    fn bare(registers: Registers, caller: Registers) -> Self {
        let (cfa, function) = (caller.sp, registers.pc);
        Step {
            frame: Frame { registers, cfa, function, length: 0, exceptions: None, bare: true },
            caller: Some(caller),
        }
    }
}

impl FrameTable {
    /// The content of the section `.eh_frame`, which lies at `address` of the
    /// file's own numbering.
    pub fn new(bytes: Vec<u8>, address: u64) -> Self {
        FrameTable { bytes, sorted: Vec::new(), bases: BaseAddresses::default().set_eh_frame(address) }
    }

    /// How many bytes of the file it holds.
    pub fn size(&self) -> usize {
        self.bytes.len() + self.sorted.len()
    }

    /// With the content and the address of the section `.eh_frame_hdr`.
    #[must_use]
    pub fn sorted(mut self, bytes: Vec<u8>, address: u64) -> Self {
        self.sorted = bytes;
        self.bases = self.bases.set_eh_frame_hdr(address);
        self
    }

    /// Where the function that the place `own` of the file is in begins, and how long it is.
    pub fn extent(&self, own: u64) -> Option<(u64, u64)> {
        let entry = self.entry(own)?;
        Some((entry.initial_address(), entry.len()))
    }

    fn entry(&self, own: u64) -> Option<FrameDescriptionEntry<Bytes<'_>>> {
        let section = EhFrame::new(&self.bytes, LittleEndian);
        let header = EhFrameHdr::new(&self.sorted, LittleEndian).parse(&self.bases, 8).ok();
        if let Some(table) = header.as_ref().and_then(gimli::ParsedEhFrameHdr::table) {
            return table.fde_for_address(&section, &self.bases, own, EhFrame::cie_from_offset).ok();
        }
        section.fde_for_address(&self.bases, own, EhFrame::cie_from_offset).ok()
    }

    /// From the frame with these registers to its caller, by the entry `fde` for the
    /// place `own` of the file. `moved` is the distance from the file's own numbering
    /// to the process's; `room` is what the entry is worked out in.
    fn step(
        &self,
        (fde, own, moved): (&FrameDescriptionEntry<Bytes<'_>>, u64, u64),
        registers: &Registers,
        read: &impl Fn(u64, &mut [u8]) -> bool,
        room: &mut UnwindContext<usize>,
    ) -> Option<Step> {
        let section = EhFrame::new(&self.bytes, LittleEndian);
        let row = fde.unwind_info_for_address(&section, &self.bases, room, own).ok()?;
        let CfaRule::RegisterAndOffset { register, offset } = *row.cfa() else { return None };
        let base = match registers.get(register.0) {
            Some(value) => value,
            None if register == X86_64::RBP => {
                let saved = row.registers().filter(|(_, rule)| matches!(rule, RegisterRule::Offset(_)));
                // Of those saved, the return address and rbp lie above it.
                let pushes = saved.filter(|(register, _)| *register != X86_64::RA).count().checked_sub(1)?;
                let place = (fde.initial_address().wrapping_add(moved), fde.len());
                rbp(registers, pushes, offset, place, read)?
            }
            None => return None,
        };
        let cfa = base.checked_add_signed(offset).filter(|&cfa| cfa > registers.sp)?;
        let word = |at: u64| {
            let mut bytes = [0; 8];
            read(at, &mut bytes).then(|| u64::from_le_bytes(bytes))
        };
        let restored = |register: Register| match row.register(register) {
            None | Some(RegisterRule::SameValue) => Some(registers.get(register.0)),
            Some(RegisterRule::Undefined) => Some(None),
            Some(RegisterRule::Offset(offset)) => word(cfa.checked_add_signed(offset)?).map(Some),
            Some(_) => None,
        };
        let exceptions = match fde.lsda() {
            Some(Pointer::Direct(address)) => Some(address.wrapping_add(moved)),
            _ => None,
        };
        let function = fde.initial_address().wrapping_add(moved);
        let length = fde.len();
        let mut own = registers.clone();
        own.set(register.0, Some(base));
        let frame = Frame { registers: own, cfa, function, length, exceptions, bare: false };
        // x86-64 psABI: an undefined return address marks the outermost frame.
        if matches!(row.register(X86_64::RA), Some(RegisterRule::Undefined)) {
            return Some(Step { frame, caller: None });
        }
        let mut caller = returned(cfa, restored(X86_64::RA)??, &|at, buffer| read(at, buffer))?;
        if !caller.interrupted {
            // What a call may change is not known behind it.
            for number in [3, 6, 12, 13, 14, 15] {
                caller.set(number, restored(Register(number))?);
            }
        }
        Some(Step { frame, caller: Some(caller) })
    }
}

/// The value of rbp in a function of this place and length, which has saved so many
/// more registers behind it and of which the table says that its frame begins so
/// far above rbp.
fn rbp(
    registers: &Registers,
    pushes: usize,
    offset: i64,
    (function, length): (u64, u64),
    read: &impl Fn(u64, &mut [u8]) -> bool,
) -> Option<u64> {
    let mut code = [0; PROLOGUE];
    let prologue = read(function, &mut code).then(|| below_rbp(&code, pushes)).flatten();
    if let Some(below) = prologue {
        return registers.sp.checked_add(below);
    }
    let at = usize::try_from(registers.pc.checked_sub(function)?).ok()?;
    let mut code = vec![0; usize::try_from(length).ok().filter(|&length| length <= LONGEST)?];
    read(function, &mut code).then_some(())?;
    // The return address lies between the caller's frame and this.
    registers.sp.checked_add(below(&code, at)?)?.checked_add(8)?.checked_add_signed(offset.checked_neg()?)
}

/// How far rbp lies above the stack pointer in a function that begins with this
/// code and pushes so many registers behind rbp.
fn below_rbp(code: &[u8], pushes: usize) -> Option<u64> {
    let mut rest = code.strip_prefix(&[0x55, 0x48, 0x89, 0xe5])?;
    for _ in 0..pushes {
        rest = match rest {
            [0x41, 0x50..=0x57, rest @ ..] | [0x50..=0x57, rest @ ..] => rest,
            _ => return None,
        };
    }
    // One more push aligns the stack, unsaved.
    let (align, rest) = match rest {
        [0x50, rest @ ..] => (8, rest),
        _ => (0, rest),
    };
    let local = match *rest {
        [0x48, 0x83, 0xec, size @ 0..=0x7f, ..] => u64::from(size),
        [0x48, 0x81, 0xec, a, b, c, d @ 0..=0x7f, ..] => u64::from(u32::from_le_bytes([a, b, c, d])),
        _ if align == 8 => 0,
        _ => return None,
    };
    Some(8 * pushes as u64 + align + local)
}

/// Walks from these registers outwards. `table` gives the table of the file
/// that an address of the process is in, and how far that file was moved; `bare`
/// finds the caller of a function which that table says nothing of.
pub fn walk<T: Deref<Target = FrameTable>>(
    registers: Registers,
    table: impl Fn(u64) -> Option<(T, u64)>,
    read: impl Fn(u64, &mut [u8]) -> bool,
    bare: impl Fn(&Registers) -> Option<Registers>,
) -> Walk {
    let mut walk = Walk::default();
    let mut next = Some(registers);
    // Some 12 kB, taken once.
    let mut room = UnwindContext::new();
    while let Some(registers) = next.take() {
        let called = !walk.frames.is_empty() && !registers.interrupted;
        if walk.frames.len() == FRAMES {
            return walk;
        }
        // A return address may be the first byte of the next function.
        let at = registers.pc.wrapping_sub(u64::from(called));
        let found = table(at);
        let entry = found.as_ref().and_then(|(table, moved)| {
            let own = at.wrapping_sub(*moved);
            table.entry(own).map(|fde| (table, fde, own, *moved))
        });
        let step = match entry {
            Some((table, fde, own, moved)) => table.step((&fde, own, moved), &registers, &read, &mut room),
            None => bare(&registers).map(|caller| Step::bare(registers, caller)),
        };
        let Some(step) = step else { return walk };
        walk.frames.push(step.frame);
        next = step.caller;
    }
    walk.complete = true;
    walk
}

#[cfg(test)]
mod tests;
