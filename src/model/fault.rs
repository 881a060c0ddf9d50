//! What could not be read or done, as data.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A source that failed: shown where its data would have been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The source in the reader's words: `/proc/812/syscall`, `spawn`.
    pub source: Cow<'static, str>,
    /// What was tried and what came back: `permission denied (EACCES)`.
    pub what: Cow<'static, str>,
    /// The way out, if there is one: `run as root`.
    pub hint: Option<Cow<'static, str>>,
}

impl Fault {
    /// A fault without a hint.
    pub fn new(source: impl Into<Cow<'static, str>>, what: impl Into<Cow<'static, str>>) -> Self {
        Fault { source: source.into(), what: what.into(), hint: None }
    }

    /// Adds the way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.source, self.what)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Fault {}
