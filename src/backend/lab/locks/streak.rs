//! Laps in a row in which nobody but the thread itself had the lock, and the
//! readings of the clock that those can do without.
//!
//! ```text
//! contended    want ─── get ── release    want ─── get ── release       three readings a lap
//! alone        ──── get ── release = want ──── get ── release = want    ordered stamps: two
//!              ───────── release = want = get ── release = want = get   plain stamps: one
//! ```
//!
//! A thread that does nothing outside wants the lock again as soon as it lets it
//! go; and where what the lock protects shows that nobody had it since, it had not
//! to wait for anybody. So with plain stamps its wait is nothing, and the hold
//! begins where the last one ended: taking and letting go are counted with it. With
//! ordered stamps, of which exclusion is checked, the moment of getting is read all
//! the same.
//!
//! Letting go may mean to wake somebody, which takes long: that must be shown as
//! neither waiting nor holding. Who is woken takes the lock soon, and ends the row.
//! Laps are stamped in the short way only after [`QUIET`] of them in a row, so that
//! among so many at most one is counted too long.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// So many laps in a row are quiet.
pub(super) const QUIET: u32 = 1_024;

/// A thread's row of laps, as it stands between two calls of its loop. Only the
/// thread itself uses it.
#[derive(Debug, Default)]
pub(super) struct Kept {
    alone: AtomicU32,
    released: AtomicU64,
}

/// A thread's row of laps, in its loop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Streak {
    /// How many laps it has.
    alone: u32,
    /// When the last hold ended, where the thread has done nothing since; else 0.
    released: u64,
}

impl Kept {
    /// What was kept.
    pub(super) fn take_up(&self) -> Streak {
        Streak { alone: self.alone.load(Relaxed), released: self.released.load(Relaxed) }
    }

    /// Keeps it.
    pub(super) fn keep(&self, streak: Streak) {
        self.alone.store(streak.alone, Relaxed);
        self.released.store(streak.released, Relaxed);
    }
}

impl Streak {
    /// Whether laps can be stamped in the short way.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn is_quiet(self) -> bool {
        self.alone >= QUIET
    }

    /// When the thread has wanted the lock, where that need not be read.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn wanted(self) -> Option<u64> {
        (self.is_quiet() && self.released != 0).then_some(self.released)
    }

    /// One more lap, which ended at `released`; `alone` says whether nobody else had
    /// the lock since the lap before, `at_once` whether the next begins at once.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn lap(&mut self, alone: bool, released: u64, at_once: bool) {
        self.alone = if alone { self.alone.saturating_add(1) } else { 0 };
        self.released = if at_once { released } else { 0 };
    }

    /// So many laps more in which nobody else had the lock. The next is wanted since
    /// `released`, where that is not 0.
    pub(super) fn row(&mut self, laps: u64, released: u64) {
        *self = Streak { alone: self.alone.saturating_add(laps as u32), released };
    }

    /// The row ends.
    #[cold]
    pub(super) fn end(&mut self) {
        *self = Streak::default();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::backend::lab::locks::ring::Record;
    use crate::backend::lab::locks::{A_LITTLE, Plan, Recorder, Seat, find};
    use crate::sys::tsc::Tsc;

    /// The newest records of two seats that have so many laps each, the second in
    /// between, all by this thread.
    fn records(key: &str, plan: Plan, between: bool) -> Vec<Record> {
        let subject = find(key).unwrap().contend(2);
        let (seats, go_on) = ([Seat::new(0, 2), Seat::new(1, 2)], AtomicBool::new(true));
        subject.laps(&seats[0], &plan, &go_on, u64::from(QUIET) + 8);
        if between {
            subject.laps(&seats[1], &plan, &go_on, 1);
        }
        subject.laps(&seats[0], &plan, &go_on, 4);
        let mut records = Vec::new();
        seats[0].ring.read(0, 6, &mut records);
        records
    }

    /// Of each but the first: whether it wanted when the one before released, and
    /// whether it got when it wanted.
    fn short(records: &[Record]) -> Vec<(bool, bool)> {
        let of = |pair: &[Record]| (pair[1].wanted == pair[0].released, pair[1].got == pair[1].wanted);
        assert!(records.iter().all(|r| r.wanted <= r.got && r.got <= r.released), "{records:?}");
        records.windows(2).map(of).collect()
    }

    #[test]
    fn a_quiet_row_of_laps_is_stamped_in_the_short_way_and_no_other() {
        let Some(tsc) = Tsc::invariant() else { return };
        for (key, reads) in [("std_mutex", 0), ("broken_flag", 0), ("std_rwlock", 0), ("std_rwlock", 1_000)] {
            let plan = |recorder| Plan { recorder, reads, ..Plan::default() };
            let (plain, ordered) = (plan(Recorder::Plain(tsc)), plan(Recorder::Ordered(tsc)));
            assert_eq!(short(&records(key, plain, false)), [(true, true); 5], "{key}");
            assert_eq!(short(&records(key, ordered, false)), [(true, false); 5], "{key}");
            let thinks = |plan| Plan { think: A_LITTLE, ..plan };
            assert_eq!(short(&records(key, thinks(plain), false)), [(false, true); 5], "{key}");
            assert_eq!(short(&records(key, thinks(ordered), false)), [(false, false); 5], "{key}");
            if reads == 0 {
                // What another did in between is not known to be none of its waiting.
                let [before, after @ ..] = &short(&records(key, plain, true))[..] else { panic!("five") };
                assert_eq!(
                    (*before, after),
                    ((true, true), &[(true, false), (false, false), (false, false), (false, false)][..]),
                    "{key}"
                );
            }
        }
        let mixed = Plan { recorder: Recorder::Plain(tsc), reads: 1_000, ..Plan::default() };
        let writes = Plan { reads: 1, ..mixed };
        assert!(
            short(&records("std_rwlock", writes, false)).iter().all(|lap| *lap == (false, false)),
            "it may wait for readers"
        );
    }

    #[test]
    fn only_a_long_row_is_quiet_and_only_what_follows_at_once_is_not_read() {
        let mut streak = Streak::default();
        for lap in 1..QUIET {
            streak.lap(true, u64::from(lap), true);
            assert!(!streak.is_quiet() && streak.wanted().is_none());
        }
        streak.lap(true, 5_000, true);
        assert_eq!((streak.is_quiet(), streak.wanted()), (true, Some(5_000)));
        streak.lap(true, 6_000, false);
        assert_eq!((streak.is_quiet(), streak.wanted()), (true, None), "it thinks before the next");
        let kept = Kept::default();
        kept.keep(streak);
        assert_eq!(kept.take_up(), streak);
        streak.lap(false, 7_000, true);
        assert_eq!((streak.is_quiet(), streak.wanted()), (false, None), "another had it");
    }
}
