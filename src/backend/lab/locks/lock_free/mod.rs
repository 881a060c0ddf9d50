//! Atomic operations, for what they cost beside a lock: nobody waits, nobody
//! holds, and all pay for the cache line.

mod broken;
mod cells;
mod compare_exchange;
mod counters;
mod exchange;
mod race;
mod sharded;

pub(super) use self::broken::{LostUpdate, Torn};
pub(super) use self::cells::{Load, Store, Swap};
pub(super) use self::compare_exchange::{CompareExchange, Weak};
pub(super) use self::counters::{FetchAdd, FetchBits, FetchSub, FetchXor};
pub(super) use self::exchange::{Flag, FlagUnswapped, Pointer};
pub(super) use self::race::Of;
pub(super) use self::sharded::{Padded, Unpadded};

use super::{Info, Sentence};

/// What an operation has found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Done {
    /// The sentence held.
    pub(super) well: bool,
    /// Attempts that failed before.
    pub(super) retries: u64,
    /// What the thread is to remember until its next operation.
    pub(super) memo: u64,
}

/// An operation on shared memory.
pub(super) trait Atomic: Send + Sync + 'static {
    /// What a person reads about it.
    const INFO: Info;

    /// What is checked of it, after each operation.
    const SENTENCE: Sentence;

    /// Whether an attempt may fail.
    const RETRIES: bool = false;

    /// The memory, for so many threads.
    fn of(threads: usize) -> Self;

    /// What thread `me` remembers before its first operation.
    fn first_memo(&self, _me: usize) -> u64 {
        0
    }

    /// Thread `me` does it once more; `memo` is what it has remembered.
    fn operate(&self, me: usize, memo: u64) -> Done;
}

/// Done at once, and well if so.
#[inline]
fn done(well: bool, memo: u64) -> Done {
    Done { well, retries: 0, memo }
}

/// What is checked of counters.
const NO_LOST_UPDATE: Sentence = Sentence {
    name: "no lost update",
    formula: "∀ t,i  oldᵢ₊₁(t) ≥ newᵢ(t)   (the modification order never goes back)",
    how: "each operation, against what the same thread left the time before",
    words: Some(|thread, _| format!("t{thread} found less than it had left: an update was lost")),
};

/// What is checked of values.
const NO_TORN_VALUE: Sentence = Sentence {
    name: "no torn value",
    formula: "∀ r  value(r) ∈ { v : ∃ w  wrote(w) = v }",
    how: "every value that is written repeats one number in both halves; each that is read",
    words: Some(|thread, _| format!("t{thread} read a value of which each half is from another write")),
};

/// What is checked of things that go from hand to hand.
const ONE_OWNER: Sentence = Sentence {
    name: "one owner",
    formula: "∀ t₁,t₂,x,τ  has(t₁,x,τ) ∧ has(t₂,x,τ) ⇒ t₁ = t₂",
    how: "each thread writes its number on what it gets, and finds no other's",
    words: None,
};
