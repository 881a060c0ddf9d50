//! What a blocked thread would let go of, if it were unwound: its own code
//! tells, rehearsed beside it, without touching it.
//!
//! A lock that does not store its holder has a guard somewhere, and the code
//! that drops the guard stands in the program twice: at the end of its scope,
//! and in the landing pad that runs if the call in between does not return but
//! unwinds. The compiler has worked out for each call what is alive there:
//! neither a guard that has been dropped, moved away or forgotten, nor a plain
//! reference to the lock appears in it.
//!
//! ```text
//! frame of the thread     call site ──► landing pad       rehearsed on a copy of registers and memory
//!   registers, stack                      mov  %rax,%rbx
//!   (by unwinding)                        xor  %eax,%eax
//!                                         xchg %eax,(%r14)        ◄── an atomic access: noted
//!                                         call futex_wake         ◄── a system call: passed over
//!                                         call _Unwind_Resume     ◄── the end
//! ```
//!
//! Every bit that is not known stays unknown; where a branch depends on one,
//! both ways are taken, and only what happens on all of them counts. Nothing of
//! this happens to the target: its memory is read, no more.

mod execute;
mod machine;
mod value;

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use iced_x86::{FlowControl, Instruction, Register};

use self::execute::{Next, execute};
use self::machine::Machine;
pub use self::machine::{Memory, Written};
use self::value::Value;
use super::target::unwind::Registers;

/// So many ways, and so many unknown branches on one.
const WAYS: usize = 64;
const BRANCHES: usize = 8;
/// So many calls into each other.
const DEPTH: usize = 40;

/// An atomic access to memory, or a call that is one; `None` for a number that
/// is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// This is put in its place.
    Exchange(Option<u64>),
    /// This is added.
    Add(Option<u64>),
    /// This is put in its place, if that is there.
    CompareExchange {
        /// What must be there.
        expected: Option<u64>,
        /// What comes there.
        new: Option<u64>,
    },
    /// Something else.
    Other,
    /// A function of the C library is called with it.
    Call(Arc<str>),
}

/// What the code does to a word of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Where.
    pub address: u64,
    /// How many bytes; 0 for a call.
    pub size: usize,
    /// What.
    pub act: Act,
    /// By which instruction.
    pub pc: u64,
}

/// A function that is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// As the file has it, mangled.
    pub name: Option<Arc<str>>,
    /// Whether it is one of the C library, which does not do what it does by
    /// instructions worth following.
    pub library: bool,
}

/// What a rehearsal asks about the process.
pub trait Stage {
    /// The function that an address is in.
    fn function(&self, address: u64) -> Function;

    /// The function whose address stands, or will stand once it is called, in
    /// this place of a linkage table.
    fn import(&self, slot: u64) -> Option<Arc<str>>;
}

/// What happens on every way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// How many instructions were rehearsed.
    pub steps: usize,
    /// The events of each way that does not end in a failure of the program; of
    /// all where all do.
    pub ways: Vec<Vec<Event>>,
    /// The memory as the code leaves it to the frame outside of this one; `None`
    /// where it is not clear whether and how it comes there.
    pub left: Option<Written>,
}

impl Outcome {
    /// What happens first to the word at `address`, if it is the same on all
    /// ways, and how often at least it happens before anything else does.
    pub fn first(&self, address: u64) -> Option<(&Event, usize)> {
        let mut found: Option<(&Event, usize)> = None;
        for events in &self.ways {
            let mut here = events.iter().filter(|event| event.address == address);
            let first = here.next()?;
            let times = 1 + here.take_while(|event| event.act == first.act).count();
            found = match found {
                None => Some((first, times)),
                Some((known, _)) if known.act != first.act || known.size != first.size => return None,
                Some((known, least)) => Some((known, times.min(least))),
            };
        }
        found
    }

    /// What happens to the word at `address` for the second time, if that is the
    /// same on all ways, and the first time too.
    pub fn second(&self, address: u64) -> Option<(&Event, &Event)> {
        let mut found: Option<(&Event, &Event)> = None;
        for events in &self.ways {
            let mut here = events.iter().filter(|event| event.address == address);
            let (one, two) = (here.next()?, here.next()?);
            match found {
                None => found = Some((one, two)),
                Some((first, second)) if first.act == one.act && second.act == two.act => {}
                Some(_) => return None,
            }
        }
        found
    }

    /// Whether anything happens to the word at `address` on any way.
    pub fn touches(&self, address: u64) -> bool {
        self.ways.iter().flatten().any(|event| event.address == address)
    }

    /// What happens first of all, if that is the same on all ways.
    pub fn first_of_all(&self) -> Option<&Event> {
        let first = self.ways.first()?.first()?;
        let same = |way: &Vec<Event>| {
            way.first().is_some_and(|event| event.address == first.address && event.act == first.act)
        };
        self.ways.iter().all(same).then_some(first)
    }
}

/// Rehearses the landing pad at `pad` of a frame with these registers, so many
/// instructions at most, all ways together.
///
/// `before` is the memory as the frames inside of it leave it.
pub fn unwound(
    pad: u64,
    registers: &Registers,
    before: Written,
    place: (&Memory<'_>, &dyn Stage),
    steps: usize,
) -> Outcome {
    let mut machine = Machine::at(pad);
    machine.remember(before);
    rehearse(machine, registers, None, place, steps)
}

/// Rehearses how a thread goes on if the call that a frame with these registers
/// is in returns, with this result if it is known: out of this frame into the next
/// and so on, until it has come twice to all these addresses.
pub fn onward(
    registers: &Registers,
    result: Option<u64>,
    place: (&Memory<'_>, &dyn Stage),
    steps: usize,
    until: &[u64],
) -> Outcome {
    let mut machine = Machine::at(registers.pc);
    machine.set_register(Register::RAX, result.map_or(Value::UNKNOWN, Value::of));
    rehearse(machine, registers, Some(until), place, steps)
}

fn rehearse(
    mut machine: Machine,
    registers: &Registers,
    until: Option<&[u64]>,
    (memory, stage): (&Memory<'_>, &dyn Stage),
    steps: usize,
) -> Outcome {
    // By their DWARF numbers: those that a call leaves as they are.
    let kept = [Register::RBX, Register::RBP, Register::R12, Register::R13, Register::R14, Register::R15];
    for (register, number) in kept.into_iter().zip([3, 6, 12, 13, 14, 15]) {
        machine.set_register(register, registers.get(number).map_or(Value::UNKNOWN, Value::of));
    }
    machine.set_register(Register::RSP, Value::of(registers.sp));
    let mut rehearsal = Rehearsal { memory, stage, most: steps, ways: 1, until, outcome: Outcome::default() };
    rehearsal.follow(Way { machine, calls: Vec::new(), events: Vec::new(), left: None, seen: HashSet::new() });
    rehearsal.outcome
}

/// One way through the code.
#[derive(Clone)]
struct Way {
    machine: Machine,
    /// The stack pointers from which the calls entered will return.
    calls: Vec<u64>,
    events: Vec<Event>,
    /// The memory when the exception was passed on or caught.
    left: Option<Written>,
    /// Branches that were taken both ways already.
    seen: HashSet<u64>,
}

/// How a way ends.
enum End {
    /// As far as it goes: the next frame's turn, or nobody knows.
    Done,
    /// The program would fail: unwinding does not come here.
    Failure,
}

struct Rehearsal<'r> {
    memory: &'r Memory<'r>,
    stage: &'r dyn Stage,
    most: usize,
    ways: usize,
    /// Where it goes on out of the frame that it began in: until it has come to
    /// all these addresses twice.
    until: Option<&'r [u64]>,
    outcome: Outcome,
}

impl Rehearsal<'_> {
    fn follow(&mut self, way: Way) {
        let (mut open, mut failures) = (VecDeque::from([way]), Vec::new());
        // Those of few branches first: they are the likeliest.
        while let Some(mut way) = open.pop_front() {
            match self.play(&mut way, &mut open) {
                End::Done => {
                    self.outcome.left = match (self.outcome.left.take(), way.left, self.outcome.ways.is_empty()) {
                        (_, Some(left), true) => Some(left),
                        (Some(one), Some(other), false) => Some(one.agreed(&other)),
                        _ => None,
                    };
                    self.outcome.ways.push(way.events);
                }
                End::Failure => failures.push(way.events),
            }
        }
        // They cannot all be impossible: one of them has gone astray late.
        if self.outcome.ways.is_empty() {
            self.outcome.ways = failures;
        }
    }

    fn play(&mut self, way: &mut Way, open: &mut VecDeque<Way>) -> End {
        loop {
            self.outcome.steps += 1;
            let Some(instruction) = self.memory.instruction(way.machine.pc).filter(|_| self.outcome.steps <= self.most)
            else {
                return End::Done;
            };
            let (next, event) = execute(&instruction, &mut way.machine, self.memory);
            if event.is_some() {
                way.events.extend(event);
                let come_to = |address: &u64| way.events.iter().filter(|event| event.address == *address).count() > 1;
                if self.until.is_some_and(|until| until.iter().all(come_to)) {
                    return End::Done;
                }
            }
            let behind = instruction.next_ip();
            match next {
                Next::Behind => way.machine.pc = behind,
                Next::At(there) if instruction.is_jcc_short_or_near() => way.machine.pc = there,
                // Perhaps the last call of a function, which returns for it.
                Next::At(there) => {
                    if let Some(end) = self.enter((there, slot(&instruction)), None, way) {
                        return end;
                    }
                }
                Next::Either(there) => {
                    // A loop that nobody knows the end of is left at once.
                    if !way.seen.insert(instruction.ip()) || way.seen.len() > BRANCHES || self.ways >= WAYS {
                        return End::Done;
                    }
                    self.ways += 1;
                    let mut other = way.clone();
                    other.machine.pc = there;
                    open.push_back(other);
                    way.machine.pc = behind;
                }
                Next::Call(function) => {
                    if let Some(end) = self.enter((function, slot(&instruction)), Some(behind), way) {
                        return end;
                    }
                }
                Next::Return => match self.come_back(way) {
                    Some(()) => {}
                    None => return End::Done,
                },
                Next::Trap => return End::Failure,
                Next::CallSomewhere | Next::Lost => return End::Done,
            }
        }
    }

    fn come_back(&self, way: &mut Way) -> Option<()> {
        let at = way.machine.register(Register::RSP).get(8)?;
        match way.calls.pop() {
            Some(expected) if at != expected => return None,
            None if self.until.is_none() => return None,
            _ => {}
        }
        way.machine.pc = way.machine.load(self.memory, at, 8).get(8)?;
        way.machine.set_register(Register::RSP, Value::of(at + 8));
        Some(())
    }

    /// Enters a function that returns to `behind`, or passes over it; `Some` where
    /// the way ends there. A jump returns to whoever called.
    fn enter(&self, to: (u64, Option<u64>), behind: Option<u64>, way: &mut Way) -> Option<End> {
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
        match kind_of(name, library) {
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
                way.events.push(Event { address, size: 0, act: Act::Call(name.into()), pc: way.machine.pc });
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
        super::target::stack::stub_slot(&code[..length], target)
    }
}

/// The place in a linkage table that a call or jump takes its target from.
fn slot(instruction: &Instruction) -> Option<u64> {
    let is_through = matches!(instruction.flow_control(), FlowControl::IndirectCall | FlowControl::IndirectBranch);
    (is_through && instruction.is_ip_rel_memory_operand()).then(|| instruction.ip_rel_memory_address())
}

/// What is done about a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It is followed.
    Entered,
    /// It has no effect on what is looked for.
    Passed,
    /// It locks or unlocks.
    Lock,
    /// It copies memory.
    Copy,
    /// A function of the C library without a name.
    Unnamed,
    /// Unwinding goes on with the next frame, or has been caught.
    End,
    /// It has caught the exception, and the frame goes on.
    Caught,
    /// It does not come back, and unwinding does not come here.
    Failure,
}

fn kind_of(name: &str, library: bool) -> Kind {
    let has = |part: &str| name.contains(part);
    match name {
        "_Unwind_Resume" | "__cxa_begin_catch" | "__cxa_end_cleanup" | "__cxa_rethrow" | "_Unwind_RaiseException" => {
            Kind::End
        }
        "abort" | "_exit" | "exit" | "__stack_chk_fail" | "__clang_call_terminate" | "_ZSt9terminatev" => Kind::Failure,
        "memcpy" | "memmove" => Kind::Copy,
        "free" | "cfree" | "munmap" | "close" | "sleep" | "usleep" | "nanosleep" | "clock_nanosleep" => Kind::Passed,
        "puts" | "printf" | "putchar" | "fflush" | "read" | "write" | "syscall" | "__errno_location" => Kind::Passed,
        _ if name.starts_with("pthread_") && (has("lock") || has("_cond_")) => Kind::Lock,
        // Of C11: the same by other names.
        _ if name.starts_with("mtx_") || name.starts_with("cnd_") => Kind::Lock,
        // A panic of a cleanup ends the program.
        _ if has("4core9panicking") || has("7process5abort") || has("slice_index_fail") => Kind::Failure,
        _ if has("__rust_foreign_exception") || has("__rust_drop_panic") => Kind::Failure,
        _ if has("__rust_panic_cleanup") => Kind::Caught,
        _ if has("__rust_dealloc") || has("__rdl_dealloc") || has("__rg_dealloc") || has("sdallocx") => Kind::Passed,
        // operator delete, in all its forms
        _ if name.starts_with("_ZdlPv") || name.starts_with("_ZdaPv") => Kind::Passed,
        "" if library => Kind::Unnamed,
        _ if library => Kind::Passed,
        _ => Kind::Entered,
    }
}

#[cfg(test)]
mod tests;
