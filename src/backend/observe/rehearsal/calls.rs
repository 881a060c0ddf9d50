//! What is done about a function that the code calls: followed, passed over, noted,
//! or the end.

use iced_x86::Register;

use super::dead_end::fails;
use super::kind::{Kind, kind_of, plain};
use super::machine::Machine;
use super::value::Value;
use super::ways::{End, Rehearsal, Way};
use super::{Act, Event, Function};
use crate::backend::observe::target::stack::stub_slot;

/// What a function returns in memory is mostly shorter.
const RESULT: u64 = 64;
/// So many calls into each other.
const DEPTH: usize = 40;

impl Rehearsal<'_> {
    /// Enters a function that returns to `behind`, or passes over it; `Some` where
    /// the way ends there. A jump returns to whoever called.
    pub(super) fn enter(&self, to: (u64, Option<u64>), behind: Option<u64>, way: &mut Way) -> Option<End> {
        let (mut target, mut slot) = to;
        if let Some(behind_stub) = self.stub(target) {
            let Some(there) = way.machine.load(self.memory, behind_stub, 8).get(8) else { return Some(End::Done) };
            (target, slot) = (there, Some(behind_stub));
        }
        let Function { mut name, mut library } = self.stage.function(target);
        if let Some(import) = slot.and_then(|slot| self.stage.import(slot)) {
            // Not called before: the linker would look for it now.
            if self.is_unbound(target) {
                if kind_of(&import, false) == Kind::Entered {
                    return Some(End::Done);
                }
                library = true;
            }
            name = Some(import);
        }
        // Within the C library, where a thread may begin, it is only a jump.
        if behind.is_none() && library && self.stage.function(way.machine.pc).library {
            way.machine.pc = target;
            return None;
        }
        let name = name.as_deref().unwrap_or("");
        let argument = way.machine.register(Register::RDI).get(8);
        let kind = match kind_of(name, library) {
            Kind::Entered if name.is_empty() && fails(self.memory, self.stage, target) => Kind::Failure,
            // A thread that sleeps may begin within such a function: that is only a jump.
            _ if behind.is_none() && self.stage.function(way.machine.pc).name.as_deref() == Some(name) => Kind::Entered,
            kind => kind,
        };
        match kind {
            Kind::End => {
                way.left.get_or_insert_with(|| way.machine.written().clone());
                return Some(End::Done);
            }
            Kind::Caught => {
                way.left.get_or_insert_with(|| way.machine.written().clone());
                way.machine.forget_after_call();
            }
            Kind::Failure => return Some(End::Failure),
            Kind::Lock => {
                let Some(address) = argument else { return Some(End::Done) };
                let act = Act::Call(plain(name).into());
                way.events.push(Event { address, size: 0, act, pc: way.machine.pc });
                way.machine.forget_after_call();
            }
            Kind::Copy => {
                let [to, from, length] =
                    [Register::RDI, Register::RSI, Register::RDX].map(|register| way.machine.register(register).get(8));
                match (to, from, length.filter(|&length| length <= 1 << 16)) {
                    (Some(to), Some(from), Some(length)) => way.machine.copy(self.memory, from, to, length),
                    (Some(to), None, Some(length)) if way.machine.passes_over => {
                        way.machine.forget(self.memory, to, length);
                    }
                    // Of new memory nothing is known as it is.
                    _ if way.machine.passes_over && to.is_none_or(Machine::is_new) => {}
                    _ => return Some(End::Done),
                }
                way.machine.forget_after_call();
                way.machine.set_register(Register::RAX, to.map_or(Value::UNKNOWN, Value::of));
            }
            Kind::Passed => way.machine.forget_after_call(),
            Kind::Asleep => {
                if let Some(to) = argument {
                    way.machine.forget(self.memory, to, RESULT);
                }
                way.machine.forget_after_call();
            }
            Kind::Allocation => {
                way.machine.forget_after_call();
                let new = way.machine.new_memory();
                way.machine.set_register(Register::RAX, Value::of(new));
            }
            // One of many variants of copying, filling, comparing: which is not
            // told.
            Kind::Unnamed => {
                if let Some(to) = argument {
                    let length = way.machine.register(Register::RDX).get(8).filter(|&length| length <= 1 << 16);
                    let Some(length) = length else { return Some(End::Done) };
                    way.machine.forget(self.memory, to, length);
                }
                way.machine.forget_after_call();
            }
            Kind::Entered => {
                let Some(behind) = behind else {
                    way.machine.pc = target;
                    return None;
                };
                let Some(top) = way.machine.register(Register::RSP).get(8).filter(|_| way.calls.len() < DEPTH) else {
                    return Some(End::Done);
                };
                way.machine.store(self.memory, top - 8, Value::of(behind), 8);
                way.machine.set_register(Register::RSP, Value::of(top - 8));
                way.calls.push(top - 8);
                way.machine.pc = target;
                return None;
            }
        }
        match behind {
            Some(behind) => way.machine.pc = behind,
            None => {
                if self.come_back(way).is_none() {
                    return Some(End::Done);
                }
            }
        }
        None
    }

    /// Whether this is where the procedure linkage table calls the linker:
    /// `[endbr64] push $index`.
    fn is_unbound(&self, target: u64) -> bool {
        let mut code = [0; 5];
        let length = self.memory.fill(target, &mut code);
        let code = &code[..length];
        code.strip_prefix(&[0xf3, 0x0f, 0x1e, 0xfa]).unwrap_or(code).first() == Some(&0x68)
    }

    /// Where a stub of the procedure linkage table takes its target from.
    fn stub(&self, target: u64) -> Option<u64> {
        let mut code = [0; 11];
        let length = self.memory.fill(target, &mut code);
        stub_slot(&code[..length], target)
    }
}
