//! What the experiments share: the runner.
//!
//! A lab is a thread that owns worker processes. It sleeps until a face asks
//! for a run; during the run it talks to its workers (see [`worker`]), looks
//! for commands between their reports, and publishes its progress.

pub mod histogram;
pub mod ipc;
pub mod jobs;
pub mod litmus;
pub mod locks;
pub mod pacing;
pub mod worker;

use std::fmt;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError, unbounded};

use super::outlet::Outlet;
use super::{Command, Update};
use crate::model::lab::LabCommand;
use crate::model::{Fault, Nanos, Stamped};
use crate::sys::clock;
use crate::sys::thread::start_thread;

/// An experiment that runs in workers and is watched from a panel or a
/// subcommand.
pub trait Lab: Sized + Send + 'static {
    /// What can be asked.
    type Spec: Clone + fmt::Debug + Send + 'static;
    /// What can be seen.
    type Progress: Send + Sync + 'static;

    /// The lab's name, for faults and thread names.
    const NAME: &'static str;

    /// What a command asks of this lab; `None` where it is for another thread.
    fn asked(command: Command) -> Option<LabCommand<Self::Spec>>;

    /// Wraps a progress for the face.
    fn update(progress: Arc<Stamped<Self::Progress>>) -> Update;

    /// Runs one experiment until it is done or [`Session::wish`] says stop.
    /// Publishes every state it passes through, the failed one included.
    ///
    /// # Errors
    /// A fault where it could not go on; the runner publishes
    /// [`Lab::failed`] then.
    fn run(spec: Self::Spec, session: &mut Session<Self>) -> Result<(), Fault>;

    /// The progress that shows a failure.
    fn failed(fault: Fault) -> Self::Progress;

    /// The progress that shows that nothing runs.
    fn idle() -> Self::Progress;
}

/// What a running experiment may use.
#[derive(Debug)]
pub struct Session<L: Lab> {
    commands: Receiver<Command>,
    publisher: Publisher,
    stop: bool,
    pending: Option<L::Spec>,
}

#[derive(Debug)]
struct Publisher {
    sink: Sink,
    seq: u64,
}

#[derive(Debug)]
enum Sink {
    Face(Outlet),
    Headless(Sender<Update>),
}

/// What a face wants of an experiment that runs.
#[derive(Clone, Debug, PartialEq)]
pub enum Wish<S> {
    /// Go on.
    GoOn,
    /// Go on with another specification.
    Change(S),
    /// End.
    Stop,
}

impl<L: Lab> Session<L> {
    /// Publishes how the experiment stands.
    pub fn publish(&mut self, progress: L::Progress) {
        self.publisher.publish::<L>(progress);
    }

    /// What the face wants, the latest wish only. Never blocks.
    pub fn wish(&mut self) -> Wish<L::Spec> {
        loop {
            match self.commands.try_recv() {
                Ok(command) => self.take(command),
                Err(TryRecvError::Empty) => break,
                // The face is gone, and with it whoever could ask for more.
                Err(TryRecvError::Disconnected) => {
                    self.stop = true;
                    break;
                }
            }
        }
        if self.stop {
            return Wish::Stop;
        }
        self.pending.take().map_or(Wish::GoOn, Wish::Change)
    }

    /// Sleeps until the face wants something, at most for `timeout`; says what
    /// it wants.
    pub fn wait(&mut self, timeout: Duration) -> Wish<L::Spec> {
        if !self.stop && self.pending.is_none() {
            match self.commands.recv_timeout(timeout) {
                Ok(command) => self.take(command),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
        self.wish()
    }

    fn take(&mut self, command: Command) {
        match L::asked(command) {
            Some(LabCommand::Run(spec)) => (self.stop, self.pending) = (false, Some(spec)),
            Some(LabCommand::Stop) => (self.stop, self.pending) = (true, None),
            None => {}
        }
    }
}

impl Publisher {
    fn publish<L: Lab>(&mut self, progress: L::Progress) {
        self.seq += 1;
        let update =
            L::update(Arc::new(Stamped { at: clock::monotonic(), took: Nanos::ZERO, seq: self.seq, value: progress }));
        match &self.sink {
            Sink::Face(outlet) => outlet.publish(update),
            Sink::Headless(sender) => drop(sender.send(update)),
        }
    }
}

/// A lab's thread, as the backend holds it. Dropping it stops the experiment
/// and waits until its workers are gone.
#[derive(Debug)]
pub struct Handle {
    commands: Option<Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

impl Handle {
    /// Hands the lab a command.
    pub fn send(&self, command: Command) {
        if let Some(commands) = &self.commands {
            let _ = commands.send(command);
        }
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Starts a lab's thread.
pub fn start<L: Lab>(outlet: &Outlet) -> Handle {
    let (commands, inbox) = unbounded();
    let publisher = Publisher { sink: Sink::Face(outlet.clone()), seq: 0 };
    let thread = start_thread(L::NAME, Box::new(move || serve::<L>(inbox, publisher)));
    let thread =
        thread.map_err(|error| outlet.fault(Fault::new(L::NAME, format!("cannot start its thread: {error}")))).ok();
    Handle { commands: Some(commands), thread }
}

/// Runs one experiment on the calling thread, for a subcommand, handing every
/// progress to `each` from another thread's view: through a channel whose
/// receiving end is given.
///
/// # Errors
/// The fault that ended it.
pub fn run_headless<L: Lab>(spec: L::Spec, commands: Receiver<Command>, updates: Sender<Update>) -> Result<(), Fault> {
    let publisher = Publisher { sink: Sink::Headless(updates), seq: 0 };
    let mut session = Session { commands, publisher, stop: false, pending: None };
    L::run(spec, &mut session)
}

fn serve<L: Lab>(commands: Receiver<Command>, publisher: Publisher) {
    let mut session: Session<L> = Session { commands, publisher, stop: false, pending: None };
    loop {
        let Some(spec) = session.pending.take() else {
            let Ok(command) = session.commands.recv() else { return };
            session.take(command);
            continue;
        };
        session.stop = false;
        if let Err(fault) = L::run(spec, &mut session) {
            session.publish(L::failed(fault));
        } else if session.stop {
            session.publish(L::idle());
        }
    }
}
