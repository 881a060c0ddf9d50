//! The work. A face sends [`Command`]s and polls for [`Update`]s; the threads
//! behind know no screen.
//!
//! ```text
//! sampler, supervisor and lab threads ──Update──► face
//!                 ▲                                │
//!                 └────────────Command─────────────┘
//! ```
//!
//! The observer's thread starts with the backend; the supervisor of children
//! and each lab start theirs with the first command for them.

pub mod children;
pub mod janitor;
pub mod lab;
pub mod observe;
pub mod outlet;
mod play;
pub mod program;
pub mod update;

use std::path::PathBuf;
use std::time::Duration;

use crossbeam_channel::Receiver;

use self::lab::ipc::IpcLab;
use self::lab::ipc::failures::FailureLab;
use self::lab::litmus::LitmusLab;
use self::lab::locks::LockLab;
use self::outlet::{Inlet, Outlet, outlet};
pub use self::update::{ChildCommand, Command, Experimented, Topics, Update};
use crate::model::child::ChildId;

/// How to start the backend.
#[derive(Clone, Debug)]
pub struct Options {
    /// The proc file system to observe: `/proc`, or a test's own tree.
    pub proc_root: PathBuf,
    /// How often to sample.
    pub refresh: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Options { proc_root: PathBuf::from("/proc"), refresh: Duration::from_secs(1) }
    }
}

/// The running backend. Dropping it stops the labs and ends the children that
/// were started to end with the program.
#[derive(Debug)]
pub struct Backend {
    inlet: Inlet,
    outlet: Outlet,
    observer: observe::Observer,
    supervisor: Option<children::Supervisor>,
    /// The child whose log the face reads.
    read: Option<ChildId>,
    ipc: Option<lab::Handle>,
    failures: Option<lab::Handle>,
    locks: Option<lab::Handle>,
    litmus: Option<lab::Handle>,
    contention: Option<observe::contention::Watch>,
    test: Option<lab::litmus::watch::FileWatch>,
}

impl Backend {
    /// Starts the observer's thread. It samples nothing until a face says what
    /// it [watches](Command::Watch).
    pub fn start(options: &Options) -> Self {
        let (outlet, inlet) = outlet();
        let observer = observe::Observer::start(options, outlet.clone());
        Backend {
            inlet,
            outlet,
            observer,
            supervisor: None,
            read: None,
            ipc: None,
            failures: None,
            locks: None,
            litmus: None,
            contention: None,
            test: None,
        }
    }

    /// Hands a command to the thread whose matter it is. Never blocks.
    pub fn send(&mut self, command: Command) {
        let outlet = &self.outlet;
        match command {
            Command::Child(command) => {
                self.supervisor.get_or_insert_with(|| children::Supervisor::start(outlet)).send(command);
            }
            Command::Experiment(key) => play::play(key, outlet),
            Command::Ipc(_) => self.ipc.get_or_insert_with(|| lab::start::<IpcLab>(outlet)).send(command),
            Command::Failures(_) => self.failures.get_or_insert_with(|| lab::start::<FailureLab>(outlet)).send(command),
            Command::Locks(_) => self.locks.get_or_insert_with(|| lab::start::<LockLab>(outlet)).send(command),
            Command::Litmus(_) => self.litmus.get_or_insert_with(|| lab::start::<LitmusLab>(outlet)).send(command),
            Command::WatchTest(path) => self.watch_test(path),
            Command::Watch(topics) => {
                let observed = self.contention.as_ref().map(observe::contention::Watch::pid);
                if observed != topics.contention {
                    // The old one ends before a new one begins.
                    self.contention = None;
                    self.contention = topics.contention.map(|pid| observe::contention::Watch::start(pid, outlet));
                }
                if self.read != topics.child {
                    self.read = topics.child;
                    self.supervisor.iter().for_each(|supervisor| supervisor.send(ChildCommand::Read(topics.child)));
                }
                // What the observer has no part in is nothing to wake it for.
                self.observer.send(Command::Watch(Topics { contention: None, child: None, ..topics }));
            }
            command @ (Command::Refresh(_) | Command::SampleNow | Command::Signal { .. }) => {
                self.observer.send(command);
            }
        }
    }

    fn watch_test(&mut self, path: Option<String>) {
        if self.test.as_ref().map(lab::litmus::watch::FileWatch::path) == path.as_deref() {
            return;
        }
        // The old one ends before a new one begins.
        self.test = None;
        let watch = path.map(|path| lab::litmus::watch::FileWatch::start(&path, self.outlet.clone()));
        self.test = watch.and_then(|watch| watch.map_err(|fault| self.outlet.fault(fault)).ok());
    }

    /// Takes everything that is new, and looks after readings that hang.
    pub fn poll(&mut self, each: impl FnMut(Update)) {
        self.observer.look_after();
        self.inlet.drain(each);
    }

    /// Ends the children and hands over what was told last.
    pub fn end(self, each: impl FnMut(Update)) {
        let Backend { supervisor, inlet, .. } = self;
        drop(supervisor);
        inlet.drain(each);
    }

    /// Rings whenever something is new.
    pub fn bell(&self) -> &Receiver<()> {
        self.inlet.bell()
    }
}
