//! Who holds a lock that does not say who holds it.
//!
//! Of every thread of the process it is asked what it would let go of if it were
//! unwound now ([`rehearsal`](super::rehearsal)): who would let go of the lock
//! holds it. An answer counts only where it is the one that the lock's own word
//! allows: one thread for a lock held by one, as many as it counts for one held
//! by readers.
//!
//! Left out, since their guards may be alive without the lock being held: those
//! in a condition variable, which has let go of a lock for them, and those of
//! whom it is not known what they wait for.

use std::collections::BTreeMap;

use super::rehearsal::{Act, Event, Outcome, rehearse};
use super::target::lsda::landing_pad;
use super::wait::World;
use super::wait::parking_lot::{self, Primitive};
use crate::model::Pid;
use crate::model::wait::{Certainty, Holder, Mode, Wait, WaitKind};

/// A table of call sites is read so far.
const TABLE: usize = 64 << 10;
/// So many threads of a process are asked.
const THREADS: usize = 4096;

/// A thread that sleeps, as it has just been read.
#[derive(Clone, Copy, Debug)]
pub struct Sleeper<'t> {
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
    pc: u64,
    outcome: Outcome,
}

/// What the threads of one process would let go of.
#[derive(Debug, Default)]
pub struct Inference {
    /// Those that have been asked, innermost frame first.
    asked: BTreeMap<Pid, Vec<Cleanup>>,
    /// How many cannot be: they run, or may have let go already.
    silent: usize,
}

/// Whether a wait is for a lock whose holder could be found in this way.
pub fn is_open(wait: &Wait) -> bool {
    use WaitKind::{ParkingLot, PthreadRwlockRead, PthreadRwlockWrite};
    use WaitKind::{RustMutex, RustOnce, RustRwlockRead, RustRwlockWrite};
    let kind = matches!(
        wait.kind,
        RustMutex | RustOnce | RustRwlockRead | RustRwlockWrite | ParkingLot | PthreadRwlockRead | PthreadRwlockWrite
    );
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
    pub fn of(world: &mut World, pid: Pid, sleepers: &[Sleeper<'_>], running: usize) -> Self {
        let mut inference = Inference { asked: BTreeMap::new(), silent: running };
        for sleeper in sleepers {
            if inference.asked.len() == THREADS || !may_be_asked(sleeper.wait) {
                inference.silent += 1;
                continue;
            }
            let cleanups = cleanups(world, pid, sleeper);
            inference.asked.insert(sleeper.tid, cleanups);
        }
        inference
    }

    /// Names the holders of the lock that is waited for, if that is clear.
    pub fn name(&self, world: &mut World, pid: Pid, wait: &mut Wait) {
        let Some(lock) = wait.address.filter(|_| is_open(wait)) else { return };
        let Some(held) = held(world, pid, wait, lock) else { return };
        let found: Vec<(Pid, &Cleanup, &Event, usize)> =
            self.asked.iter().filter_map(|(&tid, cleanups)| release(cleanups, wait.kind, held, lock, tid)).collect();
        let times: usize = found.iter().map(|(.., times)| times).sum();
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
            wait.evidence.push(format!("{how} would let go of it if unwound now{silent}"));
            return;
        }
        wait.mode = mode;
        wait.partial = times < most;
        wait.certainty = Certainty::Inferred;
        for (tid, cleanup, event, _) in found {
            wait.holders.push(Holder { pid, tid: Some(tid) });
            let function = world.function_at(pid, cleanup.pc);
            wait.evidence.push(format!(
                "inferred: unwound now, thread {tid} would let go of it ({} at {:#x}, cleaning up in {function})",
                in_words(&event.act),
                event.pc
            ));
        }
        if wait.partial {
            wait.evidence.push(format!("of {most} readers {times} could be found"));
        }
    }
}

/// Whether what a thread would clean up is what it holds.
fn may_be_asked(wait: Option<&Wait>) -> bool {
    let Some(wait) = wait else { return true };
    match wait.kind {
        WaitKind::RustCondvar | WaitKind::Futex => false,
        WaitKind::ParkingLot => {
            matches!(parking_lot::primitive(wait), Some(Primitive::Mutex | Primitive::RwLock))
        }
        _ => true,
    }
}

fn cleanups(world: &mut World, pid: Pid, sleeper: &Sleeper<'_>) -> Vec<Cleanup> {
    let walk = world.frames(pid, sleeper.sp, sleeper.pc);
    let mut found = Vec::new();
    for frame in walk.frames.iter().skip(1) {
        let Some(table) = frame.exceptions.and_then(|at| world.memory_from(pid, at, TABLE)) else { continue };
        // The call ends before the address that it returns to.
        let Some(pad) = landing_pad(&table, frame.function, frame.registers.pc - 1) else { continue };
        let outcome = rehearse(pad, &frame.registers, &world.stage(pid));
        found.push(Cleanup { pc: frame.registers.pc, outcome });
    }
    found
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

/// The release of this lock by this thread, if it would do that before anything
/// else with it.
fn release<'c>(
    cleanups: &'c [Cleanup],
    kind: WaitKind,
    held: Held,
    lock: u64,
    tid: Pid,
) -> Option<(Pid, &'c Cleanup, &'c Event, usize)> {
    let touches = |cleanup: &&Cleanup| cleanup.outcome.ways.iter().flatten().any(|event| event.address == lock);
    let mut found: Option<(Pid, &Cleanup, &Event, usize)> = None;
    for cleanup in cleanups.iter().filter(touches) {
        // Where a frame locks it first, or not on all ways the same, nothing is
        // clear, of the frames outside of it neither.
        let (event, times) = cleanup.outcome.first(lock).filter(|(event, _)| lets_go(kind, held, event))?;
        found = match found {
            None => Some((tid, cleanup, event, times)),
            Some((tid, cleanup, event, before)) => Some((tid, cleanup, event, before + times)),
        };
    }
    found
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
            // 0.12 and 0.13 let go of an RwLock in different ways.
            swap(1, 0, 1) || swap(8, 0, 8) || add(-8, 8)
        }
        (WaitKind::ParkingLot, Held::Shared(_)) => add(-16, 8),
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
