//! When a datum was read and what reading it cost.

use serde::{Deserialize, Serialize};

use super::Nanos;

/// A value with the time it was read, the CPU time that reading it took, and
/// its number in the series.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Stamped<T> {
    /// `CLOCK_MONOTONIC` when the reading was complete.
    pub at: Nanos,
    /// CPU time the reading took, where the reader measures it.
    pub took: Nanos,
    /// Counts readings from 1; a gap means that readings were replaced unread.
    pub seq: u64,
    /// What was read.
    pub value: T,
}
