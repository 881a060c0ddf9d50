//! The litmus lab.

pub mod ast;
pub mod axiom;
pub mod candidates;
pub mod check;
pub mod execution;
pub mod harness;
pub mod jit;
pub mod models;
pub mod parse;
pub mod path;
pub mod relation;

use std::sync::Arc;

use std::io;
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

use super::worker::Boss;
use super::{Lab, Session};
use crate::backend::Update;
use crate::model::lab::LabState;
use crate::model::litmus::{LitmusProgress, LitmusSpec};
use crate::model::{Fault, Stamped};

/// The lab.
#[derive(Debug)]
pub struct LitmusLab;

impl Lab for LitmusLab {
    type Spec = LitmusSpec;
    type Progress = LitmusProgress;

    const NAME: &'static str = "litmus";

    fn update(progress: Arc<Stamped<LitmusProgress>>) -> Update {
        Update::Litmus(progress)
    }

    fn run(_spec: LitmusSpec, session: &mut Session<Self>) -> Result<(), Fault> {
        session.publish(Self::idle());
        Ok(())
    }

    fn failed(fault: Fault) -> LitmusProgress {
        LitmusProgress { state: LabState::Failed(fault), ..LitmusProgress::default() }
    }

    fn idle() -> LitmusProgress {
        LitmusProgress::default()
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
