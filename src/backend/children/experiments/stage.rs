//! How an experiment is played: the worker does it and tells what it sees; we
//! look on, ask the survey when the worker says who is about to hang, and end
//! everything below the worker afterwards.
//!
//! ```text
//! worker ── Seen ──────────► us
//!        ── Look { pid } ──► us: survey until it waits as expected
//!        ◄── go on ──────── us, where it can still hear
//!        ── Done ──────────► us
//! ```

use std::io;
use std::os::fd::OwnedFd;
use std::thread::sleep;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Experiment, Job, experiment};
use crate::backend::children::family::{Family, Kinship};
use crate::backend::lab::worker::{self, Boss, Worker};
use crate::backend::observe::survey;
use crate::model::finding::{Chain, Finding, Observation};
use crate::model::graph::{Verdict, WaitGraph};
use crate::model::wait::WaitKind;
use crate::model::{Fault, Nanos, Pid};
use crate::sys::clock;

/// The longest an experiment is silent.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long something may take until it hangs as it should.
const UNTIL_IT_HANGS: Nanos = Nanos::from_secs(10);
/// What could not be told for so long will not be told later.
const STAYS_HIDDEN: Nanos = Nanos::from_secs(2);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// What a worker says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Seen {
        text: String,
        as_documented: bool,
    },
    /// Somebody is about to hang.
    Look {
        pid: Pid,
        text: String,
        expect: Expect,
        /// Whether the worker itself hangs, and hears nothing any more.
        last: bool,
    },
    Done,
}

/// What the survey is expected to say.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Expect {
    /// A deadlock that a thread of the process is part of.
    Deadlock,
    /// A thread of the process can never go on.
    ForEver,
    /// A thread of the process waits for something of this kind.
    Waits(WaitKind),
    /// A thread waits for something of this kind that this process holds.
    HeldBy(WaitKind, Pid),
}

impl Expect {
    fn is_met(&self, graph: &WaitGraph, pid: Pid) -> bool {
        let threads = graph.threads_of(pid);
        match self {
            Expect::Deadlock => threads.iter().any(|thread| graph.deadlock_of(thread.id).is_some()),
            Expect::ForEver => threads.iter().any(|thread| thread.verdict.is_for_ever()),
            Expect::Waits(kind) => {
                threads.iter().any(|thread| thread.wait.as_ref().is_some_and(|wait| wait.kind == *kind))
            }
            Expect::HeldBy(kind, holder) => threads
                .iter()
                .filter_map(|thread| thread.wait.as_ref())
                .any(|wait| wait.kind == *kind && wait.holders.iter().any(|one| one.pid == *holder)),
        }
    }
}

/// The worker's side of an experiment.
#[derive(Debug)]
pub struct Stage {
    boss: Boss,
}

impl Stage {
    /// Something was seen.
    pub(super) fn seen(&mut self, text: impl Into<String>, as_documented: bool) -> io::Result<()> {
        self.boss.tell(&Word::Seen { text: text.into(), as_documented })
    }

    /// Has the survey look at a process that hangs, or is about to; returns
    /// once it has.
    pub(super) fn look(&mut self, pid: Pid, text: impl Into<String>, expect: Expect) -> io::Result<()> {
        self.boss.tell(&Word::Look { pid, text: text.into(), expect, last: false })?;
        self.boss.hear::<()>(None).map(drop)
    }

    /// The same of this process itself: returns at once, to hang for ever.
    pub(super) fn look_at_me(&mut self, text: impl Into<String>, expect: Expect) -> io::Result<()> {
        let pid = std::process::id() as Pid;
        self.boss.tell(&Word::Look { pid, text: text.into(), expect, last: true })
    }
}

impl worker::Job for Job {
    const KIND: &'static str = "child experiment";

    fn work(self, boss: Boss, _fds: Vec<OwnedFd>) -> io::Result<()> {
        let mut stage = Stage { boss };
        let Some(experiment) = experiment(&self.key) else { return Err(io::ErrorKind::NotFound.into()) };
        if let Err(error) = (experiment.play)(&mut stage) {
            stage.seen(format!("it could not go on: {error}"), false)?;
        }
        stage.boss.tell(&Word::Done)?;
        // Its children end with it, by our hand.
        stage.boss.hear::<()>(None).map(drop)
    }
}

/// Our side.
pub(super) fn run(experiment: &Experiment) -> Result<Finding, Fault> {
    let job = Job { key: experiment.key.to_owned() };
    let mut worker = Worker::start(experiment.key, &job, &[])?;
    let finding = listen(&mut worker).map(|observed| Finding { observed, statement: experiment.statement.into() });
    end_all_below(&worker);
    finding
}

fn listen(worker: &mut Worker) -> Result<Vec<Observation>, Fault> {
    let mut observed = Vec::new();
    loop {
        let silent = || Fault::new("experiment", "its worker said nothing for a minute");
        match worker.hear(PATIENCE)?.ok_or_else(silent)? {
            Word::Done => break,
            Word::Seen { text, as_documented } => {
                observed.push(Observation { text, as_documented: Some(as_documented), chain: None });
            }
            Word::Look { pid, text, expect, last } => {
                let (chain, met) = survey(pid, &expect)?;
                observed.push(Observation { text, as_documented: met, chain: Some(chain) });
                if last {
                    break;
                }
                worker.tell(&(), &[])?;
            }
        }
    }
    Ok(observed)
}

/// Whether it hangs, and nobody can tell for how long: who must act, or what it
/// waits for, cannot be seen.
fn is_hidden(graph: &WaitGraph, pid: Pid) -> bool {
    let threads = graph.threads_of(pid);
    threads.iter().all(|thread| thread.wait.is_some())
        && threads.iter().any(|thread| thread.verdict == Verdict::Unknown)
}

/// Asks as `syncscope why` does, until it is as expected or is taking too
/// long. Whether it is as expected; `None` where that stays [hidden](is_hidden).
fn survey(pid: Pid, expect: &Expect) -> Result<(Chain, Option<bool>), Fault> {
    let opened = survey::open(std::path::Path::new("/proc"));
    let mut surveyor = opened.map_err(|errno| Fault::new("experiment", format!("cannot read /proc: {errno}")))?;
    let deadline = clock::monotonic() + UNTIL_IT_HANGS;
    let mut hidden_since = None;
    loop {
        let graph = surveyor.why(&[pid]);
        let (met, at) = (expect.is_met(&graph, pid), clock::monotonic());
        hidden_since = is_hidden(&graph, pid).then(|| hidden_since.unwrap_or(at));
        let hidden = hidden_since.is_some_and(|since| at.since(since) >= STAYS_HIDDEN);
        if met || hidden || at >= deadline {
            let as_expected = if hidden && !met { None } else { Some(met) };
            return Ok((Chain { asked: pid, at, graph }, as_expected));
        }
        sleep(LOOK);
    }
}

/// Kills whatever descends from the worker; that one dies when it is dropped.
fn end_all_below(worker: &Worker) {
    // It starts nobody any more while we look.
    let _ = worker.pidfd().send(libc::SIGSTOP);
    let mut family = Family::new(worker.pid(), false, worker.brand());
    loop {
        let now = Kinship::read();
        family.look(&now);
        // Zombies are gone with their parent.
        let alive = family.open(&now);
        if alive.is_empty() {
            return;
        }
        for (_, pidfd) in &alive {
            let _ = pidfd.send(libc::SIGKILL);
        }
        for (_, pidfd) in alive {
            let _ = pidfd.ended(Some(Duration::from_secs(1)));
        }
    }
}
