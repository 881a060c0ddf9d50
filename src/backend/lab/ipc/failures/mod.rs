//! What happens when something goes wrong: small experiments, each with real
//! processes or real channels, each of which ends in a plain statement.
//!
//! An experiment is a function and one line in [`FAILURES`].

mod broken;
mod full;
mod helper;
mod lab;
mod memory;
mod records;

use std::io;

pub use self::helper::Job;
pub use self::lab::FailureLab;
use super::link::{Ended, GoOn};
use crate::model::Fault;
use crate::model::finding::{Finding, Observation};

/// All experiments, in the order they are shown.
pub const FAILURES: &[Failure] = &[
    Failure { key: "kill-reader", title: "the reader is killed", run: broken::kill_reader },
    Failure { key: "kill-writer", title: "the writer is killed", run: broken::kill_writer },
    Failure { key: "slow-reader", title: "the reader stops reading for a while", run: broken::slow_reader },
    Failure { key: "full-queue", title: "nobody reads, and the writer may not wait", run: full::full_queue },
    Failure { key: "too-large", title: "a message is larger than the limit", run: full::too_large },
    Failure { key: "datagram-loss", title: "datagrams come faster than they are read", run: full::datagram_loss },
    Failure { key: "torn-records", title: "several writers share a pipe", run: records::torn_records },
    Failure { key: "dead-holder", title: "who holds a robust mutex dies", run: memory::dead_holder },
    Failure { key: "torn-reads", title: "shared memory is read without synchronisation", run: memory::torn_reads },
    Failure { key: "outlived", title: "a segment and a file outlive who made them", run: memory::outlived },
];

/// Finds an experiment by its key.
pub fn failure(key: &str) -> Option<&'static Failure> {
    FAILURES.iter().find(|failure| failure.key == key)
}

/// An experiment.
#[derive(Debug)]
pub struct Failure {
    /// Its name on the command line and in JSON.
    pub key: &'static str,
    /// What goes wrong.
    pub title: &'static str,
    run: fn(GoOn<'_>) -> Result<Finding, Fault>,
}

impl Failure {
    /// Does it; it takes a second or two. `go_on` is asked now and then.
    ///
    /// # Errors
    /// A fault where it could not be done, or was stopped.
    pub fn run(&self, go_on: &mut dyn FnMut() -> bool) -> Result<Finding, Fault> {
        (self.run)(go_on)
    }
}

/// What is seen, one thing after the other, and whether it is as documented.
#[derive(Debug)]
struct Notes {
    observed: Vec<Observation>,
}

impl Notes {
    fn new() -> Self {
        Notes { observed: Vec::new() }
    }

    fn add(&mut self, observed: impl Into<String>, as_documented: bool) {
        self.observed.push(Observation { text: observed.into(), as_documented: Some(as_documented), chain: None });
    }

    fn end(self, statement: &'static str) -> Finding {
        Finding { observed: self.observed, statement: statement.into() }
    }
}

/// A call that should have worked.
fn fault(what: &'static str) -> impl Fn(io::Error) -> Fault {
    move |error| Fault::new("experiment", format!("{what}: {error}"))
}

fn ended(ended: Ended) -> Fault {
    match ended {
        Ended::Failed(fault) => fault,
        Ended::Stopped => Fault::new("experiment", "stopped"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_experiment_shows_what_the_manual_says() {
        for failure in FAILURES {
            let finding = failure.run(&mut || true).unwrap();
            assert!(finding.as_documented() == Some(true), "{}: {finding:#?}", failure.key);
            assert!(!finding.observed.is_empty() && finding.statement.ends_with('.'), "{}", failure.key);
        }
    }

    #[test]
    fn keys_are_unique_and_found() {
        for known in FAILURES {
            assert_eq!(failure(known.key).unwrap().title, known.title);
        }
        assert!(failure("no-such").is_none());
    }
}
