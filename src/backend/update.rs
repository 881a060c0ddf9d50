//! What goes in and comes out: [`Command`]s from a face, [`Update`]s to it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::channel::{FailureProgress, IpcProgress, IpcSpec};
use crate::model::child::{ChildId, ChildSpec, Children};
use crate::model::contention::Observation;
use crate::model::detail::ProcessDetail;
use crate::model::finding::Finding;
use crate::model::graph::WaitGraph;
use crate::model::lab::LabCommand;
use crate::model::life::Target;
use crate::model::litmus::{LitmusProgress, LitmusSpec, SavedTest};
use crate::model::lock::{LockProgress, LockSpec};
use crate::model::process::ProcessTable;
use crate::model::system::SystemSample;
use crate::model::{Fault, Nanos, Pid, Stamped};

/// What the screen shows: nobody samples what nobody sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "a set of independent topics")]
pub struct Topics {
    /// The system bar.
    pub system: bool,
    /// The process table.
    pub processes: bool,
    /// All threads of all processes in it.
    pub threads: bool,
    /// What each of them waits for.
    pub waits: bool,
    /// Who waits for whom, and the deadlocks; takes the threads and their waits.
    pub graph: bool,
    /// Context switches of each.
    pub switches: bool,
    /// I/O of each.
    pub io: bool,
    /// One process in depth.
    pub detail: Option<Pid>,
    /// The contention of one process.
    pub contention: Option<Pid>,
    /// The child whose log is read.
    pub child: Option<ChildId>,
}

/// What a face asks for.
#[derive(Clone, Debug)]
pub enum Command {
    /// What is on the screen from now on.
    Watch(Topics),
    /// How often to sample.
    Refresh(Duration),
    /// Sample now.
    SampleNow,
    /// Send a signal to a process, through a pidfd and only if it is still the
    /// process that started then.
    Signal {
        /// The process.
        pid: Pid,
        /// Its start time as in [`crate::model::process::Process::started`].
        started: Nanos,
        /// The signal's number.
        signal: i32,
    },
    /// Something for the supervisor of children.
    Child(ChildCommand),
    /// Play an experiment with child processes, by its key.
    Experiment(&'static str),
    /// Something for the IPC lab.
    Ipc(LabCommand<IpcSpec>),
    /// An experiment of what goes wrong between processes, by its key.
    Failures(LabCommand<Arc<str>>),
    /// Something for the lock lab.
    Locks(LabCommand<LockSpec>),
    /// Something for the ordering lab.
    Litmus(LabCommand<LitmusSpec>),
    /// Watch the file of a litmus test, or none.
    WatchTest(Option<String>),
}

/// What the supervisor of children can be asked.
#[derive(Clone, Debug)]
pub enum ChildCommand {
    /// Start one.
    Spawn(Box<ChildSpec>),
    /// Send a signal to one.
    Signal {
        /// Which.
        id: ChildId,
        /// The signal's number.
        signal: i32,
        /// To it alone, or to more.
        target: Target,
    },
    /// Ask one to end: SIGTERM, and SIGKILL to whoever is left after `grace`.
    /// It is not started again.
    End {
        /// Which.
        id: ChildId,
        /// It alone, or more.
        target: Target,
        /// How long it may take.
        grace: Nanos,
    },
    /// Write to its standard input.
    Write {
        /// Which.
        id: ChildId,
        /// What.
        bytes: Vec<u8>,
    },
    /// Close its standard input.
    CloseStdin(ChildId),
    /// Start the same command once more.
    Again(ChildId),
    /// Forget one that has ended.
    Forget(ChildId),
    /// Whose log is read: it comes with each picture, those of others when there
    /// is time.
    Read(Option<ChildId>),
}

/// What an experiment has shown, or why it could not be done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Experimented {
    /// Its key.
    pub key: String,
    /// What was found.
    pub found: Result<Finding, Fault>,
}

/// What a face is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Update {
    /// The machine.
    System(Arc<Stamped<SystemSample>>),
    /// The process table.
    Processes(Arc<Stamped<ProcessTable>>),
    /// Who waits for whom in that table.
    Graph(Arc<Stamped<WaitGraph>>),
    /// One process in depth.
    Detail(Arc<Stamped<ProcessDetail>>),
    /// The supervised children.
    Children(Arc<Stamped<Children>>),
    /// The IPC lab.
    Ipc(Arc<Stamped<IpcProgress>>),
    /// What experiments with broken channels have shown.
    Failures(Arc<Stamped<FailureProgress>>),
    /// The lock lab.
    Locks(Arc<Stamped<LockProgress>>),
    /// The ordering lab.
    Litmus(Arc<Stamped<LitmusProgress>>),
    /// The contention of one process.
    Contention(Arc<Stamped<Observation>>),
    /// An experiment with child processes has ended.
    Experiment(Arc<Experimented>),
    /// The file of a litmus test was saved.
    SavedTest(Arc<SavedTest>),
    /// Something was done that is worth a line: `SIGTERM sent to 812 sleep`.
    Done(Arc<str>),
    /// Something could not be done.
    Fault(Fault),
}
