//! The account of an observation: what was counted of each futex word in the
//! last second and since the beginning, gathered into locks.

use std::collections::HashMap;
use std::sync::Arc;

use super::names::Names;
use super::stacks::Stacks;
use super::tally::Tally;
use crate::backend::observe::wait::World;
use crate::model::contention::{ContendedLock, Pair, Stack, Waiter, Waker};
use crate::model::sorting;
use crate::model::wait::{Certainty, WaitKind};
use crate::model::{Pid, text};

/// So many words are remembered, all through the observation.
const WORDS: usize = 16_384;
/// So many rows of each list are told.
const ROWS: usize = 64;

/// A word, and which of the things it has been.
type Account = (u64, usize);

/// All that was counted.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    second: HashMap<Account, Tally>,
    total: HashMap<Account, Tally>,
    /// Which words lie in memory that processes share, as far as that was asked.
    shared: HashMap<u64, bool>,
    /// Names of threads, as long as they could be read.
    threads: HashMap<Pid, Arc<str>>,
    /// Waits for words beyond those that are remembered.
    pub(super) crowded: u64,
}

/// What a wait is counted under.
type Key = (u64, WaitKind);

impl Ledger {
    /// Closes a second with what was counted in it.
    pub(super) fn close_second(&mut self, words: HashMap<u64, Tally>, names: &Names) {
        self.second.clear();
        for (word, tally) in words {
            let account = (word, names.account(word));
            if self.total.len() < WORDS || self.total.contains_key(&account) {
                self.total.entry(account).or_default().add(&tally);
            } else {
                self.crowded += tally.waits;
            }
            self.second.insert(account, tally);
        }
    }

    /// Waits that ended in the last second, or at all.
    pub(super) fn waits(&self, total: bool) -> u64 {
        let accounts = if total { &self.total } else { &self.second };
        accounts.values().map(|tally| tally.waits).sum()
    }

    /// The locks, with those for which threads are waiting now. `timed` says
    /// whether durations are known at all.
    pub(super) fn locks(
        &mut self,
        total: bool,
        timed: bool,
        waiting: &HashMap<u64, (u64, bool)>,
        (pid, world): (Pid, &mut World),
        names: &Names,
        stacks: &Stacks,
    ) -> Vec<ContendedLock> {
        let mut merged: HashMap<Key, (Tally, u64, ContendedLock)> = HashMap::new();
        let none = Tally::default();
        let accounts = if total { &self.total } else { &self.second };
        let counted = accounts.iter().map(|(&account, tally)| (account, tally, 0));
        let now = waiting.iter().map(|(&word, &(count, _))| ((word, names.account(word)), &none, count));
        for ((word, account), tally, count) in counted.chain(now) {
            let name = names.name(word, account);
            let key = name.map_or((word, WaitKind::Futex), |name| (name.address, name.kind));
            let known_shared = merged.get(&key).is_some_and(|(sum, ..)| sum.shared);
            let (sum, waits, _) = merged.entry(key).or_insert_with(|| {
                let resource = name.map_or_else(|| unknown(world, pid, word), |name| name.resource.clone());
                let certainty = name.map_or(Certainty::Unknown, |name| name.certainty);
                (Tally::default(), 0, row(key, resource, certainty))
            });
            sum.add(tally);
            sum.shared = known_shared;
            // A thread's end wakes whoever joins it as if the word were shared: memory says
            // whether it is.
            let flagged = tally.shared || waiting.get(&word).is_some_and(|(_, shared)| *shared);
            sum.shared |= flagged && *self.shared.entry(word).or_insert_with(|| world.is_shared(pid, word));
            *waits += count;
        }
        let mut locks: Vec<ContendedLock> = merged
            .into_values()
            .map(|(tally, waiting, row)| self.fill(row, &tally, waiting, timed, (pid, world), stacks))
            .collect();
        sorting::by(&mut locks, |a, b| {
            let rank = |lock: &ContendedLock| {
                let holdable = lock.kind.is_lock() || lock.kind == WaitKind::Futex;
                (
                    std::cmp::Reverse(holdable),
                    std::cmp::Reverse(lock.waited),
                    std::cmp::Reverse(lock.waits),
                    lock.address,
                )
            };
            rank(a).cmp(&rank(b))
        });
        locks
    }

    fn fill(
        &mut self,
        mut row: ContendedLock,
        tally: &Tally,
        waiting: u64,
        timed: bool,
        (pid, world): (Pid, &World),
        stacks: &Stacks,
    ) -> ContendedLock {
        row.shared = tally.shared;
        row.waits = tally.waits;
        row.waiting = waiting;
        row.waited = tally.waited;
        row.wait = timed.then(|| tally.durations.distribution());
        row.unproven = tally.unproven;
        let waiter = |(&tid, &(waits, waited)): (&Pid, &(u64, _))| {
            let name = self.thread_name(world, (pid, tid));
            Waiter { tid, name, waits, waited }
        };
        row.waiters = tally.waiters.iter().map(waiter).collect();
        sorting::by_key(&mut row.waiters, |waiter| (std::cmp::Reverse(waiter.waited), waiter.tid));
        row.waiters.truncate(ROWS);
        let waker = |(&(pid, tid), &wakes): (&(Pid, Pid), &u64)| {
            let name = self.thread_name(world, (pid, tid));
            Waker { pid, tid, name, wakes }
        };
        row.wakers = tally.wakers.iter().map(waker).collect();
        sorting::by_key(&mut row.wakers, |waker| (std::cmp::Reverse(waker.wakes), waker.tid));
        row.wakers.truncate(ROWS);
        row.pairs = tally.pairs.iter().map(|(&(waker, woken), &wakes)| Pair { waker, woken, wakes }).collect();
        sorting::by_key(&mut row.pairs, |pair| (std::cmp::Reverse(pair.wakes), pair.waker, pair.woken));
        row.pairs.truncate(ROWS);
        let stack = |(way, waits)| Stack { frames: stacks.text(way).to_vec(), waits };
        row.stacks = tally.shares().map(stack).collect();
        sorting::by(&mut row.stacks, |a, b| (b.waits, &a.frames).cmp(&(a.waits, &b.frames)));
        row.stacks.truncate(ROWS);
        row
    }

    fn thread_name(&mut self, world: &World, (pid, tid): (Pid, Pid)) -> Arc<str> {
        let read = || {
            let mut content = Vec::new();
            let read = world.root.read_into(&format!("{pid}/task/{tid}/comm"), &mut content);
            read.map(|()| text::visible_arc(content.trim_ascii_end())).ok()
        };
        // Names change, mostly right after a thread has begun.
        match read() {
            Some(name) => {
                self.threads.insert(tid, name.clone());
                name
            }
            None => self.threads.get(&tid).cloned().unwrap_or_default(),
        }
    }

    /// Reads the names of threads that may soon be gone.
    pub(super) fn meet(&mut self, world: &World, pid: Pid, tids: impl Iterator<Item = Pid>) {
        for tid in tids {
            if self.threads.len() < WORDS && !self.threads.contains_key(&tid) {
                self.thread_name(world, (pid, tid));
            }
        }
    }
}

fn unknown(world: &mut World, pid: Pid, word: u64) -> Arc<str> {
    format!("futex in {}", world.place(pid, word)).into()
}

fn row((address, kind): Key, resource: Arc<str>, certainty: Certainty) -> ContendedLock {
    ContendedLock {
        address,
        kind,
        resource,
        certainty,
        shared: false,
        waits: 0,
        waiting: 0,
        waited: crate::model::Nanos::ZERO,
        wait: None,
        unproven: 0,
        waiters: Vec::new(),
        wakers: Vec::new(),
        pairs: Vec::new(),
        stacks: Vec::new(),
    }
}
