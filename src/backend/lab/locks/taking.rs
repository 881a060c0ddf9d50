//! Who holds which of several locks, who wants which, and which were taken one
//! while holding another: from it an inverted order is warned of, and a deadlock
//! is told.
//!
//! | word | what it holds | who writes it |
//! |---|---|---|
//! | `edges[held][taken]` | the first two threads that took the one holding the other, each plus 1 | those threads |
//! | `holders[lock]` | who holds it, plus 1; 0 for nobody | the holder |
//! | `wants[thread]` | the number of the wait, and in the low byte the lock plus 1; the low byte is 0 outside a wait | the thread |

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32};

use super::circle;
use super::phases::Padded;
use crate::model::lock::{Deadlocked, Inversion, LockOrder, Stuck, Taken};
use crate::model::sorting;

/// The accounts.
#[derive(Debug)]
pub struct Taking {
    edges: Box<[[AtomicU32; 2]]>,
    holders: Box<[Padded]>,
    wants: Box<[Padded]>,
    /// The inversion was there before the threads met.
    rehearsed: AtomicBool,
}

impl Taking {
    /// Of so many locks and threads, all of them free.
    pub(super) fn new(locks: usize, threads: usize) -> Self {
        Taking {
            edges: (0..locks * locks).map(|_| Default::default()).collect(),
            holders: (0..locks).map(|_| Padded::default()).collect(),
            wants: (0..threads).map(|_| Padded::default()).collect(),
            rehearsed: AtomicBool::new(false),
        }
    }

    /// Thread `me`, holding these, is about to wait for `lock`.
    #[inline]
    pub(super) fn wants(&self, me: u32, held: &[u8], lock: u8) {
        self.note(me, held, lock);
        let word = &self.wants[me as usize].0;
        let number = (word.load(Relaxed) >> 8) + 1;
        // After the holdings that it waits with.
        word.store(number << 8 | (u64::from(lock) + 1), Release);
    }

    /// Thread `me` takes `lock` holding these, whether or not it waits.
    #[inline]
    pub(super) fn note(&self, me: u32, held: &[u8], lock: u8) {
        let locks = self.holders.len();
        for &held in held {
            let [first, second] = &self.edges[usize::from(held) * locks + usize::from(lock)];
            match first.load(Relaxed) {
                // What two threads write at one time one of them writes again.
                0 => first.store(me + 1, Relaxed),
                known if known != me + 1 && second.load(Relaxed) == 0 => second.store(me + 1, Relaxed),
                _ => {}
            }
        }
    }

    /// Thread `me` has got `lock`.
    #[inline]
    pub(super) fn got(&self, me: u32, lock: u8) {
        self.holders[usize::from(lock)].0.store(u64::from(me) + 1, Relaxed);
        let word = &self.wants[me as usize].0;
        word.store(word.load(Relaxed) & !0xff, Relaxed);
    }

    /// Its holder is about to let it go.
    #[inline]
    pub(super) fn lets_go(&self, lock: u8) {
        self.holders[usize::from(lock)].0.store(0, Relaxed);
    }

    /// What was noted so far was noted without contention.
    pub(super) fn end_of_rehearsal(&self) {
        self.rehearsed.store(self.inversion().is_some(), Relaxed);
    }

    /// The shortest circle of locks that as many threads took so: one thread
    /// alone never waits for itself.
    fn inversion(&self) -> Option<Inversion> {
        let pairs = self.pairs();
        let edges = sorting::set(pairs.keys().copied());
        let by_threads = |locks: Vec<usize>| {
            let next = locks.iter().cycle().skip(1);
            let steps: Vec<_> = locks.iter().copied().zip(next.copied()).collect();
            let choices: Vec<_> = steps.iter().filter_map(|step| pairs.get(step)).cloned().collect();
            let threads = different(&choices, &mut Vec::new())?;
            let taken = steps.into_iter().zip(threads).map(|((held, taken), thread)| Taken { held, taken, thread });
            Some(taken.collect())
        };
        let circle = circle::circles(&edges).into_iter().find_map(by_threads)?;
        Some(Inversion { circle, rehearsed: self.rehearsed.load(Relaxed) })
    }

    /// The pairs of locks that were taken, and who took them so.
    fn pairs(&self) -> BTreeMap<(usize, usize), Vec<usize>> {
        let locks = self.holders.len();
        let of = |(index, edge): (usize, &[AtomicU32; 2])| {
            let threads = edge.iter().filter_map(|thread| thread.load(Relaxed).checked_sub(1));
            let threads: Vec<usize> = threads.map(|thread| thread as usize).collect();
            (!threads.is_empty()).then_some(((index / locks, index % locks), threads))
        };
        sorting::map(self.edges.iter().enumerate().filter_map(of))
    }

    /// What has been seen of the order, and the deadlock, if `before` is what
    /// [`Taking::waits`] said some time ago.
    pub(super) fn seen(&self, before: &Waits) -> LockOrder {
        LockOrder { pairs: self.pairs().len() as u64, inversion: self.inversion(), deadlock: self.deadlock(before) }
    }

    /// What each thread waits for at this moment.
    pub(super) fn waits(&self) -> Waits {
        Waits(self.wants.iter().map(|word| word.0.load(Acquire)).collect())
    }

    /// Threads that wait in a circle.
    ///
    /// A thread whose word is the same before and after has been in that one
    /// wait all the time, and let nothing go. The holders are read in between:
    /// if a lock's holder has been waiting all the time, it has held it all the
    /// time. If both are so all around a circle, the circle stood still at every
    /// moment between, and nobody in it can ever go on.
    fn deadlock(&self, before: &Waits) -> Option<Deadlocked> {
        let holders: Vec<u64> = self.holders.iter().map(|holder| holder.0.load(Relaxed)).collect();
        let after = self.waits();
        let stuck = |(thread, (then, now)): (usize, (&u64, &u64))| {
            let wants = ((now & 0xff) as usize).checked_sub(1).filter(|_| then == now)?;
            let holder = (holders[wants] as usize).checked_sub(1)?;
            Some((thread, Stuck { thread, wants, holder }))
        };
        let still = sorting::map(before.0.iter().zip(&after.0).enumerate().filter_map(stuck));
        let circle = still.keys().find_map(|&first| around(&still, first))?;
        let within = sorting::set(circle.iter().map(|stuck| stuck.thread));
        let leads_in = |stuck: &&Stuck| {
            let mut at = **stuck;
            // No chain is longer than there are threads.
            (0..still.len()).any(|_| {
                let arrived = within.contains(&at.holder);
                at = still.get(&at.holder).copied().unwrap_or(at);
                arrived
            })
        };
        let behind = still.values().filter(|stuck| !within.contains(&stuck.thread)).filter(leads_in);
        Some(Deadlocked { behind: behind.copied().collect(), circle, chain: Vec::new() })
    }
}

/// The way from a thread from holder to holder, if it comes back to it.
fn around(still: &BTreeMap<usize, Stuck>, first: usize) -> Option<Vec<Stuck>> {
    let mut circle = Vec::new();
    let mut at = first;
    while circle.len() < still.len() {
        let stuck = still.get(&at)?;
        circle.push(*stuck);
        at = stuck.holder;
        if at == first {
            return Some(circle);
        }
    }
    None
}

/// One of each choice, all of them different from each other and from `used`.
fn different(choices: &[Vec<usize>], used: &mut Vec<usize>) -> Option<Vec<usize>> {
    let Some((first, rest)) = choices.split_first() else { return Some(used.clone()) };
    for &thread in first {
        if used.contains(&thread) {
            continue;
        }
        used.push(thread);
        let found = different(rest, used);
        used.pop();
        if found.is_some() {
            return found;
        }
    }
    None
}

/// What each thread waited for at one time.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits(Vec<u64>);

#[cfg(test)]
mod tests {
    use super::*;

    /// Thread `me` has these and waits for the last.
    fn tie(taking: &Taking, me: u32, held: &[u8], wants: u8) {
        for (index, lock) in held.iter().enumerate() {
            taking.wants(me, &held[..index], *lock);
            taking.got(me, *lock);
        }
        taking.wants(me, held, wants);
    }

    #[test]
    fn an_inverted_order_is_told_with_who_took_it() {
        let taking = Taking::new(3, 2);
        taking.note(0, &[0], 1);
        taking.note(1, &[1], 2);
        let waits = taking.waits();
        assert_eq!(taking.seen(&waits), LockOrder { pairs: 2, inversion: None, deadlock: None });
        taking.note(0, &[1], 0);
        assert_eq!(taking.seen(&waits).inversion, None, "one thread alone never meets itself");
        taking.note(1, &[1, 2], 0);
        taking.end_of_rehearsal();
        let inversion = taking.seen(&waits).inversion.unwrap();
        assert!(inversion.rehearsed);
        assert!(inversion.words().contains("t0 took L1 holding L0") && inversion.circle.len() == 2, "{inversion:?}");
    }

    #[test]
    fn a_circle_that_stands_is_a_deadlock_and_one_that_moves_is_none() {
        let taking = Taking::new(4, 5);
        tie(&taking, 0, &[0], 1);
        tie(&taking, 1, &[1], 2);
        tie(&taking, 2, &[2], 0);
        tie(&taking, 3, &[], 2);
        tie(&taking, 4, &[3], 3);
        let before = taking.waits();
        let deadlock = taking.seen(&before).deadlock.unwrap();
        assert_eq!(
            deadlock.words(),
            "t0 wants L1, held by t1; t1 wants L2, held by t2; t2 wants L0, held by t0; 1 more behind"
        );
        assert_eq!(deadlock.behind[0].thread, 3);
        // Thread 2 was in another wait when it was looked at first.
        taking.got(2, 0);
        taking.lets_go(0);
        taking.wants(2, &[2], 0);
        taking.holders[0].0.store(1, Relaxed);
        assert!(taking.seen(&before).deadlock.is_none_or(|deadlock| deadlock.circle.iter().all(|s| s.thread == 4)));
    }

    #[test]
    fn waiting_in_a_line_is_no_deadlock() {
        let taking = Taking::new(3, 3);
        tie(&taking, 0, &[0], 1);
        tie(&taking, 1, &[1], 2);
        taking.got(2, 2);
        let waits = taking.waits();
        assert_eq!(taking.seen(&waits).deadlock, None);
    }
}
