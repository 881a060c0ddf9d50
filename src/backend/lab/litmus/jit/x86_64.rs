//! x86-64.
//!
//! | operation | instructions |
//! |---|---|
//! | load, any ordering | `mov` |
//! | store, relaxed or release | `mov` |
//! | store, seq_cst | `xchg` |
//! | read-modify-write | `xchg`, `lock xadd`, `lock cmpxchg` (in a loop for and, or, xor) |
//! | fence, seq_cst | `mfence` |
//! | other fences | none: they order the compiler only |
//!
//! `rdi` points to the locations, `rsi` to the output, `rdx` counts down, `ecx`
//! is the iteration's number; `eax` is the accumulator, `r10d` and `r11d` are
//! free for use inside one operation.

use dynasmrt::x64::X64Relocation;
use dynasmrt::{DynasmApi, DynasmLabelApi, VecAssembler, dynasm};

use super::lower::{Label, Place, Source, Target, Texts, name, resolve};
use crate::backend::lab::litmus::ast::{Modification, Operator};
use crate::model::Fault;
use crate::model::litmus::Order;

/// The registers of the test: ebx, ebp, r8d, r9d, r12d to r15d.
const REGISTERS: [(u8, &str); 8] =
    [(3, "ebx"), (5, "ebp"), (8, "r8d"), (9, "r9d"), (12, "r12d"), (13, "r13d"), (14, "r14d"), (15, "r15d")];

/// Emits x86-64.
pub(super) struct Assembler {
    ops: VecAssembler<X64Relocation>,
    texts: Texts,
    /// Where each label stands.
    bound: Vec<(Label, usize)>,
}

/// Emits one instruction and notes its text.
macro_rules! emit {
    ($self:ident, $text:expr, $($instruction:tt)*) => {{
        $self.texts.push(($self.ops.offset().0, $text.to_string()));
        dynasm!($self.ops ; .arch x64 ; $($instruction)*);
    }};
}

/// The same instruction with each kind of right side.
macro_rules! emit_with {
    ($self:ident, $name:literal, $source:expr, $operation:ident) => {
        match $source {
            Source::Constant(value) => emit!($self, format!(concat!($name, " eax, {}"), value), $operation eax, value),
            Source::Iteration => emit!($self, concat!($name, " eax, ecx"), $operation eax, ecx),
            Source::Place(Place::Machine(n)) => {
                let (code, name) = REGISTERS[n];
                emit!($self, format!(concat!($name, " eax, {}"), name), $operation eax, Rd(code));
            }
            Source::Place(Place::Stack(offset)) => {
                let at = offset as i32;
                emit!($self, format!(concat!($name, " eax, [rsp+{}]"), at), $operation eax, [rsp + at]);
            }
        }
    };
}

impl Assembler {
    /// eax = a flag that the comparison before has set.
    fn flag(&mut self, operator: Operator) {
        match operator {
            Operator::Unequal => emit!(self, "setne al", setne al),
            Operator::Less => emit!(self, "setl al", setl al),
            Operator::LessOrEqual => emit!(self, "setle al", setle al),
            Operator::Greater => emit!(self, "setg al", setg al),
            Operator::GreaterOrEqual => emit!(self, "setge al", setge al),
            _ => emit!(self, "sete al", sete al),
        }
        emit!(self, "movzx eax, al", movzx eax, al);
    }
}

impl Target for Assembler {
    const MACHINE_REGISTERS: usize = REGISTERS.len();

    fn new() -> Self {
        Assembler { ops: VecAssembler::new(0), texts: Vec::new(), bound: Vec::new() }
    }

    fn prologue(&mut self, stack: u32) {
        emit!(self, "push rbx", push rbx);
        emit!(self, "push rbp", push rbp);
        emit!(self, "push r12", push r12);
        emit!(self, "push r13", push r13);
        emit!(self, "push r14", push r14);
        emit!(self, "push r15", push r15);
        if stack > 0 {
            emit!(self, format!("sub rsp, {stack}"), sub rsp, stack as i32);
        }
    }

    fn step(&mut self, stride: usize, outputs: usize, again: Label) {
        if stride > 0 {
            emit!(self, format!("add rdi, {stride}"), add rdi, stride as i32);
        }
        if outputs > 0 {
            emit!(self, format!("add rsi, {}", 4 * outputs), add rsi, 4 * outputs as i32);
        }
        emit!(self, "inc ecx", inc ecx);
        emit!(self, "dec rdx", dec rdx);
        emit!(self, format!("jnz {}", name(again)), jnz =>again);
    }

    fn epilogue(&mut self, stack: u32) {
        if stack > 0 {
            emit!(self, format!("add rsp, {stack}"), add rsp, stack as i32);
        }
        emit!(self, "pop r15", pop r15);
        emit!(self, "pop r14", pop r14);
        emit!(self, "pop r13", pop r13);
        emit!(self, "pop r12", pop r12);
        emit!(self, "pop rbp", pop rbp);
        emit!(self, "pop rbx", pop rbx);
        emit!(self, "ret", ret);
    }

    fn clear(&mut self, place: Place) {
        match place {
            Place::Machine(n) => {
                let (code, name) = REGISTERS[n];
                emit!(self, format!("xor {name}, {name}"), xor Rd(code), Rd(code));
            }
            Place::Stack(offset) => {
                emit!(self, format!("mov dword [rsp+{offset}], 0"), mov DWORD [rsp + offset as i32], 0);
            }
        }
    }

    fn get(&mut self, source: Source) {
        emit_with!(self, "mov", source, mov);
    }

    fn put(&mut self, place: Place) {
        match place {
            Place::Machine(n) => {
                let (code, name) = REGISTERS[n];
                emit!(self, format!("mov {name}, eax"), mov Rd(code), eax);
            }
            Place::Stack(offset) => emit!(self, format!("mov [rsp+{offset}], eax"), mov[rsp + offset as i32], eax),
        }
    }

    fn operate(&mut self, operator: Operator, source: Source) {
        match operator {
            Operator::Add => emit_with!(self, "add", source, add),
            Operator::Sub => emit_with!(self, "sub", source, sub),
            Operator::And => emit_with!(self, "and", source, and),
            Operator::Or => emit_with!(self, "or", source, or),
            Operator::Xor => emit_with!(self, "xor", source, xor),
            Operator::Mul => match source {
                Source::Constant(value) => emit!(self, format!("imul eax, eax, {value}"), imul eax, eax, value),
                Source::Iteration => emit!(self, "imul eax, ecx", imul eax, ecx),
                Source::Place(Place::Machine(n)) => {
                    let (code, name) = REGISTERS[n];
                    emit!(self, format!("imul eax, {name}"), imul eax, Rd(code));
                }
                Source::Place(Place::Stack(offset)) => {
                    emit!(self, format!("imul eax, [rsp+{offset}]"), imul eax, [rsp + offset as i32]);
                }
            },
            comparison => {
                emit_with!(self, "cmp", source, cmp);
                self.flag(comparison);
            }
        }
    }

    fn not(&mut self) {
        emit!(self, "test eax, eax", test eax, eax);
        self.flag(Operator::Equal);
    }

    fn load(&mut self, place: Place, offset: u32, _order: Order) {
        let at = offset as i32;
        match place {
            Place::Machine(n) => {
                let (code, name) = REGISTERS[n];
                emit!(self, format!("mov {name}, [rdi+{at}]"), mov Rd(code), [rdi + at]);
            }
            Place::Stack(_) => {
                emit!(self, format!("mov eax, [rdi+{at}]"), mov eax, [rdi + at]);
                self.put(place);
            }
        }
    }

    fn store(&mut self, source: Source, offset: u32, order: Order) {
        let at = offset as i32;
        match source {
            _ if order == Order::SeqCst => {
                self.get(source);
                self.store_accumulator(offset, order);
            }
            Source::Constant(value) => {
                emit!(self, format!("mov dword [rdi+{at}], {value}"), mov DWORD [rdi + at], value);
            }
            Source::Iteration => emit!(self, format!("mov [rdi+{at}], ecx"), mov[rdi + at], ecx),
            Source::Place(Place::Machine(n)) => {
                let (code, name) = REGISTERS[n];
                emit!(self, format!("mov [rdi+{at}], {name}"), mov[rdi + at], Rd(code));
            }
            Source::Place(Place::Stack(_)) => {
                self.get(source);
                self.store_accumulator(offset, order);
            }
        }
    }

    fn store_accumulator(&mut self, offset: u32, order: Order) {
        let at = offset as i32;
        if order == Order::SeqCst {
            emit!(self, format!("xchg [rdi+{at}], eax"), xchg[rdi + at], eax);
        } else {
            emit!(self, format!("mov [rdi+{at}], eax"), mov[rdi + at], eax);
        }
    }

    fn modify(&mut self, kind: Modification, offset: u32, _order: Order) {
        let at = offset as i32;
        match kind {
            Modification::Swap => emit!(self, format!("xchg [rdi+{at}], eax"), xchg[rdi + at], eax),
            Modification::Add | Modification::Sub => {
                if kind == Modification::Sub {
                    emit!(self, "neg eax", neg eax);
                }
                emit!(self, format!("lock xadd [rdi+{at}], eax"), lock xadd [rdi + at], eax);
            }
            Modification::And | Modification::Or | Modification::Xor => {
                emit!(self, "mov r11d, eax", mov r11d, eax);
                emit!(self, format!("mov eax, [rdi+{at}]"), mov eax, [rdi + at]);
                let again = self.label();
                self.bind(again);
                emit!(self, "mov r10d, eax", mov r10d, eax);
                match kind {
                    Modification::And => emit!(self, "and r10d, r11d", and r10d, r11d),
                    Modification::Or => emit!(self, "or r10d, r11d", or r10d, r11d),
                    _ => emit!(self, "xor r10d, r11d", xor r10d, r11d),
                }
                emit!(self, format!("lock cmpxchg [rdi+{at}], r10d"), lock cmpxchg [rdi + at], r10d);
                emit!(self, format!("jne {}", name(again)), jne =>again);
            }
        }
    }

    fn desire(&mut self) {
        emit!(self, "mov r10d, eax", mov r10d, eax);
    }

    fn compare_exchange(&mut self, success: Place, offset: u32, _order: Order, _failure: Order) {
        let at = offset as i32;
        emit!(self, format!("lock cmpxchg [rdi+{at}], r10d"), lock cmpxchg [rdi + at], r10d);
        emit!(self, "sete r11b", sete r11b);
        match success {
            Place::Machine(n) => {
                let (code, name) = REGISTERS[n];
                emit!(self, format!("movzx {name}, r11b"), movzx Rd(code), r11b);
            }
            Place::Stack(to) => {
                emit!(self, "movzx r11d, r11b", movzx r11d, r11b);
                emit!(self, format!("mov [rsp+{to}], r11d"), mov[rsp + to as i32], r11d);
            }
        }
    }

    fn fence(&mut self, order: Order) {
        if order == Order::SeqCst {
            emit!(self, "mfence", mfence);
        }
    }

    fn output(&mut self, index: usize, place: Place) {
        let at = 4 * index as i32;
        match place {
            Place::Machine(n) => {
                let (code, name) = REGISTERS[n];
                emit!(self, format!("mov [rsi+{at}], {name}"), mov[rsi + at], Rd(code));
            }
            Place::Stack(_) => {
                self.get(Source::Place(place));
                emit!(self, format!("mov [rsi+{at}], eax"), mov[rsi + at], eax);
            }
        }
    }

    fn label(&mut self) -> Label {
        self.ops.new_dynamic_label()
    }

    fn bind(&mut self, label: Label) {
        self.bound.push((label, self.offset()));
        dynasm!(self.ops ; .arch x64 ; =>label);
    }

    fn jump(&mut self, to: Label) {
        emit!(self, format!("jmp {}", name(to)), jmp =>to);
    }

    fn jump_if_zero(&mut self, to: Label) {
        emit!(self, "test eax, eax", test eax, eax);
        emit!(self, format!("jz {}", name(to)), jz =>to);
    }

    fn offset(&self) -> usize {
        self.ops.offset().0
    }

    fn finish(self) -> Result<(Vec<u8>, Texts), Fault> {
        let bytes = self.ops.finalize().map_err(|error| Fault::new("assembler", error.to_string()))?;
        Ok((bytes, resolve(self.texts, &self.bound)))
    }
}
