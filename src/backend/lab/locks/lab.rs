//! The lab: one run after the other, as faces wish.

use std::sync::Arc;

use super::supervise::run_worker;
use super::sweep;
use crate::backend::lab::{Lab, Session};
use crate::backend::{Command, Update};
use crate::model::lab::{LabCommand, LabState};
use crate::model::lock::{LockProgress, LockSpec};
use crate::model::{Fault, Stamped};

/// The lab.
#[derive(Debug)]
pub struct LockLab;

impl Lab for LockLab {
    type Spec = LockSpec;
    type Progress = LockProgress;

    const NAME: &'static str = "locks";

    fn asked(command: Command) -> Option<LabCommand<LockSpec>> {
        if let Command::Locks(asked) = command { Some(asked) } else { None }
    }

    fn update(progress: Arc<Stamped<LockProgress>>) -> Update {
        Update::Locks(progress)
    }

    fn run(spec: LockSpec, session: &mut Session<Self>) -> Result<(), Fault> {
        session.publish(LockProgress { state: LabState::Starting, ..LockProgress::default() });
        let mut next = Some(spec);
        while let Some(spec) = next {
            next = match &spec.sweep {
                Some(asked) => sweep::run(&spec, asked, session)?,
                None => run_worker(spec, session, &mut |_| ())?.instead(),
            };
        }
        Ok(())
    }

    fn failed(fault: Fault) -> LockProgress {
        LockProgress { state: LabState::Failed(fault), ..LockProgress::default() }
    }

    fn idle() -> LockProgress {
        LockProgress::default()
    }
}
