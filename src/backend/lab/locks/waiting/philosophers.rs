//! Dining philosophers: as many forks as threads, in a circle, and each thread
//! needs the two beside it.
//!
//! E. W. Dijkstra: Hierarchical Ordering of Sequential Processes, Acta
//! Informatica 1, 1971.

use std::borrow::Cow;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use crate::backend::lab::locks::contend::{Contend, Seat};
use crate::backend::lab::locks::gate::Plan;
use crate::backend::lab::locks::pen::Pen;
use crate::backend::lab::locks::section::Section;
use crate::backend::lab::locks::{Family, Info, Primitive, Sentence};

const SENTENCES: &[Sentence] = &[Sentence {
    name: "mutual exclusion",
    formula: "∀ t₁,t₂,f,τ  has(t₁,f,τ) ∧ has(t₂,f,τ) ⇒ t₁ = t₂",
    how: "the words that belong to each fork, whenever it is taken and put back",
    words: None,
}];

const INFO: Info = Info {
    key: "philosophers",
    name: "dining philosophers",
    family: Family::Waiting,
    breaks: None,
    version: || Cow::Borrowed("Dijkstra 1971, forks in one order; std::sync::Mutex"),
    explanation: "Each thread thinks, takes the two forks beside it, eats (holds) and puts them back; a fork is a Mutex. All \
        take the fork with the lower number first, so that the last philosopher takes them the other way round and no \
        circle of waits can close. Without that, all take the left one and wait for ever: see the experiment `cycle`. \
        Neighbours never eat together, and others do.",
};

/// The row of the registry.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Row;

impl Primitive for Row {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn contend(&self, threads: usize) -> Box<dyn Contend> {
        Box::new(Table { forks: (0..threads).map(|_| Fork::default()).collect() })
    }
}

/// A fork, and the words that belong to whoever has it.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Fork {
    lock: Mutex<()>,
    section: Section,
}

#[derive(Debug)]
struct Table {
    forks: Box<[Fork]>,
}

impl Table {
    /// The forks of a philosopher, in the order in which they are taken; one
    /// alone has one.
    fn beside(&self, me: usize) -> (&Fork, Option<&Fork>) {
        let next = (me + 1) % self.forks.len();
        if next == me { (&self.forks[me], None) } else { (&self.forks[me.min(next)], Some(&self.forks[me.max(next)])) }
    }
}

impl Contend for Table {
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        let pen = Pen { seat, plan, go_on };
        let (me, tally) = (pen.me(), &seat.tally);
        let (first, second) = self.beside(me as usize);
        let take = |fork: &Fork| fork.section.enter(me);
        let put = |fork: &Fork, entered| tally.check(0, fork.section.leave(me, entered));
        let mut done = 0;
        while done < laps {
            let hold = pen.hold();
            let slot = pen.wants(true);
            let lower = first.lock.lock().unwrap_or_else(PoisonError::into_inner);
            let upper = second.map(|fork| fork.lock.lock().unwrap_or_else(PoisonError::into_inner));
            pen.got(slot);
            let entered = (take(first), second.map(take));
            pen.holds(hold);
            put(first, entered.0);
            if let (Some(fork), Some(entered)) = (second, entered.1) {
                put(fork, entered);
            }
            pen.releases(slot);
            drop((lower, upper));
            pen.done(slot, 0);
            done += 1;
            if !pen.thinks() {
                break;
            }
        }
        tally.count(done, 0);
    }

    fn counted(&self) -> Option<u64> {
        let all: u64 = self.forks.iter().map(|fork| fork.section.counted()).sum();
        Some(if self.forks.len() > 1 { all / 2 } else { all })
    }

    fn sentences(&self) -> &'static [Sentence] {
        SENTENCES
    }
}
