//! What a cache line takes from one CPU to the other: two threads that answer
//! each other through two words.
//!
//! ```text
//! CPU a   asks ──store──► [line 1] ──load──► CPU b
//!              ◄──load─── [line 2] ◄─store──
//! ```
//!
//! A virtual machine's CPUs may be moved by their host, from one shared cache
//! to two and back; nothing in the guest tells, but shared memory is several
//! times faster in the one case than in the other. So it is looked at before
//! and after each repetition.

use std::sync::atomic::Ordering::{Acquire, Release};
use std::sync::atomic::{AtomicBool, AtomicU32};
use std::time::Duration;

use super::placement::Seats;
use crate::model::Nanos;
use crate::model::channel::{APART, Spread};
use crate::sys::{affinity, clock};

/// Round trips between two looks at the clock.
const BATCH: u32 = 500;
/// Batches; their median is the answer.
const BATCHES: usize = 21;
/// A machine that does not let both threads run at once gives no answer.
const PATIENCE: Nanos = Nanos::from_millis(100);

#[repr(align(128))]
struct Line(AtomicU32);

/// The one-way time between two CPUs in nanoseconds; none where they could not
/// be had at once.
pub(super) fn core_to_core(a: usize, b: usize) -> Option<f64> {
    let (there, back, stop) = (Line(AtomicU32::new(0)), Line(AtomicU32::new(0)), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let answer = || {
            affinity::bind(&[b]).ok()?;
            let mut seen = 0;
            while !stop.load(Acquire) {
                let now = there.0.load(Acquire);
                if now != seen {
                    seen = now;
                    back.0.store(now, Release);
                }
            }
            Some(())
        };
        let ask = || {
            let measured = affinity::bind(&[a]).ok().and_then(|()| ask(&there, &back));
            stop.store(true, Release);
            measured
        };
        let answering = scope.spawn(answer);
        let asking = scope.spawn(ask).join().ok()?;
        answering.join().ok()??;
        asking
    })
}

fn ask(there: &Line, back: &Line) -> Option<f64> {
    let deadline = clock::monotonic() + PATIENCE;
    let mut batches = Vec::with_capacity(BATCHES);
    let mut number = 0;
    // The first batch waits for the other thread to be there.
    for batch in 0..=BATCHES {
        let start = clock::monotonic();
        for _ in 0..BATCH {
            number += 1;
            there.0.store(number, Release);
            let mut tries = 0_u32;
            while back.0.load(Acquire) != number {
                tries += 1;
                if tries.is_multiple_of(4096) && clock::monotonic() > deadline {
                    return None;
                }
            }
        }
        if batch > 0 {
            batches.push((clock::monotonic() - start).0 as f64 / f64::from(2 * BATCH));
        }
    }
    Spread::of(batches).map(|spread| spread.median)
}

/// The probes of one group of measurements.
#[derive(Clone, Debug, Default)]
pub(super) struct Probes {
    cpus: Option<(usize, usize)>,
    found: Vec<f64>,
}

impl Probes {
    /// Between the two CPUs of these seats; none where there is but one, or
    /// any.
    pub(super) fn between(seats: Option<&Seats>) -> Self {
        let cpus = seats.and_then(|seats| match (&*seats.asker, &*seats.answerer) {
            (&[a], &[b]) if a != b => Some((a, b)),
            _ => None,
        });
        Probes { cpus, found: Vec::new() }
    }

    /// Takes one.
    pub(super) fn probe(&mut self) {
        let Some((a, b)) = self.cpus else { return };
        if let Some(found) = core_to_core(a, b) {
            self.found.push(found);
        }
        // Both threads were awake; the workers find the CPUs as they were.
        std::thread::sleep(Duration::from_millis(1));
    }

    /// What all of them found.
    pub(super) fn spread(&self) -> Option<Spread> {
        Spread::of(self.found.clone())
    }

    /// What to say where the regime changed in between, or where that is not
    /// known.
    pub(super) fn flag(&self) -> Option<String> {
        let Some(Spread { min, max, .. }) = self.spread() else {
            return self.cpus.map(|_| "core to core not known: the CPUs could not be had at once".to_owned());
        };
        (max > min * APART).then(|| format!("regime changed: core to core {min:.0} … {max:.0} ns"))
    }

    /// Whether a flag is one of [`Probes::flag`].
    pub(super) fn made(flag: &str) -> bool {
        flag.contains("core to core")
    }

    /// Keeps the latest of them only.
    pub(super) fn keep(&mut self, most: usize) {
        let old = self.found.len().saturating_sub(most);
        self.found.drain(..old);
    }

    /// Whether there are two CPUs to look at.
    pub(super) fn has_two(&self) -> bool {
        self.cpus.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::Placement;

    #[test]
    fn two_cpus_answer_each_other_and_one_cannot() {
        let cpus = affinity::allowed().unwrap();
        if let [a, b, ..] = *cpus {
            // On a busy machine one of several tries finds both CPUs at once.
            let found = (0..600).find_map(|_| core_to_core(a, b)).unwrap();
            assert!((1.0..100_000.0).contains(&found), "{found}");
        }
        let one = Seats::take(Placement::SameCpu).unwrap();
        let mut probes = Probes::between(Some(&one));
        probes.probe();
        assert_eq!((probes.spread(), probes.flag()), (None, None));
    }

    #[test]
    fn another_regime_is_flagged_and_a_little_noise_is_not() {
        let of = |found: &[f64]| Probes { cpus: None, found: found.to_vec() };
        assert_eq!(of(&[28.0, 31.0, 40.0]).flag(), None);
        assert_eq!(of(&[28.0, 31.0, 120.0]).flag().unwrap(), "regime changed: core to core 28 … 120 ns");
    }
}
