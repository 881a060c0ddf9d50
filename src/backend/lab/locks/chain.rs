//! The wait chains of a worker's threads, looked at from outside as `why` looks
//! at any process, in words.

use std::io;
use std::path::Path;

use crate::backend::observe::survey::{self, Surveyor};
use crate::model::Fault;
use crate::model::graph::WaitGraph;
use crate::model::wait::Holder;

/// What reads the waits.
///
/// # Errors
/// A fault where `/proc` cannot be opened.
pub(super) fn surveyor() -> Result<Surveyor, Fault> {
    survey::open(Path::new("/proc"))
        .map_err(|error| Fault::new("/proc", format!("cannot open it: {}", io::Error::from(error))))
}

/// What the threads whose names begin with `prefix` wait for, a line a thread;
/// then the deadlocks among them, and what could not be read.
pub(super) fn lines(graph: &WaitGraph, prefix: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let name = |tid| graph.threads.iter().find(|thread| thread.id.tid == tid).map(|thread| &*thread.thread);
    for thread in graph.threads.iter().filter(|thread| thread.thread.starts_with(prefix)) {
        let Some(wait) = &thread.wait else {
            lines.push(format!("{}: {}", thread.thread, thread.verdict.word()));
            continue;
        };
        let named = |holder: &Holder| match holder.tid.and_then(name) {
            Some(name) => name.to_owned(),
            None => format!("process {}", holder.pid),
        };
        let holders: Vec<String> = wait.holders.iter().map(named).collect();
        let held = if holders.is_empty() { String::new() } else { format!(", held by {}", holders.join(", ")) };
        let (verdict, certainty) = (thread.verdict.word(), wait.certainty.word());
        lines.push(format!("{}: {verdict}, waits for {}{held} ({certainty})", thread.thread, wait.resource));
    }
    for deadlock in &graph.deadlocks {
        let around: Vec<_> = deadlock.cycle.iter().filter_map(|id| name(id.tid)).collect();
        lines.push(format!("deadlock: {}", around.join(" → ")));
    }
    lines.extend(graph.unreadable.iter().map(|unreadable| format!("process {}: {}", unreadable.pid, unreadable.why)));
    lines
}
