//! What is checked while the threads run.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// A property that is checked while the threads run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invariant {
    /// Its name: `mutual exclusion`.
    pub name: Cow<'static, str>,
    /// In the field's notation.
    pub formula: Cow<'static, str>,
    /// How it is checked.
    pub how: Cow<'static, str>,
    /// How many times it was checked.
    pub checked: u64,
    /// How many checks failed.
    pub violations: u64,
}

/// Two threads that did together what they must not: as a rule, hold the lock at
/// one time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// The name of the [`Invariant`].
    pub invariant: Cow<'static, str>,
    /// The two.
    pub holders: [usize; 2],
    /// When each held it, `[got, released]` in nanoseconds from the first
    /// `got`; nothing where it was seen in the data alone.
    pub held: Option<[[u64; 2]; 2]>,
    /// What happened, where it is not that two held it at one time.
    pub words: Option<String>,
}
