//! Several locks: which of them a thread takes, in which order, and what comes
//! of it.

use serde::{Deserialize, Serialize};

/// Each thread takes `take` of `locks` locks, holds them all, and lets them go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Several {
    /// How many locks there are.
    pub locks: usize,
    /// How many of them a thread takes.
    pub take: usize,
    /// In which order.
    pub order: Order,
}

/// The order in which a thread takes its locks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Any of the locks, the lower number first: no circle can close.
    #[default]
    Ascending,
    /// Thread i takes lock i and those after it, round and round: the dining
    /// philosophers, each with the fork on the left first.
    Rotating,
    /// Any of the locks in any order.
    Random,
}

impl Order {
    /// All of them.
    pub const ALL: [Order; 3] = [Order::Ascending, Order::Rotating, Order::Random];

    /// Its name: `random`.
    pub fn name(self) -> &'static str {
        match self {
            Order::Ascending => "ascending",
            Order::Rotating => "rotating",
            Order::Random => "random",
        }
    }
}

/// What was seen of the order in which locks are taken.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockOrder {
    /// How many different pairs of locks were taken one while holding the other.
    pub pairs: u64,
    /// Locks that were taken in a circle: a deadlock is possible, whether or not
    /// it ever comes.
    pub inversion: Option<Inversion>,
    /// Threads that wait in a circle.
    pub deadlock: Option<Deadlocked>,
}

/// Locks that were taken in a circle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inversion {
    /// The pairs, each of which begins with the lock that the one before took;
    /// the first follows the last.
    pub circle: Vec<Taken>,
    /// It was seen while the threads took their locks one thread at a time,
    /// before any of them contended.
    pub rehearsed: bool,
}

/// A thread took a lock while it held another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The lock that it held.
    pub held: usize,
    /// The lock that it took.
    pub taken: usize,
    /// The first thread that did so.
    pub thread: usize,
}

impl Inversion {
    /// In words: `L0 → L2 → L0: t1 took L2 holding L0, t3 took L0 holding L2`.
    pub fn words(&self) -> String {
        let around: Vec<String> = self.circle.iter().map(|step| format!("L{}", step.held)).collect();
        let steps: Vec<String> = self
            .circle
            .iter()
            .map(|Taken { held, taken, thread }| format!("t{thread} took L{taken} holding L{held}"))
            .collect();
        let first = self.circle.first().map_or(0, |step| step.held);
        format!("{} → L{first}: {}", around.join(" → "), steps.join(", "))
    }
}

/// Threads that wait in a circle, and will for ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlocked {
    /// The threads of the circle, each waiting for the next, the last for the
    /// first.
    pub circle: Vec<Stuck>,
    /// Those that wait for one of them, directly or not.
    pub behind: Vec<Stuck>,
    /// What the wait chains of the process say from outside, a line a thread;
    /// empty until it was asked.
    pub chain: Vec<String>,
}

/// A thread that waits for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stuck {
    /// The thread.
    pub thread: usize,
    /// The lock that it wants.
    pub wants: usize,
    /// The thread that holds it.
    pub holder: usize,
}

impl Deadlocked {
    /// In words: `t0 wants L1, held by t2; t2 wants L0, held by t0; 1 more behind`.
    pub fn words(&self) -> String {
        let step = |stuck: &Stuck| format!("t{} wants L{}, held by t{}", stuck.thread, stuck.wants, stuck.holder);
        let circle = self.circle.iter().map(step).collect::<Vec<_>>().join("; ");
        match self.behind.len() {
            0 => circle,
            more => format!("{circle}; {more} more behind"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_told_in_words() {
        let taken = |held, taken, thread| Taken { held, taken, thread };
        let inversion = Inversion { circle: vec![taken(0, 2, 1), taken(2, 0, 3)], rehearsed: true };
        assert_eq!(inversion.words(), "L0 → L2 → L0: t1 took L2 holding L0, t3 took L0 holding L2");
        let stuck = |thread, wants, holder| Stuck { thread, wants, holder };
        let circle = vec![stuck(0, 1, 2), stuck(2, 0, 0)];
        let deadlock = Deadlocked { circle, behind: vec![stuck(1, 0, 0)], chain: Vec::new() };
        assert_eq!(deadlock.words(), "t0 wants L1, held by t2; t2 wants L0, held by t0; 1 more behind");
    }
}
