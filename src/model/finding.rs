//! What an experiment has shown: with child processes, or with a channel that
//! breaks.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::graph::WaitGraph;
use super::{Nanos, Pid};

/// What an experiment has shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What was seen, step by step.
    pub observed: Vec<Observation>,
    /// What happened and why, in a sentence or two.
    pub statement: Arc<str>,
}

impl Finding {
    /// Whether all of it is what the manual says; `None` where a part could not
    /// be seen, and nothing of the rest is otherwise.
    pub fn as_documented(&self) -> Option<bool> {
        let each = || self.observed.iter().map(|seen| seen.as_documented);
        if each().any(|one| one == Some(false)) {
            return Some(false);
        }
        each().all(|one| one == Some(true)).then_some(true)
    }
}

/// Something that was seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// What.
    pub text: String,
    /// Whether it is what the manual says; `None` where it could not be seen.
    pub as_documented: Option<bool>,
    /// What the survey said of who waits for whom, where it was asked.
    pub chain: Option<Chain>,
}

/// What the survey of waits said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Chain {
    /// Of whom it was asked.
    pub asked: Pid,
    /// When, on `CLOCK_MONOTONIC`.
    pub at: Nanos,
    /// What it said.
    pub graph: WaitGraph,
}
