//! A priority inversion, as it was seen.

use serde::{Deserialize, Serialize};

use super::{Diagnosis, Priority};
use crate::model::Nanos;

/// A thread and how urgent it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranked {
    /// Its number.
    pub thread: usize,
    /// As it was asked for.
    pub priority: Priority,
}

/// A thread waits for one that is less urgent, and a third, whose urgency lies
/// between, has the CPU that the holder needs: the waiter waits for the third,
/// which it should come before, for as long as that likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PriorityInversion {
    /// Who waits: the most urgent of the three.
    pub waiter: Ranked,
    /// Who holds the lock: the least urgent.
    pub holder: Ranked,
    /// Who ran in the holder's place.
    pub middle: Ranked,
    /// The CPU.
    pub cpu: u32,
    /// How long the waiter had waited by then.
    pub waited: Nanos,
    /// For so long at least the holder could run and did not.
    pub stalled: Nanos,
    /// At how many looks one was seen, this being the last.
    pub seen: u64,
    /// How often it was looked for.
    pub looks: u64,
}

impl PriorityInversion {
    /// What a person should be told.
    pub(super) fn diagnosis(&self) -> Diagnosis {
        let PriorityInversion { waiter, holder, middle, cpu, waited, stalled, seen, looks } = self;
        let name = |ranked: &Ranked| format!("t{} ({})", ranked.thread, ranked.priority.words());
        Diagnosis {
            name: "priority inversion",
            seen: format!(
                "{} had waited {} for {}, which could run and did not for {} at least: {} had CPU {cpu}; seen at \
                 {seen} of {looks} looks",
                name(waiter),
                waited.precise(),
                name(holder),
                stalled.precise(),
                name(middle),
            ),
        }
    }
}
