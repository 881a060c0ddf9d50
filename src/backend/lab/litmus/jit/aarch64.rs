//! AArch64.
//!
//! | operation | instructions |
//! |---|---|
//! | load, relaxed | `ldr` |
//! | load, acquire or seq_cst | `ldar` |
//! | store, relaxed | `str` |
//! | store, release or seq_cst | `stlr` |
//! | read-modify-write | `ldxr`/`ldaxr`, `stxr`/`stlxr` in a loop |
//! | fence, acquire | `dmb ishld` |
//! | fence, release, acq_rel or seq_cst | `dmb ish` |
//!
//! `x0` points to the locations, `x1` to the output, `x2` counts down, `w3` is
//! the iteration's number; `w8` is the accumulator; `w9`, `w10`, `x11`, `w16`
//! and `w17` are free for use inside one operation.

use dynasmrt::aarch64::Aarch64Relocation;
use dynasmrt::{DynasmApi, DynasmLabelApi, VecAssembler, dynasm};

use super::lower::{Label, Place, Source, Target, Texts, name, resolve};
use crate::backend::lab::litmus::ast::{Modification, Operator};
use crate::model::Fault;
use crate::model::litmus::Order;

/// The registers of the test: w4 to w7, w12 to w15.
const REGISTERS: [u8; 8] = [4, 5, 6, 7, 12, 13, 14, 15];

/// Emits AArch64.
pub(super) struct Assembler {
    ops: VecAssembler<Aarch64Relocation>,
    texts: Texts,
    /// Where each label stands.
    bound: Vec<(Label, usize)>,
}

/// Emits one instruction and notes its text.
macro_rules! emit {
    ($self:ident, $text:expr, $($instruction:tt)*) => {{
        $self.texts.push(($self.ops.offset().0, $text.to_string()));
        dynasm!($self.ops ; .arch aarch64 ; $($instruction)*);
    }};
}

impl Assembler {
    /// Puts a number into register `w`.
    fn constant(&mut self, w: u8, value: i32) {
        let (low, high) = (value as u32 & 0xffff, value as u32 >> 16);
        emit!(self, format!("movz w{w}, {low:#x}"), movz W(w), low);
        if high != 0 {
            emit!(self, format!("movk w{w}, {high:#x}, lsl 16"), movk W(w), high, lsl 16);
        }
    }

    /// A machine register that holds the source: its own, or w9.
    fn held(&mut self, source: Source) -> u8 {
        match source {
            Source::Constant(value) => {
                self.constant(9, value);
                9
            }
            Source::Iteration => 3,
            Source::Place(Place::Machine(n)) => REGISTERS[n],
            Source::Place(Place::Stack(offset)) => {
                emit!(self, format!("ldr w9, [sp, {offset}]"), ldr w9, [sp, offset]);
                9
            }
        }
    }

    /// x11 = the address of a location.
    fn address(&mut self, offset: u32) {
        emit!(self, format!("add x11, x0, {offset}"), add x11, x0, offset);
    }

    /// memory[offset] = register w
    fn store_register(&mut self, w: u8, offset: u32, order: Order) {
        if order.releases() {
            self.address(offset);
            emit!(self, format!("stlr w{w}, [x11]"), stlr W(w), [x11]);
        } else {
            emit!(self, format!("str w{w}, [x0, {offset}]"), str W(w), [x0, offset]);
        }
    }

    /// w9 = [x11], exclusively.
    fn load_exclusive(&mut self, acquires: bool) {
        if acquires {
            emit!(self, "ldaxr w9, [x11]", ldaxr w9, [x11]);
        } else {
            emit!(self, "ldxr w9, [x11]", ldxr w9, [x11]);
        }
    }

    /// [x11] = w10, or again from `again` on.
    fn store_exclusive(&mut self, releases: bool, again: Label) {
        if releases {
            emit!(self, "stlxr w16, w10, [x11]", stlxr w16, w10, [x11]);
        } else {
            emit!(self, "stxr w16, w10, [x11]", stxr w16, w10, [x11]);
        }
        emit!(self, format!("cbnz w16, {}", name(again)), cbnz w16, =>again);
    }

    /// w8 = a flag that the comparison before has set.
    fn flag(&mut self, operator: Operator) {
        match operator {
            Operator::Unequal => emit!(self, "cset w8, ne", cset w8, ne),
            Operator::Less => emit!(self, "cset w8, lt", cset w8, lt),
            Operator::LessOrEqual => emit!(self, "cset w8, le", cset w8, le),
            Operator::Greater => emit!(self, "cset w8, gt", cset w8, gt),
            Operator::GreaterOrEqual => emit!(self, "cset w8, ge", cset w8, ge),
            _ => emit!(self, "cset w8, eq", cset w8, eq),
        }
    }

    /// place = register w
    fn put_register(&mut self, w: u8, place: Place) {
        match place {
            Place::Machine(n) => {
                let to = REGISTERS[n];
                emit!(self, format!("mov w{to}, w{w}"), mov W(to), W(w));
            }
            Place::Stack(offset) => emit!(self, format!("str w{w}, [sp, {offset}]"), str W(w), [sp, offset]),
        }
    }
}

impl Target for Assembler {
    const MACHINE_REGISTERS: usize = REGISTERS.len();

    fn new() -> Self {
        Assembler { ops: VecAssembler::new(0), texts: Vec::new(), bound: Vec::new() }
    }

    fn prologue(&mut self, stack: u32) {
        if stack > 0 {
            emit!(self, format!("sub sp, sp, {stack}"), sub sp, sp, stack);
        }
    }

    fn step(&mut self, stride: usize, outputs: usize, again: Label) {
        if stride > 0 {
            emit!(self, format!("add x0, x0, {stride}"), add x0, x0, stride as u32);
        }
        if outputs > 0 {
            emit!(self, format!("add x1, x1, {}", 4 * outputs), add x1, x1, 4 * outputs as u32);
        }
        emit!(self, "add w3, w3, 1", add w3, w3, 1);
        emit!(self, "sub x2, x2, 1", sub x2, x2, 1);
        emit!(self, format!("cbnz x2, {}", name(again)), cbnz x2, =>again);
    }

    fn epilogue(&mut self, stack: u32) {
        if stack > 0 {
            emit!(self, format!("add sp, sp, {stack}"), add sp, sp, stack);
        }
        emit!(self, "ret", ret);
    }

    fn clear(&mut self, place: Place) {
        match place {
            Place::Machine(n) => {
                let to = REGISTERS[n];
                emit!(self, format!("mov w{to}, wzr"), mov W(to), wzr);
            }
            Place::Stack(offset) => emit!(self, format!("str wzr, [sp, {offset}]"), str wzr, [sp, offset]),
        }
    }

    fn get(&mut self, source: Source) {
        match source {
            Source::Constant(value) => self.constant(8, value),
            Source::Place(Place::Stack(offset)) => {
                emit!(self, format!("ldr w8, [sp, {offset}]"), ldr w8, [sp, offset]);
            }
            other => {
                let held = self.held(other);
                emit!(self, format!("mov w8, w{held}"), mov w8, W(held));
            }
        }
    }

    fn put(&mut self, place: Place) {
        self.put_register(8, place);
    }

    fn operate(&mut self, operator: Operator, source: Source) {
        let w = self.held(source);
        match operator {
            Operator::Add => emit!(self, format!("add w8, w8, w{w}"), add w8, w8, W(w)),
            Operator::Sub => emit!(self, format!("sub w8, w8, w{w}"), sub w8, w8, W(w)),
            Operator::Mul => emit!(self, format!("mul w8, w8, w{w}"), mul w8, w8, W(w)),
            Operator::And => emit!(self, format!("and w8, w8, w{w}"), and w8, w8, W(w)),
            Operator::Or => emit!(self, format!("orr w8, w8, w{w}"), orr w8, w8, W(w)),
            Operator::Xor => emit!(self, format!("eor w8, w8, w{w}"), eor w8, w8, W(w)),
            comparison => {
                emit!(self, format!("cmp w8, w{w}"), cmp w8, W(w));
                self.flag(comparison);
            }
        }
    }

    fn not(&mut self) {
        emit!(self, "cmp w8, 0", cmp w8, 0);
        self.flag(Operator::Equal);
    }

    fn load(&mut self, place: Place, offset: u32, order: Order) {
        let to = match place {
            Place::Machine(n) => REGISTERS[n],
            Place::Stack(_) => 8,
        };
        if order.acquires() {
            self.address(offset);
            emit!(self, format!("ldar w{to}, [x11]"), ldar W(to), [x11]);
        } else {
            emit!(self, format!("ldr w{to}, [x0, {offset}]"), ldr W(to), [x0, offset]);
        }
        if to == 8 {
            self.put(place);
        }
    }

    fn store(&mut self, source: Source, offset: u32, order: Order) {
        let w = self.held(source);
        self.store_register(w, offset, order);
    }

    fn store_accumulator(&mut self, offset: u32, order: Order) {
        self.store_register(8, offset, order);
    }

    fn modify(&mut self, kind: Modification, offset: u32, order: Order) {
        self.address(offset);
        let again = self.label();
        self.bind(again);
        self.load_exclusive(order.acquires());
        match kind {
            Modification::Swap => emit!(self, "mov w10, w8", mov w10, w8),
            Modification::Add => emit!(self, "add w10, w9, w8", add w10, w9, w8),
            Modification::Sub => emit!(self, "sub w10, w9, w8", sub w10, w9, w8),
            Modification::And => emit!(self, "and w10, w9, w8", and w10, w9, w8),
            Modification::Or => emit!(self, "orr w10, w9, w8", orr w10, w9, w8),
            Modification::Xor => emit!(self, "eor w10, w9, w8", eor w10, w9, w8),
        }
        self.store_exclusive(order.releases(), again);
        emit!(self, "mov w8, w9", mov w8, w9);
    }

    fn desire(&mut self) {
        emit!(self, "mov w10, w8", mov w10, w8);
    }

    fn compare_exchange(&mut self, success: Place, offset: u32, order: Order, failure: Order) {
        self.address(offset);
        let (again, fail, end) = (self.label(), self.label(), self.label());
        self.bind(again);
        self.load_exclusive(order.acquires() || failure.acquires());
        emit!(self, "cmp w9, w8", cmp w9, w8);
        emit!(self, format!("b.ne {}", name(fail)), b.ne =>fail);
        self.store_exclusive(order.releases(), again);
        emit!(self, "movz w17, 0x1", movz w17, 1);
        emit!(self, format!("b {}", name(end)), b =>end);
        self.bind(fail);
        emit!(self, "clrex", clrex);
        emit!(self, "movz w17, 0x0", movz w17, 0);
        self.bind(end);
        emit!(self, "mov w8, w9", mov w8, w9);
        self.put_register(17, success);
    }

    fn fence(&mut self, order: Order) {
        match order {
            Order::Plain | Order::Relaxed => {}
            Order::Acquire => emit!(self, "dmb ishld", dmb ishld),
            Order::Release | Order::AcqRel | Order::SeqCst => emit!(self, "dmb ish", dmb ish),
        }
    }

    fn output(&mut self, index: usize, place: Place) {
        let held = match place {
            Place::Machine(n) => REGISTERS[n],
            Place::Stack(_) => {
                self.get(Source::Place(place));
                8
            }
        };
        let at = 4 * index as u32;
        emit!(self, format!("str w{held}, [x1, {at}]"), str W(held), [x1, at]);
    }

    fn label(&mut self) -> Label {
        self.ops.new_dynamic_label()
    }

    fn bind(&mut self, label: Label) {
        self.bound.push((label, self.offset()));
        dynasm!(self.ops ; .arch aarch64 ; =>label);
    }

    fn jump(&mut self, to: Label) {
        emit!(self, format!("b {}", name(to)), b =>to);
    }

    fn jump_if_zero(&mut self, to: Label) {
        emit!(self, format!("cbz w8, {}", name(to)), cbz w8, =>to);
    }

    fn offset(&self) -> usize {
        self.ops.offset().0
    }

    fn finish(self) -> Result<(Vec<u8>, Texts), Fault> {
        let bytes = self.ops.finalize().map_err(|error| Fault::new("assembler", error.to_string()))?;
        Ok((bytes, resolve(self.texts, &self.bound)))
    }
}
