//! What futex words are: asked of the decoders of [`wait`](crate::backend::observe::wait),
//! with the thread's registers and stack as they were when it blocked.
//!
//! The fields of a lock are read a moment later, when it may have changed hands;
//! a decoder that finds them at odds with the wait refuses, and the next sample
//! is tried. Memory may also become another lock: each word is asked about again
//! every second, and from an answer that differs a new account begins.

use std::collections::HashMap;
use std::sync::Arc;

use crate::backend::observe::wait::{Call, Facts, World, decode_past};
use crate::model::Pid;
use crate::model::process::{BlockedCall, State};
use crate::model::wait::{Certainty, WaitKind};

/// So often a word is asked about within a second.
const ATTEMPTS: u32 = 12;
/// A word that has been so many things is not followed further.
const ACCOUNTS: usize = 16;

/// What a futex word belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// The lock's own address.
    pub(super) address: u64,
    /// What it is.
    pub(super) kind: WaitKind,
    /// In words.
    pub(super) resource: Arc<str>,
    /// How sure.
    pub(super) certainty: Certainty,
}

/// A thread at the moment when it blocked on a futex.
#[derive(Clone, Copy, Debug)]
pub(super) struct Blocked<'s> {
    /// The thread.
    pub(super) tid: Pid,
    /// The arguments of its call.
    pub(super) arguments: [u64; 6],
    /// Its stack pointer and program counter.
    pub(super) place: (u64, u64),
    /// Its stack from there; `None` where it is blocked still and can be read.
    pub(super) stack: Option<&'s [u8]>,
}

#[derive(Debug, Default)]
struct Entry {
    /// What it has been, the last what it is; `None` before it is known.
    accounts: Vec<Option<Name>>,
    attempts: u32,
    /// Asked and answered in this second.
    fresh: bool,
}

/// The names of a process's futex words.
#[derive(Debug, Default)]
pub(super) struct Names {
    entries: HashMap<u64, Entry>,
}

impl Names {
    /// A new second: every word may be asked about again.
    pub(super) fn begin_second(&mut self) {
        for entry in self.entries.values_mut() {
            entry.attempts = 0;
            entry.fresh = false;
        }
    }

    /// Whether it is worth asking what a word is.
    pub(super) fn wants(&self, word: u64) -> bool {
        self.entries.get(&word).is_none_or(|entry| !entry.fresh && entry.attempts < ATTEMPTS)
    }

    /// Asks what a word is for which a thread is, or was, blocked.
    pub(super) fn ask(&mut self, world: &mut World, pid: Pid, blocked: &Blocked<'_>) {
        let word = blocked.arguments[0];
        let entry = self.entries.entry(word).or_default();
        entry.attempts += 1;
        if let Some(name) = recognise(world, pid, blocked) {
            entry.fresh = true;
            entry.learn(name);
        }
    }

    /// The account to which waits for a word go now.
    pub(super) fn account(&self, word: u64) -> usize {
        self.entries.get(&word).map_or(0, |entry| entry.accounts.len().saturating_sub(1))
    }

    /// What a word was in an account, if it became known.
    pub(super) fn name(&self, word: u64, account: usize) -> Option<&Name> {
        self.entries.get(&word)?.accounts.get(account)?.as_ref()
    }
}

impl Entry {
    fn learn(&mut self, name: Name) {
        let room = self.accounts.len() < ACCOUNTS;
        let Some(known) = self.accounts.last_mut() else {
            self.accounts.push(Some(name));
            return;
        };
        match known {
            None => *known = Some(name),
            Some(old) if (old.address, old.kind) == (name.address, name.kind) => *old = name,
            // All locks of parking_lot put a thread to sleep on a word of its own.
            Some(old) if (old.kind, name.kind) == (WaitKind::ParkingLot, WaitKind::ParkingLot) => {
                *old = Name { certainty: Certainty::Unknown, resource: SEVERAL.into(), ..old.clone() };
            }
            Some(_) if room => self.accounts.push(Some(name)),
            Some(old) => *old = Name { certainty: Certainty::Unknown, ..name },
        }
    }
}

/// A word on which a thread sleeps for whichever lock it is.
const SEVERAL: &str = "several parking_lot locks, by the word on which one thread parks";

/// What the decoders make of it; `None` where it stays a futex to them.
fn recognise(world: &mut World, pid: Pid, blocked: &Blocked<'_>) -> Option<Name> {
    if let Some(stack) = blocked.stack {
        let (from, mut bytes) = world.lock_now(pid, blocked.arguments[0]).ok()?;
        // The kernel puts a thread to sleep only while the word has the value that the
        // call names, except for PI locks, where there is none: so it was then.
        if !matches!(blocked.arguments[1] & 0x7f, 6 | 13) {
            let at = (blocked.arguments[0] - from) as usize;
            bytes[at..at + 4].copy_from_slice(&(blocked.arguments[2] as u32).to_le_bytes());
        }
        world.remember(pid, &[(blocked.place.0, stack), (from, &bytes)]);
    } else {
        world.remember(pid, &[]);
    }
    let call = BlockedCall { number: libc::SYS_futex, name: "futex".into(), args: blocked.arguments };
    let call = Call::Blocked { call, sp: blocked.place.0, pc: blocked.place.1 };
    let facts =
        Facts { pid, tid: blocked.tid, state: State::Sleeping, call: &call, wchan: "futex_do_wait", since: None };
    let wait = decode_past(&facts, world);
    world.remember(pid, &[]);
    let wait = wait.filter(|wait| !matches!(wait.kind, WaitKind::Futex | WaitKind::Other))?;
    let address = wait.address.unwrap_or(blocked.arguments[0]);
    Some(Name { address, kind: wait.kind, resource: wait.resource, certainty: wait.certainty })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(address: u64, kind: WaitKind) -> Name {
        Name { address, kind, resource: "x".into(), certainty: Certainty::Derived }
    }

    #[test]
    fn memory_that_becomes_another_lock_begins_a_new_account() {
        let mut entry = Entry::default();
        entry.learn(name(8, WaitKind::PthreadMutex));
        entry.learn(name(8, WaitKind::PthreadMutex));
        entry.learn(name(8, WaitKind::RustMutex));
        let kinds: Vec<_> = entry.accounts.iter().flatten().map(|name| name.kind).collect();
        assert_eq!(kinds, [WaitKind::PthreadMutex, WaitKind::RustMutex]);
    }

    #[test]
    fn a_thread_that_parks_for_several_locks_is_said_to() {
        let mut entry = Entry::default();
        entry.learn(name(8, WaitKind::ParkingLot));
        entry.learn(name(16, WaitKind::ParkingLot));
        let [Some(known)] = &entry.accounts[..] else { panic!("one account") };
        assert_eq!((&*known.resource, known.certainty), (SEVERAL, Certainty::Unknown));
    }

    #[test]
    fn nobody_is_asked_without_end() {
        let mut names = Names::default();
        names.entries.insert(8, Entry { attempts: ATTEMPTS, ..Entry::default() });
        assert!(!names.wants(8) && names.wants(16));
        names.begin_second();
        assert!(names.wants(8));
        names.entries.insert(8, Entry { fresh: true, ..Entry::default() });
        assert!(!names.wants(8));
        assert_eq!((names.account(16), names.name(16, 0)), (0, None));
    }
}
