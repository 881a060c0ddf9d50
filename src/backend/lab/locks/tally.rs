//! What a thread counts of its acquisitions. One thread writes; another reads
//! while it does, so everything is an atomic that is only loaded and stored.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};

/// Each octave has `1 << FINE` buckets, so a bucket is 3 % wide.
const FINE: u32 = 5;
/// Beyond 2^OCTAVES ticks (half an hour) everything falls into the last.
const OCTAVES: u32 = 42;
/// How many buckets there are.
pub(super) const BUCKETS: usize = ((OCTAVES - FINE + 1) << FINE) as usize;

/// A histogram of durations in ticks.
#[derive(Debug)]
pub(super) struct Counts(Box<[AtomicU64]>);

impl Counts {
    fn new() -> Self {
        Counts((0..BUCKETS).map(|_| AtomicU64::new(0)).collect())
    }

    #[inline]
    fn record(&self, ticks: u64) {
        add(&self.0[bucket(ticks)], 1);
    }

    /// Adds its counts to `sum`.
    pub(super) fn add_to(&self, sum: &mut [u64]) {
        for (sum, count) in sum.iter_mut().zip(&self.0) {
            *sum += count.load(Relaxed);
        }
    }
}

/// The bucket of a duration: exact below 64 ticks, then by the leading bits.
#[inline]
fn bucket(ticks: u64) -> usize {
    let octave = (ticks | 1).ilog2().max(FINE);
    let index = (u64::from(octave - FINE) << FINE) + (ticks >> (octave - FINE));
    (index as usize).min(BUCKETS - 1)
}

/// The middle of a bucket, in ticks.
pub(super) fn middle(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket >> FINE).saturating_sub(1);
    let lower = (bucket - (shift << FINE)) << shift;
    lower + (1 << shift) / 2
}

#[inline]
fn add(counter: &AtomicU64, n: u64) {
    counter.store(counter.load(Relaxed) + n, Relaxed);
}

/// A primitive has at most so many sentences that are checked lap by lap.
pub(super) const SENTENCES: usize = 3;
/// A primitive counts at most so many things of its own.
pub(super) const OWN: usize = 5;

/// How often a sentence was checked, and what came of it.
#[derive(Debug, Default)]
struct Verdict {
    checked: AtomicU64,
    violations: AtomicU64,
    /// The first thread that this one found itself in conflict with, plus 1.
    other: AtomicU32,
}

/// The counters of one thread.
#[derive(Debug)]
pub(super) struct Tally {
    /// Acquisitions.
    laps: AtomicU64,
    /// For each sentence of the primitive, how it held.
    sentences: [Verdict; SENTENCES],
    /// What the primitive counts besides.
    own: [AtomicU64; OWN],
    /// How often it came to each step of a wait, and whether it sleeps in one.
    steps: [AtomicU64; 5],
    asleep: AtomicBool,
    /// The longest wait in ticks.
    longest: AtomicU64,
    /// How long this thread waited, besides `alone`.
    wait: Counts,
    /// How long it held.
    pub(super) held: Counts,
    /// How often it got the lock right after each thread, besides `alone`.
    after: Box<[AtomicU64]>,
    /// How often it got the lock at once and right after itself.
    alone: AtomicU64,
}

impl Tally {
    /// Counters for one of `threads` threads.
    pub(super) fn for_one_of(threads: usize) -> Self {
        Tally {
            laps: AtomicU64::new(0),
            sentences: Default::default(),
            own: Default::default(),
            steps: Default::default(),
            asleep: AtomicBool::new(false),
            longest: AtomicU64::new(0),
            wait: Counts::new(),
            held: Counts::new(),
            after: (0..threads).map(|_| AtomicU64::new(0)).collect(),
            alone: AtomicU64::new(0),
        }
    }

    /// Memory of the counters in bytes.
    pub(super) fn memory(&self) -> usize {
        size_of::<Self>() + 2 * BUCKETS * size_of::<u64>() + size_of_val(&*self.after)
    }

    /// One acquisition, in ticks; `previous` is who had the lock before, plus
    /// 1, or 0.
    #[inline]
    pub(super) fn record(&self, waited: u64, held: u64, previous: u32) {
        self.held.record(held);
        self.record_wait(waited);
        if previous != 0 {
            self.after_whom(previous);
        }
    }

    /// One hold in ticks, of those that [`Tally::alone`] counts.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "calls would cost as much as a reading of the clock")]
    pub(super) fn record_hold(&self, held: u64) {
        self.held.record(held);
    }

    /// So many acquisitions that waited for nobody and came right after one of the
    /// thread's own.
    pub(super) fn alone(&self, laps: u64) {
        add(&self.alone, laps);
    }

    /// So many acquisitions that came right after one of the thread's own, `me`.
    pub(super) fn after_itself(&self, me: u32, laps: u64) {
        if let Some(counter) = self.after.get(me as usize) {
            add(counter, laps);
        }
    }

    /// It has got a lock right after this thread (plus 1).
    pub(super) fn after_whom(&self, previous: u32) {
        if let Some(counter) = (previous as usize).checked_sub(1).and_then(|thread| self.after.get(thread)) {
            add(counter, 1);
        }
    }

    /// One wait without a hold, in ticks.
    #[inline]
    pub(super) fn record_wait(&self, waited: u64) {
        self.wait.record(waited);
        if waited > self.longest.load(Relaxed) {
            self.longest.store(waited, Relaxed);
        }
    }

    /// So many acquisitions more, and so many checks of the first sentence.
    #[inline(never)]
    pub(super) fn count(&self, laps: u64, checked: u64) {
        add(&self.laps, laps);
        add(&self.sentences[0].checked, checked);
    }

    /// The first sentence did not hold, because of another thread (plus 1).
    #[cold]
    pub(super) fn violated(&self, other: u32) {
        self.failed(0, other);
    }

    /// Another check of a sentence; `other` is 0 where it held, else the thread
    /// (plus 1) because of which it did not.
    #[inline]
    pub(super) fn check(&self, sentence: usize, other: u32) {
        add(&self.sentences[sentence].checked, 1);
        if other != 0 {
            self.failed(sentence, other);
        }
    }

    #[cold]
    fn failed(&self, sentence: usize, other: u32) {
        let verdict = &self.sentences[sentence];
        add(&verdict.violations, 1);
        if verdict.other.load(Relaxed) == 0 {
            verdict.other.store(other, Relaxed);
        }
    }

    /// So many more of what the primitive counts besides.
    #[inline]
    pub(super) fn add_own(&self, which: usize, n: u64) {
        add(&self.own[which], n);
    }

    /// Comes to a step of a wait, the first being 0.
    #[inline]
    pub(super) fn step(&self, step: usize) {
        add(&self.steps[step], 1);
    }

    /// Goes to sleep in a wait, or is back.
    #[inline]
    pub(super) fn sleeps(&self, asleep: bool) {
        self.asleep.store(asleep, Relaxed);
    }

    /// Whether it sleeps in a wait.
    pub(super) fn is_asleep(&self) -> bool {
        self.asleep.load(Relaxed)
    }

    /// How often it came to each step of a wait.
    pub(super) fn steps(&self) -> [u64; 5] {
        std::array::from_fn(|step| self.steps[step].load(Relaxed))
    }

    /// What the primitive counted besides.
    pub(super) fn own(&self, which: usize) -> u64 {
        self.own[which].load(Relaxed)
    }

    /// Acquisitions so far.
    pub(super) fn laps(&self) -> u64 {
        self.laps.load(Relaxed)
    }

    /// How often a sentence was checked, and how often it did not hold.
    pub(super) fn checks(&self, sentence: usize) -> (u64, u64) {
        let verdict = &self.sentences[sentence];
        (verdict.checked.load(Relaxed), verdict.violations.load(Relaxed))
    }

    /// The first thread because of which a sentence did not hold.
    pub(super) fn other(&self, sentence: usize) -> Option<usize> {
        (self.sentences[sentence].other.load(Relaxed) as usize).checked_sub(1)
    }

    /// Adds how long this thread waited, by buckets, to `sum`.
    pub(super) fn add_waits_to(&self, sum: &mut [u64]) {
        self.wait.add_to(sum);
        sum[bucket(0)] += self.alone.load(Relaxed);
    }

    /// The longest wait in ticks.
    pub(super) fn longest(&self) -> u64 {
        self.longest.load(Relaxed)
    }

    /// Forgets the longest wait. A wait that ends at this moment may stay.
    pub(super) fn forget_longest(&self) {
        self.longest.store(0, Relaxed);
    }

    /// How often this thread, `me`, got the lock right after thread `from`.
    pub(super) fn after(&self, from: usize, me: usize) -> u64 {
        let alone = if from == me { self.alone.load(Relaxed) } else { 0 };
        self.after[from].load(Relaxed) + alone
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_duration_falls_within_three_percent_of_its_bucket() {
        for exponent in 0..41 {
            for ticks in [1_u64 << exponent, (1 << exponent) + 1, (3 << exponent) / 2, (1 << (exponent + 1)) - 1] {
                let middle = middle(bucket(ticks));
                assert!(middle.abs_diff(ticks) * 60 <= ticks, "{ticks} fell into a bucket around {middle}");
            }
        }
        assert_eq!(bucket(0), 0);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert!((1..BUCKETS).all(|b| middle(b) > middle(b - 1) && bucket(middle(b)) == b));
    }
}
