//! What threads wait for in a musl that was linked statically and stripped: no function has
//! a name there, but what a thread does next, if its call returns, tells them apart. That is
//! asked of its own code, with other numbers put in the word and in its own descriptor:
//!
//! ```text
//! waits on            in the word     it takes itself from those who wait, at +4, and would
//! mutex, normal       0               change that to 16 (EBUSY)
//! ├ of a type         0               change that to its own id
//! rwlock, to write    0               change that to 0x7fffffff
//! ├ to read           5               change that to 6
//! semaphore           2               change that to 1
//! stream              0               change that to its own id | 0x40000000; nobody is counted
//! join                2, at +56 of a descriptor in a ring of those of all threads of the process
//! ```
//!
//! The look-alikes: the same bytes where the code does something else; a descriptor of the
//! program's own making.

use std::collections::BTreeSet;

use super::place::Primitive;
use super::shape::{JOIN_STATE, JOINABLE, THREAD_ID, WAITED_FOR, counts};
use crate::backend::observe::rehearsal::{Act, Event, Outcome, THREAD};
use crate::backend::observe::target::module::Runtime;
use crate::backend::observe::target::stack::CallSite;
use crate::backend::observe::wait::futex::{FutexCall, is_library};
use crate::backend::observe::wait::told::{Place, Told};
use crate::backend::observe::wait::world::Supposed;
use crate::backend::observe::wait::{Facts, World};
use crate::model::Pid;
use crate::model::sorting;
use crate::model::wait::WaitKind;

/// An id has no other bits.
const ID: u64 = 0x3fff_ffff;
/// Set in a stream that is waited for.
const STREAM_WAITED_FOR: u64 = 1 << 30;

/// The primitive, and how its code takes it; `None` where the code does not tell.
pub(super) fn primitive(
    facts: &Facts<'_>,
    world: &mut World,
    call: &FutexCall,
    site: &CallSite,
) -> Option<(Primitive, String)> {
    if !is_nameless(world, site) {
        return None;
    }
    if call.value == JOINABLE && joins(facts.pid, world, call) {
        return Some((
            Primitive::Join,
            "code without names, beside the descriptors of all threads in a ring".to_owned(),
        ));
    }
    let [_, waiters] = world.words(facts.pid, call.address).ok()?;
    if call.value & WAITED_FOR == 0 || !counts(waiters) {
        return None;
    }
    let place = Place::of(facts.pid, site, call.value, call.timed);
    let told = match world.nameless.get(&place) {
        Some(known) => *known,
        None => {
            let own = world.inner_number(facts.pid, facts.tid)?;
            let told = world.suppose(facts, false, |thread| identify(thread, call.address, own));
            world.nameless.insert(place, told);
            told
        }
    }?;
    let primitive = match told.kind {
        WaitKind::PthreadMutex => Primitive::Mutex,
        WaitKind::PthreadRwlockRead => Primitive::Read,
        WaitKind::PthreadRwlockWrite => Primitive::Write,
        _ => Primitive::Semaphore,
    };
    Some((primitive, format!("code without names that {}, as musl does", told.next)))
}

/// Whether the code of the thread takes a stream as musl does.
pub(super) fn takes_stream(facts: &Facts<'_>, world: &mut World, call: &FutexCall, site: &CallSite) -> bool {
    let own = world.inner_number(facts.pid, facts.tid).filter(|_| is_nameless(world, site));
    let Some(own) = own else { return false };
    let takes = |thread: &Supposed<'_>| {
        let (from, to) = changed(&ask(thread, call.address, own, 0), call.address)?;
        ((from, to) == (0, u64::from(own.cast_unsigned()) | STREAM_WAITED_FOR)).then_some(())
    };
    world.suppose(facts, false, takes).is_some()
}

/// Whether a thread waits in a program's own code, which has no names.
fn is_nameless(world: &World, site: &CallSite) -> bool {
    world.is_precise() && site.at.runtime == Runtime::Unknown && site.at.name().is_empty() && !is_library(&site.at.file)
}

/// What the thread would do if the word held this number, and its own descriptor its id.
fn ask(thread: &Supposed<'_>, word: u64, own: Pid, number: u64) -> Outcome {
    let id = (THREAD + THREAD_ID, own.cast_unsigned().into(), 4);
    thread.with(&[(word, number, 4), (THREAD, THREAD, 8), id], word)
}

/// From which number to which it first changes the word.
fn changed(outcome: &Outcome, word: u64) -> Option<(u64, u64)> {
    match outcome.first(word)? {
        (Event { size: 4, act: Act::CompareExchange { expected: Some(from), new: Some(to) }, .. }, _) => {
            Some((*from, *to))
        }
        _ => None,
    }
}

fn identify(thread: &Supposed<'_>, word: u64, own: Pid) -> Option<Told> {
    let takes = |number: u64| {
        let outcome = ask(thread, word, own, number);
        // Before, it is one of those that wait no more.
        let fewer = Act::Add(Some(u32::MAX.into()));
        outcome.first(word + 4).filter(|(event, _)| event.size == 4 && event.act == fewer)?;
        changed(&outcome, word)
    };
    let id = u64::from(own.cast_unsigned());
    let (kind, next) = match takes(0) {
        Some((0, 16)) => (WaitKind::PthreadMutex, "takes a mutex by changing 0 to 16"),
        Some((0, to)) if to & ID == id => (WaitKind::PthreadMutex, "takes a mutex by changing 0 to its own thread id"),
        Some((0, 0x7fff_ffff)) => (WaitKind::PthreadRwlockWrite, "takes a lock by changing 0 to 0x7fffffff"),
        _ if takes(5) == Some((5, 6)) => (WaitKind::PthreadRwlockRead, "joins 5 readers by changing their number to 6"),
        _ if takes(2) == Some((2, 1)) => (WaitKind::Semaphore, "takes one of 2 by changing that to 1"),
        _ => return None,
    };
    Some(Told { kind, what: "", before: 0, next })
}

/// Whether what is waited on is in the descriptor of a thread: musl has those of all in a
/// ring, each of which begins with its own address and has the next one's at +24.
fn joins(pid: Pid, world: &mut World, call: &FutexCall) -> bool {
    let Some(first) = call.address.checked_sub(JOIN_STATE) else { return false };
    let threads = world.numbers_in(&format!("{pid}/task"));
    let threads: BTreeSet<Pid> = sorting::set(threads.into_iter().filter_map(|tid| world.inner_number(pid, tid)));
    let (mut found, mut at) = (BTreeSet::new(), first);
    loop {
        let (Ok([itself, _, _, next]), Ok([id])) = (world.longs(pid, at), world.words(pid, at + THREAD_ID)) else {
            return false;
        };
        if itself != at || !threads.contains(&(id as Pid)) || !found.insert(id as Pid) {
            return false;
        }
        at = next;
        if at == first {
            return found == threads;
        }
    }
}
