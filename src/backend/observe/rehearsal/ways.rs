//! The ways through the code: one instruction after another, both ways where a
//! branch depends on what is not known.
//!
//! A way that comes to such a branch again has gone round in a loop. Where it is asked how
//! a thread goes on, what differs from the time before is forgotten, and both ways are
//! taken once more; where nothing differs any more, whatever could happen from there on
//! has been followed already: the way is no other, and counts no more.
//!
//! ```text
//! 1st time   count = 3          leave ──► …
//! 2nd        count = 2          forgotten: count = ?      leave ──► …
//! 3rd        count = ?          the same as the 2nd: left out
//! ```
//!
//! Ways that part and come together again are many soon. Where it is asked for, they are
//! followed as one from where they meet: what differs between them is forgotten, but for
//! what they have done so far with the words that are looked for.

use std::collections::{HashMap, VecDeque};

use iced_x86::Register;

use super::execute::{Next, execute};
use super::linkage::slot;
use super::machine::Machine;
use super::value::Value;
use super::{Act, Event, Memory, Outcome, Stage, Written};
use crate::backend::observe::target::unwind::Registers;

/// So many ways, and so many unknown branches on one.
const WAYS: usize = 64;
const BRANCHES: usize = 8;
/// The same where loops are gone through: most ways out of one are soon the same again.
const LOOP_WAYS: usize = 256;
const LOOP_BRANCHES: usize = 24;
/// So often a loop is gone through, until nothing new is in it.
const ROUNDS: usize = 4;
/// And the same where ways are one from where they meet.
const MEETING_WAYS: usize = 4096;
const MEETINGS: usize = 2048;
const MEETING_ROUNDS: usize = 12;
/// A longer way is left: others would not be gone at all.
const LONGEST: usize = 3_000;

/// How ways are gone through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Through {
    /// Each up to its first loop.
    Once,
    /// Each, and loops until nothing new is in them.
    Loops,
    /// The same, as one from where they meet; no further out than where the stack pointer
    /// is this.
    Meetings(u64),
}

/// How far it goes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Until<'u> {
    /// To the end of the frame that it began in; this is looked for, or anything.
    Left(Option<&'u [u64]>),
    /// Out of that: until it has come to all these addresses twice.
    Twice(&'u [u64]),
}

impl Until<'_> {
    /// Whether what is done there is looked for.
    fn matters(self, event: &Event) -> bool {
        let (Until::Left(Some(addresses)) | Until::Twice(addresses)) = self else { return true };
        addresses.contains(&event.address)
    }
}

/// Follows all ways from where the machine stands, in a frame with these registers.
pub(super) fn rehearse(
    mut machine: Machine,
    registers: &Registers,
    (until, through): (Until<'_>, Through),
    (memory, stage): (&Memory<'_>, &dyn Stage),
    steps: usize,
) -> Outcome {
    // By their DWARF numbers: those that a call leaves as they are.
    let kept = [Register::RBX, Register::RBP, Register::R12, Register::R13, Register::R14, Register::R15];
    for (register, number) in kept.into_iter().zip([3, 6, 12, 13, 14, 15]) {
        machine.set_register(register, registers.get(number).map_or(Value::UNKNOWN, Value::of));
    }
    machine.set_register(Register::RSP, Value::of(registers.sp));
    machine.passes_over = matches!(through, Through::Meetings(_));
    let mut rehearsal = Rehearsal {
        memory,
        stage,
        most: steps,
        ways: 1,
        through,
        met: HashMap::new(),
        until,
        outcome: Outcome::default(),
    };
    rehearsal.follow(Way {
        machine,
        calls: Vec::new(),
        events: Vec::new(),
        left: None,
        steps: 0,
        seen: HashMap::new(),
    });
    rehearsal.outcome
}

/// One way through the code.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) machine: Machine,
    /// The stack pointers from which the calls entered will return.
    pub(super) calls: Vec<u64>,
    pub(super) events: Vec<Event>,
    /// The memory when the exception was passed on or caught.
    pub(super) left: Option<Written>,
    /// How many instructions it has come.
    steps: usize,
    /// Branches that were taken both ways already, by address and stack pointer.
    seen: HashMap<(u64, Option<u64>), Round>,
}

/// How it was when a way came to a branch last.
#[derive(Clone)]
struct Round {
    /// Only where loops are gone through.
    machine: Option<Machine>,
    /// How many events there were.
    events: usize,
    /// How often it has come there.
    times: usize,
}

/// How a way ends.
pub(super) enum End {
    /// As far as it goes: the next frame's turn, or nobody knows.
    Done,
    /// The program would fail: unwinding does not come here.
    Failure,
    /// It goes on as a way that has been followed already.
    Known,
}

pub(super) struct Rehearsal<'r> {
    pub(super) memory: &'r Memory<'r>,
    pub(super) stage: &'r dyn Stage,
    most: usize,
    ways: usize,
    through: Through,
    /// Where ways have met, each that came there in another manner apart.
    met: HashMap<(u64, Option<u64>), Round>,
    until: Until<'r>,
    outcome: Outcome,
}

impl Rehearsal<'_> {
    fn follow(&mut self, way: Way) {
        let (mut open, mut failures, mut known) = (VecDeque::from([way]), Vec::new(), false);
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
                End::Known => known = true,
            }
        }
        // They cannot all be impossible: one of them has gone astray late.
        if self.outcome.ways.is_empty() && !known {
            self.outcome.ways = failures;
        }
    }

    fn play(&mut self, way: &mut Way, open: &mut VecDeque<Way>) -> End {
        loop {
            self.outcome.steps += 1;
            way.steps += 1;
            let goes_on = self.outcome.steps <= self.most && way.steps <= LONGEST;
            let Some(instruction) = self.memory.instruction(way.machine.pc).filter(|_| goes_on) else {
                return End::Done;
            };
            let (next, event) = execute(&instruction, &mut way.machine, self.memory);
            if event.is_some() {
                way.events.extend(event);
                let come_to = |address: &u64| way.events.iter().filter(|event| event.address == *address).count() > 1;
                if let Until::Twice(addresses) = self.until
                    && addresses.iter().all(come_to)
                {
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
                    if let Some(end) = self.come_round(way) {
                        return end;
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

    /// Comes to a branch that goes either way; `Some` where the way ends there.
    fn come_round(&mut self, way: &mut Way) -> Option<End> {
        let meets = matches!(self.through, Through::Meetings(_));
        let (ways, branches, rounds) = match self.through {
            Through::Once => (WAYS, BRANCHES, ROUNDS),
            Through::Loops => (LOOP_WAYS, LOOP_BRANCHES, ROUNDS),
            Through::Meetings(_) => (MEETING_WAYS, MEETINGS, MEETING_ROUNDS),
        };
        // The same branch of another call of its function is another.
        let stack = way.machine.register(Register::RSP).get(8).filter(|_| self.through != Through::Once);
        let manner = if meets { self.manner(way) } else { 0 };
        let until = self.until;
        let seen = if meets { &mut self.met } else { &mut way.seen };
        let (key, new, events) = ((way.machine.pc ^ manner, stack), seen.len() < branches, way.events.len());
        if self.ways >= ways {
            return Some(End::Done);
        }
        let Some(before) = seen.get_mut(&key) else {
            let machine = (self.through != Through::Once).then(|| way.machine.clone());
            seen.insert(key, Round { machine, events, times: 1 });
            return (!new).then_some(End::Done);
        };
        // A loop that nobody knows the end of is left at once; and one that does
        // something with what is looked for.
        let goes_on =
            before.times < rounds && (meets || !way.events[before.events..].iter().any(|event| until.matters(event)));
        let Some(machine) = before.machine.as_mut().filter(|_| goes_on) else { return Some(End::Done) };
        let both = way.machine.agreed(machine);
        if both.is_as(machine) {
            return Some(End::Known);
        }
        machine.clone_from(&both);
        before.times += 1;
        way.machine = both;
        None
    }

    /// How a way came to where it is, as far as it matters there, as one number: to where
    /// its calls return, and what has been done with the words that are looked for.
    fn manner(&self, way: &Way) -> u64 {
        let mut all = 0_u64;
        let mut add = |number: u64| all = (all.rotate_left(23) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for &at in &way.calls {
            add(way.machine.load(self.memory, at, 8).get(8).unwrap_or(1));
        }
        for event in way.events.iter().filter(|event| self.until.matters(event)) {
            let (expected, new) = match event.act {
                Act::CompareExchange { expected, new } => (expected, new),
                Act::Exchange(new) | Act::Add(new) => (Some(2), new),
                Act::Call(_) | Act::Other => (Some(3), None),
            };
            // None of them is ever put anywhere.
            for number in [Some(event.address), Some(event.pc), expected, new] {
                add(number.unwrap_or(u64::MAX - 6));
            }
        }
        all
    }

    /// Returns from a function; `None` where that leaves what is rehearsed.
    pub(super) fn come_back(&self, way: &mut Way) -> Option<()> {
        let at = way.machine.register(Register::RSP).get(8)?;
        match way.calls.pop() {
            Some(expected) if at != expected => return None,
            None if matches!(self.until, Until::Left(_)) => return None,
            None if matches!(self.through, Through::Meetings(edge) if at + 8 >= edge) => return None,
            _ => {}
        }
        way.machine.pc = way.machine.load(self.memory, at, 8).get(8)?;
        way.machine.set_register(Register::RSP, Value::of(at + 8));
        Some(())
    }
}
