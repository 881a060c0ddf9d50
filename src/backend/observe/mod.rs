//! Reads other processes.
//!
//! One thread samples ([`sampler`]); it asks every process whether it ran
//! ([`pulse`]) and reads again only who did ([`row`], [`threads`],
//! [`blocked`]). A reading that hangs costs its own row and nothing else
//! ([`progress`]): the thread is left behind and another takes over.

pub mod births;
pub mod blocked;
pub mod chains;
pub mod contention;
pub mod dating;
pub mod detail;
pub mod endpoints;
pub mod faults;
pub mod file_locks;
pub mod graph;
pub mod inet;
mod infer;
pub mod names;
pub mod parse;
pub mod pool;
pub mod privilege;
pub mod progress;
pub mod pulse;
pub mod reconcile;
pub mod rehearsal;
pub mod round;
pub mod row;
pub mod sampler;
pub mod scheduler_clock;
pub mod signal;
pub mod source;
pub mod survey;
pub mod system;
pub mod table;
pub mod target;
pub mod threads;
pub mod unclaimed;
pub mod users;
pub mod wait;

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, unbounded};
use crossbeam_queue::ArrayQueue;

use self::progress::{Progress, Skipped};
use self::sampler::{Numbers, Seat};
use self::table::Published;
use super::outlet::Outlet;
use super::{Command, Options, Topics};
use crate::model::{Fault, Nanos};
use crate::sys::thread::start_thread;

/// A reading of one process that lasts longer hangs.
const PATIENCE: Nanos = Nanos::from_secs(1);

/// The observer's thread, as the backend holds it.
#[derive(Debug)]
pub struct Observer {
    commands: Sender<Command>,
    inbox: Receiver<Command>,
    outlet: Outlet,
    options: Options,
    watched: Topics,
    latest: Arc<ArrayQueue<Published>>,
    numbers: Arc<Numbers>,
    progress: Arc<Progress>,
    skipped: Vec<Skipped>,
    /// Whether the thread's end has been reported.
    reported: bool,
}

impl Observer {
    /// Starts the thread.
    pub fn start(options: &Options, outlet: Outlet) -> Self {
        let (commands, inbox) = unbounded();
        let mut observer = Observer {
            commands,
            inbox,
            outlet,
            options: options.clone(),
            watched: Topics::default(),
            latest: Arc::new(ArrayQueue::new(1)),
            numbers: Arc::default(),
            progress: Arc::default(),
            skipped: Vec::new(),
            reported: false,
        };
        observer.seat_a_sampler();
        observer
    }

    /// Hands it a command.
    pub fn send(&mut self, command: Command) {
        match &command {
            Command::Watch(topics) => self.watched = *topics,
            Command::Refresh(refresh) => self.options.refresh = *refresh,
            _ => {}
        }
        let _ = self.commands.send(command);
    }

    /// Replaces a sampler whose reading hangs; called at every poll.
    pub fn look_after(&mut self) {
        if let Some((pid, since)) = self.progress.hung(PATIENCE) {
            let hanging = std::mem::take(&mut self.progress);
            self.skipped.retain(|skipped| !skipped.progress.ended());
            self.skipped.push(Skipped { pid, since, progress: hanging });
            self.seat_a_sampler();
        } else if self.progress.ended() && !self.reported {
            self.reported = true;
            let fault = Fault::new("the sampler", "its thread has ended: what is shown does not change any more");
            self.outlet.fault(fault.hint("start the program again"));
        }
    }

    fn seat_a_sampler(&mut self) {
        let seat = Seat {
            options: self.options.clone(),
            watched: self.watched,
            inbox: self.inbox.clone(),
            outlet: self.outlet.clone(),
            latest: self.latest.clone(),
            numbers: self.numbers.clone(),
            progress: self.progress.clone(),
            skipped: self.skipped.clone(),
        };
        if let Err(error) = start_thread("sampler", Box::new(move || seat.run())) {
            self.reported = true;
            self.outlet.fault(Fault::new("the sampler", format!("cannot start its thread: {error}")));
        }
    }
}
