//! The sampler's thread: it takes commands, samples what is watched each
//! `refresh`, and publishes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use crossbeam_queue::ArrayQueue;

use super::faults::explain;
use super::progress::{Abandoned, EndMark, Progress, Skipped};
use super::source::Source;
use super::table::{Published, Table};
use crate::backend::outlet::Outlet;
use crate::backend::{Command, Options, Topics, Update};
use crate::model::Fault;
use crate::sys::procroot::ProcRoot;

/// The shortest interval between two samplings.
const SHORTEST_REFRESH: Duration = Duration::from_millis(50);

/// What a sampler thread is started with.
#[derive(Debug)]
pub struct Seat {
    /// Where to read, and how often.
    pub options: Options,
    /// What is watched already.
    pub watched: Topics,
    /// Where commands come from; the next thread takes them from there too.
    pub inbox: Receiver<Command>,
    /// Where updates go.
    pub outlet: Outlet,
    /// The last table, for whoever takes over.
    pub latest: Arc<ArrayQueue<Published>>,
    /// Where this thread says what it reads.
    pub progress: Arc<Progress>,
    /// Processes in which threads before this one still hang.
    pub skipped: Vec<Skipped>,
}

impl Seat {
    /// Runs until the face is gone or the thread is replaced.
    pub fn run(self) {
        let root = match ProcRoot::open(&self.options.proc_root) {
            Ok(root) => Arc::new(root),
            Err(error) => {
                let source = self.options.proc_root.display().to_string();
                let fault = Fault::new(source, format!("cannot open the proc file system: {}", explain(error)));
                self.outlet.fault(fault.hint("mount it, or give the directory where it stands"));
                return;
            }
        };
        let _mark = EndMark(self.progress.clone());
        let source = Source::new(root);
        let table = match self.latest.pop() {
            Some(last) => {
                let table = Table::resume(source, &last);
                // If this thread hangs before it has published, another needs it.
                drop(self.latest.force_push(last));
                table
            }
            None => Table::new(source),
        };
        // Replaced: whoever replaced this thread goes on.
        let _: Result<(), Abandoned> = Sampler { seat: self, table }.run();
    }
}

struct Sampler {
    seat: Seat,
    table: Table,
}

impl Sampler {
    fn run(&mut self) -> Result<(), Abandoned> {
        let mut due = Instant::now();
        loop {
            let command = if self.watches_something() {
                self.seat.inbox.recv_deadline(due)
            } else {
                self.seat.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            let now = match command {
                Ok(command) => self.obey(&command),
                Err(RecvTimeoutError::Timeout) => true,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            if now && self.watches_something() {
                let began = Instant::now();
                self.sample()?;
                due = began + self.seat.options.refresh.max(SHORTEST_REFRESH);
            }
        }
    }

    fn watches_something(&self) -> bool {
        self.seat.watched != Topics::default()
    }

    /// Does as told; whether to sample at once.
    fn obey(&mut self, command: &Command) -> bool {
        match command {
            Command::Watch(topics) => {
                let more = gains(self.seat.watched, *topics);
                self.seat.watched = *topics;
                more
            }
            Command::Refresh(refresh) => {
                self.seat.options.refresh = *refresh;
                true
            }
            Command::SampleNow => true,
            // The others are not the observer's.
            _ => false,
        }
    }

    fn sample(&mut self) -> Result<(), Abandoned> {
        self.seat.skipped.retain(|skipped| !skipped.progress.ended());
        let Seat { watched, outlet, latest, progress, skipped, .. } = &self.seat;
        if watched.processes || watched.threads || watched.waits || watched.switches || watched.io {
            self.table.refresh(*watched, skipped, progress, |table| {
                drop(latest.force_push(table.clone()));
                outlet.publish(Update::Processes(table));
            })?;
        }
        Ok(())
    }
}

/// Whether something is watched now that was not before.
fn gains(before: Topics, now: Topics) -> bool {
    (now.system && !before.system)
        || (now.processes && !before.processes)
        || (now.threads && !before.threads)
        || (now.waits && !before.waits)
        || (now.switches && !before.switches)
        || (now.io && !before.io)
        || (now.detail.is_some() && now.detail != before.detail)
}
