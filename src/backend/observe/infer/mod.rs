//! Who holds a lock that does not say who holds it.
//!
//! Of every thread of the process it is asked what its own code would do next
//! with the lock ([`rehearsal`](super::rehearsal)): who would let go of it, before
//! anything else, holds it. That is asked twice:
//!
//! ```text
//! unwound   frame by frame: the code that cleans up if the call it is in unwinds. Each guard that is
//!           alive there appears in it, at every level of optimisation
//! onward    the code behind the system call, if that returns, out of one frame into the next, as far as
//!           it can be followed: for calls that cannot unwind, and programs made without unwinding
//! ```
//!
//! An answer counts only where it is one that the lock's own word allows: one
//! thread for a lock held by one, at most as many as it counts for one held by
//! readers. In a condition variable a guard is alive without the lock being held:
//! who waits in one counts only where it is clear which lock that is
//! ([`condvar`]). Of who waits in a way unknown only `onward` counts.

mod beginning;
mod condvar;
mod going_on;
mod held;
mod itself;
mod manner;
mod once;
mod queue;
mod release;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use self::beginning::{Beginning, asleep_in, beginning, edge, once_got};
use self::going_on::{clear, for_ever, going_on, going_on_from, is_unclear, taking};
pub(super) use self::held::is_open;
use self::held::{Held, held, shown_at};
use self::manner::Manner;
use self::once::{Initialiser, Initialisers};
use self::queue::Writers;
use self::release::{Release, in_words, leaves_upgradable};
use super::rehearsal::{Memory, Outcome, Stage, Through, Written, onward, unwound};
use super::target::unwind::Walk;
use super::wait::{CodeOf, World, parking_lot};
use crate::model::Pid;
use crate::model::process::BlockedCall;
use crate::model::sorting;
use crate::model::wait::{Certainty, Holder, Make, Mode, Wait, WaitKind};

/// So many instructions are rehearsed at one time.
const STEPS: usize = 10_000;
/// And for all threads of a process, which takes some seconds.
const ALL_STEPS: usize = 10_000_000;
/// Where nobody knows where to end.
const NAMELESS_STEPS: usize = 3_000;
/// So many frames parking takes at most: without optimisation each of its steps is one.
const PARKING: usize = 20;
/// So often a thread is asked again.
const AGAIN: usize = 384;
/// So many threads of a process are asked more thoroughly, if of any lock nobody is found.
const THOROUGH: usize = 128;

/// A thread that sleeps, as it has just been read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sleeper<'t> {
    /// Its id.
    pub tid: Pid,
    /// The stack pointer.
    pub sp: u64,
    /// The program counter.
    pub pc: u64,
    /// The system call that it is in.
    pub call: &'t BlockedCall,
    /// What it waits for.
    pub wait: Option<&'t Wait>,
}

/// A frame that would clean up.
#[derive(Debug)]
struct Cleanup {
    /// Where it is: behind the call it is in.
    pc: u64,
    /// How many frames are inside of it.
    depth: usize,
    outcome: Outcome,
}

/// A thread that has been asked.
#[derive(Debug)]
struct Asked {
    /// The lock that it waits for itself: if its call returns, it has got it.
    wants: Option<u64>,
    manner: Manner,
    /// The mutexes whose guards are alive, of a kind that a condition variable lets
    /// go of; and the one that it has.
    alive: Vec<u64>,
    let_go: Option<u64>,
    /// How many of its innermost frames tell whether it holds that lock already.
    believed: usize,
    /// Innermost frame first.
    unwound: Vec<Cleanup>,
    onward: Outcome,
}

impl Asked {
    /// The addresses of all that it would do something with, some more than once.
    fn touched(&self) -> impl Iterator<Item = u64> {
        let outcomes = self.unwound.iter().map(|cleanup| &cleanup.outcome).chain([&self.onward]);
        outcomes.flat_map(|outcome| outcome.ways.iter().flatten()).map(|event| event.address)
    }
}

/// What the threads of one process would do next.
#[derive(Debug, Default)]
pub(super) struct Inference {
    /// Those that have been asked.
    asked: BTreeMap<Pid, Asked>,
    /// Who would do anything with the word at an address.
    touched: HashMap<u64, BTreeSet<Pid>>,
    /// How many cannot be: they run, or may have let go already.
    silent: usize,
    initialisers: Initialisers,
    writers: Writers,
    steps: usize,
    /// Whether they are followed to where ways meet.
    thorough: bool,
    /// How often any has been asked again.
    again: usize,
}

impl Inference {
    /// Asks the threads of a process. `running` is how many more there are.
    pub(super) fn of(world: &mut World, pid: Pid, sleepers: &[Sleeper<'_>], running: usize) -> Self {
        let writers = Writers::among(world, pid, sleepers);
        let mut inference = Inference { silent: running, writers, ..Inference::default() };
        let open = sleepers.iter().filter_map(|sleeper| sleeper.wait).filter(|wait| is_open(wait));
        let locks = sorting::set(open.filter_map(shown_at));
        let locks: Vec<u64> = locks.into_iter().collect();
        let stage = world.stage(pid);
        let read = |address, buffer: &mut [u8]| stage.read(address, buffer);
        let memory = Memory::new(&read);
        let mut code = CodeOf::new(&stage, &memory);
        inference.initialisers = Initialisers::among(&code, sleepers);
        inference.ask_all(&mut code, sleepers, &locks);
        inference.find_what_was_let_go();
        if sleepers.len() <= THOROUGH && inference.misses_any(sleepers) {
            (inference.thorough, inference.silent) = (true, running);
            inference.ask_all(&mut code, sleepers, &locks);
            inference.find_what_was_let_go();
        }
        inference
    }

    fn ask_all(&mut self, code: &mut CodeOf<'_>, sleepers: &[Sleeper<'_>], locks: &[u64]) {
        for sleeper in sleepers {
            match self.ask(code, sleeper, locks) {
                Some(asked) => {
                    for address in asked.touched() {
                        self.touched.entry(address).or_default().insert(sleeper.tid);
                    }
                    self.asked.insert(sleeper.tid, asked);
                }
                None => self.silent += 1,
            }
        }
    }

    /// Whether of any lock that is waited for nobody is found who would let go of it.
    fn misses_any(&self, sleepers: &[Sleeper<'_>]) -> bool {
        sleepers.iter().filter_map(|sleeper| sleeper.wait).any(|wait| {
            let Some(lock) = shown_at(wait).filter(|_| is_open(wait) && wait.kind != WaitKind::PthreadOnce) else {
                return false;
            };
            !self.asked.values().any(|asked| {
                Release::of(asked, wait.kind, Held::Alone, lock).is_some()
                    || Release::of(asked, wait.kind, Held::Shared(1), lock).is_some()
            })
        })
    }

    fn ask(&mut self, code: &mut CodeOf<'_>, sleeper: &Sleeper<'_>, locks: &[u64]) -> Option<Asked> {
        let mut manner = Manner::of(sleeper)?;
        if self.steps > ALL_STEPS {
            return None;
        }
        let mut walk = code.stage.frames_or_place(code.memory, sleeper.sp, sleeper.pc);
        code.tell(&mut walk, sleeper.call.number.cast_unsigned(), &sleeper.call.args);
        code.complete(&mut walk);
        let asleep = asleep_in(&walk, code.stage);
        // What a barrier's condition variable lets go of is the barrier's own.
        if asleep > 0 && sleeper.wait.is_some_and(|wait| wait.kind == WaitKind::RustCondvar) {
            manner = Manner::Plain;
        }
        let mut onward = going_on(code, sleeper, &walk, locks)?;
        self.steps += onward.steps;
        let ways = [Through::Loops, Through::Meetings(edge(&walk, code.stage))];
        for through in ways.into_iter().take(if self.thorough { 2 } else { 1 }) {
            let found = clear(&onward, locks);
            if found > 0 && !is_unclear(&onward, locks) {
                break;
            }
            let Some(new) = self.ask_again(code, sleeper, &walk, (locks, through)) else { continue };
            self.steps += new.steps;
            if clear(&new, locks) > found || found == 0 && through == Through::Loops {
                onward = new;
            }
        }
        let (mut cleanups, mut left) = (Vec::new(), Written::default());
        for (depth, frame) in walk.frames.iter().enumerate().skip(asleep.max(1)) {
            let Some(pad) = code.pad(frame) else { continue };
            let before = left.clone();
            let rehearse = |left, through| {
                unwound(pad, &frame.registers, left, (code.memory, code.stage), STEPS, (locks, through))
            };
            let mut outcome = rehearse(left, Through::Once);
            self.steps += outcome.steps;
            if self.thorough && (outcome.left.is_none() || is_unclear(&outcome, locks)) {
                let passed_on = outcome.left.take();
                outcome = rehearse(before.clone(), Through::Meetings(u64::MAX));
                self.steps += outcome.steps;
                outcome.left = passed_on.or(outcome.left);
            }
            let passed_on = outcome.left.take();
            // Parking ends the program rather than unwind.
            let parks =
                || code.stage.function(frame.registers.pc - 1).name.is_some_and(|name| parking_lot::is_ours(&name));
            if passed_on.is_none() && outcome.ways.iter().all(Vec::is_empty) && parks() {
                left = before;
                continue;
            }
            cleanups.push(Cleanup { pc: frame.registers.pc, depth, outcome });
            // What a frame outside would do depends on what this one has done.
            let Some(passed_on) = passed_on else { break };
            left = passed_on;
        }
        let wants = sleeper.wait.and_then(shown_at);
        let believed = itself::believed(code, &walk, sleeper.wait.map(|wait| wait.kind));
        let (alive, let_go) = (Vec::new(), None);
        let mut asked = Asked { wants, manner, alive, let_go, believed, unwound: cleanups, onward };
        if let Manner::Condvar(kind) = manner {
            asked.alive = condvar::alive(&asked, kind);
            let again = sleeper.wait.filter(|wait| wait.make == Make::ParkingLotRelock).and(asked.wants);
            let told = again.or_else(|| condvar::taken_again(&asked));
            asked.let_go = told.or_else(|| condvar::free(code, kind, &asked.alive));
        }
        // What a signal has interrupted is not asked.
        self.silent += usize::from(walk.interrupts);
        Some(asked)
    }

    /// What a thread does behind its system call if others may have changed all that is not
    /// on its own stack, until they woke it: of that nothing is known.
    fn ask_again(
        &mut self,
        code: &CodeOf<'_>,
        sleeper: &Sleeper<'_>,
        walk: &Walk,
        (locks, through): (&[u64], Through),
    ) -> Option<Outcome> {
        if self.again >= AGAIN {
            return None;
        }
        self.again += 1;
        let free = sleeper.wait.map(held::free).unwrap_or_default();
        if !free.is_empty() {
            return taking(code, sleeper, walk, &free, (&for_ever(locks), through));
        }
        // By the names of functions it went on behind the lock: now it is followed there.
        if let Some(end) = sleeper.wait.and_then(|wait| parking_lot::end(wait, sleeper.call, code.memory)) {
            return going_on_from(code, sleeper, walk, &end, (locks, through));
        }
        let stage = code.stage;
        let read = |address: u64, buffer: &mut [u8]| {
            let own = address >= sleeper.sp & !0xfff && stage.is_same_mapping(sleeper.sp, address);
            (own || stage.is_constant(address)) && stage.read(address, buffer)
        };
        let memory = Memory::new(&read);
        let timed = sleeper.wait.is_some_and(|wait| wait.timed);
        let Beginning { frame, result, has_lock } = beginning(walk, timed, code.stage)?;
        let got = sleeper.wait.filter(|_| has_lock).map(|wait| once_got(&memory, wait));
        let place: (&Memory<'_>, &dyn Stage) = (&memory, code.stage);
        let before = got.unwrap_or_default();
        Some(onward(&frame.registers, result, before, place, STEPS, (locks, through)))
    }

    /// Of guards that are alive in a condition variable, those whose mutex another
    /// thread holds.
    fn find_what_was_let_go(&mut self) {
        let held_elsewhere = |kind, lock: &u64| {
            let plain = self.asked.values().filter(|asked| asked.manner == Manner::Plain);
            plain.filter_map(|asked| Release::of(asked, kind, Held::Alone, *lock)).count() == 1
        };
        let mut found = Vec::new();
        for (tid, asked) in self.asked.iter().filter(|(_, asked)| asked.let_go.is_none()) {
            let Manner::Condvar(kind) = asked.manner else { continue };
            let mut elsewhere = asked.alive.iter().filter(|lock| held_elsewhere(kind, lock));
            if let (Some(&lock), None) = (elsewhere.next(), elsewhere.next()) {
                found.push((*tid, lock));
            }
        }
        for (tid, lock) in found {
            self.asked.entry(tid).and_modify(|asked| asked.let_go = Some(lock));
        }
    }

    /// Names the holders of the lock that a thread waits for, if that is clear.
    pub(super) fn name(&self, world: &mut World, (pid, tid): (Pid, Pid), wait: &mut Wait) {
        let Some(lock) = wait.address.filter(|_| is_open(wait)) else { return };
        if wait.kind == WaitKind::PthreadOnce {
            self.name_initialiser(world, pid, wait, lock);
            return;
        }
        let Some(held) = held(world, pid, wait, lock) else { return };
        if self.writers.name(world, (pid, tid), wait, (lock, held)) {
            return;
        }
        let Some(lock) = shown_at(wait) else { return };
        let release = |tid: &Pid| Some((*tid, Release::of(self.asked.get(tid)?, wait.kind, held, lock)?));
        // Where no writer is in front of it, an `RwLock` of `parking_lot` is waited for because of
        // the one reader that could be upgraded, not of the others.
        let of_one = wait.make == Make::ParkingLotRwLock && !parking_lot::has_writer(world, pid, lock);
        let counts = |(_, release): &(Pid, Release<'_>)| !of_one || leaves_upgradable(release.event);
        let found: Vec<(Pid, Release<'_>)> =
            self.touched.get(&lock).into_iter().flatten().filter_map(release).filter(counts).collect();
        let times: usize = found.iter().map(|(_, release)| release.times).sum();
        let (most, mode) = match held {
            _ if of_one => (1, Mode::All),
            Held::Alone => (1, wait.mode),
            Held::Shared(count) => (count, Mode::All),
        };
        if times == 0 || times > most {
            let how = match times {
                0 => "of no thread its own code tells that it would let go of it: one may have ended with it",
                _ => "more than one thread would let go of it, by its own code",
            };
            wait.evidence.push(format!("{how}{}", self.unasked()));
            and_others(world, pid, wait, lock);
            return;
        }
        wait.mode = mode;
        wait.partial = times < most;
        wait.certainty = Certainty::Inferred;
        for (tid, Release { cleanup, event, .. }) in found {
            wait.holders.push(Holder { pid, tid: Some(tid) });
            let when = match cleanup {
                Some(cleanup) => format!("if its call in {} unwinds", world.function_at(pid, cleanup.pc)),
                None => "if its system call returns".to_owned(),
            };
            let how = in_words(&event.act);
            wait.evidence.push(format!("inferred: thread {tid} lets go of it {when} ({how} at {:#x})", event.pc));
            if let Some(other) = self.asked.get(&tid).and_then(|asked| asked.let_go) {
                wait.evidence.push(format!("its condition variable has let go of another lock, {other:#x}"));
            }
        }
        if wait.partial {
            wait.evidence.push(format!("of {most} readers {times} could be found"));
            and_others(world, pid, wait, lock);
        }
    }

    /// Names the thread that runs a one-time initialisation.
    fn name_initialiser(&self, world: &mut World, pid: Pid, wait: &mut Wait, control: u64) {
        let Some(Initialiser { tid, pc }) = self.initialisers.only(control) else {
            let why = format!("no thread is seen in this initialisation, or more than one{}", self.unasked());
            wait.evidence.push(why);
            return;
        };
        wait.holders.push(Holder { pid, tid: Some(tid) });
        wait.partial = false;
        wait.certainty = Certainty::Inferred;
        let by = world.function_at(pid, pc);
        wait.evidence.push(format!("inferred: thread {tid} runs the initialisation, called at {pc:#x} ({by})"));
    }

    /// Who could not be asked, for people.
    fn unasked(&self) -> String {
        match self.silent {
            0 => String::new(),
            silent => format!(" ({silent} that run or wait in ways unknown could not be asked)"),
        }
    }
}

/// Names the processes that share a lock, and whose threads have not been asked.
fn and_others(world: &mut World, pid: Pid, wait: &mut Wait, lock: u64) {
    let others: Vec<String> = world.others_that_map(pid, lock).iter().map(ToString::to_string).collect();
    if !others.is_empty() {
        let others = others.join(", ");
        wait.evidence
            .push(format!("of the processes that share it only its own was asked, not {others}: one may hold it"));
    }
}
