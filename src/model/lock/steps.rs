//! What happens in a wait on a condition variable, step by step.

use serde::{Deserialize, Serialize};

/// The five steps of a wait, `pthread_cond_wait(3)`: `while !predicate { wait }`.
pub const STEPS: [&str; 5] = [
    "holds the mutex, predicate false",
    "lets the mutex go and sleeps, in one",
    "is woken",
    "has the mutex again",
    "looks at the predicate again",
];

/// How threads went through the steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WaitSteps {
    /// How often a thread came to each step. A wait that ends by its timeout
    /// comes from the second to the fourth.
    pub passed: [u64; 5],
    /// The same since the last report, per second.
    pub recent: [f64; 5],
    /// The threads that sleep at this moment.
    pub asleep: Vec<usize>,
    /// How many of them were notified and do not have the mutex back yet.
    pub on_their_way: u64,
    /// Woken, and the predicate was false: back to sleep.
    pub spurious: u64,
    /// Nobody woke them.
    pub timeouts: u64,
    /// Of those, how many had lost a wake-up: the predicate was true, and no
    /// notification on its way.
    pub lost: u64,
}
