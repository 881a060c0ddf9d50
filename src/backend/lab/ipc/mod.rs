//! The ipc lab.

use std::sync::Arc;

use std::io;
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use super::worker::Boss;
use super::{Lab, Session};
use crate::backend::Update;
use crate::model::channel::{IpcProgress, IpcSpec};
use crate::model::lab::LabState;
use crate::model::{Fault, Stamped};

/// The lab.
#[derive(Debug)]
pub struct IpcLab;

impl Lab for IpcLab {
    type Spec = IpcSpec;
    type Progress = IpcProgress;

    const NAME: &'static str = "ipc";

    fn update(progress: Arc<Stamped<IpcProgress>>) -> Update {
        Update::Ipc(progress)
    }

    fn run(_spec: IpcSpec, session: &mut Session<Self>) -> Result<(), Fault> {
        session.publish(Self::idle());
        Ok(())
    }

    fn failed(fault: Fault) -> IpcProgress {
        IpcProgress { state: LabState::Failed(fault), ..IpcProgress::default() }
    }

    fn idle() -> IpcProgress {
        IpcProgress::default()
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
