//! The sampler's thread: it takes commands, samples what is watched each
//! `refresh`, and publishes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use crossbeam_queue::ArrayQueue;

use super::chains::Chains;
use super::privilege::explain;
use super::progress::{Abandoned, EndMark, Progress, Skipped};
use super::source::Source;
use super::survey::Surveyor;
use super::system::SystemSampler;
use super::table::{Published, Table};
use super::{detail, signal};
use crate::backend::outlet::Outlet;
use crate::backend::{Command, Options, Topics, Update};
use crate::model::process::ProcessTable;
use crate::model::{Fault, Nanos, Pid, Stamped};
use crate::sys::clock;
use crate::sys::procroot::ProcRoot;

/// The shortest interval between two samplings.
const SHORTEST_REFRESH: Duration = Duration::from_millis(50);

/// The numbers of the last samples, which go on when a thread takes over.
#[derive(Debug, Default)]
pub struct Numbers {
    system: AtomicU64,
    graph: AtomicU64,
    detail: AtomicU64,
}

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
    /// How many samples of the other kinds there have been.
    pub numbers: Arc<Numbers>,
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
        let sampler = Sampler { seat: self, table, chains: Chains::default(), system: None, last: None };
        // Replaced: whoever replaced this thread goes on.
        let _: Result<(), Abandoned> = sampler.run();
    }
}

struct Sampler {
    seat: Seat,
    table: Table,
    chains: Chains,
    /// Made when the machine is watched first: it costs a while.
    system: Option<SystemSampler>,
    /// The last table, in which details look up names.
    last: Option<Published>,
}

impl Sampler {
    fn run(mut self) -> Result<(), Abandoned> {
        let mut due = Instant::now();
        loop {
            let command = if self.watches_something() {
                self.seat.inbox.recv_deadline(due)
            } else {
                self.seat.inbox.recv().map_err(|_| RecvTimeoutError::Disconnected)
            };
            let now = match command {
                Ok(command) => self.obey(&command)?,
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
    fn obey(&mut self, command: &Command) -> Result<bool, Abandoned> {
        Ok(match command {
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
            Command::Signal { pid, started, signal } => {
                self.signal(*pid, *started, *signal)?;
                true
            }
            // The others are not the observer's.
            _ => false,
        })
    }

    fn signal(&mut self, pid: Pid, started: Nanos, signal: i32) -> Result<(), Abandoned> {
        self.seat.progress.enter(pid);
        let sent = signal::send(self.table.source().root(), pid, started, signal);
        self.seat.progress.leave()?;
        match sent {
            Ok(done) => self.seat.outlet.publish(Update::Done(done)),
            Err(fault) => self.seat.outlet.fault(fault),
        }
        Ok(())
    }

    fn sample(&mut self) -> Result<(), Abandoned> {
        self.seat.skipped.retain(|skipped| !skipped.progress.ended());
        let mut watched = self.seat.watched;
        if watched.graph {
            (watched.processes, watched.threads, watched.waits) = (true, true, true);
        }
        let mut system_due = watched.system;
        if watched.processes || watched.threads || watched.waits || watched.switches || watched.io {
            let Seat { outlet, latest, progress, skipped, numbers, .. } = &self.seat;
            let root = self.table.source().root().clone();
            let (last, system) = (&mut self.last, &mut self.system);
            self.table.refresh(watched, skipped, progress, |table| {
                drop(latest.force_push(table.clone()));
                *last = Some(table.clone());
                outlet.publish(Update::Processes(table));
                // Directly behind the table, so that a face draws both in one frame.
                if std::mem::take(&mut system_due) {
                    sample_system(system, &root, numbers, outlet);
                }
            })?;
        }
        if watched.graph {
            self.sample_graph()?;
        }
        if system_due {
            let root = self.table.source().root().clone();
            sample_system(&mut self.system, &root, &self.seat.numbers, &self.seat.outlet);
        }
        match watched.detail {
            Some(pid) if !self.seat.skipped.iter().any(|skipped| skipped.pid == pid) => self.sample_detail(pid),
            _ => Ok(()),
        }
    }

    fn sample_graph(&mut self) -> Result<(), Abandoned> {
        let Some(table) = &self.last else { return Ok(()) };
        let began = clock::thread_cpu();
        let root = self.table.source().root().clone();
        let open = || Surveyor::new(Source::new(root));
        let graph = self.chains.update(table, open, &self.seat.progress)?;
        self.seat.outlet.publish(Update::Graph(stamp(graph, began, &self.seat.numbers.graph)));
        Ok(())
    }

    fn sample_detail(&mut self, pid: Pid) -> Result<(), Abandoned> {
        let began = clock::thread_cpu();
        let none = ProcessTable::default();
        let table = self.last.as_ref().map_or(&none, |last| &last.value);
        self.seat.progress.enter(pid);
        let source = self.table.source();
        let root = source.root().clone();
        let value = detail::read(&root, pid, table, &mut source.users, &mut source.world);
        self.seat.progress.leave()?;
        let stamped = stamp(value, began, &self.seat.numbers.detail);
        self.seat.outlet.publish(Update::Detail(stamped));
        Ok(())
    }
}

fn sample_system(system: &mut Option<SystemSampler>, root: &Arc<ProcRoot>, numbers: &Numbers, outlet: &Outlet) {
    let began = clock::thread_cpu();
    let value = system.get_or_insert_with(|| SystemSampler::new(root.clone())).sample();
    outlet.publish(Update::System(stamp(value, began, &numbers.system)));
}

fn stamp<T>(value: T, began: Nanos, number: &AtomicU64) -> Arc<Stamped<T>> {
    let seq = number.fetch_add(1, Ordering::Relaxed) + 1;
    Arc::new(Stamped { at: clock::monotonic(), took: clock::thread_cpu().since(began), seq, value })
}

/// Whether something is watched now that was not before.
fn gains(before: Topics, now: Topics) -> bool {
    (now.system && !before.system)
        || (now.processes && !before.processes)
        || (now.threads && !before.threads)
        || (now.waits && !before.waits)
        || (now.graph && !before.graph)
        || (now.switches && !before.switches)
        || (now.io && !before.io)
        || (now.detail.is_some() && now.detail != before.detail)
}
