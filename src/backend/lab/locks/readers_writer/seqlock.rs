//! A sequence lock: readers take nothing, look, and look again.
//!
//! S. Hemminger: Fast reader/writer lock for gettimeofday, Linux 2.5.59, 2002;
//! H.-J. Boehm: Can Seqlocks Get Along With Programming Language Memory Models?,
//! MSPC 2012, for the orders that make it right.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64, fence};

use crate::backend::lab::locks::contend::{Contend, Seat};
use crate::backend::lab::locks::exclusion::spin_while;
use crate::backend::lab::locks::gate::Plan;
use crate::backend::lab::locks::pen::Pen;
use crate::backend::lab::locks::section::Section;
use crate::backend::lab::locks::{Family, Info, Primitive, Sentence};

const SENTENCES: &[Sentence] = &[
    Sentence {
        name: "mutual exclusion",
        formula: "∀ t₁,t₂,τ  writes(t₁,L,τ) ∧ writes(t₂,L,τ) ⇒ t₁ = t₂",
        how: "the words inside the lock, on entering and on leaving, every write",
        words: None,
    },
    Sentence {
        name: "consistent reads",
        formula: "∀ r  read(r) = (a, b) ⇒ ∃ w  wrote(w) = (a, b)",
        how: "two words of which one write makes each other's complement, every read that was accepted",
        words: Some(|reader, _| format!("t{reader} accepted a read of which each half is from another write")),
    },
];
const EXCLUSION: usize = 0;
const CONSISTENT: usize = 1;

/// The places of its own counts.
const READS: usize = 0;
const RETRIES: usize = 1;

/// How a reader knows that what it read is whole.
pub(in crate::backend::lab::locks) trait Validation: Send + Sync + 'static {
    /// What a person reads about it.
    const INFO: Info;

    /// Whether the second look is taken.
    const LOOKS_AGAIN: bool;
}

/// The sequence is read before and after.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Seq;

/// Broken: the sequence is read before, and that must do.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct TornSeq;

impl Validation for Seq {
    const INFO: Info = Info {
        key: "seqlock",
        name: "SeqLock",
        family: Family::ReadersWriter,
        breaks: None,
        version: || Cow::Borrowed("Hemminger 2002, orders after Boehm 2012"),
        explanation: "A sequence number, even while nobody writes. A writer makes it odd, writes, and makes it even \
            again. A reader takes nothing: it notes the number, reads, and starts over if the number was odd or has \
            changed. Readers write no shared memory, so they scale and never hold up a writer; under many writes they \
            retry, and long reads may starve. Only for data that may be read torn and thrown away.",
    };
    const LOOKS_AGAIN: bool = true;
}

impl Validation for TornSeq {
    const INFO: Info = Info {
        key: "seqlock_unchecked",
        name: "SeqLock, no second look",
        family: Family::ReadersWriter,
        breaks: Some("consistent reads"),
        version: || Cow::Borrowed("broken on purpose"),
        explanation: "The sequence lock whose reader looks at the number before it reads and not again after. A writer \
            that comes in between changes one half of what is read: a torn read, which the data itself gives away.",
    };
    const LOOKS_AGAIN: bool = false;
}

/// The row of the registry.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Row<V>(PhantomData<fn() -> V>);

impl<V> Row<V> {
    pub(in crate::backend::lab::locks) const ROW: Self = Row(PhantomData);
}

impl<V: Validation> Primitive for Row<V> {
    fn info(&self) -> &'static Info {
        const { &V::INFO }
    }

    fn contend(&self, _threads: usize) -> Box<dyn Contend> {
        Box::new(SeqLock::<V> {
            sequence: AtomicU64::new(0),
            words: [AtomicU64::new(0), AtomicU64::new(!0)],
            section: Section::default(),
            validation: PhantomData,
        })
    }
}

/// | `sequence` | meaning | who changes it |
/// |---|---|---|
/// | even | nobody writes | a writer, by a compare-and-swap to odd (acquire) |
/// | odd | somebody writes | that writer, by a store of the next even one (release) |
#[derive(Debug)]
#[repr(C, align(128))]
struct SeqLock<V> {
    sequence: AtomicU64,
    /// The second is the complement of the first, after every write.
    words: [AtomicU64; 2],
    section: Section,
    validation: PhantomData<fn() -> V>,
}

impl<V: Validation> SeqLock<V> {
    /// Takes it for writing, if nobody writes; returns the odd sequence.
    fn try_begin(&self) -> Option<u64> {
        let even = self.sequence.load(Relaxed);
        let free = even.is_multiple_of(2) && self.sequence.compare_exchange(even, even + 1, Acquire, Relaxed).is_ok();
        // What is written must not be seen before the odd number is.
        fence(Release);
        free.then_some(even + 1)
    }

    fn begin(&self) -> u64 {
        let mut odd = None;
        spin_while(|| {
            odd = self.try_begin();
            odd.is_none()
        });
        // The loop ends only with one.
        odd.unwrap_or_default()
    }

    fn write_words(&self) {
        let next = self.words[0].load(Relaxed).wrapping_add(1);
        self.words[0].store(next, Relaxed);
        self.words[1].store(!next, Relaxed);
    }

    fn end(&self, odd: u64) {
        self.sequence.store(odd + 1, Release);
    }

    fn write(&self, pen: &Pen<'_>) -> bool {
        let me = pen.me();
        let hold = pen.hold();
        let slot = pen.wants(false);
        let odd = self.begin();
        pen.got(slot);
        let entered = self.section.enter(me);
        if !pen.holds(hold) {
            self.section.abandon();
            pen.abandon();
            self.end(odd);
            return false;
        }
        self.write_words();
        let intruder = self.section.leave(me, entered);
        pen.releases(slot);
        self.end(odd);
        pen.done(slot, entered.previous());
        pen.seat.tally.check(EXCLUSION, intruder);
        true
    }

    fn read(&self, pen: &Pen<'_>) -> bool {
        let hold = pen.hold();
        let slot = pen.wants(true);
        let mut retries = 0;
        let (got, whole) = loop {
            let mut before = 0;
            spin_while(|| {
                before = self.sequence.load(Acquire);
                before % 2 == 1
            });
            let got = pen.plan.recorder.got();
            let first = self.words[0].load(Relaxed);
            if !pen.holds(hold) {
                pen.abandon();
                return false;
            }
            let second = self.words[1].load(Relaxed);
            fence(Acquire);
            if !V::LOOKS_AGAIN || self.sequence.load(Relaxed) == before {
                break (got, first == !second);
            }
            retries += 1;
        };
        slot.get(got);
        pen.releases(slot);
        pen.done(slot, 0);
        let tally = &pen.seat.tally;
        tally.add_own(READS, 1);
        tally.add_own(RETRIES, retries);
        tally.check(CONSISTENT, if whole { 0 } else { pen.me() + 1 });
        true
    }

    fn recorded(&self, pen: &Pen<'_>, laps: u64) {
        let mut done = 0;
        while done < laps {
            let went_on = if pen.reads() { self.read(pen) } else { self.write(pen) };
            if !went_on {
                break;
            }
            done += 1;
            if !pen.thinks() {
                break;
            }
        }
        pen.seat.tally.count(done, 0);
    }

    fn bare(&self, pen: &Pen<'_>, laps: u64) {
        let (mut done, mut reads, mut retries) = (0, 0, 0);
        'laps: while done < laps {
            let hold = pen.hold();
            if pen.reads() {
                loop {
                    let before = self.sequence.load(Acquire);
                    std::hint::black_box((self.words[0].load(Relaxed), self.words[1].load(Relaxed)));
                    if !pen.holds(hold) {
                        break 'laps;
                    }
                    fence(Acquire);
                    if before.is_multiple_of(2) && self.sequence.load(Relaxed) == before {
                        reads += 1;
                        break;
                    }
                    retries += 1;
                    std::hint::spin_loop();
                }
            } else {
                let odd = self.begin();
                pen.holds(hold);
                self.write_words();
                self.section.count_one();
                self.end(odd);
            }
            done += 1;
            if !pen.thinks() {
                break;
            }
        }
        let tally = &pen.seat.tally;
        tally.count(done, 0);
        tally.add_own(READS, reads);
        tally.add_own(RETRIES, retries);
    }
}

impl<V: Validation> Contend for SeqLock<V> {
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        let pen = Pen { seat, plan, go_on };
        if pen.writes() { self.recorded(&pen, laps) } else { self.bare(&pen, laps) }
    }

    fn counted(&self) -> Option<u64> {
        Some(self.section.counted())
    }

    fn countable(&self, seat: &Seat) -> u64 {
        seat.tally.laps() - seat.tally.own(READS)
    }

    fn sentences(&self) -> &'static [Sentence] {
        SENTENCES
    }

    fn own_names(&self) -> &'static [&'static str] {
        &["reads", "retries"]
    }

    fn hold(&self, inside: &mut dyn FnMut()) -> bool {
        let odd = self.begin();
        inside();
        self.end(odd);
        true
    }

    fn try_lap(&self) -> bool {
        let Some(odd) = self.try_begin() else { return false };
        self.section.count_one();
        self.end(odd);
        true
    }
}
