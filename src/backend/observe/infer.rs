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
//! who waits in one is asked only where it is clear which lock it takes again
//! first. Who waits in a way unknown is not asked.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::rehearsal::{Act, Event, Function, Memory, Outcome, Stage, Written, onward, unwound};
use super::target::lsda::landing_pad;
use super::target::unwind::{Frame, Walk};
use super::wait::parking_lot::{self, Primitive};
use super::wait::{OnStage, World, musl};
use crate::model::Pid;
use crate::model::wait::{Certainty, Holder, Mode, Wait, WaitKind};

/// A table of call sites is read so far.
const TABLE: usize = 64 << 10;
/// So many instructions are rehearsed at one time.
const STEPS: usize = 10_000;
/// And for all threads of a process, which takes some seconds.
const ALL_STEPS: usize = 10_000_000;

/// A thread that sleeps, as it has just been read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sleeper<'t> {
    /// Its id.
    pub tid: Pid,
    /// The stack pointer.
    pub sp: u64,
    /// The program counter.
    pub pc: u64,
    /// What it waits for.
    pub wait: Option<&'t Wait>,
}

/// A frame that would clean up.
#[derive(Debug)]
struct Cleanup {
    /// Where it is: behind the call it is in.
    pc: u64,
    outcome: Outcome,
}

/// A thread that has been asked.
#[derive(Debug)]
struct Asked {
    /// The lock that it waits for itself: if its call returns, it has got it.
    wants: Option<u64>,
    in_condvar: bool,
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
    steps: usize,
}

/// The code and the memory of a process, as far as they have been read.
struct CodeOf<'c> {
    stage: &'c OnStage<'c>,
    memory: Memory<'c>,
    /// Where a call goes on if it unwinds, by the address it returns to.
    pads: HashMap<u64, Option<u64>>,
}

impl CodeOf<'_> {
    fn pad(&mut self, frame: &Frame) -> Option<u64> {
        let pc = frame.registers.pc;
        if let Some(known) = self.pads.get(&pc) {
            return *known;
        }
        let look = |at| {
            let mut table = vec![0; TABLE];
            let length = self.memory.fill(at, &mut table);
            // The call ends before the address that it returns to.
            landing_pad(&table[..length], frame.function, pc - 1)
        };
        let pad = frame.exceptions.filter(|_| !is_outermost(&self.stage.function(frame.function))).and_then(look);
        self.pads.insert(pc, pad);
        pad
    }
}

/// Whether a function of the runtime has called all others: it holds no lock of
/// theirs, and there is much to clean up.
fn is_outermost(function: &Function) -> bool {
    const OF_RUST: [&str; 3] = ["12thread_start", "10lang_start", "19lang_start_internal"];
    function.name.as_ref().is_some_and(|name| OF_RUST.iter().any(|part| name.contains(part)))
}

/// Whether a wait is for a lock whose holder could be found in this way.
pub(super) fn is_open(wait: &Wait) -> bool {
    use WaitKind::{ParkingLot, PthreadMutex, PthreadRwlockRead, PthreadRwlockWrite};
    use WaitKind::{RustMutex, RustOnce, RustRwlockRead, RustRwlockWrite};
    let kind = matches!(
        wait.kind,
        RustMutex | RustOnce | RustRwlockRead | RustRwlockWrite | ParkingLot | PthreadRwlockRead | PthreadRwlockWrite
    );
    // One of glibc says who holds it, if only that can be seen.
    let kind = kind || (wait.kind == PthreadMutex && musl::is_musl(wait));
    kind && wait.partial && wait.holders.is_empty() && wait.address.is_some()
}

/// How a lock is held, as its word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// By one.
    Alone,
    /// By so many readers.
    Shared(usize),
}

impl Inference {
    /// Asks the threads of a process. `running` is how many more there are.
    pub(super) fn of(world: &mut World, pid: Pid, sleepers: &[Sleeper<'_>], running: usize) -> Self {
        let mut inference = Inference { silent: running, ..Inference::default() };
        let open = sleepers.iter().filter_map(|sleeper| sleeper.wait).filter(|wait| is_open(wait));
        let locks: BTreeSet<u64> = open.filter_map(|wait| wait.address).collect();
        let locks: Vec<u64> = locks.into_iter().collect();
        let stage = world.stage(pid);
        let read = |address, buffer: &mut [u8]| stage.read(address, buffer);
        let mut code = CodeOf { stage: &stage, memory: Memory::new(&read), pads: HashMap::new() };
        for sleeper in sleepers {
            match inference.ask(&mut code, sleeper, &locks) {
                Some(asked) => {
                    for address in asked.touched() {
                        inference.touched.entry(address).or_default().insert(sleeper.tid);
                    }
                    inference.asked.insert(sleeper.tid, asked);
                }
                None => inference.silent += 1,
            }
        }
        inference
    }

    fn ask(&mut self, code: &mut CodeOf<'_>, sleeper: &Sleeper<'_>, locks: &[u64]) -> Option<Asked> {
        // pthread's condition variables let go of more than mutexes: C++ waits in them
        // with any lock.
        let in_condvar = match sleeper.wait.map(|wait| (wait.kind, parking_lot::primitive(wait))) {
            Some((WaitKind::Futex | WaitKind::PthreadCond, _) | (WaitKind::ParkingLot, None)) => return None,
            Some((WaitKind::RustCondvar, _) | (WaitKind::ParkingLot, Some(Primitive::Condvar))) => true,
            _ => false,
        };
        if self.steps > ALL_STEPS {
            return None;
        }
        let walk = code.stage.frames(&code.memory, sleeper.sp, sleeper.pc);
        let timed = sleeper.wait.is_some_and(|wait| wait.timed);
        let (first, result) = beginning(&walk, timed, code.stage)?;
        let onward = onward(&first.registers, result, (&code.memory, code.stage), STEPS, locks);
        self.steps += onward.steps;
        let (mut cleanups, mut left) = (Vec::new(), Written::default());
        for frame in walk.frames.iter().skip(1) {
            let Some(pad) = code.pad(frame) else { continue };
            let mut outcome = unwound(pad, &frame.registers, left, (&code.memory, code.stage), STEPS);
            self.steps += outcome.steps;
            let passed_on = outcome.left.take();
            cleanups.push(Cleanup { pc: frame.registers.pc, outcome });
            // What a frame outside would do depends on what this one has done.
            let Some(passed_on) = passed_on else { break };
            left = passed_on;
        }
        let wants = sleeper.wait.and_then(|wait| wait.address);
        Some(Asked { wants, in_condvar, unwound: cleanups, onward })
    }

    /// Names the holders of the lock that is waited for, if that is clear.
    pub(super) fn name(&self, world: &mut World, pid: Pid, wait: &mut Wait) {
        let Some(lock) = wait.address.filter(|_| is_open(wait)) else { return };
        let Some(held) = held(world, pid, wait, lock) else { return };
        let release = |tid: &Pid| Some((*tid, Release::of(self.asked.get(tid)?, wait.kind, held, lock)?));
        let found: Vec<(Pid, Release<'_>)> =
            self.touched.get(&lock).into_iter().flatten().filter_map(release).collect();
        let times: usize = found.iter().map(|(_, release)| release.times).sum();
        let (most, mode) = match held {
            Held::Alone => (1, wait.mode),
            Held::Shared(count) => (count, Mode::All),
        };
        if times == 0 || times > most {
            let how = if times == 0 { "no thread" } else { "more than one thread" };
            let silent = match self.silent {
                0 => String::new(),
                silent => format!(" ({silent} that run or wait in ways unknown could not be asked)"),
            };
            wait.evidence.push(format!("{how} would let go of it, by its own code{silent}"));
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
        }
        if wait.partial {
            wait.evidence.push(format!("of {most} readers {times} could be found"));
        }
    }
}

/// From where a thread goes on, and with which result: behind the function of the
/// C library that it is in, and behind that of its runtime which takes the lock it
/// waits for. These return nothing that they could have found; what they keep in
/// registers is not told.
fn beginning<'w>(walk: &'w Walk, timed: bool, stage: &dyn Stage) -> Option<(&'w Frame, Option<u64>)> {
    const RUST: [&str; 6] = [
        "14lock_contended",
        "14read_contended",
        "15write_contended",
        "9lock_slow",
        "16lock_shared_slow",
        "19lock_exclusive_slow",
    ];
    // In musl those without a limit jump to those with one.
    const PTHREAD: [&str; 6] = [
        "pthread_mutex_lock",
        "pthread_rwlock_rdlock",
        "pthread_rwlock_wrlock",
        "pthread_mutex_timedlock",
        "pthread_rwlock_timedrdlock",
        "pthread_rwlock_timedwrlock",
    ];
    let mut result = None;
    let mut frames = walk.frames.iter().map(|frame| (frame, stage.function(frame.registers.pc - 1))).peekable();
    // A function without a table is musl's, linked statically.
    while let Some((_, function)) = frames.next_if(|(frame, function)| function.library || frame.bare) {
        let name = function.name.as_deref().unwrap_or("");
        let locks = PTHREAD.iter().any(|function| name.ends_with(function));
        result = (locks && !timed).then_some(0);
    }
    // One of them may have put another into itself, or not.
    for (depth, (frame, _)) in frames.clone().take(3).enumerate() {
        let takes = |(_, function): (&Frame, Function)| {
            function.name.is_some_and(|name| RUST.iter().any(|part| name.contains(part)))
        };
        if !frames.clone().skip(depth).take(3 - depth).any(takes) {
            return Some((frame, if depth == 0 { result } else { Some(1) }));
        }
    }
    frames.nth(3).map(|(frame, _)| (frame, Some(1)))
}

/// How a lock is held; `None` where it is changing hands.
fn held(world: &World, pid: Pid, wait: &Wait, lock: u64) -> Option<Held> {
    let shared = |count: u64| (count > 0).then_some(Held::Shared(usize::try_from(count).unwrap_or(usize::MAX)));
    match wait.kind {
        WaitKind::RustMutex | WaitKind::RustOnce => Some(Held::Alone),
        WaitKind::RustRwlockRead | WaitKind::RustRwlockWrite => {
            let [state] = world.words(pid, lock).ok()?;
            match state & RUST_COUNT {
                RUST_COUNT => Some(Held::Alone),
                count => shared(count.into()),
            }
        }
        // Of musl: 16 (EBUSY) behind the type 0 of one that does not say who.
        WaitKind::PthreadMutex => {
            let [kind, word] = world.words(pid, lock).ok()?;
            (matches!(kind, 0 | 0x80) && word & !(1 << 31) == 16).then_some(Held::Alone)
        }
        WaitKind::PthreadRwlockRead | WaitKind::PthreadRwlockWrite if musl::is_musl(wait) => {
            let [word] = world.words(pid, lock).ok()?;
            musl::rwlock_count(word).map_or(Some(Held::Alone), |count| shared(count.into()))
        }
        WaitKind::PthreadRwlockRead | WaitKind::PthreadRwlockWrite => {
            let [readers] = world.words(pid, lock).ok()?;
            shared((readers >> 3).into()).filter(|_| readers & 1 == 0)
        }
        WaitKind::ParkingLot => match parking_lot::primitive(wait)? {
            Primitive::Mutex => Some(Held::Alone),
            Primitive::RwLock => {
                let [state] = world.longs(pid, lock).ok()?;
                // A writer that waits for the last readers has its bit set already.
                if state >> 4 == 0 { (state & 8 != 0).then_some(Held::Alone) } else { shared(state >> 4) }
            }
            Primitive::Condvar => None,
        },
        _ => None,
    }
}

/// All bits: a writer; else how many readers.
const RUST_COUNT: u32 = (1 << 30) - 1;

/// How a thread would let go of a lock.
struct Release<'n> {
    /// In which frame; `None` for where it goes on.
    cleanup: Option<&'n Cleanup>,
    event: &'n Event,
    /// More than once, if it reads it more than once.
    times: usize,
}

impl<'n> Release<'n> {
    /// The release by a thread, if that is the first thing it would do with the
    /// lock, whichever way.
    fn of(asked: &'n Asked, kind: WaitKind, held: Held, lock: u64) -> Option<Self> {
        if asked.in_condvar {
            let taken = asked.onward.first_of_all().filter(|event| takes(&event.act))?;
            if taken.address == lock {
                return None;
            }
        }
        if asked.wants == Some(lock) {
            return Self::of_itself(asked, kind, held, lock);
        }
        let onward = Some(&asked.onward).filter(|onward| onward.touches(lock) && !asked.in_condvar);
        let onward = match onward.map(|onward| onward.first(lock)) {
            Some(Some((event, times))) if lets_go(kind, held, event) => {
                Some(Release { cleanup: None, event, times: if held == Held::Alone { 1 } else { times } })
            }
            Some(Some(_)) => return None,
            _ => None,
        };
        let mut found: Option<Release<'n>> = None;
        for cleanup in asked.unwound.iter().filter(|cleanup| cleanup.outcome.touches(lock)) {
            // Where a frame locks it first, or not on all ways the same, nothing is
            // clear, of the frames outside of it neither.
            let (event, times) = cleanup.outcome.first(lock).filter(|(event, _)| lets_go(kind, held, event))?;
            let times = if held == Held::Alone { 1 } else { times };
            let before = found.as_ref().map_or(0, |release| release.times);
            found = Some(Release { cleanup: Some(cleanup), event, times: before + times });
        }
        found.or(onward)
    }

    /// The release of a lock that the thread waits for and holds already. A guard
    /// may also be alive while its lock is taken anew, as behind a condition
    /// variable: only who lets go of it twice, if it gets it, has it once.
    fn of_itself(asked: &'n Asked, kind: WaitKind, held: Held, lock: u64) -> Option<Self> {
        let (first, second) = asked.onward.second(lock)?;
        let any = |event| lets_go(kind, Held::Alone, event) || lets_go(kind, Held::Shared(1), event);
        (any(first) && lets_go(kind, held, second)).then_some(Release { cleanup: None, event: second, times: 1 })
    }
}

/// Whether this is how a mutex is locked: of the standard library, four bytes, or
/// of `parking_lot`, one.
fn takes(act: &Act) -> bool {
    *act == Act::CompareExchange { expected: Some(0), new: Some(1) }
}

/// Whether this is how a lock held in this way is let go of.
fn lets_go(kind: WaitKind, held: Held, event: &Event) -> bool {
    let add = |amount: i64, size: usize| {
        let mask = if size >= 8 { u64::MAX } else { (1 << (8 * size)) - 1 };
        event.size == size && event.act == Act::Add(Some(amount.cast_unsigned() & mask))
    };
    let swap = |expected: u64, new: u64, size: usize| {
        let act = Act::CompareExchange { expected: Some(expected), new: Some(new) };
        event.size == size && event.act == act
    };
    match (kind, held) {
        (WaitKind::RustMutex, _) => event.size == 4 && event.act == Act::Exchange(Some(0)),
        // The guard of the initialisation says how it ended.
        (WaitKind::RustOnce, _) => event.size == 4 && matches!(event.act, Act::Exchange(_)),
        (WaitKind::RustRwlockRead | WaitKind::RustRwlockWrite, Held::Alone) => add(-i64::from(RUST_COUNT), 4),
        (WaitKind::RustRwlockRead | WaitKind::RustRwlockWrite, Held::Shared(_)) => add(-1, 4),
        (WaitKind::ParkingLot, Held::Alone) => {
            // As 0.12 lets go of a mutex and an RwLock, and as 0.13 does.
            swap(1, 0, 1) || swap(8, 0, 8) || add(-1, 1) || add(-8, 8)
        }
        (WaitKind::ParkingLot, Held::Shared(_)) => add(-16, 8),
        (WaitKind::PthreadMutex, _) => {
            matches!(&event.act, Act::Call(name) if matches!(&**name, "pthread_mutex_unlock" | "mtx_unlock"))
        }
        (WaitKind::PthreadRwlockRead | WaitKind::PthreadRwlockWrite, _) => {
            matches!(&event.act, Act::Call(name) if &**name == "pthread_rwlock_unlock")
        }
        _ => false,
    }
}

fn in_words(act: &Act) -> String {
    match act {
        Act::Exchange(Some(new)) => format!("atomic exchange with {new}"),
        Act::Add(Some(_)) => "atomic subtraction".to_owned(),
        Act::CompareExchange { .. } => "atomic compare-exchange".to_owned(),
        Act::Call(name) => name.to_string(),
        Act::Exchange(None) | Act::Add(None) | Act::Other => "atomic access".to_owned(),
    }
}
