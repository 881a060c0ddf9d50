//! The measured loop: all threads want each of many values, and start at the
//! same time.
//!
//! The values come in blocks. At the beginning of a block the threads meet, and
//! one of them lays out new values; then everybody wants them, one after the
//! other.

use std::marker::PhantomData;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::sync::{Arc, Barrier};

use parking_lot::Mutex;

use super::{Making, Once};
use crate::backend::lab::locks::contend::{Contend, Seat};
use crate::backend::lab::locks::gate::Plan;
use crate::backend::lab::locks::pen::Pen;
use crate::backend::lab::locks::phases::{Padded, Phases};
use crate::backend::lab::locks::{Info, Primitive, Sentence};

const SENTENCES: &[Sentence] = &[Sentence {
    name: "one initialisation",
    formula: "∀ o  ∃! t  makes(t,o)   ∧   ∀ t₁,t₂  get(t₁,o) = get(t₂,o)",
    how: "each value knows how often it was made, every get; and how often in all, when the threads meet",
    words: Some(|thread, _| format!("t{thread} got a value that was made more than once")),
}];
const ONE: usize = 0;

/// The places of its own counts.
const MADE: usize = 0;
const BLOCKS: usize = 1;

/// How many values there are between two meetings.
const BLOCK: usize = 64;

/// The row of the registry.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Of<O>(PhantomData<fn() -> O>);

impl<O> Of<O> {
    pub(in crate::backend::lab::locks) const ROW: Self = Of(PhantomData);
}

impl<O: Once> Primitive for Of<O> {
    fn info(&self) -> &'static Info {
        const { &O::INFO }
    }

    fn contend(&self, threads: usize) -> Box<dyn Contend> {
        Box::new(Race {
            block: Mutex::new(new_block::<O>()),
            meeting: Barrier::new(threads),
            phases: Phases::default(),
            arrived: (0..threads).map(|_| Padded::default()).collect(),
        })
    }
}

/// A value, and how often it was made.
struct Entry<O> {
    once: O,
    making: Arc<Making>,
}

fn new_block<O: Once>() -> Arc<[Entry<O>]> {
    let entry = |_| {
        let making = Arc::new(Making::default());
        Entry { once: O::of(making.clone()), making }
    };
    (0..BLOCK).map(entry).collect()
}

struct Race<O> {
    block: Mutex<Arc<[Entry<O>]>>,
    meeting: Barrier,
    phases: Phases,
    /// The phase of each thread; a phase is a block.
    arrived: Box<[Padded]>,
}

impl<O: Once> Race<O> {
    /// Block after block, until the first thread has had enough.
    fn race(&self, pen: &Pen<'_>, laps: u64) {
        let (me, tally) = (pen.me(), &pen.seat.tally);
        let mine = &self.arrived[me as usize].0;
        let mut left = laps;
        loop {
            let phase = mine.load(Relaxed) + 1;
            mine.store(phase, Release);
            left = left.saturating_sub(BLOCK as u64);
            self.phases.arrive(me, phase, left == 0, pen.go_on);
            if self.meeting.wait().is_leader() {
                let last = std::mem::replace(&mut *self.block.lock(), new_block());
                tally.add_own(MADE, last.iter().map(|entry| entry.making.made()).sum());
                tally.add_own(BLOCKS, 1);
            }
            self.meeting.wait();
            let block = self.block.lock().clone();
            for entry in &*block {
                if pen.writes() {
                    let slot = pen.wants(false);
                    let value = entry.once.get();
                    pen.got(slot);
                    pen.passed(slot);
                    let once = value == 1 && entry.making.made() == 1;
                    tally.check(ONE, if once { 0 } else { me + 1 });
                } else {
                    std::hint::black_box(entry.once.get());
                }
                tally.count(1, 0);
                pen.thinks();
            }
            if self.phases.is_over(phase) {
                return;
            }
        }
    }
}

impl<O: Once> Contend for Race<O> {
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        self.race(&Pen { seat, plan, go_on }, laps);
    }

    fn meets(&self) -> bool {
        true
    }

    fn counted(&self) -> Option<u64> {
        None
    }

    fn sentences(&self) -> &'static [Sentence] {
        SENTENCES
    }

    fn own_names(&self) -> &'static [&'static str] {
        &["initialisations", "blocks"]
    }
}
