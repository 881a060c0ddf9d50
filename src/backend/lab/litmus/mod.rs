//! The ordering lab: litmus tests on this machine, beside what the memory models
//! allow.
//!
//! ```text
//! parse ─► ast ─► path ─► candidates ─► axiom, models ─► check      on paper
//!           └───► jit ─► harness (batched, perpetual)               on the machine
//! library (assets/litmus)   source (as a face shows it)   run, worker (the lab)
//! ```

pub mod ast;
pub mod axiom;
pub mod candidates;
pub mod check;
pub mod condition;
pub mod execution;
pub mod expression;
pub mod harness;
pub mod jit;
pub mod library;
pub mod models;
pub mod parse;
pub mod path;
pub mod relation;
pub mod run;
pub mod source;
pub mod watch;
pub mod worker;

use std::sync::Arc;

pub use self::worker::Job;
use super::{Lab, Session};
use crate::backend::{Command, Update};
use crate::model::lab::{LabCommand, LabState};
use crate::model::litmus::{LitmusProgress, LitmusSpec};
use crate::model::{Fault, Stamped};

/// The lab.
#[derive(Debug)]
pub struct LitmusLab;

impl Lab for LitmusLab {
    type Spec = LitmusSpec;
    type Progress = LitmusProgress;

    const NAME: &'static str = "litmus";

    fn asked(command: Command) -> Option<LabCommand<LitmusSpec>> {
        if let Command::Litmus(asked) = command { Some(asked) } else { None }
    }

    fn update(progress: Arc<Stamped<LitmusProgress>>) -> Update {
        Update::Litmus(progress)
    }

    fn run(spec: LitmusSpec, session: &mut Session<Self>) -> Result<(), Fault> {
        run::run(&spec, session)
    }

    fn failed(fault: Fault) -> LitmusProgress {
        LitmusProgress { state: LabState::Failed(fault), ..LitmusProgress::default() }
    }

    fn idle() -> LitmusProgress {
        LitmusProgress::default()
    }
}
