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
//! ```
//!
//! The look-alikes: the same bytes where the code does something else; the program's own
//! futexes.

use super::futex::{FutexCall, Operation, is_library, route};
use super::pthread_sync::who_acts;
use super::world::{BY_CODE, Supposed};
use super::{Decoder, Facts, World};
use crate::backend::observe::rehearsal::{Act, Outcome, THREAD};
use crate::model::wait::{Make, Wait, WaitKind};

/// Whether the thread would take a mutex as glibc does, if its word held 0.
pub(super) fn takes_mutex(facts: &Facts<'_>, world: &mut World, call: &FutexCall) -> bool {
    let word = call.address;
    let takes = |thread: &Supposed<'_>| {
        let outcome = ask(thread, (word, 0, 4), word);
        let (event, _) = outcome.first(word)?;
        (event.size == 4 && event.act == Act::Exchange(Some(2))).then_some(())
    };
    world.suppose(facts, false, takes).is_some()
}

/// A thread that waits in a glibc without names.
#[derive(Debug)]
pub(super) struct GlibcNameless;

impl Decoder for GlibcNameless {
    fn key(&self) -> &'static str {
        "glibc_nameless"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::Semaphore, WaitKind::PthreadBarrier, WaitKind::PthreadOnce]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a semaphore, a barrier or a one-time initialisation of a glibc that was linked into the \
         program and stripped. It is recognised by glibc's own texts in the program, by the fields, and by what the \
         thread's own code would do next with them if they held other numbers. Only why, deadlocks and the Waits panel \
         ask that; elsewhere it stays a futex."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        if !world.is_precise() || !matches!(call.operation, Operation::Wait | Operation::WaitBitset) {
            return None;
        }
        let site = world.call_site(facts)?;
        if !site.at.runtime.known_glibc() || !site.at.name().is_empty() || is_library(&site.at.file) {
            return None;
        }
        let candidates: Vec<Candidate> =
            [semaphore(facts, world, &call), barrier(facts, world, &call), once(facts, world, &call)]
                .into_iter()
                .flatten()
                .collect();
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
