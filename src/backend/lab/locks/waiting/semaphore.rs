//! Counting semaphores: so many may be inside at one time, half as many as
//! there are threads; of the broken one a single thread, since two at one time
//! are soon seen on the smallest machine.

use std::borrow::Cow;
use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32};

use crate::backend::lab::locks::contend::{Contend, Seat};
use crate::backend::lab::locks::exclusion::{c_library, spin_while};
use crate::backend::lab::locks::gate::Plan;
use crate::backend::lab::locks::pen::Pen;
use crate::backend::lab::locks::{Family, Info, Primitive, Sentence};

const SENTENCES: &[Sentence] = &[Sentence {
    name: "permits",
    formula: "∀ τ  |{ t : inside(t,S,τ) }| ≤ permits(S)",
    how: "those inside are counted by each that enters",
    words: Some(|thread, _| format!("t{thread} entered although as many were inside as there are permits")),
}];

/// A counting semaphore.
pub(in crate::backend::lab::locks) trait Semaphore: Send + Sync + 'static {
    /// What a person reads about it.
    const INFO: Info;

    /// How many permits it is given for so many threads.
    fn permits(threads: u32) -> u32 {
        (threads / 2).max(1)
    }

    /// One with so many permits.
    fn with(permits: u32) -> Self;

    /// Waits for a permit and takes it.
    fn acquire(&self);

    /// Gives one back.
    fn release(&self);
}

/// `sem_t`. Boxed, since POSIX forbids moving one.
pub(in crate::backend::lab::locks) struct Posix(Box<UnsafeCell<libc::sem_t>>);

// SAFETY: a semaphore is made to be used from any thread; it stays at one
// address, and all access goes through the sem_ functions.
unsafe impl Send for Posix {}
// SAFETY: as above.
unsafe impl Sync for Posix {}

impl fmt::Debug for Posix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Posix").finish_non_exhaustive()
    }
}

impl Semaphore for Posix {
    const INFO: Info = Info {
        key: "semaphore",
        name: "sem_t",
        family: Family::Waiting,
        breaks: None,
        version: c_library,
        explanation: "A count of permits and a count of sleepers, in glibc in one word of 64 bits. sem_wait takes a \
            permit with a compare-and-swap, or sleeps in futex(2); sem_post adds one and wakes one sleeper. A \
            semaphore has no owner: any thread may post, so nobody can be named as the holder. Here it has half as \
            many permits as there are threads.",
    };

    /// # Panics
    /// Where the C library makes none: then nothing can be measured.
    fn with(permits: u32) -> Self {
        // SAFETY: all zero is a value of that type; it is initialised below.
        let semaphore = Box::new(UnsafeCell::new(unsafe { MaybeUninit::zeroed().assume_init() }));
        // SAFETY: it is at its final address.
        let error = unsafe { libc::sem_init(semaphore.get(), 0, permits) };
        assert_eq!(error, 0, "no semaphore with {permits} permits");
        Posix(semaphore)
    }

    #[inline]
    fn acquire(&self) {
        // SAFETY: it is initialised and stays where it is. It fails only with
        // EINTR.
        while unsafe { libc::sem_wait(self.0.get()) } != 0 {}
    }

    #[inline]
    fn release(&self) {
        // SAFETY: as above.
        unsafe { libc::sem_post(self.0.get()) };
    }
}

impl Drop for Posix {
    fn drop(&mut self) {
        // SAFETY: nobody waits at it: there is no other reference.
        unsafe { libc::sem_destroy(self.0.get()) };
    }
}

/// Broken: looks at the count, then takes one off.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Unchecked(AtomicU32);

impl Semaphore for Unchecked {
    const INFO: Info = Info {
        key: "semaphore_unchecked",
        name: "check-then-decrement",
        family: Family::Waiting,
        breaks: Some("permits"),
        version: || Cow::Borrowed("broken on purpose"),
        explanation: "while permits == 0 { wait }; permits -= 1. The subtraction itself is atomic, but the look is a step \
            of its own: two threads see the last permit and both take it. The count runs below zero, and one more is \
            inside than there are permits. Here there is a single one.",
    };

    fn permits(_threads: u32) -> u32 {
        1
    }

    fn with(permits: u32) -> Self {
        Unchecked(AtomicU32::new(permits))
    }

    fn acquire(&self) {
        // Below zero is none, too.
        spin_while(|| self.0.load(Acquire).cast_signed() <= 0);
        (0..32).for_each(|_| std::hint::spin_loop());
        self.0.fetch_sub(1, Acquire);
    }

    fn release(&self) {
        self.0.fetch_add(1, Release);
    }
}

/// The row of the registry for a semaphore.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Of<S>(PhantomData<fn() -> S>);

impl<S> Of<S> {
    pub(in crate::backend::lab::locks) const ROW: Self = Of(PhantomData);
}

impl<S: Semaphore> Primitive for Of<S> {
    fn info(&self) -> &'static Info {
        const { &S::INFO }
    }

    fn contend(&self, threads: usize) -> Box<dyn Contend> {
        let permits = S::permits(threads as u32);
        Box::new(Permits { semaphore: S::with(permits), permits, inside: AtomicU32::new(0) })
    }
}

#[derive(Debug)]
#[repr(align(128))]
#[expect(clippy::struct_field_names, reason = "how many there are is what the word means")]
struct Permits<S> {
    semaphore: S,
    permits: u32,
    inside: AtomicU32,
}

impl<S: Semaphore> Permits<S> {
    fn recorded(&self, pen: &Pen<'_>, laps: u64) {
        let tally = &pen.seat.tally;
        let mut done = 0;
        while done < laps {
            let hold = pen.hold();
            let slot = pen.wants(true);
            self.semaphore.acquire();
            pen.got(slot);
            let with_us = self.inside.fetch_add(1, Relaxed) + 1;
            let went_on = pen.holds(hold);
            self.inside.fetch_sub(1, Relaxed);
            pen.releases(slot);
            self.semaphore.release();
            if !went_on {
                pen.abandon();
                break;
            }
            pen.done(slot, 0);
            tally.check(0, if with_us <= self.permits { 0 } else { pen.me() + 1 });
            done += 1;
            if !pen.thinks() {
                break;
            }
        }
        tally.count(done, 0);
    }

    fn bare(&self, pen: &Pen<'_>, laps: u64) {
        let mut done = 0;
        while done < laps {
            let hold = pen.hold();
            self.semaphore.acquire();
            let went_on = pen.holds(hold);
            self.semaphore.release();
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
}

impl<S: Semaphore> Contend for Permits<S> {
    fn laps(&self, seat: &Seat, plan: &Plan, go_on: &AtomicBool, laps: u64) {
        let pen = Pen { seat, plan, go_on };
        if pen.writes() { self.recorded(&pen, laps) } else { self.bare(&pen, laps) }
    }

    fn counted(&self) -> Option<u64> {
        None
    }

    fn sentences(&self) -> &'static [Sentence] {
        SENTENCES
    }
}
