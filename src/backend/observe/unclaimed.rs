//! Why a loop is a deadlock though more threads are about, or why it is none, in words.

use super::graph::Doubt;
use crate::model::graph::{GraphThread, ThreadId, Verdict, WAY_OUT, WaitGraph};
use crate::model::wait::Wait;

/// Of so many threads that do nothing it is said.
const SAID: usize = 4;

/// Says of each loop, and of who waits behind one, why it may yet end: to each of the threads
/// whose own wait does not say so, and of the whole loop.
pub fn tell(graph: &mut WaitGraph, doubts: &[Doubt]) {
    prove(graph);
    for Doubt { threads, is_loop, by } in doubts {
        let Some(free) = graph.thread(*by) else { continue };
        let why = format!("{} {}", name(free), may_act(free, threads.contains(by)));
        let mut names = Vec::new();
        for id in threads {
            let Some(at) = graph.place(*id) else { continue };
            let thread = &mut graph.threads[at];
            names.push(name(thread));
            if thread.wait.as_ref().is_some_and(|wait| !wait.partial) {
                say(thread, format!("{WAY_OUT} {why}"));
            }
        }
        if *is_loop && !names.is_empty() {
            let alone = if names.len() == 1 { "waits for its own process" } else { "wait for each other" };
            graph.unclaimed.push(format!("{} {alone}, but no deadlock is claimed: {why}", names.join(" and ")));
        }
    }
}

/// Says of each thread of a deadlock what the other threads do of a process that holds it up:
/// they sleep until that process itself wakes them.
fn prove(graph: &mut WaitGraph) {
    let cycles: Vec<ThreadId> = graph.deadlocks.iter().flat_map(|dead| dead.cycle.iter().copied()).collect();
    for id in cycles {
        let Some(at) = graph.place(id) else { continue };
        let mut facts = Vec::new();
        let holders = graph.threads[at].wait.iter().flat_map(|wait| &wait.holders);
        for holder in holders.filter(|holder| holder.tid.is_none()) {
            let idle = |thread: &&GraphThread| thread.verdict == Verdict::Waiting;
            for thread in graph.threads_of(holder.pid).iter().filter(idle).take(SAID) {
                let what = thread.wait.as_deref().map(what).unwrap_or_default();
                facts.push(format!("{} sleeps until its own process wakes it: {what}", name(thread)));
            }
        }
        for fact in facts {
            say(&mut graph.threads[at], fact);
        }
    }
}

/// Adds to the evidence of its wait what that does not say yet.
fn say(thread: &mut GraphThread, fact: String) {
    if let Some(wait) = thread.wait.as_mut().filter(|wait| !wait.evidence.contains(&fact)) {
        Wait::of_ones_own(wait).evidence.push(fact);
    }
}

/// `thread 4130 (worker-1) of process 4121 (payments)`.
fn name(thread: &GraphThread) -> String {
    format!("thread {} ({}) of process {} ({})", thread.id.tid, thread.thread, thread.id.pid, thread.process)
}

/// `may act, which waits for sleep of 5 s: it has a time-out`.
fn may_act(thread: &GraphThread, in_loop: bool) -> String {
    let Some(wait) = thread.wait.as_deref() else { return "may act, which runs".to_owned() };
    let reason = wait.evidence.last().map_or("", String::as_str);
    if in_loop {
        return format!("may be freed by somebody unseen: {reason}");
    }
    format!("may act, which waits for {}: {}", what(wait), if wait.timed { "it has a time-out" } else { reason })
}

/// The thing and its kind: `mutex: q.lock`.
fn what(wait: &Wait) -> String {
    let words = wait.kind.words();
    if wait.resource.starts_with(words) { wait.resource.to_string() } else { format!("{words}: {}", wait.resource) }
}
