//! `std::thread::park` and `unpark`: a token goes round, and each thread wakes
//! the next.

use std::borrow::Cow;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::thread::{self, Thread};

use parking_lot::Mutex;

use crate::backend::lab::locks::contend::{Contend, Seat};
use crate::backend::lab::locks::gate::Plan;
use crate::backend::lab::locks::pen::Pen;
use crate::backend::lab::locks::section::Section;
use crate::backend::lab::locks::{Family, Info, Primitive, Sentence};

const SENTENCES: &[Sentence] = &[Sentence {
    name: "mutual exclusion",
    formula: "∀ t₁,t₂,τ  holds(t₁,token,τ) ∧ holds(t₂,token,τ) ⇒ t₁ = t₂",
    how: "the words that go with the token, whenever it is had and passed on",
    words: None,
}];

/// The places of its own counts.
const PARKS: usize = 0;
const SPURIOUS: usize = 1;

const INFO: Info = Info {
    key: "park",
    name: "thread::park, unpark",
    family: Family::Waiting,
    breaks: None,
    version: || Cow::Borrowed(concat!("Rust ", env!("CARGO_PKG_RUST_VERSION"), " or later, futex")),
    explanation: "Each thread has one permit of its own: unpark gives it, park takes it or sleeps until it is there. So \
        an unpark that comes before the park is not lost; two in a row count as one. park may also return for no \
        reason, and must stand in a loop that looks. Here a token goes round in a ring: each pass is a wake-up, and \
        the time for it is the wake-up latency of the kernel.",
};

/// The row of the registry.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Row;

impl Primitive for Row {
    fn info(&self) -> &'static Info {
        &INFO
    }

    fn contend(&self, threads: usize) -> Box<dyn Contend> {
        Box::new(Ring {
            turn: AtomicUsize::new(0),
            section: Section::default(),
            threads: Mutex::new(vec![None; threads]),
        })
    }
}

#[derive(Debug)]
struct Ring {
    /// Whose turn it is: written by that thread alone, with what belongs to the
    /// token (release).
    turn: AtomicUsize,
    section: Section,
    /// The threads that can be woken; one that is not here yet looks at `turn`
    /// after it has come.
    threads: Mutex<Vec<Option<Thread>>>,
}

impl Ring {
    fn round(&self, pen: &Pen<'_>) -> bool {
        let (me, tally) = (pen.me(), &pen.seat.tally);
        let hold = pen.hold();
        let slot = pen.wants(false);
        let mut parked = false;
        while self.turn.load(Acquire) != me as usize {
            if !pen.go_on.load(Relaxed) {
                pen.abandon();
                return false;
            }
            if parked {
                tally.add_own(SPURIOUS, 1);
            }
            tally.add_own(PARKS, 1);
            thread::park();
            parked = true;
        }
        pen.got(slot);
        let entered = self.section.enter(me);
        pen.holds(hold);
        let intruder = self.section.leave(me, entered);
        pen.releases(slot);
        self.pass_on(me as usize);
        pen.done(slot, entered.previous());
        tally.check(0, intruder);
        true
    }

    fn pass_on(&self, me: usize) {
        let threads = self.threads.lock();
        self.turn.store((me + 1) % threads.len(), Release);
        if let Some(thread) = &threads[(me + 1) % threads.len()] {
            thread.unpark();
        }
    }
}

impl Contend for Ring {
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        let pen = Pen { seat, plan, go_on };
        self.threads.lock()[seat.index as usize] = Some(thread::current());
        let mut done = 0;
        while done < laps && self.round(&pen) {
            done += 1;
            if !pen.thinks() {
                break;
            }
        }
        seat.tally.count(done, 0);
    }

    fn interrupt(&self) {
        self.threads.lock().iter().flatten().for_each(Thread::unpark);
    }

    fn counted(&self) -> Option<u64> {
        Some(self.section.counted())
    }

    fn sentences(&self) -> &'static [Sentence] {
        SENTENCES
    }

    fn own_names(&self) -> &'static [&'static str] {
        &["parks", "spurious"]
    }
}
