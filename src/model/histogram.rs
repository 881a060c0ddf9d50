//! A distribution of durations, summed up for a line of text and for a drawing.

use serde::{Deserialize, Serialize};

use super::Nanos;

/// The figures of a distribution. In JSON `{"count":…,"mean":…,"p50":…,…}`,
/// all in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "percentiles say themselves")]
pub struct Quantiles {
    pub count: u64,
    pub mean: Nanos,
    pub p50: Nanos,
    pub p90: Nanos,
    pub p99: Nanos,
    pub p999: Nanos,
    pub max: Nanos,
}

/// A distribution for drawing: counts over logarithmic buckets.
///
/// Bucket `i` covers `[2^(i/4), 2^((i+1)/4))` nanoseconds: four to an octave,
/// so that 160 buckets reach from 1 ns to 1,100 s.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Distribution {
    /// The figures.
    pub quantiles: Quantiles,
    /// The first bucket that is not empty.
    pub first: u32,
    /// Counts from `first` on, without trailing zeros.
    pub counts: Vec<u64>,
}

/// How many buckets there are to an octave.
pub const PER_OCTAVE: f64 = 4.0;

impl Distribution {
    /// The bucket that a duration falls into.
    pub fn bucket(nanos: Nanos) -> u32 {
        if nanos.0 <= 1 { 0 } else { ((nanos.0 as f64).log2() * PER_OCTAVE) as u32 }
    }

    /// The duration at which a bucket begins.
    pub fn lower(bucket: u32) -> Nanos {
        Nanos((f64::from(bucket) / PER_OCTAVE).exp2().round() as u64)
    }
}
