//! What the dashboard knows: the latest of every topic, and as much of the
//! past as its charts show. Panels draw from it and never change it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::chains::{self, Chains};
use crate::backend::Update;
use crate::model::channel::{FailureProgress, IpcProgress};
use crate::model::child::Children;
use crate::model::contention::Observation;
use crate::model::detail::ProcessDetail;
use crate::model::finding::Finding;
use crate::model::graph::WaitGraph;
use crate::model::litmus::LitmusProgress;
use crate::model::lock::LockProgress;
use crate::model::process::ProcessTable;
use crate::model::system::SystemSample;
use crate::model::{Fault, Nanos, Stamped};

/// How many readings of the machine the charts reach back.
const HISTORY: usize = 240;
/// How many notices are kept.
const NOTICES: usize = 50;

/// A topic's latest reading.
pub type Latest<T> = Option<Arc<Stamped<T>>>;

/// A line that appears in the status line for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// When it came.
    pub at: Nanos,
    /// What it says.
    pub text: String,
    /// Whether something failed.
    pub bad: bool,
}

/// How far an experiment with child processes has got.
#[derive(Clone, Debug)]
pub enum Played {
    /// It is under way, or waits for its turn.
    Running,
    /// What it has shown, or why it could not be done.
    Done(Result<Finding, Fault>),
}

/// Everything that panels draw from.
#[derive(Clone, Debug, Default)]
pub struct Store {
    /// The machine.
    pub system: Latest<SystemSample>,
    /// The process table.
    pub processes: Latest<ProcessTable>,
    /// Who waits for whom.
    pub graph: Latest<WaitGraph>,
    /// Its chains, the worst and oldest first.
    pub chains: Chains,
    /// The process in depth.
    pub detail: Latest<ProcessDetail>,
    /// The supervised children.
    pub children: Latest<Children>,
    /// The experiments with child processes that were played, by key.
    pub experiments: BTreeMap<String, Played>,
    /// The IPC lab.
    pub ipc: Latest<IpcProgress>,
    /// What experiments with broken channels have shown.
    pub failures: Latest<FailureProgress>,
    /// The lock lab.
    pub locks: Latest<LockProgress>,
    /// The ordering lab.
    pub litmus: Latest<LitmusProgress>,
    /// The contention of the process that is observed.
    pub contention: Latest<Observation>,
    /// Busy share of all CPUs, oldest first.
    pub cpu_history: VecDeque<f32>,
    /// Used share of memory, oldest first.
    pub memory_history: VecDeque<f32>,
    /// Results and faults, oldest first.
    pub notices: VecDeque<Notice>,
}

impl Store {
    /// Takes one update in.
    pub fn apply(&mut self, update: Update, now: Nanos) {
        match update {
            Update::System(sample) => {
                remember(&mut self.cpu_history, sample.value.cpu.unwrap_or(0.0));
                let total = sample.value.memory_total.0.max(1);
                remember(&mut self.memory_history, sample.value.memory_used.0 as f32 / total as f32);
                self.system = Some(sample);
            }
            Update::Processes(table) => self.processes = Some(table),
            Update::Graph(graph) => {
                self.chains = chains::chains(&graph.value).into();
                self.graph = Some(graph);
            }
            Update::Detail(detail) => self.detail = Some(detail),
            Update::Children(children) => self.children = Some(children),
            Update::Ipc(progress) => self.ipc = Some(progress),
            Update::Failures(progress) => self.failures = Some(progress),
            Update::Locks(progress) => self.locks = Some(progress),
            Update::Litmus(progress) => self.litmus = Some(progress),
            Update::Contention(observation) => self.contention = Some(observation),
            Update::Experiment(done) => {
                self.experiments.insert(done.key.clone(), Played::Done(done.found.clone()));
            }
            // The panel that shows the test takes it.
            Update::SavedTest(_) => {}
            Update::Done(text) => self.notice(now, text.to_string(), false),
            Update::Fault(fault) => self.notice(now, fault.to_string(), true),
        }
    }

    /// Adds a line for the status line.
    pub fn notice(&mut self, at: Nanos, text: String, bad: bool) {
        if self.notices.len() == NOTICES {
            self.notices.pop_front();
        }
        self.notices.push_back(Notice { at, text, bad });
    }

    /// Whether an update is a result, which even a frozen screen takes in.
    pub fn is_result(update: &Update) -> bool {
        matches!(update, Update::Experiment(_) | Update::SavedTest(_) | Update::Done(_) | Update::Fault(_))
    }
}

fn remember(history: &mut VecDeque<f32>, value: f32) {
    if history.len() == HISTORY {
        history.pop_front();
    }
    history.push_back(value);
}
