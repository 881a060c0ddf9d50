//! What happens when locks and atomics are used wrongly: small experiments, each in a
//! process of its own, each of which ends in a plain statement.
//!
//! An experiment is a function that runs in the child, and one line in
//! [`EXPERIMENTS`]. One that makes a deadlock is looked at from outside, as
//! `why` looks at any process.

mod atomics;
mod guards;
mod knots;
mod order;
mod poison;

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::backend::lab::locks::chain;
use crate::backend::lab::worker::{self, Boss, Worker};
use crate::model::Fault;
use crate::model::finding::{self, Observation};
use crate::model::graph::{Verdict, WaitGraph};

pub use self::order::{Inversion, LockOrder};

/// All experiments, in the order they are shown.
pub const EXPERIMENTS: &[Experiment] = &[
    knot("abba", "two threads take two locks in opposite order", knots::ABBA),
    knot("abba-std", "the same with std::sync::Mutex", knots::ABBA_STD),
    knot("cycle", "five threads, each with one lock, want the next one's", knots::CYCLE),
    knot("self", "a thread locks what it holds already", knots::SELF),
    knot("upgrade", "a reader wants to write without letting go", knots::UPGRADE),
    knot("missed-notify", "a notification comes before the wait", knots::MISSED_NOTIFY),
    told("inversion", "two orders of two locks, and no deadlock yet", order::INVERSION),
    told("poison-mutex", "a thread panics holding a Mutex", poison::MUTEX),
    told("poison-write", "a thread panics holding an RwLock for writing", poison::WRITE),
    told("poison-read", "a thread panics holding an RwLock for reading", poison::READ),
    told("poison-once", "the initialiser of a Once panics", poison::ONCE),
    told("no-poison", "a thread panics holding a parking_lot::Mutex", poison::PARKING_LOT),
    told("guard-early", "a guard is dropped as soon as it is made", guards::EARLY),
    told("guard-late", "a guard lives longer than it looks", guards::LATE),
    told("guard-leaked", "a guard is forgotten", guards::LEAKED),
    told("lost-update", "two threads load, add and store", atomics::LOST_UPDATE),
    told("torn", "one thread writes two halves while another reads both", atomics::TORN),
    told("cas-storm", "many threads compare-exchange what they all have read", atomics::STORM),
    told("aba", "a value comes back while a compare-exchange is under way", atomics::ABA),
    told("aba-tagged", "the same with a counter beside the value", atomics::ABA_TAGGED),
];

/// Finds an experiment by its key.
pub fn experiment(key: &str) -> Option<&'static Experiment> {
    EXPERIMENTS.iter().find(|experiment| experiment.key == key)
}

/// An experiment.
#[derive(Debug)]
pub struct Experiment {
    /// Its name on the command line and in JSON.
    pub key: &'static str,
    /// What is done wrongly.
    pub title: &'static str,
    part: Part,
}

/// What the child does, and how it is judged.
#[derive(Debug)]
enum Part {
    Knot(Knot),
    Told(Told),
}

/// Threads of the child that can never go on, found by looking at it from
/// outside.
#[derive(Debug)]
struct Knot {
    /// Starts the threads, and returns; they tie themselves up.
    tie: fn(),
    /// How many threads are to be found so.
    threads: usize,
    /// As what.
    verdict: Verdict,
    /// Where that is not seen within a while: as one of these, if the holder has
    /// to be inferred from code, and that cannot be done for every code.
    or_else: &'static [Verdict],
    statement: &'static str,
}

/// What the child itself sees.
#[derive(Debug)]
struct Told {
    tell: fn(&mut Notes),
    statement: &'static str,
}

const fn knot(key: &'static str, title: &'static str, knot: Knot) -> Experiment {
    Experiment { key, title, part: Part::Knot(knot) }
}

const fn told(key: &'static str, title: &'static str, told: Told) -> Experiment {
    Experiment { key, title, part: Part::Told(told) }
}

/// What an experiment has shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was seen, step by step.
    pub observed: Vec<String>,
    /// What happened and why, in a sentence or two.
    pub statement: &'static str,
    /// Whether it is what the manual says.
    pub as_documented: bool,
}

impl From<Finding> for finding::Finding {
    fn from(found: Finding) -> Self {
        let seen = |text: String| Observation { text, as_documented: Some(true), chain: None };
        let mut observed: Vec<Observation> = found.observed.into_iter().map(seen).collect();
        if !found.as_documented {
            let text = "not all of this is as expected".to_owned();
            observed.push(Observation { text, as_documented: Some(false), chain: None });
        }
        finding::Finding { observed, statement: found.statement.into() }
    }
}

/// What is seen, one thing after the other, and whether it is as documented.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Notes {
    observed: Vec<String>,
    otherwise: bool,
}

impl Notes {
    fn add(&mut self, observed: impl Into<String>, as_documented: bool) {
        self.observed.push(observed.into());
        self.otherwise |= !as_documented;
    }
}

/// What the child is to do: the key of an experiment.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Job(String);

/// How long a knot may take to be seen. A look takes milliseconds; an
/// overloaded machine makes them many.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long to look for more than what an experiment makes do with.
const WHILE: Duration = Duration::from_secs(5);

impl Experiment {
    /// Does it; it takes a moment.
    ///
    /// # Errors
    /// A fault where it could not be done.
    pub fn run(&self) -> Result<Finding, Fault> {
        let mut worker = Worker::start("lock experiment", &Job(self.key.to_owned()), &[])?;
        let told = worker.hear::<Notes>(PATIENCE)?;
        let silent = || Fault::new("lock experiment", format!("worker {} does not answer", worker.pid()));
        let mut notes = told.ok_or_else(silent)?;
        let statement = match &self.part {
            Part::Told(told) => told.statement,
            Part::Knot(knot) => {
                knot.look(&worker, &mut notes)?;
                knot.statement
            }
        };
        Ok(Finding { observed: notes.observed, statement, as_documented: !notes.otherwise })
    }
}

impl Knot {
    /// Looks at the child until its threads are seen to be stuck.
    fn look(&self, worker: &Worker, notes: &mut Notes) -> Result<(), Fault> {
        let mut surveyor = chain::surveyor()?;
        let begin = Instant::now();
        loop {
            let graph = surveyor.why(&[worker.pid()]);
            let (found, less) = (found(&graph, &[self.verdict]), found(&graph, self.or_else));
            let enough = found >= self.threads || (begin.elapsed() > WHILE && found + less >= self.threads);
            if enough || begin.elapsed() > PATIENCE {
                self.note(&graph, found + less, notes);
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn note(&self, graph: &WaitGraph, found: usize, notes: &mut Notes) {
        for line in chain::lines(graph, PREFIX) {
            notes.add(line, true);
        }
        if found < self.threads {
            notes.add(format!("only {found} of {} threads were seen so within 15 s", self.threads), false);
        }
    }
}

/// How many of the threads that are looked at wait so.
fn found(graph: &WaitGraph, verdicts: &[Verdict]) -> usize {
    let ours = graph.threads.iter().filter(|thread| thread.thread.starts_with(PREFIX));
    ours.filter(|thread| thread.wait.is_some() && verdicts.contains(&thread.verdict)).count()
}

/// The names of the threads that are looked at begin so.
const PREFIX: &str = "knot ";

impl worker::Job for Job {
    const KIND: &'static str = "lock experiment";

    fn work(self, mut boss: Boss, _fds: Vec<OwnedFd>) -> io::Result<()> {
        let experiment = experiment(&self.0).ok_or(io::ErrorKind::InvalidInput)?;
        let mut notes = Notes::default();
        match &experiment.part {
            Part::Told(told) => (told.tell)(&mut notes),
            Part::Knot(knot) => (knot.tie)(),
        }
        boss.tell(&notes)?;
        // Killed while it waits here; or its lab is gone.
        let _ = boss.hear::<()>(None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_experiment_shows_what_the_manual_says() {
        for experiment in EXPERIMENTS {
            let finding = experiment.run().unwrap();
            assert!(finding.as_documented, "{}: {finding:#?}", experiment.key);
            // Where the holder is not stored, the code tells: here it can be read.
            if cfg!(target_arch = "x86_64") && ["abba-std", "upgrade"].contains(&experiment.key) {
                assert!(finding.observed.iter().any(|line| line.starts_with("deadlock: ")), "{finding:#?}");
            }
            assert!(!finding.observed.is_empty() && finding.statement.ends_with('.'), "{}", experiment.key);
        }
    }

    #[test]
    fn a_deadlock_is_named_with_its_threads() {
        let finding = experiment("cycle").unwrap().run().unwrap();
        let deadlock = finding.observed.iter().find(|line| line.starts_with("deadlock: ")).unwrap();
        assert_eq!(deadlock.matches("knot ").count(), 5, "{finding:#?}");
    }

    #[test]
    fn keys_are_unique_and_found() {
        for known in EXPERIMENTS {
            assert_eq!(experiment(known.key).unwrap().title, known.title);
        }
        assert!(experiment("no-such").is_none());
    }
}
