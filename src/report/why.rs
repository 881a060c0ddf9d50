//! Wait chains, schema `syncscope.why/1`.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use super::alike::{Stop, others, stops};
use super::wait::WaitObject;
use crate::model::graph::{
    Deadlock, FOR_EACH_OTHER, GraphThread, Scanned, ThreadId, Unreadable, Verdict, WaitGraph, wait_for_each_other,
};
use crate::model::process::State;
use crate::model::units::grouped;
use crate::model::wait::{Certainty, Holder, Mode, Wait, WaitKind};
use crate::model::{Nanos, Pid};

#[derive(Serialize)]
struct Object<'a> {
    schema: &'static str,
    took_ns: Nanos,
    threads: Vec<ThreadObject<'a>>,
    deadlocks: Vec<DeadlockObject<'a>>,
    /// Only where there are any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unclaimed: Vec<String>,
    unreadable: &'a [Unreadable],
    #[serde(skip_serializing_if = "Option::is_none")]
    scanned: Option<Scanned>,
}

#[derive(Serialize)]
struct ThreadObject<'a> {
    pid: Pid,
    tid: Pid,
    process: &'a str,
    thread: &'a str,
    state: State,
    wait: Option<WaitObject<'a>>,
    verdict: Verdict,
}

#[derive(Serialize)]
struct DeadlockObject<'a> {
    cycle: &'a [ThreadId],
    stuck: &'a [ThreadId],
    certainty: Certainty,
    text: String,
}

/// Prints one JSON object; `at` is when the graph was read, and `scanned` says
/// whether the whole machine was looked at.
///
/// # Errors
/// Whatever the writer says.
pub fn json(out: &mut impl Write, graph: &WaitGraph, at: Nanos, scanned: bool) -> io::Result<()> {
    let object = Object {
        schema: "syncscope.why/1",
        took_ns: graph.took,
        threads: graph.threads.iter().map(|thread| thread_object(thread, at)).collect(),
        deadlocks: graph.deadlocks.iter().map(|deadlock| deadlock_object(deadlock, graph)).collect(),
        unclaimed: unclaimed(graph, scanned),
        unreadable: &graph.unreadable,
        scanned: scanned.then_some(graph.scanned),
    };
    serde_json::to_writer(&mut *out, &object)?;
    out.write_all(b"\n")?;
    out.flush()
}

/// The loops that are no deadlocks, and, of the processes asked for, those whose threads all
/// wait for another to act.
fn unclaimed(graph: &WaitGraph, scanned: bool) -> Vec<String> {
    let mut all = graph.unclaimed.clone();
    let own = graph.threads.chunk_by(|one, other| one.id.pid == other.id.pid);
    for own in own.filter(|own| !scanned && wait_for_each_other(own)) {
        all.push(format!("process {} ({}): {FOR_EACH_OTHER}", own[0].id.pid, own[0].process));
    }
    all
}

fn thread_object(thread: &GraphThread, at: Nanos) -> ThreadObject<'_> {
    ThreadObject {
        pid: thread.id.pid,
        tid: thread.id.tid,
        process: &thread.process,
        thread: &thread.thread,
        state: thread.state,
        wait: thread.wait.as_deref().map(|wait| WaitObject::new(wait, at)),
        verdict: thread.verdict,
    }
}

fn deadlock_object<'a>(deadlock: &'a Deadlock, graph: &WaitGraph) -> DeadlockObject<'a> {
    DeadlockObject {
        cycle: &deadlock.cycle,
        stuck: &deadlock.stuck,
        certainty: deadlock.certainty,
        text: sentence(deadlock, graph),
    }
}

/// `thread 4130 (worker-1 of payments) waits for mutex q, held by thread 4133 …`.
pub fn sentence(deadlock: &Deadlock, graph: &WaitGraph) -> String {
    let mut text = String::new();
    for (number, stop) in stops(deadlock, graph).iter().enumerate() {
        text.push_str(if number == 0 { "" } else { "; " });
        let group = match stop {
            Stop::Threads(group) => group,
            Stop::LeftOut(count) => {
                let _ = write!(text, "⋯ {} more", grouped(*count as u64));
                continue;
            }
        };
        let thread = group[0];
        let _ = write!(text, "thread {} ({} of {})", thread.id.tid, thread.thread, thread.process);
        if let Some(others) = others(group) {
            let _ = write!(text, ", {others},");
        }
        if let Some(wait) = &thread.wait {
            let _ = write!(text, " waits for {}", what(wait));
            if wait.orphaned || !wait.holders.is_empty() {
                let _ = write!(text, ", {} {}", wait.relation(), holders(wait, graph));
            }
        }
    }
    text
}

/// The thing and its kind: `mutex q.lock`.
pub(super) fn what(wait: &Wait) -> String {
    let words = wait.kind.words();
    match &*wait.resource {
        "" => words.to_owned(),
        // `other` says nothing that the call does not say better.
        resource if wait.kind == WaitKind::Other || resource.starts_with(words) => resource.to_owned(),
        resource => format!("{words}: {resource}"),
    }
}

pub(super) fn holders(wait: &Wait, graph: &WaitGraph) -> String {
    const NAMED: usize = 4;
    if wait.orphaned {
        return "nobody any more: its holder is gone".to_owned();
    }
    let mut names: Vec<String> = wait.holders.iter().take(NAMED).map(|holder| name(*holder, graph)).collect();
    if wait.holders.len() > NAMED {
        names.push(format!("{} more", wait.holders.len() - NAMED));
    }
    names.join(match wait.mode {
        Mode::All => " and ",
        Mode::Any => " or ",
    })
}

pub(super) fn name(holder: Holder, graph: &WaitGraph) -> String {
    let thread = |tid| graph.thread(ThreadId { pid: holder.pid, tid });
    match holder.tid {
        Some(tid) => match thread(tid) {
            Some(known) => format!("thread {tid} ({})", known.thread),
            None => format!("thread {tid}"),
        },
        None => match thread(holder.pid) {
            Some(known) => format!("process {} ({})", holder.pid, known.process),
            None => format!("process {}", holder.pid),
        },
    }
}
