//! The measured loop over several locks: want some of them, one after the other,
//! hold them all, let them go, think.
//!
//! Waiting keeps what is held already, so that an order which is not the same
//! everywhere deadlocks sooner or later. Trying lets everything go where one is
//! not free, and begins anew: nobody waits while holding, and no circle can
//! close.

use std::sync::atomic::AtomicBool;

use super::Exclusion;
use crate::backend::lab::locks::Sentence;
use crate::backend::lab::locks::contend::{Contend, Seat};
use crate::backend::lab::locks::dice::Dice;
use crate::backend::lab::locks::gate::Plan;
use crate::backend::lab::locks::pen::Pen;
use crate::backend::lab::locks::request::{MAX_LOCKS, MAX_TAKE};
use crate::backend::lab::locks::section::{Entered, Section};
use crate::backend::lab::locks::taking::Taking;
use crate::model::lock::{Order, OwnCount, Several};

const SENTENCES: &[Sentence] = &[Sentence {
    name: "mutual exclusion",
    formula: "∀ t₁,t₂,L,τ  holds(t₁,L,τ) ∧ holds(t₂,L,τ) ⇒ t₁ = t₂",
    how: "the words inside each lock, on entering and on leaving, every acquisition",
    words: None,
}];

/// The places of its own counts.
const FAILURES: usize = 0;

/// How often each thread takes its locks alone before they contend.
const REHEARSALS: usize = 32;

/// A lock and what it protects.
#[derive(Debug, Default)]
#[repr(C, align(128))]
struct Place<L> {
    lock: L,
    section: Section,
}

/// The locks.
pub(super) struct Locks<L> {
    places: Box<[Place<L>]>,
    several: Several,
    taking: Taking,
}

/// The locks of a lap, in the order in which thread `me` takes them.
#[inline(never)]
fn choose(several: Several, me: u32, dice: &Dice) -> [u8; MAX_TAKE] {
    let Several { locks, take, order } = several;
    let mut chosen = [0; MAX_TAKE];
    if order == Order::Rotating {
        for (step, chosen) in chosen.iter_mut().enumerate().take(take) {
            *chosen = ((me as usize + step) % locks) as u8;
        }
        return chosen;
    }
    let mut all: [u8; MAX_LOCKS] = std::array::from_fn(|number| number as u8);
    for (step, chosen) in chosen.iter_mut().enumerate().take(take) {
        all.swap(step, step + dice.below((locks - step) as u64) as usize);
        *chosen = all[step];
    }
    if order == Order::Ascending {
        // A handful, for which the library's sort would be compiled anew.
        for step in 1..take {
            for at in (0..step).rev() {
                if chosen[at] <= chosen[at + 1] {
                    break;
                }
                chosen.swap(at, at + 1);
            }
        }
    }
    chosen
}

/// A lock that a thread has.
type Have<'a, L> = (&'a Place<L>, u8, <L as Exclusion>::Held<'a>, Entered);

/// What a thread has, in the order in which it took it.
struct Hand<'a, L: Exclusion> {
    have: [Option<Have<'a, L>>; MAX_TAKE],
    numbers: [u8; MAX_TAKE],
    count: usize,
}

impl<L: Exclusion> Locks<L> {
    pub(super) fn new(several: Several, threads: usize) -> Self {
        Locks {
            places: (0..several.locks).map(|_| Place { lock: L::default(), section: Section::default() }).collect(),
            several,
            taking: Taking::new(several.locks, threads),
        }
    }

    /// Takes one more; false where it was only to be tried and is not free.
    fn take<'a>(&'a self, pen: &Pen<'_>, number: u8, hand: &mut Hand<'a, L>) -> bool {
        let (me, place) = (pen.me(), &self.places[usize::from(number)]);
        let held = if pen.plan.tries {
            let Some(held) = place.lock.try_lock() else { return false };
            held
        } else {
            self.taking.wants(me, &hand.numbers[..hand.count], number);
            place.lock.lock()
        };
        self.taking.got(me, number);
        hand.numbers[hand.count] = number;
        hand.have[hand.count] = Some((place, number, held, place.section.enter(me)));
        hand.count += 1;
        true
    }

    /// Lets everything go, the last first; `counted` where the lap was done.
    /// Returns another thread plus 1 where one was inside together with it.
    fn let_go(&self, me: u32, hand: &mut Hand<'_, L>, counted: bool) -> u32 {
        let mut intruder = 0;
        for (place, number, held, entered) in hand.have[..hand.count].iter_mut().rev().filter_map(Option::take) {
            if counted {
                intruder = intruder.max(place.section.leave(me, entered));
            } else {
                place.section.abandon();
            }
            self.taking.lets_go(number);
            place.lock.unlock(held);
        }
        hand.count = 0;
        intruder
    }

    /// Who holds and wants what is noted even where nothing is recorded, so that
    /// a deadlock can be told.
    fn taken(&self, pen: &Pen<'_>, laps: u64) {
        let (me, take) = (pen.me(), self.several.take);
        let mut done = 0;
        let mut hand: Hand<'_, L> = Hand { have: [const { None }; MAX_TAKE], numbers: [0; MAX_TAKE], count: 0 };
        while done < laps {
            let hold = pen.hold();
            let chosen = choose(self.several, me, &pen.seat.dice);
            let slot = pen.wants(false);
            if !chosen[..take].iter().all(|&number| self.take(pen, number, &mut hand)) {
                self.let_go(me, &mut hand, false);
                if pen.failed(FAILURES) {
                    continue;
                }
                break;
            }
            pen.got(slot);
            if !pen.holds(hold) {
                self.let_go(me, &mut hand, false);
                pen.abandon();
                break;
            }
            for (_, _, _, entered) in hand.have.iter().flatten() {
                pen.seat.tally.after_whom(entered.previous());
            }
            pen.releases(slot);
            let intruder = self.let_go(me, &mut hand, true);
            pen.done(slot, 0);
            if intruder != 0 {
                pen.seat.tally.violated(intruder);
            }
            done += 1;
            if !pen.thinks() {
                break;
            }
        }
        pen.seat.tally.count(done, done * take as u64);
    }
}

impl<L: Exclusion> Contend for Locks<L> {
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        self.taken(&Pen { seat, plan, go_on }, laps);
    }

    fn rehearse(&self, seats: &[Seat]) {
        for seat in seats {
            for _ in 0..REHEARSALS {
                let chosen = choose(self.several, seat.index, &seat.dice);
                let chosen = &chosen[..self.several.take];
                let held: Vec<_> = chosen
                    .iter()
                    .enumerate()
                    .map(|(step, &number)| {
                        self.taking.note(seat.index, &chosen[..step], number);
                        let lock = &self.places[usize::from(number)].lock;
                        (lock, lock.lock())
                    })
                    .collect();
                held.into_iter().rev().for_each(|(lock, held)| lock.unlock(held));
            }
        }
        self.taking.end_of_rehearsal();
    }

    fn taking(&self) -> Option<&Taking> {
        Some(&self.taking)
    }

    fn counted(&self) -> Option<u64> {
        Some(self.places.iter().map(|place| place.section.counted()).sum())
    }

    fn countable(&self, seat: &Seat) -> u64 {
        seat.tally.laps() * self.several.take as u64
    }

    fn sentences(&self) -> &'static [Sentence] {
        SENTENCES
    }

    fn own_names(&self) -> &'static [&'static str] {
        &["failures"]
    }

    fn futex_calls(&self) -> Option<u64> {
        self.places.iter().map(|place| place.lock.futex_calls()).sum()
    }

    fn own_counts(&self) -> Vec<OwnCount> {
        let mut all: Vec<OwnCount> = Vec::new();
        for count in self.places.iter().flat_map(|place| place.lock.own_counts()) {
            match all.iter_mut().find(|known| known.name == count.name) {
                Some(known) => known.count += count.count,
                None => all.push(count),
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_takes_several_takes_different_ones_and_the_lower_number_first_where_that_is_asked() {
        let dice = Dice::numbered(0);
        for (locks, take) in [(1, 1), (2, 2), (7, 3), (MAX_LOCKS, MAX_TAKE)] {
            let mut random = 0;
            for _ in 0..200 {
                let of = |order| choose(Several { locks, take, order }, 5, &dice)[..take].to_vec();
                let ascending = of(Order::Ascending);
                assert!(ascending.is_sorted_by(|a, b| a < b), "{ascending:?}");
                for order in [Order::Random, Order::Rotating] {
                    let mut chosen = of(order);
                    random += usize::from(order == Order::Random && !chosen.is_sorted());
                    chosen.sort_unstable();
                    assert!(chosen.is_sorted_by(|a, b| a < b) && chosen.iter().all(|&lock| usize::from(lock) < locks));
                }
            }
            assert_eq!(random > 0, take > 1, "not always in order");
        }
    }
}
