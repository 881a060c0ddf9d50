//! The experiments as a panel runs them: one at a time, and what each has shown
//! is kept.

use std::sync::Arc;
use std::time::Duration;

use super::failure;
use crate::backend::lab::{Lab, Session, Wish};
use crate::backend::{Command, Update};
use crate::model::channel::FailureProgress;
use crate::model::lab::LabCommand;
use crate::model::{Fault, Stamped};

/// The lab; what is asked of it is an experiment's key.
#[derive(Debug)]
pub struct FailureLab;

impl Lab for FailureLab {
    type Spec = Arc<str>;
    type Progress = FailureProgress;

    const NAME: &'static str = "failures";

    fn asked(command: Command) -> Option<LabCommand<Arc<str>>> {
        if let Command::Failures(asked) = command { Some(asked) } else { None }
    }

    fn update(progress: Arc<Stamped<FailureProgress>>) -> Update {
        Update::Failures(progress)
    }

    fn run(spec: Arc<str>, session: &mut Session<Self>) -> Result<(), Fault> {
        let mut progress = FailureProgress::default();
        let mut next = Wish::Change(spec);
        loop {
            match next {
                Wish::Stop => return Ok(()),
                Wish::GoOn => next = session.wait(Duration::from_hours(1)),
                Wish::Change(key) => {
                    progress.running = Some(key.clone());
                    session.publish(progress.clone());
                    let mut wish = Wish::GoOn;
                    let found = match failure(&key) {
                        Some(failure) => failure.run(&mut || {
                            match session.wish() {
                                Wish::GoOn => {}
                                latest => wish = latest,
                            }
                            !matches!(wish, Wish::Stop)
                        }),
                        None => Err(Fault::new("experiment", format!("none is called {key}"))),
                    };
                    progress.running = None;
                    progress.found.retain(|(known, _)| *known != key);
                    progress.found.push((key, found));
                    session.publish(progress.clone());
                    next = wish;
                }
            }
        }
    }

    fn failed(_: Fault) -> FailureProgress {
        FailureProgress::default()
    }

    fn idle() -> FailureProgress {
        FailureProgress::default()
    }
}
