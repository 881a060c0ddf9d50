//! The locks lab.

use std::sync::Arc;

use std::io;
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use super::worker::Boss;
use super::{Lab, Session};
use crate::backend::Update;
use crate::model::lab::LabState;
use crate::model::lock::{LockProgress, LockSpec};
use crate::model::{Fault, Stamped};

/// The lab.
#[derive(Debug)]
pub struct LockLab;

impl Lab for LockLab {
    type Spec = LockSpec;
    type Progress = LockProgress;

    const NAME: &'static str = "locks";

    fn update(progress: Arc<Stamped<LockProgress>>) -> Update {
        Update::Locks(progress)
    }

    fn run(_spec: LockSpec, session: &mut Session<Self>) -> Result<(), Fault> {
        session.publish(Self::idle());
        Ok(())
    }

    fn failed(fault: Fault) -> LockProgress {
        LockProgress { state: LabState::Failed(fault), ..LockProgress::default() }
    }

    fn idle() -> LockProgress {
        LockProgress::default()
    }
}

/// What a worker of this lab is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job {}

/// The life of a worker of this lab.
///
/// # Errors
/// Whatever the socket to the lab says.
pub fn work(_job: Job, _boss: Boss, _fds: Vec<OwnedFd>) -> io::Result<()> {
    Ok(())
}
