//! What the lock protects: a few words that are consistent whenever nobody is
//! inside, written without any atomic read-modify-write. If two threads are
//! inside at one time, one of them finds the other's traces.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// The protected words. Loads and stores are plain moves (`Relaxed`): only the
/// lock orders them. They are atomic types so that a broken lock makes a wrong
/// result, not undefined behaviour.
#[derive(Debug, Default)]
pub(super) struct Section {
    /// Acquisitions, by load, add, store: two threads inside lose counts.
    count: AtomicU64,
    /// Who is inside, plus 1; 0 while nobody is.
    inside: AtomicU32,
    /// Who was inside last, plus 1; 0 before the first.
    last: AtomicU32,
}

/// What a thread found when it entered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entered {
    count: u64,
    intruder: u32,
    last: u32,
}

impl Entered {
    /// Who had the lock before, plus 1; 0 for nobody.
    #[inline]
    pub(super) fn previous(self) -> u32 {
        self.last
    }
}

impl Section {
    /// The whole section where nothing is recorded: one more acquisition.
    #[inline]
    pub(super) fn count_one(&self) {
        self.count.store(self.count.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Acquisitions counted so far, exact only while nobody is inside.
    pub(super) fn counted(&self) -> u64 {
        self.count.load(Relaxed)
    }

    /// Thread `me` comes in: nobody may be inside.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn enter(&self, me: u32) -> Entered {
        let intruder = self.inside.load(Relaxed);
        self.inside.store(me + 1, Relaxed);
        Entered { count: self.count.load(Relaxed), intruder, last: self.last.load(Relaxed) }
    }

    /// Thread `me` goes out: it must still be the one inside, and nobody may
    /// have counted meanwhile. Returns 0 if so, else the other thread plus 1
    /// (its own where only the lost count tells).
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn leave(&self, me: u32, entered: Entered) -> u32 {
        let inside = self.inside.load(Relaxed);
        let count = self.count.load(Relaxed);
        let last = self.last.load(Relaxed);
        self.count.store(entered.count.wrapping_add(1), Relaxed);
        self.last.store(me + 1, Relaxed);
        self.inside.store(0, Relaxed);
        if entered.intruder == 0 && inside == me + 1 && count == entered.count {
            return 0;
        }
        other(me, [entered.intruder, inside, last])
    }

    /// As [`Section::leave`] where the thread had been inside last, too: what says who
    /// was stays as it is.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn leave_again(&self, me: u32, entered: Entered) -> u32 {
        let inside = self.inside.load(Relaxed);
        let count = self.count.load(Relaxed);
        self.count.store(entered.count.wrapping_add(1), Relaxed);
        self.inside.store(0, Relaxed);
        if entered.intruder == 0 && inside == me + 1 && count == entered.count {
            return 0;
        }
        other(me, [entered.intruder, inside, self.last.load(Relaxed)])
    }

    /// A reader comes in: returns the count, and the writer that is inside plus
    /// 1 (0 while nobody is).
    #[inline]
    pub(super) fn look(&self) -> (u64, u32) {
        (self.count.load(Relaxed), self.inside.load(Relaxed))
    }

    /// Who wrote last, plus 1; 0 before the first.
    pub(super) fn last(&self) -> u32 {
        self.last.load(Relaxed)
    }

    /// Goes out of a section that was cut short, uncounted.
    #[cold]
    pub(super) fn abandon(&self) {
        self.inside.store(0, Relaxed);
    }
}

/// Of those who left traces the first that is not `me`, else `me`, plus 1.
#[cold]
#[inline(never)]
fn other(me: u32, traces: [u32; 3]) -> u32 {
    traces.into_iter().find(|&who| who != 0 && who != me + 1).unwrap_or(me + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_after_the_other_is_consistent() {
        let section = Section::default();
        let first = section.enter(0);
        assert_eq!(first.previous(), 0);
        assert_eq!(section.leave(0, first), 0);
        let second = section.enter(1);
        assert_eq!(second.previous(), 1);
        assert_eq!(section.leave(1, second), 0);
        assert_eq!(section.counted(), 2);
    }

    #[test]
    fn two_inside_are_named_by_either() {
        let section = Section::default();
        let outer = section.enter(0);
        let inner = section.enter(1);
        assert_eq!(section.leave(1, inner), 1, "thread 1 found thread 0 inside");
        assert_eq!(section.leave(0, outer), 2, "thread 0 found that thread 1 had been there");
        assert_eq!(section.counted(), 1, "and a count was lost");
    }
}
