//! The ring in which a thread writes down its acquisitions. The newest
//! overwrite the oldest; one thread writes, another reads now and then and
//! counts what it came too late for.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU64, fence};

/// The rings of all threads together hold about so many acquisitions.
const ALL_RINGS: usize = 32_768;
/// So many slots ahead a line is fetched, before its turn: the next locked
/// instruction would wait until the line is there to be written to.
const AHEAD: u64 = 8;
/// No ring is smaller.
const SMALLEST: usize = 128;

/// One acquisition in ticks; 0 for what has not happened yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// When the thread asked for the lock.
    pub(super) wanted: u64,
    /// When it got it.
    pub(super) got: u64,
    /// When it let it go.
    pub(super) released: u64,
    /// Held together with others: a reader.
    pub(super) shared: bool,
}

/// Half a cache line, so that none straddles two.
#[derive(Debug, Default)]
#[repr(align(32))]
pub(super) struct Slot {
    wanted: AtomicU64,
    got: AtomicU64,
    released: AtomicU64,
    shared: AtomicBool,
}

/// Asks for the slot's line, to write to it soon.
#[inline]
fn fetch_ahead(slot: &Slot) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: SSE belongs to every x86-64; a prefetch reads and writes nothing.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(slot).cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = slot;
}

impl Slot {
    /// The thread asks for the lock, alone or `shared` with others.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn want(&self, at: u64, shared: bool) {
        self.shared.store(shared, Relaxed);
        self.wanted.store(at, Relaxed);
    }

    /// The thread has got the lock.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn get(&self, at: u64) {
        self.got.store(at, Release);
    }

    /// The thread has got the lock in the moment in which it wanted it.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn get_at_once(&self) {
        self.got.store(self.wanted.load(Relaxed), Release);
    }

    /// The thread lets the lock go. Written down before it does: a thread that
    /// is preempted just after must not look like a holder.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn release(&self, at: u64) {
        self.released.store(at, Release);
    }

    /// What stands in it.
    pub(super) fn load(&self) -> Record {
        // Against the order of writing, so that an open record has no stamp
        // without the ones before it.
        let released = self.released.load(Acquire);
        let got = self.got.load(Acquire);
        let wanted = self.wanted.load(Relaxed);
        Record { wanted, got, released, shared: self.shared.load(Relaxed) }
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    fn clear(&self) {
        self.begin(0);
    }

    /// Nothing has happened yet, but that the thread asks for the lock, perhaps: 0
    /// where it does not.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    fn begin(&self, wanted: u64) {
        self.wanted.store(wanted, Relaxed);
        self.got.store(0, Relaxed);
        self.released.store(0, Relaxed);
    }
}

/// The ring.
///
/// Slot `head % size` is the open one: its stamps are filled in as they
/// happen, so that a thread that waits or holds for long is seen doing so. It
/// becomes a record when `head` moves on. A reader that reads `head` after the
/// slots, behind an acquire fence, knows which of them may have been
/// overwritten meanwhile: with `head` at n the writer touches slots n and, to
/// empty it, n + 1, and it moves `head` before anything else, ahead of a release
/// fence.
#[derive(Debug)]
pub(super) struct Ring {
    /// How many records were completed.
    head: AtomicU64,
    slots: Box<[Slot]>,
    /// For stamps that nobody is to see.
    aside: Slot,
}

impl Ring {
    /// A ring for one of `threads` threads.
    pub(super) fn for_one_of(threads: usize) -> Self {
        let size = (ALL_RINGS / threads.max(1)).next_power_of_two().clamp(SMALLEST, ALL_RINGS / 2);
        Ring { head: AtomicU64::new(0), slots: (0..size).map(|_| Slot::default()).collect(), aside: Slot::default() }
    }

    /// Memory of the slots in bytes.
    pub(super) fn memory(&self) -> usize {
        size_of_val(&*self.slots)
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    fn slot(&self, index: u64) -> &Slot {
        // The mask keeps it within the slice, whose length is a power of two.
        self.slots.get(index as usize & (self.slots.len() - 1)).unwrap_or(&self.aside)
    }

    /// Where the thread writes its next acquisition down.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn next(&self) -> &Slot {
        self.slot(self.head.load(Relaxed))
    }

    /// Where it writes what is not to be recorded.
    #[inline]
    pub(super) fn aside(&self) -> &Slot {
        &self.aside
    }

    /// The record is complete.
    pub(super) fn complete(&self) {
        let head = self.head.load(Relaxed);
        // The slot that will be open must be empty by the time it is.
        self.slot(head + 1).clear();
        self.head.store(head + 1, Release);
        fence(Release);
        fetch_ahead(self.slot(head + AHEAD));
    }

    /// Where the thread is in its ring.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn place(&self) -> Place<'_> {
        Place { ring: self, slots: &self.slots, head: self.head.load(Relaxed) }
    }

    /// The open acquisition is not to be recorded.
    pub(super) fn abandon(&self) {
        self.next().clear();
    }

    /// How many records were completed so far.
    pub(super) fn completed(&self) -> u64 {
        self.head.load(Acquire)
    }

    /// Appends the records from number `from` on, at most the newest `limit`
    /// of them, and returns the number of the first that was appended: what
    /// lies between was overwritten, or is over the limit.
    pub(super) fn read(&self, from: u64, limit: usize, out: &mut Vec<Record>) -> u64 {
        let head = self.head.load(Acquire);
        let reach = limit.min(self.slots.len() - 2) as u64;
        let begin = from.max(head.saturating_sub(reach)).min(head);
        let before = out.len();
        out.extend((begin..head).map(|index| self.slot(index).load()));
        fence(Acquire);
        // The writer may be at work on the slots of the numbers `now` and
        // `now + 1`, which are also those of one turn before.
        let now = self.head.load(Relaxed);
        let sound = (now + 2).saturating_sub(self.slots.len() as u64).clamp(begin, head);
        out.drain(before..before + (sound - begin) as usize);
        sound
    }

    /// What the thread is doing: its open acquisition, all zero while it is
    /// outside, and the number that it will have.
    pub(super) fn open(&self) -> (u64, Record) {
        loop {
            let head = self.head.load(Acquire);
            let record = self.slot(head).load();
            fence(Acquire);
            if self.head.load(Relaxed) == head {
                return (head, record);
            }
        }
    }
}

/// Where a thread is in its ring, kept at hand over many records. Nobody else writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'r> {
    ring: &'r Ring,
    slots: &'r [Slot],
    head: u64,
}

impl<'r> Place<'r> {
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    fn slot(&self, index: u64) -> &'r Slot {
        self.slots.get(index as usize & (self.slots.len() - 1)).unwrap_or(&self.ring.aside)
    }

    /// The open slot.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn open(&self) -> &'r Slot {
        self.slot(self.head)
    }

    /// As [`Ring::complete`], and the thread asks for the lock again at `wanted`, in the
    /// same way; 0 where it does not yet.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn complete(&mut self, wanted: u64) {
        self.head += 1;
        let next = self.open();
        next.begin(wanted);
        self.ring.head.store(self.head, Release);
        fence(Release);
        fetch_ahead(self.slot(self.head + AHEAD));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn write(ring: &Ring, number: u64) {
        let slot = ring.next();
        slot.want(number * 10 + 1, false);
        slot.get(number * 10 + 2);
        slot.release(number * 10 + 3);
        ring.complete();
    }

    #[test]
    fn what_was_overwritten_is_known() {
        let ring = Ring::for_one_of(256);
        assert_eq!(ring.slots.len(), SMALLEST);
        (0..100).for_each(|n| write(&ring, n));
        let mut out = Vec::new();
        assert_eq!(ring.read(0, usize::MAX, &mut out), 0);
        assert_eq!(out.len(), 100);
        assert_eq!(out[99], Record { wanted: 991, got: 992, released: 993, shared: false });
        (100..500).for_each(|n| write(&ring, n));
        out.clear();
        let first = ring.read(100, usize::MAX, &mut out);
        assert_eq!(first, 500 - (SMALLEST as u64 - 2), "two slots are always the writer's");
        assert_eq!(out[0].wanted, first * 10 + 1);
        out.clear();
        assert_eq!(ring.read(100, 3, &mut out), 497);
        assert_eq!(out.len(), 3);
        assert_eq!(ring.completed(), 500);
    }

    #[test]
    fn the_open_acquisition_is_seen_in_each_of_its_states() {
        let ring = Ring::for_one_of(1);
        write(&ring, 0);
        assert_eq!(ring.open(), (1, Record::default()));
        ring.next().want(7, false);
        assert_eq!(ring.open(), (1, Record { wanted: 7, ..Record::default() }));
        ring.next().get(8);
        assert_eq!(ring.open(), (1, Record { wanted: 7, got: 8, ..Record::default() }));
        ring.abandon();
        assert_eq!(ring.open(), (1, Record::default()));
        assert_eq!(ring.completed(), 1);
    }

    #[test]
    fn a_reader_never_sees_a_record_of_two_halves() {
        let ring = Arc::new(Ring::for_one_of(256));
        let stop = Arc::new(AtomicBool::new(false));
        let writer = {
            let (ring, stop) = (ring.clone(), stop.clone());
            std::thread::spawn(move || {
                let mut number = 0;
                while !stop.load(Relaxed) {
                    write(&ring, number);
                    number += 1;
                }
                number
            })
        };
        let (mut from, mut read, mut lost) = (0, 0, 0);
        let mut out = Vec::new();
        while read < 100_000 {
            out.clear();
            let first = ring.read(from, usize::MAX, &mut out);
            for (number, record) in (first..).zip(&out) {
                assert_eq!([record.wanted, record.got, record.released], [1, 2, 3].map(|n| number * 10 + n));
            }
            lost += first - from;
            read += out.len() as u64;
            from = first + out.len() as u64;
            let (_, open) = ring.open();
            assert!(open.got == 0 || open.got == open.wanted + 1, "{open:?}");
        }
        stop.store(true, Relaxed);
        let written = writer.join().unwrap();
        assert!(written >= read + lost);
    }
}
