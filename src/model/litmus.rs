//! What the ordering lab is asked and what it finds.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::lab::{Burst, LabState, WorkerCost};
use super::{Fault, Nanos};

/// How an access or a fence is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// No atomic at all: an ordinary read or write.
    Plain,
    /// `memory_order_relaxed`.
    Relaxed,
    /// `memory_order_acquire`.
    Acquire,
    /// `memory_order_release`.
    Release,
    /// `memory_order_acq_rel`.
    AcqRel,
    /// `memory_order_seq_cst`.
    SeqCst,
}

impl Order {
    /// Rust's name for it.
    pub fn rust(self) -> &'static str {
        match self {
            Order::Plain => "plain",
            Order::Relaxed => "Relaxed",
            Order::Acquire => "Acquire",
            Order::Release => "Release",
            Order::AcqRel => "AcqRel",
            Order::SeqCst => "SeqCst",
        }
    }

    /// Whether it acquires.
    pub fn acquires(self) -> bool {
        matches!(self, Order::Acquire | Order::AcqRel | Order::SeqCst)
    }

    /// Whether it releases.
    pub fn releases(self) -> bool {
        matches!(self, Order::Release | Order::AcqRel | Order::SeqCst)
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.rust())
    }
}

/// One ordering in a program: the `index`-th of thread `thread`, counted in
/// program order. A compare-exchange has two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Slot {
    /// The thread, from 0.
    pub thread: usize,
    /// The ordering in it, from 0.
    pub index: usize,
}

/// How to run a test.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Tries ways to run it, and stays with the one that shows most.
    #[default]
    Auto,
    /// Instances in arrays; reset, meet, run, count.
    Batched,
    /// No reset and no meeting: iteration n stores a value that names n.
    Perpetual,
    /// As batched, each instance at a deadline on the time stamp counter.
    Timebase,
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Strategy::Auto => "auto",
            Strategy::Batched => "batched",
            Strategy::Perpetual => "perpetual",
            Strategy::Timebase => "timebase",
        })
    }
}

/// Which test to run and how. Every part may change while it runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LitmusSpec {
    /// Name of a test of the library, or of the file that `text` is from.
    pub test: String,
    /// The test itself, in the C litmus dialect, where it is not of the library.
    pub text: Option<String>,
    /// Orderings that differ from the test as it is written.
    pub orders: Vec<(Slot, Order)>,
    /// How to run it.
    pub strategy: Strategy,
    /// Ends by itself after so long; runs on where unset.
    pub duration: Option<Nanos>,
    /// Run in bursts.
    pub burst: Option<Burst>,
}

impl LitmusSpec {
    /// A test of the library as it is written, without an end.
    pub fn named(test: impl Into<String>) -> Self {
        LitmusSpec { test: test.into(), ..LitmusSpec::default() }
    }

    /// What the panel starts with.
    pub fn store_buffering() -> Self {
        LitmusSpec::named("SB-relaxed")
    }

    /// What the overview runs: short bursts that cost next to nothing.
    pub fn overview() -> Self {
        let burst = Burst { on: Nanos::from_millis(5), every: Nanos::from_secs(1) };
        LitmusSpec { burst: Some(burst), ..LitmusSpec::store_buffering() }
    }
}

/// The file of a test, as it was just saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedTest {
    /// Its path, as it was named.
    pub path: String,
    /// What is in it, or why it could not be read.
    pub text: Result<String, Fault>,
}

/// A piece of a line of source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Piece {
    /// Text that stays as it is.
    Text(String),
    /// An ordering that can be changed.
    Order {
        /// Which.
        slot: Slot,
        /// What it is now.
        order: Order,
        /// What it may be, weakest first.
        choices: Vec<Order>,
    },
}

/// A line of source in Rust's notation: `x.store(1, Relaxed);`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceLine {
    /// How deep it stands in `if` blocks.
    pub indent: usize,
    /// What it says, from left to right.
    pub pieces: Vec<Piece>,
}

/// An instruction as it was assembled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instruction {
    /// Its offset in the thread's code.
    pub offset: usize,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The instruction as text: `mov [rdi+64], eax`.
    pub text: String,
    /// Whether it is part of the test, and not of the loop around it.
    pub body: bool,
}

/// One thread of a program: what it says and what the machine executes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ThreadView {
    /// The source, line by line.
    pub source: Vec<SourceLine>,
    /// The machine code.
    pub code: Vec<Instruction>,
}

/// What a memory model says about a test.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The model's name: `rc11`.
    pub model: String,
    /// Whether a final state that satisfies the condition is reachable.
    pub allowed: bool,
    /// Whether none, some or all final states satisfy it.
    pub observation: Observation,
    /// Two accesses that race; the program is undefined then.
    pub race: Option<(String, String)>,
    /// All final states, sorted.
    pub states: Vec<String>,
    /// How many candidate executions were looked at.
    pub candidates: u64,
    /// How many of them are consistent.
    pub consistent: u64,
    /// Where the condition can be satisfied: an execution that does.
    pub witness: Option<Witness>,
    /// Where it cannot: what forbids it.
    pub broken: Option<Broken>,
    /// How long the judgement took.
    pub took: Nanos,
}

/// How many final states satisfy a condition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Observation {
    /// None.
    #[default]
    Never,
    /// Some.
    Sometimes,
    /// All.
    Always,
}

/// An execution: its events and how they are related.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    /// The events, initial writes first: `P0: x.store(1, Relaxed)`.
    pub events: Vec<String>,
    /// Related events: the relation's name and the two, by index.
    pub edges: Vec<(String, usize, usize)>,
}

/// What forbids an outcome.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// The axiom's name.
    pub axiom: String,
    /// The axiom in words.
    pub meaning: String,
    /// The cycle: each event, and the relation that leads from it to the next.
    pub cycle: Vec<(String, String)>,
}

/// A test as it runs: what stays the same while figures come in.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LitmusTest {
    /// Its name.
    pub name: String,
    /// What it is about, in a line.
    pub headline: String,
    /// What it teaches.
    pub comment: String,
    /// The condition: `exists (0:r0=0 /\ 1:r0=0)`.
    pub condition: String,
    /// The threads.
    pub threads: Vec<ThreadView>,
    /// What each model says; empty where the test is too large for a verdict.
    pub judgements: Vec<Judgement>,
    /// Why there is no verdict.
    pub undecided: Option<String>,
    /// The model that bounds what this machine may show: `tso`.
    pub hardware: Option<String>,
    /// How it runs: `Auto` only before it does.
    pub strategy: Strategy,
    /// The same in detail: `batched, chunks of 2048, locations 64 bytes apart`.
    pub plan: String,
    /// The CPUs the threads are pinned to; empty where they are not.
    pub cpus: Vec<usize>,
    /// What should be known beside the figures.
    pub notes: Vec<String>,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// How often the threads ran their bodies, each for itself.
    pub iterations: u64,
    /// How many outcomes were looked at: an iteration of each thread together.
    pub frames: u64,
    /// How many of them satisfy the condition.
    pub witnesses: u64,
    /// The same, each iteration of a partner thread counted once.
    pub distinct: u64,
    /// Wall time of running and counting, rests between bursts left out.
    pub elapsed: Nanos,
}

/// One final state and what was seen of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The state: `0:r0=0; 1:r0=0;`.
    pub state: String,
    /// How often it was seen.
    pub count: u64,
    /// How often in a second, since the last report.
    pub rate: f64,
    /// Whether it satisfies the condition.
    pub target: bool,
    /// What each model of [`LitmusTest::judgements`] says, in that order.
    pub allowed: Vec<bool>,
}

/// How the run stands.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct LitmusProgress {
    /// Where the lab stands.
    pub state: LabState,
    /// What the workers cost.
    pub cost: WorkerCost,
    /// The specification that runs.
    pub spec: Option<Arc<LitmusSpec>>,
    /// The test.
    pub test: Arc<LitmusTest>,
    /// What was counted since the test, its orderings or its strategy changed.
    pub counts: Counts,
    /// Distinct witnesses in a second, since the last report.
    pub rate: f64,
    /// Every final state that a model allows, that satisfies the condition, or
    /// that was seen.
    pub outcomes: Vec<Outcome>,
    /// States that were seen though the hardware's model forbids them; `None`
    /// where there is no model of this hardware.
    pub alarms: Option<Vec<String>>,
}

impl LitmusProgress {
    /// Where nothing was seen in n frames, the rate lies below 3/n with 95 %
    /// confidence (the rule of three).
    pub fn bound(&self) -> Option<f64> {
        (self.counts.witnesses == 0 && self.counts.frames > 0).then(|| 3.0 / self.counts.frames as f64)
    }
}
