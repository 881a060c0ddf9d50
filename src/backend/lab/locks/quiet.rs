//! Laps in a row that nobody disturbs, with all they need at hand.
//!
//! What is written down of each is the same as in any other lap. But a processor lets
//! no access to memory pass a locked instruction, so that each that stands between two
//! of them costs time of its own: what does not change from lap to lap stays in
//! registers, and what is only counted is added up and written down at the end of the
//! row. A row ends with the first lap before which another thread had the lock.

use super::pen::Pen;
use super::section::Section;
use super::streak::Streak;

/// How a row of laps went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    /// How many laps were done.
    pub(super) done: u64,
    /// Whether one was cut short, inside or outside.
    pub(super) cut: bool,
    /// Who had the lock before the last of them (plus 1), if that was another.
    stranger: u32,
    /// Who was inside during the last of them (plus 1).
    intruder: u32,
}

impl Row {
    /// So many laps at most of a thread that has had the lock to itself for long
    /// enough; none where it has not, or only tries. `lock` and `unlock` are what it
    /// does to be inside alone.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn of<H>(
        pen: &Pen<'_>,
        section: &Section,
        streak: &mut Streak,
        laps: u64,
        (lock, unlock): (impl Fn() -> H, impl Fn(H)),
    ) -> Row {
        let plan = pen.plan;
        let mut row = Row::default();
        let Some(clock) = plan.recorder.counter().filter(|_| streak.is_quiet() && !plan.tries) else { return row };
        let (me, ordered, at_once) = (pen.me(), plan.recorder.is_ordered(), pen.at_once());
        let mut place = pen.seat.ring.place();
        let mut wanted = streak.wanted().unwrap_or(0);
        place.open().want(wanted, false);
        while row.done < laps {
            let hold = pen.hold();
            let slot = place.open();
            if wanted == 0 {
                wanted = clock.plain();
                slot.want(wanted, false);
            }
            let held = lock();
            let mut got = if ordered { clock.ordered() } else { wanted };
            let entered = section.enter(me);
            let alone = entered.previous() == me + 1;
            if !ordered && !alone {
                got = clock.plain();
            }
            slot.get(got);
            if !pen.holds_behind(hold, ordered) {
                section.abandon();
                unlock(held);
                (row.cut, wanted) = (true, 0);
                break;
            }
            row.intruder = if alone { section.leave_again(me, entered) } else { section.leave(me, entered) };
            let released = clock.plain();
            slot.release(released);
            unlock(held);
            let again = if at_once { released } else { 0 };
            place.complete(again);
            pen.seat.tally.record_hold(released.saturating_sub(got));
            if ordered || !alone {
                pen.seat.tally.record_wait(got.saturating_sub(wanted));
            }
            (wanted, row.done) = (again, row.done + 1);
            if !alone {
                row.stranger = entered.previous();
                break;
            }
            row.cut = !at_once && !pen.thinks();
            if row.cut || row.intruder != 0 {
                break;
            }
        }
        // It wants nothing before it comes back.
        pen.seat.ring.abandon();
        streak.row(row.done, wanted);
        row.count(pen, ordered);
        if row.stranger != 0 {
            streak.end();
            row.cut = !pen.thinks();
        }
        row
    }

    /// Counts what is counted once for all its laps.
    #[inline(never)]
    fn count(&self, pen: &Pen<'_>, ordered: bool) {
        let tally = &pen.seat.tally;
        let alone = self.done - u64::from(self.stranger != 0);
        // What waited for nobody for certain is counted as such, or else each by itself.
        if ordered {
            tally.after_itself(pen.me(), alone);
        } else {
            tally.alone(alone);
        }
        if self.stranger != 0 {
            tally.after_whom(self.stranger);
        }
        if self.intruder != 0 {
            tally.violated(self.intruder);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use crate::backend::lab::locks::ring::Record;
    use crate::backend::lab::locks::streak::QUIET;
    use crate::backend::lab::locks::tally::BUCKETS;
    use crate::backend::lab::locks::{A_LITTLE, Plan, Recorder, Seat, Work, find};
    use crate::model::lock::Spread;
    use crate::sys::tsc::Tsc;

    const MANY: u64 = QUIET as u64 + 500;

    #[test]
    fn what_is_counted_of_a_row_adds_up() {
        let Some(tsc) = Tsc::invariant() else { return };
        for recorder in [Recorder::Plain(tsc), Recorder::Ordered(tsc)] {
            for (hold, think) in [(Work::default(), Work::default()), (A_LITTLE, Work::default()), (A_LITTLE, A_LITTLE)]
            {
                let plan = Plan { hold, think, recorder, ..Plan::default() };
                let (subject, seat) = (find("std_mutex").unwrap().contend(1), Seat::new(0, 1));
                // In parts, as the threads do it, and the second goes on with the row.
                for laps in [MANY - 100, 100] {
                    subject.laps(&seat, &plan, &AtomicBool::new(true), laps);
                }
                assert_eq!(seat.ring.open(), (MANY, Record::default()), "it wants nothing now");
                assert_eq!((seat.tally.laps(), subject.counted()), (MANY, Some(MANY)));
                assert_eq!(seat.tally.checks(0), (MANY, 0));
                assert_eq!(seat.tally.after(0, 0), MANY - 1, "all but the first came after itself");
                let (mut waits, mut holds) = ([0; BUCKETS], [0; BUCKETS]);
                seat.tally.add_waits_to(&mut waits);
                seat.tally.held.add_to(&mut holds);
                assert_eq!([waits.iter().sum::<u64>(), holds.iter().sum()], [MANY, MANY]);
            }
        }
    }

    #[test]
    fn a_lap_of_a_row_that_is_cut_short_is_not_written_down() {
        let Some(tsc) = Tsc::invariant() else { return };
        let plan = Plan { recorder: Recorder::Ordered(tsc), ..Plan::default() };
        let (subject, seat) = (find("std_mutex").unwrap().contend(1), Seat::new(0, 1));
        subject.laps(&seat, &plan, &AtomicBool::new(true), MANY);
        let endless = Plan { hold: Work { steps: u64::MAX, spread: Spread::Fixed }, ..plan };
        subject.laps(&seat, &endless, &AtomicBool::new(false), 1);
        assert_eq!((seat.ring.open(), seat.tally.laps()), ((MANY, Record::default()), MANY));
        assert!(subject.try_lap(), "and the lock is free");
    }
}
