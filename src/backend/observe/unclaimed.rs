//! Why a loop is not called a deadlock, in words.

use std::sync::Arc;

use super::graph::Doubt;
use crate::model::graph::{GraphThread, WAY_OUT, WaitGraph};

/// Says of each loop, and of who waits behind one, why it may yet end: to each of the threads
/// whose own wait does not say so, and of the whole loop.
pub fn tell(graph: &mut WaitGraph, doubts: &[Doubt]) {
    for Doubt { threads, is_loop, by } in doubts {
        let Some(free) = graph.thread(*by) else { continue };
        let why = format!("{} {}", name(free), may_act(free, threads.contains(by)));
        let mut names = Vec::new();
        for id in threads {
            let Some(at) = graph.place(*id) else { continue };
            let thread = &mut graph.threads[at];
            names.push(name(thread));
            if let Some(wait) = thread.wait.as_mut().filter(|wait| !wait.partial) {
                Arc::make_mut(wait).evidence.push(format!("{WAY_OUT} {why}"));
            }
        }
        if *is_loop && !names.is_empty() {
            let alone = if names.len() == 1 { "waits for its own process" } else { "wait for each other" };
            graph.unclaimed.push(format!("{} {alone}, but no deadlock is claimed: {why}", names.join(" and ")));
        }
    }
}

/// `thread 4130 (worker-1) of process 4121 (payments)`.
fn name(thread: &GraphThread) -> String {
    format!("thread {} ({}) of process {} ({})", thread.id.tid, thread.thread, thread.id.pid, thread.process)
}

/// `may act, which waits for sleep of 5 s, with a time-out`.
fn may_act(thread: &GraphThread, in_loop: bool) -> String {
    let Some(wait) = thread.wait.as_deref() else { return "may act, which runs".to_owned() };
    let reason = wait.evidence.last().map_or("", String::as_str);
    if in_loop {
        return format!("may be freed by somebody unseen: {reason}");
    }
    let (kind, what) = (wait.kind.words(), &wait.resource);
    let kind = if what.starts_with(kind) { String::new() } else { format!("{kind}: ") };
    let how = if wait.timed { ", with a time-out".to_owned() } else { format!(" ({reason})") };
    format!("may act, which waits for {kind}{what}{how}")
}
