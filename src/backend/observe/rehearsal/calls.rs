//! What is done about a function that the code calls: followed, passed over, noted,
//! or the end.

use iced_x86::Register;

use super::dead_end::fails;
use super::value::Value;
use super::ways::{End, Rehearsal, Way};
use super::{Act, Event, Function};
use crate::backend::observe::target::stack::stub_slot;

/// So many calls into each other.
const DEPTH: usize = 40;
/// Functions of `parking_lot`, as mangled names have them, with their modules.
const UPGRADABLE: &str = "22unlock_upgradable_slow";
const WAKING: [(&str, &str); 4] = [
    ("9raw_mutex", "11unlock_slow"),
    ("10raw_rwlock", "18unlock_shared_slow"),
    ("10raw_rwlock", "21unlock_exclusive_slow"),
    ("10raw_rwlock", "35unlock_exclusive_or_upgradable_slow"),
];

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
                let (Some(to), Some(from), Some(length)) = (to, from, length.filter(|&length| length <= 1 << 16))
                else {
                    return Some(End::Done);
                };
                way.machine.copy(self.memory, from, to, length);
                way.machine.forget_after_call();
                way.machine.set_register(Register::RAX, Value::of(to));
            }
            Kind::Passed => way.machine.forget_after_call(),
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

/// What is done about a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It is followed.
    Entered,
    /// It has no effect on what is looked for.
    Passed,
    /// It locks or unlocks.
    Lock,
    /// It copies memory.
    Copy,
    /// It returns new memory, of which nothing is known.
    Allocation,
    /// A function of the C library without a name.
    Unnamed,
    /// Unwinding goes on with the next frame, or has been caught.
    End,
    /// It has caught the exception, and the frame goes on.
    Caught,
    /// It does not come back, and unwinding does not come here.
    Failure,
}

/// A function of threads by its plain name: linked statically it has underscores.
fn plain(name: &str) -> &str {
    if name.contains(UPGRADABLE) {
        return &UPGRADABLE[2..];
    }
    let plain = name.trim_start_matches('_');
    if ["pthread_", "mtx_", "cnd_"].iter().any(|family| plain.starts_with(family)) { plain } else { name }
}

/// What is done about a function of this name.
pub fn kind_of(name: &str, library: bool) -> Kind {
    let has = |part: &str| name.contains(part);
    match plain(name) {
        "_Unwind_Resume" | "__cxa_begin_catch" | "__cxa_end_cleanup" | "__cxa_rethrow" | "_Unwind_RaiseException" => {
            Kind::End
        }
        "abort" | "_exit" | "exit" | "__stack_chk_fail" | "__clang_call_terminate" | "_ZSt9terminatev" => Kind::Failure,
        "memcpy" | "memmove" => Kind::Copy,
        "malloc" | "realloc" | "reallocarray" | "aligned_alloc" | "_Znwm" | "_Znam" => Kind::Allocation,
        "free" | "cfree" | "munmap" | "close" | "sleep" | "usleep" | "nanosleep" | "clock_nanosleep" => Kind::Passed,
        "puts" | "printf" | "putchar" | "fflush" | "read" | "write" | "syscall" | "__errno_location" => Kind::Passed,
        locks if locks.starts_with("pthread_") && (has("lock") || has("_cond_")) => Kind::Lock,
        // Of C11: the same by other names.
        locks if locks.starts_with("mtx_") || locks.starts_with("cnd_") => Kind::Lock,
        // Of C++: an exception that is thrown is not how it goes on, and none may be
        // by what cleans up.
        "__cxa_throw" | "__cxa_bad_cast" => Kind::Failure,
        _ if name.starts_with("_ZSt") && has("__throw_") => Kind::Failure,
        // A string has nothing but memory.
        _ if name.starts_with("_ZNSt7__cxx1112basic_string") => Kind::Passed,
        // Of C++: the initialisation of a static variable.
        _ if name.starts_with("__cxa_guard_") => Kind::Lock,
        // Of Rust: what they lock they let go of again. The newer mangling parts a name
        // that begins with an underscore from its length by another.
        _ if has("5stdio6_print") || has("5stdio7_eprint") => Kind::Passed,
        _ if has("5stdio6__print") || has("5stdio7__eprint") => Kind::Passed,
        // Of parking_lot: how an upgradable reader leaves a lock that others wait for. What
        // has let go of one already only wakes them.
        _ if has(UPGRADABLE) => Kind::Lock,
        _ if WAKING.iter().any(|(module, function)| has(module) && has(function)) => Kind::Passed,
        // A panic of a cleanup ends the program.
        _ if has("4core9panicking") || has("7process5abort") || has("slice_index_fail") => Kind::Failure,
        // Nor does the program go on for want of memory.
        _ if has("18handle_alloc_error") || has("7raw_vec12handle_error") || has("alloc_error_handler") => {
            Kind::Failure
        }
        _ if has("__rust_foreign_exception") || has("__rust_drop_panic") => Kind::Failure,
        _ if has("__rust_panic_cleanup") => Kind::Caught,
        _ if has("__rust_dealloc") || has("__rdl_dealloc") || has("__rg_dealloc") || has("sdallocx") => Kind::Passed,
        _ if has("12___rust_alloc") || has("14___rust_realloc") || has("11___rdl_alloc") => Kind::Allocation,
        // operator delete, in all its forms
        _ if name.starts_with("_ZdlPv") || name.starts_with("_ZdaPv") => Kind::Passed,
        "" if library => Kind::Unnamed,
        _ if library => Kind::Passed,
        _ => Kind::Entered,
    }
}
