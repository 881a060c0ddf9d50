//! Plays an experiment of the registries of children and of locks.

use std::sync::Arc;

use parking_lot::Mutex;

use super::outlet::Outlet;
use super::{Experimented, Update, children, lab};
use crate::model::Fault;
use crate::model::finding::Finding;
use crate::sys::thread::start_thread;

/// Plays an experiment on a thread of its own, after those that were asked for
/// before, and publishes what it has shown.
pub(super) fn play(key: &'static str, outlet: &Outlet) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let tell = outlet.clone();
    let run = move || {
        let _turn = ONE_AT_A_TIME.lock();
        let found = found(key);
        tell.publish(Update::Experiment(Arc::new(Experimented { key: key.to_owned(), found })));
    };
    if let Err(error) = start_thread("experiment", Box::new(run)) {
        outlet.fault(Fault::new("experiment", format!("cannot start a thread: {error}")));
    }
}

fn found(key: &str) -> Result<Finding, Fault> {
    if let Some(experiment) = children::experiments::experiment(key) {
        return experiment.run();
    }
    let unknown = || Fault::new("experiment", format!("there is none called {key}"));
    lab::locks::experiments::experiment(key).ok_or_else(unknown)?.run().map(Finding::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_registries_have_an_experiment_of_one_name() {
        for known in lab::locks::experiments::EXPERIMENTS {
            assert!(children::experiments::experiment(known.key).is_none(), "{}", known.key);
        }
    }

    #[test]
    fn those_of_locks_are_played_too() {
        let finding = found("guard-early").unwrap();
        assert_eq!(finding.as_documented(), Some(true), "{finding:#?}");
        assert_eq!(finding.observed.len(), 2, "{finding:#?}");
        assert!(found("no-such").unwrap_err().to_string().contains("no-such"));
    }
}
