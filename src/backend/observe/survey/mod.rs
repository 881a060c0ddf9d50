//! What threads wait for, read at one time, followed to whoever must act, and
//! confirmed where the answer is "never".
//!
//! ```text
//! asked for ─► all threads of each ─► their waits ─► the processes of the holders ─► …
//!                                                       │ nobody new
//!                                              who may never go on?
//!                                                       │ those only
//!                                  every fact once more; has any of them run meanwhile?
//! ```
//!
//! All first readings lie before all second ones. A thread that was not put on
//! a CPU between its two readings, and of which both say the same, was blocked
//! in that wait at the moment between; if that holds for all threads of a loop,
//! the loop stood at that moment, and nobody in it has been able to act since.

mod alongside;
mod answer;
mod confirm;
mod doubt;
mod infer;
mod patient;
mod read;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::Path as FilePath;
use std::sync::Arc;

use rustix::io::Errno;

pub use self::patient::Patient;
use self::read::Seen;
use super::privilege::explain;
use super::progress::{Abandoned, Progress};
use super::source::Source;
use crate::model::graph::{ThreadId, Unreadable, WaitGraph};
use crate::model::sorting;
use crate::model::{Nanos, Pid};
use crate::sys::clock;
use crate::sys::procroot::ProcRoot;

/// Opens a proc file system, to ask [`Surveyor::why`] and [`Surveyor::deadlocks`].
///
/// # Errors
/// Where it cannot be opened.
pub fn open(root: &FilePath) -> Result<Surveyor, Errno> {
    Ok(Surveyor::new(Source::new(Arc::new(ProcRoot::open(root)?))))
}

/// Reads waits and follows them.
#[derive(Debug)]
pub struct Surveyor {
    source: Source,
    threads: BTreeMap<ThreadId, Seen>,
    processes: BTreeSet<Pid>,
    unreadable: Vec<Unreadable>,
    /// Where it says what it reads, for whoever looks after a reading that
    /// hangs.
    progress: Arc<Progress>,
    /// Whether there is such a one: the dashboard, whose table knows since when threads wait.
    watched: bool,
    abandoned: Option<Abandoned>,
    /// Processes that are not read, since that would hang.
    hanging: Vec<Pid>,
    /// This process, where another of its threads waits for the answer: it is at work.
    own: Option<Pid>,
    began: Nanos,
}

impl Surveyor {
    /// One that reads from `source`.
    pub fn new(source: Source) -> Self {
        Surveyor {
            source,
            threads: BTreeMap::new(),
            processes: BTreeSet::new(),
            unreadable: Vec::new(),
            progress: Arc::default(),
            watched: false,
            hanging: Vec::new(),
            own: None,
            abandoned: None,
            began: Nanos::ZERO,
        }
    }

    /// As [`Surveyor::why`], by a thread that is looked after.
    ///
    /// # Errors
    /// [`Abandoned`] where a reading hung so long that another thread has taken
    /// over.
    pub fn why_watched(&mut self, pids: &[Pid], progress: &Arc<Progress>) -> Result<WaitGraph, Abandoned> {
        self.progress.clone_from(progress);
        self.watched = true;
        let graph = self.why(pids);
        self.abandoned.map_or(Ok(graph), Err)
    }

    /// The threads of these processes, and every other thread on a chain from
    /// them. A number may also be that of a thread.
    pub fn why(&mut self, pids: &[Pid]) -> WaitGraph {
        let began = self.begin();
        let mut asked = BTreeSet::new();
        for &pid in pids {
            match process_of(&self.source, pid) {
                Ok(process) => drop(asked.insert(process)),
                Err(error) => self.unreadable.push(Unreadable { pid, why: absent(error) }),
            }
        }
        self.follow(asked.iter().copied().collect());
        self.infer();
        let analysis = self.analyse(true);
        let wanted = self.on_chains(|id| asked.contains(&id.pid));
        self.graph(&analysis, &wanted, (false, began))
    }

    /// Every thread of the machine that can never go on.
    ///
    /// # Errors
    /// Where the processes cannot be listed.
    pub fn deadlocks(&mut self) -> Result<WaitGraph, Errno> {
        let began = self.begin();
        let mut pids = Vec::new();
        self.source.list_processes(&mut pids)?;
        self.follow(pids);
        self.infer();
        // Who has ended holds nothing, and nothing of it is missing.
        self.unreadable.retain(|process| process.why != ENDED && process.why != NEVER);
        let analysis = self.analyse(false);
        let stuck = self.threads.keys().zip(&analysis.verdicts).filter(|(_, verdict)| verdict.is_for_ever());
        let wanted = sorting::set(stuck.map(|(id, _)| *id));
        Ok(self.graph(&analysis, &wanted, (true, began)))
    }

    fn begin(&mut self) -> Nanos {
        self.threads.clear();
        self.processes.clear();
        self.unreadable.clear();
        self.source.world.precise(true);
        self.source.world.thorough(false);
        self.source.world.vouch();
        self.source.world.begin_scan();
        self.began = clock::monotonic();
        self.began
    }

    /// Says that a reading is over that might have hung.
    fn leave(&mut self) {
        self.abandoned = self.progress.leave().err();
    }

    /// Reads these processes, and those of whoever their threads wait for.
    fn follow(&mut self, mut queue: Vec<Pid>) {
        while let Some(pid) = queue.pop().filter(|_| self.abandoned.is_none()) {
            if !self.processes.insert(pid) {
                continue;
            }
            if self.hanging.contains(&pid) {
                self.unreadable.push(Unreadable { pid, why: HANGS.to_owned() });
                continue;
            }
            self.progress.enter(pid);
            let read = self.read_process(pid);
            self.leave();
            if let Err(error) = read {
                self.unreadable.push(Unreadable { pid, why: absent(error) });
                continue;
            }
            let waits = self.threads.range(all_of(pid)).filter_map(|(_, seen)| seen.wait.as_ref());
            let holders = waits.clone().flat_map(|wait| &wait.holders).map(|holder| holder.pid);
            let others = waits.flat_map(|wait| &wait.besides).copied();
            queue.extend(holders.chain(others).filter(|pid| !self.processes.contains(pid)));
        }
    }
}

/// The threads of a process, by id.
fn all_of(pid: Pid) -> RangeInclusive<ThreadId> {
    ThreadId { pid, tid: 0 }..=ThreadId { pid, tid: Pid::MAX }
}

/// The process that a number stands for: of a process, or of one of its threads.
fn process_of(source: &Source, pid: Pid) -> Result<Pid, Errno> {
    let mut status = Vec::new();
    source.root().read_into(&format!("{pid}/status"), &mut status)?;
    let line = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"Tgid:"));
    let number = line.and_then(|line| str::from_utf8(line).ok()?.trim().parse().ok());
    Ok(number.unwrap_or(pid))
}

const HANGS: &str =
    "reading it hangs: whoever holds its memory, mostly a core dump or a dead file server, has to let go";
const NEVER: &str = "there is no such process";
const ENDED: &str = "it has ended while it was read";

fn absent(error: Errno) -> String {
    match error {
        Errno::NOENT => NEVER.to_owned(),
        Errno::SRCH => ENDED.to_owned(),
        error => explain(error),
    }
}
