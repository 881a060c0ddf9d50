//! How the experiments with broken channels stand.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::Fault;
use crate::model::finding::Finding;

/// The experiments that a panel has asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FailureProgress {
    /// The key of the one that is being done.
    pub running: Option<Arc<str>>,
    /// What those that were done have shown, by key; why, where one could not
    /// be done.
    pub found: Vec<(Arc<str>, Result<Finding, Fault>)>,
}
