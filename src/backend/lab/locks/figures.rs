//! From the threads' counters to the figures that a person reads.

use super::contend::{Contend, Seat};
use super::tally::{BUCKETS, middle};
use crate::model::Nanos;
use crate::model::histogram::{Distribution, Quantiles};
use crate::model::lock::{Figures, LongestWait, OwnCount, Switches};
use crate::sys::tsc::Scale;

/// All counters at one time.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    laps: Vec<u64>,
    wait: Vec<u64>,
    held: Vec<u64>,
    /// `[from * threads + to]`.
    handoffs: Vec<u64>,
    futex_calls: Option<u64>,
    own: Vec<OwnCount>,
    recorded: u64,
}

impl Snapshot {
    /// Reads them all. Exact where the threads are at rest; while they run the
    /// figures may be off against each other by what happens during the
    /// reading.
    pub(super) fn take(subject: &dyn Contend, seats: &[Seat]) -> Self {
        let threads = seats.len();
        let (mut wait, mut held) = (vec![0; BUCKETS], vec![0; BUCKETS]);
        for seat in seats {
            seat.tally.add_waits_to(&mut wait);
            seat.tally.held.add_to(&mut held);
        }
        Snapshot {
            laps: seats.iter().map(|seat| seat.tally.laps()).collect(),
            wait,
            held,
            handoffs: (0..threads * threads)
                .map(|i| seats[i % threads].tally.after(i / threads, i % threads))
                .collect(),
            futex_calls: subject.futex_calls(),
            own: own(subject, seats),
            recorded: seats.iter().map(|seat| seat.ring.completed()).sum(),
        }
    }

    /// Acquisitions of each thread.
    pub(super) fn laps(&self) -> &[u64] {
        &self.laps
    }

    /// As [`Snapshot::laps`], for keeps.
    pub(super) fn into_laps(self) -> Vec<u64> {
        self.laps
    }

    /// Acquisitions written to the rings since `base`.
    pub(super) fn recorded_since(&self, base: &Snapshot) -> u64 {
        self.recorded - base.recorded
    }

    /// The figures of what happened since `base`, as far as the counters tell.
    /// Hold times and hand-offs are known only where it is `held`.
    pub(super) fn since(&self, base: &Snapshot, measured: Nanos, scale: Scale, traced: bool, held: bool) -> Figures {
        let less = |now: &[u64], then: &[u64]| -> Vec<u64> {
            now.iter().zip(then).map(|(now, then)| now.saturating_sub(*then)).collect()
        };
        let handoffs = less(&self.handoffs, &base.handoffs);
        let durations = |now, then| traced.then(|| distribution(&less(now, then), scale));
        Figures {
            measured,
            per_thread: less(&self.laps, &base.laps),
            recent: Vec::new(),
            repeats: Vec::new(),
            wait: durations(&self.wait, &base.wait),
            held: if held { durations(&self.held, &base.held) } else { None },
            longest: None,
            handoffs: (traced && held).then(|| handoffs.chunks(self.laps.len().max(1)).map(<[u64]>::to_vec).collect()),
            switches: Switches::default(),
            inverted: None,
            futex_calls: self.futex_calls.zip(base.futex_calls).map(|(now, then)| now - then),
            own: self
                .own
                .iter()
                .zip(&base.own)
                .map(|(now, then)| OwnCount { count: now.count - then.count, ..now.clone() })
                .collect(),
        }
    }
}

/// What this kind of primitive counts besides, of all threads together.
fn own(subject: &dyn Contend, seats: &[Seat]) -> Vec<OwnCount> {
    let of = |(index, name): (usize, &&'static str)| {
        OwnCount::new(name, seats.iter().map(|seat| seat.tally.own(index)).sum())
    };
    subject.own_names().iter().enumerate().map(of).chain(subject.own_counts()).collect()
}

/// The longest wait of all threads, waits that are still going on included.
pub(super) fn longest(seats: &[Seat], now: u64, scale: Scale) -> Option<LongestWait> {
    let over = seats.iter().enumerate().map(|(thread, seat)| (seat.tally.longest(), thread, false));
    let open = seats.iter().enumerate().filter_map(|(thread, seat)| {
        let (_, record) = seat.ring.open();
        (record.wanted > 0 && record.got == 0).then(|| (now.saturating_sub(record.wanted), thread, true))
    });
    let (ticks, thread, still) = over.chain(open).max_by_key(|&(ticks, ..)| ticks)?;
    (ticks > 0).then(|| LongestWait { thread, waited: Nanos(scale.nanos(ticks)), still })
}

/// The longest wait that is over.
pub(super) fn longest_completed(seats: &[Seat], scale: Scale) -> Nanos {
    Nanos(scale.nanos(seats.iter().map(|seat| seat.tally.longest()).max().unwrap_or(0)))
}

/// Counts over ticks as a distribution over nanoseconds.
fn distribution(counts: &[u64], scale: Scale) -> Distribution {
    let count: u64 = counts.iter().sum();
    if count == 0 {
        return Distribution::default();
    }
    let filled =
        || counts.iter().enumerate().filter(|&(_, &n)| n > 0).map(|(i, &n)| (Nanos(scale.nanos(middle(i))), n));
    let at = |share: f64| {
        let rank = (share * count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        filled().find(|&(_, n)| {
            seen += n;
            seen >= rank
        })
    };
    let value = |share| at(share).map_or(Nanos::ZERO, |(value, _)| value);
    let sum: f64 = filled().map(|(value, n)| value.0 as f64 * n as f64).sum();
    let mut distribution = Distribution {
        quantiles: Quantiles {
            count,
            mean: Nanos((sum / count as f64).round() as u64),
            p50: value(0.5),
            p90: value(0.9),
            p99: value(0.99),
            p999: value(0.999),
            max: value(1.0),
        },
        first: filled().next().map_or(0, |(value, _)| Distribution::bucket(value)),
        counts: Vec::new(),
    };
    for (value, n) in filled() {
        let index = (Distribution::bucket(value) - distribution.first) as usize;
        if distribution.counts.len() <= index {
            distribution.counts.resize(index + 1, 0);
        }
        distribution.counts[index] += n;
    }
    distribution
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distribution_keeps_every_count_and_its_quantiles_are_near() {
        let mut counts = vec![0; BUCKETS];
        // 900 times about 20 ns, 99 times about 5 µs, once about 1 ms.
        let bucket_of = |ticks: u64| (0..BUCKETS).find(|&b| middle(b) * 65 / 64 >= ticks).unwrap();
        counts[bucket_of(20)] = 900;
        counts[bucket_of(5_000)] = 99;
        counts[bucket_of(1_000_000)] = 1;
        let d = distribution(&counts, Scale::NANOSECONDS);
        let near = |got: Nanos, want: u64| got.0.abs_diff(want) * 20 <= want;
        let q = d.quantiles;
        assert_eq!((q.count, d.counts.iter().sum::<u64>()), (1_000, 1_000));
        assert!(near(q.p50, 20) && near(q.p90, 20) && near(q.p99, 5_000) && near(q.p999, 5_000), "{q:?}");
        assert!(near(q.max, 1_000_000) && near(q.mean, 1_513), "{q:?}");
        assert!(d.counts.first().is_some_and(|&n| n == 900) && d.counts.last().is_some_and(|&n| n == 1));
        assert_eq!(distribution(&vec![0; BUCKETS], Scale::NANOSECONDS), Distribution::default());
    }
}
