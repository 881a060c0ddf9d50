//! What a thread does in every lap besides using its primitive: it writes the
//! lap down, works inside and outside, and looks at whether to go on.
//!
//! Nothing here knows the primitive, so there is one of it for all of them. Only
//! what stands in the way of an acquisition that nobody contends for is inlined
//! into the loops, of which there is one that records for each primitive.

use std::hint;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use super::contend::Seat;
use super::gate::Plan;
use super::pace::Work;
use super::ring::Slot;
use super::stamps::Recorder;
use super::streak::Streak;

/// A thread's pen: where it writes, what it is to do, and how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pen<'a> {
    pub(super) seat: &'a Seat,
    pub(super) plan: &'a Plan,
    pub(super) go_on: &'a AtomicBool,
}

impl<'a> Pen<'a> {
    /// The thread's number.
    #[inline]
    pub(super) fn me(&self) -> u32 {
        self.seat.index
    }

    /// Whether anything is written down.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn writes(&self) -> bool {
        self.plan.recorder != Recorder::Off
    }

    /// The thread is about to ask, alone or to be inside together with others.
    #[inline]
    pub(super) fn wants(&self, shared: bool) -> &'a Slot {
        let ring = &self.seat.ring;
        let slot = if self.writes() { ring.next() } else { ring.aside() };
        slot.want(self.plan.recorder.now(), shared);
        slot
    }

    /// As [`Pen::wants`] in a row of laps, where the moment may be known.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn wants_again(&self, shared: bool, streak: Streak) -> &'a Slot {
        let Some(at) = streak.wanted().filter(|_| self.writes()) else { return self.wants(shared) };
        let slot = self.seat.ring.next();
        slot.want(at, shared);
        slot
    }

    /// Whether the moment of getting need not be read where nobody else had the lock.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn may_skip(&self, streak: Streak) -> bool {
        streak.is_quiet() && matches!(self.plan.recorder, Recorder::Plain(_))
    }

    /// It has got what it asked for, and `alone` says whether without waiting.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn got_after(&self, slot: &Slot, alone: bool) {
        if alone { slot.get_at_once() } else { self.got(slot) }
    }

    /// Whether the next lap begins at once.
    #[inline]
    pub(super) fn at_once(&self) -> bool {
        self.plan.think.is_none()
    }

    /// It has got what it asked for.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn got(&self, slot: &Slot) {
        slot.get(self.plan.recorder.got());
    }

    /// It is about to let it go.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn releases(&self, slot: &Slot) {
        slot.release(self.plan.recorder.now());
    }

    /// It has let it go; `previous` is who had it before, plus 1, or 0. Returns when
    /// it did; 0 where nothing is written down.
    #[inline(never)]
    pub(super) fn done(&self, slot: &Slot, previous: u32) -> u64 {
        if self.writes() {
            let record = slot.load();
            self.seat.ring.complete();
            // Plain stamps may be reordered by a few ticks.
            let (waited, held) = (record.got.saturating_sub(record.wanted), record.released.saturating_sub(record.got));
            self.seat.tally.record(waited, held, previous);
            return record.released;
        }
        0
    }

    /// As [`Pen::done`] where nothing is held: the lap is over with what it got.
    #[inline(never)]
    pub(super) fn passed(&self, slot: &Slot) {
        if self.writes() {
            let record = slot.load();
            slot.release(record.got);
            self.seat.ring.complete();
            self.seat.tally.record_wait(record.got.saturating_sub(record.wanted));
        }
    }

    /// The lap is given up, and not written down.
    #[cold]
    #[inline(never)]
    pub(super) fn abandon(&self) {
        if self.writes() {
            self.seat.ring.abandon();
        }
    }

    /// It was not free, and only tried: counts that as its own number `failures`,
    /// thinks, and says whether to try again.
    #[cold]
    #[inline(never)]
    pub(super) fn failed(&self, failures: usize) -> bool {
        self.abandon();
        self.seat.tally.add_own(failures, 1);
        let goes_on = self.think() && self.go_on.load(Relaxed);
        hint::spin_loop();
        goes_on
    }

    /// The work inside, drawn before the lock is asked for.
    #[inline]
    pub(super) fn hold(&self) -> Work {
        self.plan.hold.draw(&self.seat.dice)
    }

    /// Does the work inside; says whether it was done.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn holds(&self, hold: Work) -> bool {
        hold.is_none() || hold.perform(self.go_on)
    }

    /// As [`Pen::holds`], perhaps behind an ordered stamp.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn holds_behind(&self, hold: Work, ordered: bool) -> bool {
        hold.is_none() || if ordered { hold.perform_behind_fence(self.go_on) } else { hold.perform(self.go_on) }
    }

    /// Does the work outside; says whether it was done.
    #[inline]
    pub(super) fn thinks(&self) -> bool {
        self.plan.think.is_none() || self.think()
    }

    #[inline(never)]
    fn think(&self) -> bool {
        self.plan.think.draw(&self.seat.dice).perform(self.go_on)
    }

    /// Whether this lap reads.
    #[inline]
    pub(super) fn reads(&self) -> bool {
        match self.plan.reads {
            0 => false,
            1..1_000 => self.seat.dice.below(1_000) < self.plan.reads,
            _ => true,
        }
    }
}
