//! What an experiment with a broken channel has shown.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::Fault;

/// What happened in one experiment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was seen, step by step.
    pub observed: Vec<String>,
    /// What happened and why, in a sentence or two.
    pub statement: Arc<str>,
    /// Whether it is what the manual says.
    pub as_documented: bool,
}

/// The experiments that a panel has asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureProgress {
    /// The key of the one that is being done.
    pub running: Option<Arc<str>>,
    /// What those that were done have shown, by key; why, where one could not
    /// be done.
    pub found: Vec<(Arc<str>, Result<Finding, Fault>)>,
}
