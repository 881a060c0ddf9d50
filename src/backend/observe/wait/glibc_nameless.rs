//! What threads wait for in a glibc that was linked statically and stripped: no function
//! has a name there, but what a thread does next, if its call returns, tells them apart.
//! That is asked of its own code, with other numbers put in the words:
//!
//! ```text
//! waits on                          in the words                it would
//! mutex    2 at +0                  0                           exchange it for 2 (the fields say the rest)
//! sem_t    0 at +0, waiters at +4   1 and the waiters           take 1 and one waiter off, all at once
//! barrier  round at +4, count +8    the round + count           count itself out, at +16
//! once     1 | generation << 2      0, not begun; 2, done       change 0 to 1 | generation << 2; nothing
//! condvar  0 at +40 or +44          2, a signal                 take 2 from its group, at 24 before; later 8 at +36
//! rwlock   3 at +12, to write       0 at +0; 8, a reader        change 0 to 2; 8 to 10
//!          2 at +8, to write        0; 1, its turn              mark it by changing 0 to 2; leave it
//!          3 at +8, to read         1; 0, its turn              mark it by changing 1 to 3; leave it
//!          4 at +0, to read         10, a reader and a writer   mark it by changing 10 to 14
//!                                   0                           add a reader, 8
//! ```
//!
//! The look-alikes: the same bytes where the code does something else; the program's own
//! futexes.

use super::futex::{FutexCall, Operation, is_library, route};
use super::pthread_sync::who_acts;
use super::world::{BY_CODE, Supposed};
use super::{Decoder, Facts, World};
use crate::backend::observe::rehearsal::{Act, Outcome, THREAD};
use crate::backend::observe::target::stack::CallSite;
use crate::model::wait::{Make, Wait, WaitKind};

/// Whether the thread would take a mutex as glibc does, if its word held 0.
pub(super) fn takes_mutex(facts: &Facts<'_>, world: &mut World, call: &FutexCall) -> bool {
    let word = call.address;
    let takes = |thread: &Supposed<'_>| {
        let outcome = ask(thread, (word, 0, 4), word);
        let (event, _) = outcome.first(word)?;
        // With a time limit the 2 may be in a register that nobody tells.
        let takes = event.act == Act::Exchange(Some(2)) || call.timed && event.act == Act::Exchange(None);
        (event.size == 4 && takes).then_some(())
    };
    world.suppose(facts, false, takes).is_some()
}

/// How the thread would take a reader-writer lock as glibc does, if it waits for one.
pub(super) fn takes_rwlock(
    facts: &Facts<'_>,
    world: &mut World,
    call: &FutexCall,
    site: &CallSite,
) -> Option<(WaitKind, &'static str)> {
    const WRITE_PHASE: u32 = 1;
    const WRITE_LOCKED: u32 = 2;
    /// Readers wait, for one that is write-locked, though not in the write phase.
    const READERS_WAIT: u32 = 6;
    const FLAGS: u32 = 7;
    if !world.is_precise() || !is_nameless(site) {
        return None;
    }
    let word = call.address;
    let offset = match (word.is_multiple_of(8), call.value) {
        (true, 2 | 3) => 8,
        (true, _) => 0,
        (false, _) => 12,
    };
    let lock = word.checked_sub(offset).filter(|lock| lock.is_multiple_of(8))?;
    let [state] = world.words(facts.pid, lock).ok()?;
    let readers = state >> 3;
    let marks = move |thread: &Supposed<'_>, from: u64, to: u64| {
        let outcome = ask(thread, (word, from, 4), word);
        let changed = Act::CompareExchange { expected: Some(from), new: Some(to) };
        outcome.first_of_all().is_some_and(|event| (event.address, event.size) == (word, 4) && event.act == changed)
    };
    let leaves = move |thread: &Supposed<'_>, number: u64| {
        let outcome = ask(thread, (word, number, 4), word);
        outcome.first_of_all().is_none_or(|event| event.address != word)
    };
    let locks = move |thread: &Supposed<'_>, from: u64| {
        let outcome = ask(thread, (lock, from, 4), lock);
        let changed = Act::CompareExchange { expected: Some(from), new: Some(from | u64::from(WRITE_LOCKED)) };
        outcome.first(lock).is_some_and(|(event, _)| event.size == 4 && event.act == changed)
    };
    let joins = move |thread: &Supposed<'_>| {
        let outcome = ask(thread, (lock, 0, 4), lock);
        let first = outcome.first(lock);
        first.is_some_and(|(event, _)| event.size == 4 && event.act == Act::Add(Some(8)))
    };
    let (write_phase, write_locked) = (state & WRITE_PHASE != 0, state & WRITE_LOCKED != 0);
    let told = |thread: &Supposed<'_>| match (word - lock, call.value) {
        (12, 3) if write_locked && locks(thread, 0) && locks(thread, 8) => {
            Some((WaitKind::PthreadRwlockWrite, "it write-locks it if it is free, or held by a reader alone"))
        }
        (8, 2) if !write_phase && write_locked && readers > 0 && marks(thread, 0, 2) && leaves(thread, 1) => {
            Some((WaitKind::PthreadRwlockWrite, "it waits for the turn of those who write"))
        }
        (8, 3) if write_phase && readers > 0 && marks(thread, 1, 3) && leaves(thread, 0) => {
            Some((WaitKind::PthreadRwlockRead, "it waits for the turn of those who read"))
        }
        // Who lets writers go first, while another reads.
        (0, value)
            if [value, state].iter().all(|word| word & FLAGS == READERS_WAIT)
                && readers > 0
                && marks(thread, 10, 14)
                && joins(thread) =>
        {
            Some((WaitKind::PthreadRwlockRead, "it waits until no writer is in front of it, to join those who read"))
        }
        _ => None,
    };
    world.suppose(facts, false, told)
}

/// Whether a thread waits in a glibc that is a part of the program, without names.
fn is_nameless(site: &CallSite) -> bool {
    site.at.runtime.known_glibc() && site.at.name().is_empty() && !is_library(&site.at.file)
}

/// A thread that waits in a glibc without names.
#[derive(Debug)]
pub(super) struct GlibcNameless;

impl Decoder for GlibcNameless {
    fn key(&self) -> &'static str {
        "glibc_nameless"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::Semaphore, WaitKind::PthreadBarrier, WaitKind::PthreadOnce, WaitKind::PthreadCond]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a semaphore, a barrier, a condition variable or a one-time initialisation of a glibc that \
         was linked into the program and stripped. It is recognised by glibc's own texts in the program, by the \
         fields, and by what the thread's own code would do next with them if they held other numbers. Only why, \
         deadlocks and the Waits panel ask that; elsewhere it stays a futex."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        if !world.is_precise() || !matches!(call.operation, Operation::Wait | Operation::WaitBitset) {
            return None;
        }
        let site = world.call_site(facts)?;
        if !is_nameless(&site) {
            return None;
        }
        let of = [semaphore, barrier, once, condvar];
        let candidates: Vec<Candidate> = of.iter().filter_map(|of| of(facts, world, &call)).collect();
        let proved = |thread: &Supposed<'_>| {
            candidates.iter().find(|candidate| (candidate.proof)(thread).is_some()).map(|candidate| candidate.told)
        };
        let (kind, what, start, next) = world.suppose(facts, false, proved)?;
        if !world.still_there(facts) {
            return None;
        }
        let mut wait = call.ownerless(kind, what, start, facts.pid, world);
        wait.make = Make::Nameless;
        wait.evidence.push(format!("{BY_CODE}: {next}"));
        wait.evidence.push(format!("futex at +{}, value {}", call.address - start, call.value));
        wait.evidence.push(route(&site));
        wait.evidence.push(who_acts(kind).to_owned());
        Some(wait)
    }
}

/// What the thread would do if the memory held this number. Its descriptor points to
/// itself as well (`header.self` of `tcbhead_t`), and says that it may be cancelled where
/// it is, as while it waits (`cancelhandling` of `struct pthread`).
fn ask(thread: &Supposed<'_>, number: (u64, u64, usize), word: u64) -> Outcome {
    const CANCELLED_ANYWHERE: u64 = 2;
    thread.with(&[number, (THREAD + 0x10, THREAD, 8), (THREAD + 0x308, CANCELLED_ANYWHERE, 4)], word)
}

/// Kind, name, beginning, and what the thread would do.
type Told = (WaitKind, &'static str, u64, &'static str);
/// Whether the thread would do that.
type Proof = Box<dyn Fn(&Supposed<'_>) -> Option<()>>;

/// What it may be, by the fields.
struct Candidate {
    told: Told,
    proof: Proof,
}

fn semaphore(facts: &Facts<'_>, world: &mut World, call: &FutexCall) -> Option<Candidate> {
    const WAITER: u64 = 1 << 32;
    let start = call.address;
    let [value, waiters, private] = world.words(facts.pid, start).ok()?;
    let agrees = (call.value, value) == (0, 0) && waiters > 0 && (private == 0) == call.private;
    if !agrees || private & !0x80 != 0 || !start.is_multiple_of(8) {
        return None;
    }
    let before = u64::from(waiters) << 32 | 1;
    let proof: Proof = Box::new(move |thread| {
        let outcome = ask(thread, (start, before, 8), start);
        let (event, _) = outcome.first(start)?;
        let act = Act::CompareExchange { expected: Some(before), new: Some(before - 1 - WAITER) };
        (event.size == 8 && event.act == act).then_some(())
    });
    let next = "it takes 1 from the value and itself from the waiters at once";
    Some(Candidate { told: (WaitKind::Semaphore, "semaphore", start, next), proof })
}

fn barrier(facts: &Facts<'_>, world: &mut World, call: &FutexCall) -> Option<Candidate> {
    let start = call.address.checked_sub(4)?;
    let [_, round, count] = world.words(facts.pid, start).ok()?;
    if round != call.value || !(1..0x1_0000).contains(&count) {
        return None;
    }
    let out = start + 16;
    let round_word = call.address;
    let proof: Proof = Box::new(move |thread| {
        let next = u64::from(round.wrapping_add(count));
        let outcome = ask(thread, (round_word, next, 4), out);
        let (event, _) = outcome.first(out)?;
        let first = outcome.first_of_all().is_some_and(|event| event.address == out);
        (first && event.size == 4 && event.act == Act::Add(Some(1))).then_some(())
    });
    Some(Candidate { told: (WaitKind::PthreadBarrier, "barrier", start, "it counts itself out of the round"), proof })
}

fn once(facts: &Facts<'_>, world: &mut World, call: &FutexCall) -> Option<Candidate> {
    let word = call.address;
    let [now] = world.words(facts.pid, word).ok()?;
    if call.value & 3 != 1 || now != call.value || !call.private {
        return None;
    }
    let begins = move |outcome: &Outcome| {
        outcome.first(word).is_some_and(|(event, _)| match event.act {
            Act::CompareExchange { expected: Some(0), new: Some(new) } => event.size == 4 && new & 3 == 1,
            _ => false,
        })
    };
    let proof: Proof = Box::new(move |thread| {
        let done = ask(thread, (word, 2, 4), word);
        (begins(&ask(thread, (word, 0, 4), word)) && !done.touches(word)).then_some(())
    });
    let next = "it begins the initialisation if it has not begun, and does nothing if it is done";
    Some(Candidate { told: (WaitKind::PthreadOnce, "once", word, next), proof })
}

fn condvar(facts: &Facts<'_>, world: &mut World, call: &FutexCall) -> Option<Candidate> {
    const WAITER: u32 = 8;
    const IN_GROUP: u32 = 2;
    let word = call.address;
    let start = word.checked_sub(if word.is_multiple_of(8) { 40 } else { 44 }).filter(|at| at.is_multiple_of(8))?;
    let (references, waiters) = (word - 24, start + 36);
    let ([in_group], [all]) = (world.words(facts.pid, references).ok()?, world.words(facts.pid, waiters).ok()?);
    let agrees = call.value == 0 && world.words(facts.pid, word) == Ok([0]) && in_group >= IN_GROUP && all >= WAITER;
    if !agrees || (all & 1 == 0) != call.private {
        return None;
    }
    let proof: Proof = Box::new(move |thread| {
        let outcome = ask(thread, (word, 2, 4), word);
        let less = |number: u32| Act::Add(Some(number.wrapping_neg().into()));
        let mut confirmed = false;
        for way in &outcome.ways {
            let of_all = |at: u64| (start..start + 48).contains(&at) && at != word;
            let mut fields = way.iter().filter(|event| of_all(event.address)).map(|event| (event.address, &event.act));
            match (fields.next(), fields.next()) {
                // It ends before it comes so far.
                (None, _) => {}
                (Some((at, act)), _) if at != references || *act != less(IN_GROUP) => return None,
                (_, Some((at, act))) if at == waiters && *act == less(WAITER) => confirmed = true,
                // Another was faster: it waits again.
                (_, Some((at, act))) if at == references && *act == Act::Add(Some(IN_GROUP.into())) => {}
                (_, None) => {}
                _ => return None,
            }
        }
        confirmed.then_some(())
    });
    let next = "it takes itself from those who wait in its group, and then from all";
    Some(Candidate { told: (WaitKind::PthreadCond, "condition variable", start, next), proof })
}
