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

mod argument;
mod calls;
mod dead_end;
mod execute;
pub mod flow;
mod kind;
mod linkage;
mod machine;
mod value;
mod ways;

use std::sync::Arc;

use iced_x86::{FlowControl, Register};

pub use self::argument::first_argument;
pub use self::dead_end::fails;
pub use self::kind::{Kind, kind_of, only_sleeps};
use self::machine::Machine;
pub use self::machine::{Memory, THREAD, Written};
use self::value::Value;
pub use self::ways::Through;
use self::ways::{Until, rehearse};
use super::target::unwind::Registers;

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

    /// Where the function that an address is in begins, and how long it is, as its table of
    /// frames tells.
    fn extent(&self, _address: u64) -> Option<(u64, u64)> {
        None
    }
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
    /// same on all ways, and the first time too; what does not count is left out.
    pub fn second(&self, address: u64, counts: impl Fn(&Event) -> bool) -> Option<(&Event, &Event)> {
        let mut found: Option<(&Event, &Event)> = None;
        for events in &self.ways {
            let mut here = events.iter().filter(|event| event.address == address && counts(event));
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
/// `before` is the memory as the frames inside of it leave it; what is done with these
/// locks is looked for.
#[inline(never)]
pub fn unwound(
    pad: u64,
    registers: &Registers,
    before: Written,
    place: (&Memory<'_>, &dyn Stage),
    steps: usize,
    (locks, through): (&[u64], Through),
) -> Outcome {
    let mut machine = Machine::at(pad);
    machine.remember(before);
    rehearse(machine, registers, (Until::Left(Some(locks).filter(|_| through != Through::Once)), through), place, steps)
}

/// Rehearses how a thread goes on if the call that a frame with these registers
/// is in returns, with this result if it is known, and the memory as it then is: out of
/// this frame into the next and so on, until it has come twice to all these addresses.
pub fn onward(
    registers: &Registers,
    result: Option<u64>,
    before: Written,
    place: (&Memory<'_>, &dyn Stage),
    steps: usize,
    (until, through): (&[u64], Through),
) -> Outcome {
    let mut machine = Machine::at(registers.pc);
    machine.remember(before);
    machine.set_register(Register::RAX, result.map_or(Value::UNKNOWN, Value::of));
    rehearse(machine, registers, (Until::Twice(until), through), place, steps)
}

/// As [`onward`], if the system call with these arguments that a frame is in returned 0
/// while the memory held what is supposed, until it has come twice to all these
/// addresses.
pub fn supposed(
    registers: &Registers,
    arguments: &[u64; 6],
    before: Written,
    place: (&Memory<'_>, &dyn Stage),
    steps: usize,
    (until, through): (&[u64], Through),
) -> Outcome {
    use Register::{R8, R9, R10, RAX, RDI, RDX, RSI};
    let mut machine = Machine::at(registers.pc);
    machine.remember(before);
    machine.set_register(RAX, Value::ZERO);
    // The kernel leaves them as they are.
    for (register, argument) in [RDI, RSI, RDX, R10, R8, R9].into_iter().zip(arguments) {
        machine.set_register(register, Value::of(*argument));
    }
    rehearse(machine, registers, (Until::Twice(until), through), place, steps)
}

/// The only call of the C library's locks that a function makes, if it is called with
/// this first argument, if that is known, by a frame with these registers: if it makes no
/// other, and this is a jump, behind which the library returns for it.
pub fn last_call(
    function: u64,
    argument: Option<u64>,
    registers: &Registers,
    place: (&Memory<'_>, &dyn Stage),
    steps: usize,
) -> Option<(Arc<str>, u64)> {
    let mut machine = Machine::at(function);
    machine.set_register(Register::RDI, argument.map_or(Value::UNKNOWN, Value::of));
    let mut called = registers.clone();
    called.sp = called.sp.wrapping_sub(8);
    let outcome = rehearse(machine, &called, (Until::Left(None), Through::Once), place, steps);
    let is_jump = |event: &Event| {
        use FlowControl::{IndirectBranch, UnconditionalBranch};
        let instruction = place.0.instruction(event.pc);
        instruction.is_some_and(|jump| matches!(jump.flow_control(), IndirectBranch | UnconditionalBranch))
    };
    let alone = |way: &Vec<Event>| way.len() == 1 && is_jump(&way[0]);
    match outcome.first_of_all()? {
        Event { address, act: Act::Call(name), .. } if outcome.ways.iter().all(alone) => Some((name.clone(), *address)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
