//! A recent stretch of time, thread by thread.

use serde::{Deserialize, Serialize};

use crate::model::Nanos;

/// A recent contiguous stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lanes {
    /// How long ago it ended when it was published: nothing, unless nothing
    /// happened lately.
    pub age: Nanos,
    /// How long it is. Shorter than asked for where the rings do not reach
    /// back so far.
    pub span: Nanos,
    /// For each thread its acquisitions in order.
    pub threads: Vec<Vec<Acquisition>>,
}

/// One acquisition in nanoseconds from the beginning of the stretch, cut at
/// its ends: wanting in `wanted..got`, holding in `got..released`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[u64; 4]", into = "[u64; 4]")]
#[expect(missing_docs, reason = "the words of the field")]
pub struct Acquisition {
    pub wanted: u64,
    pub got: u64,
    pub released: u64,
    /// Held together with others: a reader.
    pub shared: bool,
}

impl From<[u64; 3]> for Acquisition {
    fn from([wanted, got, released]: [u64; 3]) -> Self {
        Acquisition { wanted, got, released, shared: false }
    }
}

impl From<[u64; 4]> for Acquisition {
    fn from([wanted, got, released, shared]: [u64; 4]) -> Self {
        Acquisition { wanted, got, released, shared: shared != 0 }
    }
}

impl From<Acquisition> for [u64; 4] {
    fn from(it: Acquisition) -> Self {
        [it.wanted, it.got, it.released, it.shared.into()]
    }
}
