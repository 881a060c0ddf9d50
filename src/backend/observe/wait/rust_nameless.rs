//! What threads of Rust programs without symbols wait for in the standard library: no
//! function has a name there, but what a thread does next, if its call returns, tells
//! them apart. That is asked of its own code, with other numbers put in the word:
//!
//! ```text
//! waits on            in the word            it would
//! Mutex        2      0 or 1; 2              exchange it for 2; nothing
//! Once         5      3, not begun           change 3 to 1 (before 1.85: waits on 3, changes 0 to 2)
//! park         -1     1, a token             change 1 to 0, or with a time-out exchange it for 0
//! RwLock       state  5 readers              change 5 to 6
//! ├ to write   count  0 at −4, free          change that to all bits
//! Condvar      count  the count + 1          leave it, and change another word from 0 to 1: its mutex
//! ```
//!
//! The look-alikes: a C program that does the same, which has nothing of Rust's library
//! in it; a lock of the program's own, which waits by another operation.

use super::futex::{FutexCall, Operation, is_library, route};
use super::rust_sync::{COUNT, PARKED, tell_state};
use super::told::{Place, Told};
use super::world::{BY_CODE, Supposed};
use super::{Decoder, Facts, World};
use crate::backend::observe::rehearsal::{Act, Event, Outcome};
use crate::backend::observe::target::stack::CallSite;
use crate::model::wait::{Make, Wait, WaitKind};

/// `FUTEX_BITSET_MATCH_ANY`: what std hands over as the bits that it waits for.
const ANY: u64 = 0xffff_ffff;
/// All but the bits of those who wait.
const WRITER: u64 = COUNT as u64;

/// With which number in its word a lock that was recognised by the code of who waits for
/// it would be taken: address, number, bytes; `None` for any other wait.
pub(in crate::backend::observe) fn free(wait: &Wait) -> Option<(u64, u64, usize)> {
    use WaitKind::{RustMutex, RustRwlockRead, RustRwlockWrite};
    let lock = matches!(wait.kind, RustMutex | RustRwlockRead | RustRwlockWrite);
    wait.address.filter(|_| lock && wait.make == Make::Nameless).map(|address| (address, 0, 4))
}

/// A thread that waits in Rust's standard library, in a program without symbols.
#[derive(Debug)]
pub(super) struct RustNameless;

impl Decoder for RustNameless {
    fn key(&self) -> &'static str {
        "rust_nameless"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[
            WaitKind::RustMutex,
            WaitKind::RustCondvar,
            WaitKind::RustOnce,
            WaitKind::RustPark,
            WaitKind::RustRwlockRead,
            WaitKind::RustRwlockWrite,
        ]
    }

    fn explain(&self) -> &'static str {
        "The thread waits in Rust's standard library, in a program whose functions have no names: stripped, or put into \
         one another by the compiler. It is recognised by the way std calls futex, by the paths of std's source in the \
         program, and by what the thread's own code would do next with the word if that held another number: a mutex is \
         taken by exchanging it for 2, a token of park is taken by changing 1 to 0, and so on. Only why, deadlocks and \
         the Waits panel ask that; elsewhere it stays a futex."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        let bits = facts.blocked()?.args[5] & 0xffff_ffff;
        if !world.is_precise() || call.operation != Operation::WaitBitset || call.raw != 0x89 || bits != ANY {
            return None;
        }
        let [word] = world.words(facts.pid, call.address).ok()?;
        // Others that wait for an RwLock mark it meanwhile.
        let marked = call.value > COUNT && word & COUNT == call.value & COUNT && word > COUNT;
        if word != call.value && !marked {
            return None;
        }
        let site = world.call_site(facts)?;
        if is_library(&site.at.file) && site.at.name() != "syscall" {
            return None;
        }
        let Told { kind, what, before, next } = ask(facts, world, &call, &site)?;
        let lock = call.address.checked_sub(before)?;
        let [state] = world.words(facts.pid, lock).ok()?;
        if !world.still_there(facts) {
            return None;
        }
        let mut wait = call.ownerless(kind, what, lock, facts.pid, world);
        wait.make = Make::Nameless;
        wait.evidence.push(format!("{BY_CODE}: {next}"));
        wait.evidence.push(route(&site));
        tell_state(&mut wait, state, &call);
        Some(wait)
    }
}

/// What the code of the thread tells, or has told of another that came to the same place
/// by the same way and waits on the same number.
fn ask(facts: &Facts<'_>, world: &mut World, call: &FutexCall, site: &CallSite) -> Option<Told> {
    let place = Place::of(facts.pid, site, call.value, call.timed);
    if let Some(known) = world.nameless.get(&place) {
        return *known;
    }
    let told = world.suppose(facts, true, |thread| identify(call, thread));
    world.nameless.insert(place, told);
    told
}

/// Which primitive the thread waits for, if its code tells.
fn identify(call: &FutexCall, thread: &Supposed<'_>) -> Option<Told> {
    let told = |kind, what, before, next| Some(Told { kind, what, before, next });
    let word = call.address;
    let asked = |number: u64| thread.with(&[(word, number, 4)], word);
    // Taken or not, it marks it as waited for; if that is marked already, it waits again.
    let marks = |number| acts(&asked(number), word, &Act::Exchange(Some(2)));
    if call.value == 2 && !call.timed && marks(0) && marks(1) && !asked(2).touches(word) {
        return told(WaitKind::RustMutex, "Mutex", 0, "it takes the mutex by exchanging a 0 for 2");
    }
    for (value, open, running, done) in [(5, 3, 1, 0), (3, 0, 2, 4)] {
        let begins = |outcome: &Outcome| changes(outcome, word, |from, to| from == open && to & 3 == running);
        if call.value == value && !call.timed && begins(&asked(open)) && !asked(done).touches(word) {
            return told(WaitKind::RustOnce, "Once", 0, "it begins the initialisation, if that has not begun");
        }
    }
    if call.value == PARKED {
        let takes = if call.timed {
            acts(&asked(1), word, &Act::Exchange(Some(0)))
        } else {
            changes(&asked(1), word, |from, to| (from, to) == (1, 0))
        };
        if takes {
            return told(WaitKind::RustPark, "park token", 0, "it takes a token by changing 1 to 0");
        }
    }
    if call.value > COUNT && !call.timed && changes(&asked(5), word, |from, to| (from, to) == (5, 6)) {
        return told(WaitKind::RustRwlockRead, "RwLock", 0, "it joins 5 readers by changing their number to 6");
    }
    let lock = word.checked_sub(4)?;
    let free = || thread.with(&[(lock, 0, 4)], lock);
    if !call.timed && changes(&free(), lock, |from, to| from == 0 && to & WRITER == WRITER) {
        let next = "it takes the lock 4 bytes before the word by setting all its bits";
        return told(WaitKind::RustRwlockWrite, "RwLock", 4, next);
    }
    let notified = asked(u64::from(call.value.wrapping_add(1)));
    let takes = notified.first_of_all().is_some_and(|event| event.address != word && locks(event));
    (takes && !notified.touches(word)).then_some(())?;
    told(WaitKind::RustCondvar, "Condvar", 0, "it leaves the word alone and takes a mutex")
}

/// Whether this is what it does first with the word, whichever way it goes.
fn acts(outcome: &Outcome, word: u64, act: &Act) -> bool {
    outcome.first(word).is_some_and(|(event, _)| event.size == 4 && event.act == *act)
}

/// Whether it first changes the word from one number to another, for which `test` holds.
fn changes(outcome: &Outcome, word: u64, test: impl Fn(u64, u64) -> bool) -> bool {
    outcome.first(word).is_some_and(|(event, _)| match event.act {
        Act::CompareExchange { expected: Some(from), new: Some(to) } => event.size == 4 && test(from, to),
        _ => false,
    })
}

/// Whether this is how a mutex is taken.
fn locks(event: &Event) -> bool {
    event.size == 4 && event.act == Act::CompareExchange { expected: Some(0), new: Some(1) }
}
