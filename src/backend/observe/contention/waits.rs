//! Blocks and wake-ups, told in the order in which they happened, as waits.
//!
//! ```text
//! running ──block──► waiting ──wake-up──► running           the wait: from one to the other
//! running ──wake-up (early)──► running                      it was about to block: no wait
//! running ──wake-up, block──► waiting ──block──►            the wake-up was for that block, and told
//!                                                           before it: a wait of no length
//! running ──block──► waiting ──block──►                     the wake-up was lost: a wait of unknown length
//! ```
//!
//! A wait is measured from the moment the thread leaves its CPU of its own will
//! to the moment it is woken: spinning before and queueing for a CPU after are
//! no part of it.
//!
//! Who wakes is not yet who released the lock: a timer's interrupt wakes in the
//! name of whatever it interrupts. Whose registers hold a futex wake on the very
//! word is the waker beyond doubt; every other wake-up is counted as unproven.

use std::collections::HashMap;

use super::tally::{Tally, Whole};
use crate::model::{Nanos, Pid};

/// So many words are told apart within a second.
const WORDS: usize = 4_096;

/// A futex word that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// Its address in the process.
    pub(super) address: u64,
    /// Whether processes may share it.
    pub(super) shared: bool,
}

impl Word {
    /// What a futex call with these arguments waits for; `None` where it is none
    /// that waits.
    pub(super) fn waited_for(arguments: [u64; 5]) -> Option<Self> {
        // WAIT, LOCK_PI, WAIT_BITSET, WAIT_REQUEUE_PI, LOCK_PI2.
        let waits = matches!(arguments[1] & 0x7f, 0 | 6 | 9 | 11 | 13);
        waits.then_some(Word { address: arguments[0], shared: arguments[1] & 0x80 == 0 })
    }
}

/// A wake-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wake {
    /// In whose name.
    pub(super) by: Whole,
    /// The arguments of the call that thread is in, if any.
    pub(super) arguments: Option<[u64; 5]>,
    /// When.
    pub(super) time: Nanos,
}

impl Wake {
    /// The word, as the waker addresses it, that this wakes through: which of a
    /// call's two words is for `is_it` to say.
    fn is_through(&self, mut is_it: impl FnMut(u64) -> bool) -> bool {
        let Some([first, operation, _, _, second]) = self.arguments else { return false };
        match operation & 0x7f {
            // WAKE, UNLOCK_PI, WAKE_BITSET.
            1 | 7 | 10 => is_it(first),
            // REQUEUE, CMP_REQUEUE, WAKE_OP, CMP_REQUEUE_PI.
            3 | 4 | 5 | 12 => is_it(first) || is_it(second),
            _ => false,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Open {
    /// `None` where it waits for something else than a futex.
    word: Option<Word>,
    since: Nanos,
    /// Whether it began before the observation.
    older: bool,
    /// A wake-up told before the block.
    early: Option<Wake>,
}

#[derive(Debug, Default)]
struct Thread {
    open: Option<Open>,
    early: Option<Wake>,
}

/// The waits of a process's threads.
#[derive(Debug, Default)]
pub(super) struct Waits {
    pid: Pid,
    threads: HashMap<Pid, Thread>,
    words: HashMap<u64, Tally>,
    /// Blocks for other reasons.
    pub(super) other_blocks: u64,
    /// Waits for words beyond those that are told apart.
    pub(super) crowded: u64,
}

impl Waits {
    /// Of this process.
    pub(super) fn new(pid: Pid) -> Self {
        Waits { pid, ..Waits::default() }
    }

    /// A thread was in this wait already when the observation began.
    pub(super) fn found_waiting(&mut self, tid: Pid, word: Word, began: Nanos) {
        let open = Open { word: Some(word), since: began, older: true, early: None };
        self.threads.entry(tid).or_default().open = Some(open);
    }

    /// A thread has left its CPU, to wait for this word or something else. `same`
    /// says whether the word of another process is the one at this address here: a
    /// wake-up that was told before its block can be asked of only now.
    pub(super) fn blocked(
        &mut self,
        tid: Pid,
        word: Option<Word>,
        time: Nanos,
        mut same: impl FnMut(u64, (Pid, u64)) -> bool,
    ) {
        let thread = self.threads.entry(tid).or_default();
        let early = thread.early.take();
        let before = thread.open.replace(Open { word, since: time, older: false, early });
        if word.is_none() {
            self.other_blocks += 1;
        }
        let Some(Open { word: Some(word), since, older, early: woken }) = before else { return };
        match woken {
            Some(wake) => {
                self.close(tid, word, (since, older), &wake, |pid, address| same(word.address, (pid, address)));
            }
            // Its end was not told. What was found at the beginning and is now blocked
            // anew had ended before anything was told of it.
            None if older => {}
            None => {
                if let Some(tally) = self.tally(word) {
                    tally.wait(tid, Nanos::ZERO);
                    tally.unproven += 1;
                }
            }
        }
    }

    /// A thread was woken. `same` says whether a word of another process is that
    /// one of this.
    pub(super) fn woken(&mut self, tid: Pid, wake: Wake, same: impl FnMut(Pid, u64) -> bool) {
        let Some(thread) = self.threads.get_mut(&tid) else { return };
        match thread.open.take() {
            None => thread.early = Some(wake),
            Some(Open { word: Some(word), since, older, .. }) => self.close(tid, word, (since, older), &wake, same),
            Some(_) => {}
        }
    }

    /// A thread has ended.
    pub(super) fn ended(&mut self, tid: Pid) {
        self.threads.remove(&tid);
    }

    /// The word that a thread waits for.
    pub(super) fn word_of(&self, tid: Pid) -> Option<Word> {
        self.threads.get(&tid)?.open?.word
    }

    /// How many threads are waiting for each word.
    pub(super) fn waiting(&self) -> HashMap<u64, (u64, bool)> {
        let mut words = HashMap::new();
        for word in self.threads.values().filter_map(|thread| thread.open?.word) {
            words.entry(word.address).or_insert((0, word.shared)).0 += 1;
        }
        words
    }

    /// The tally of a word; `None` where there are too many.
    pub(super) fn tally(&mut self, word: Word) -> Option<&mut Tally> {
        if self.words.len() >= WORDS && !self.words.contains_key(&word.address) {
            self.crowded += 1;
            return None;
        }
        let tally = self.words.entry(word.address).or_default();
        tally.shared = word.shared;
        Some(tally)
    }

    /// What was counted since this was asked last.
    pub(super) fn take(&mut self) -> HashMap<u64, Tally> {
        std::mem::take(&mut self.words)
    }

    fn close(
        &mut self,
        tid: Pid,
        word: Word,
        (since, older): (Nanos, bool),
        wake: &Wake,
        mut same: impl FnMut(Pid, u64) -> bool,
    ) {
        let pid = self.pid;
        let proven = wake.is_through(|address| {
            if wake.by.0 == pid { address == word.address } else { word.shared && same(wake.by.0, address) }
        });
        let Some(tally) = self.tally(word) else { return };
        let waited = wake.time.since(since);
        tally.wait(tid, waited);
        if !older {
            tally.durations.record(waited);
        }
        if proven {
            tally.wake(wake.by, tid);
        } else {
            tally.unproven += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PID: Pid = 100;
    const LOCK: Word = Word { address: 0x1000, shared: false };

    fn wake(tid: Pid, address: u64, time: u64) -> Wake {
        Wake { by: (PID, tid), arguments: Some([address, 0x81, 1, 0, 0]), time: Nanos(time) }
    }

    fn never(_: Pid, _: u64) -> bool {
        false
    }

    fn nowhere(_: u64, _: (Pid, u64)) -> bool {
        false
    }

    #[test]
    fn a_wait_lasts_from_block_to_wake_up() {
        let mut waits = Waits::new(PID);
        waits.blocked(7, Some(LOCK), Nanos(100), nowhere);
        assert_eq!(waits.waiting()[&0x1000], (1, false));
        waits.woken(7, wake(8, 0x1000, 400), never);
        waits.blocked(7, None, Nanos(500), nowhere);
        waits.woken(7, wake(8, 0x1000, 600), never);
        assert!(waits.waiting().is_empty());
        let words = waits.take();
        let tally = &words[&0x1000];
        assert_eq!((tally.waits, tally.waited, tally.unproven, waits.other_blocks), (1, Nanos(300), 0, 1));
        assert_eq!(tally.durations.distribution().quantiles.max, Nanos(300));
        assert_eq!((tally.pairs[&(8, 7)], tally.wakers[&(PID, 8)], tally.waiters[&7]), (1, 1, (1, Nanos(300))));
        assert!(waits.take().is_empty());
    }

    #[test]
    fn who_is_not_seen_to_wake_through_the_word_is_no_waker() {
        let mut waits = Waits::new(PID);
        let others = [
            Wake { arguments: None, ..wake(8, 0, 200) },
            wake(8, 0x2000, 200),
            // The interrupted thread waits for the same word itself.
            Wake { arguments: Some([0x1000, 0x80, 2, 0, 0]), ..wake(8, 0, 200) },
            // Another process's memory.
            Wake { by: (200, 201), ..wake(8, 0x1000, 200) },
        ];
        for other in others {
            waits.blocked(7, Some(LOCK), Nanos(100), nowhere);
            waits.woken(7, other, |_, _| true);
        }
        let requeue = Wake { arguments: Some([0x3000, 0x84, 1, 0, 0x1000]), ..wake(8, 0, 200) };
        waits.blocked(7, Some(LOCK), Nanos(100), nowhere);
        waits.woken(7, requeue, never);
        let words = waits.take();
        assert_eq!((words[&0x1000].waits, words[&0x1000].unproven, words[&0x1000].pairs.len()), (5, 4, 1));
    }

    #[test]
    fn a_shared_word_may_be_woken_from_elsewhere() {
        let mut waits = Waits::new(PID);
        let word = Word { shared: true, ..LOCK };
        let from = |address| Wake { by: (200, 201), arguments: Some([address, 1, 1, 0, 0]), time: Nanos(300) };
        for address in [0x9000, 0x1000] {
            waits.blocked(7, Some(word), Nanos(100), nowhere);
            waits.woken(7, from(address), |pid, address| (pid, address) == (200, 0x9000));
        }
        let words = waits.take();
        assert_eq!((words[&0x1000].wakers[&(200, 201)], words[&0x1000].unproven), (1, 1));
        assert!(words[&0x1000].shared);
    }

    #[test]
    fn a_wake_up_that_overtakes_its_block_ends_it() {
        let mut waits = Waits::new(PID);
        waits.blocked(7, Some(LOCK), Nanos(100), nowhere);
        waits.woken(7, wake(8, 0x1000, 150), never);
        // Told before the block that it ends.
        waits.woken(7, wake(8, 0x1000, 199), never);
        waits.blocked(7, Some(LOCK), Nanos(200), nowhere);
        waits.blocked(7, Some(LOCK), Nanos(300), nowhere);
        // Of a block that did not come about: the next one is ended by its own.
        waits.woken(7, wake(9, 0x1000, 350), never);
        waits.woken(7, wake(9, 0x1000, 360), never);
        waits.blocked(7, Some(LOCK), Nanos(400), nowhere);
        waits.woken(7, wake(8, 0x1000, 450), never);
        let tally = &waits.take()[&0x1000];
        assert_eq!((tally.waits, tally.waited, tally.unproven), (4, Nanos(50 + 50 + 50), 0));
    }

    #[test]
    fn a_wait_whose_end_was_lost_has_no_length() {
        let mut waits = Waits::new(PID);
        waits.blocked(7, Some(LOCK), Nanos(100), nowhere);
        waits.blocked(7, None, Nanos(9_000), nowhere);
        let tally = &waits.take()[&0x1000];
        assert_eq!((tally.waits, tally.waited, tally.unproven), (1, Nanos(0), 1));
        assert_eq!(tally.durations.distribution().quantiles.count, 0);
    }

    #[test]
    fn what_began_before_is_no_measured_length() {
        let mut waits = Waits::new(PID);
        waits.found_waiting(7, LOCK, Nanos(1_000));
        waits.found_waiting(9, LOCK, Nanos(1_000));
        waits.woken(7, wake(8, 0x1000, 1_500), never);
        waits.ended(9);
        assert!(waits.waiting().is_empty());
        let tally = &waits.take()[&0x1000];
        assert_eq!((tally.waits, tally.waited, tally.durations.distribution().quantiles.count), (1, Nanos(500), 0));
    }

    #[test]
    fn of_too_many_words_the_further_ones_are_only_counted() {
        let mut waits = Waits::new(PID);
        for number in 0..WORDS as u64 + 10 {
            waits.blocked(7, Some(Word { address: 0x1000 + number * 8, shared: false }), Nanos(100), nowhere);
            waits.woken(7, wake(8, 0, 150), never);
        }
        assert_eq!((waits.crowded, waits.take().len()), (10, WORDS));
    }

    #[test]
    fn only_calls_that_wait_are_waits() {
        assert_eq!(Word::waited_for([8, 0x189, 2, 0, 0]), Some(Word { address: 8, shared: false }));
        assert_eq!(Word::waited_for([8, 0, 2, 0, 0]), Some(Word { address: 8, shared: true }));
        assert_eq!(Word::waited_for([8, 0x81, 1, 0, 0]), None);
    }

    #[test]
    fn a_wake_up_by_another_process_is_proven_even_where_it_is_told_before_the_block() {
        let mut waits = Waits::new(PID);
        let word = Word { address: 0x1000, shared: true };
        let theirs = Wake { by: (900, 901), arguments: Some([0x5000, 1, 1, 0, 0]), time: Nanos(90) };
        for here in [0x1000, 0x2000] {
            waits.blocked(7, None, Nanos(10), nowhere);
            waits.woken(7, theirs, never);
            // It runs now, and is woken for the wait that it is about to begin.
            waits.woken(7, theirs, never);
            waits.blocked(7, Some(word), Nanos(100), nowhere);
            waits.blocked(7, None, Nanos(200), |own, there| (own, there) == (here, (900, 0x5000)));
        }
        let tally = &waits.take()[&0x1000];
        assert_eq!((tally.waits, tally.unproven), (2, 1));
    }
}
