//! Threads that wait in the same way are told of once, and long loops are cut: a storm of
//! thousands stays readable.

use std::collections::HashMap;

use crate::model::Pid;
use crate::model::graph::{Deadlock, GraphThread, Verdict, WaitGraph};
use crate::model::process::State;
use crate::model::units::grouped;
use crate::model::wait::{Holder, WaitKind};

/// So few of a loop are told of one by one, though they wait alike.
const FEW: usize = 3;
/// So many stops of a loop are told at its beginning, and so many at its end.
const FIRST: usize = 12;
const LAST: usize = 2;
/// So many are named of those that are told of together.
const NAMED: usize = 4;

/// What threads have in common that are told of together.
type Likeness<'g> = (Pid, Verdict, State, Option<(WaitKind, &'g str, &'g [Holder])>);

fn likeness(thread: &GraphThread) -> Likeness<'_> {
    let wait = thread.wait.as_deref().map(|wait| (wait.kind, &*wait.resource, &*wait.holders));
    (thread.id.pid, thread.verdict, thread.state, wait)
}

/// The threads in their order, those that wait alike behind the first of them.
pub(super) fn groups<'g>(threads: &[&'g GraphThread]) -> Vec<Vec<&'g GraphThread>> {
    let mut groups: Vec<Vec<&GraphThread>> = Vec::new();
    let mut known: HashMap<Likeness<'_>, usize> = HashMap::new();
    for &thread in threads {
        let group = *known.entry(likeness(thread)).or_insert(groups.len());
        match groups.get_mut(group) {
            Some(group) => group.push(thread),
            None => groups.push(vec![thread]),
        }
    }
    groups
}

/// What is told of a loop: threads, of which the first stands for all, or how many stops are
/// left out.
pub(super) enum Stop<'g> {
    Threads(Vec<&'g GraphThread>),
    LeftOut(usize),
}

/// The stops of a deadlock's loop.
pub(super) fn stops<'g>(deadlock: &Deadlock, graph: &'g WaitGraph) -> Vec<Stop<'g>> {
    let threads: Vec<&GraphThread> = deadlock.cycle.iter().filter_map(|id| graph.thread(*id)).collect();
    let mut groups = groups(&threads);
    if groups.iter().all(|group| group.len() <= FEW) {
        // In the order in which each waits for the next.
        groups = threads.into_iter().map(|thread| vec![thread]).collect();
    }
    let end = groups.len().saturating_sub(LAST).max(FIRST);
    // To leave one out saves nothing.
    let left_out = if end > FIRST + 1 { FIRST..end } else { 0..0 };
    let mut stops = Vec::new();
    for (at, group) in groups.into_iter().enumerate() {
        if at == left_out.start && !left_out.is_empty() {
            stops.push(Stop::LeftOut(left_out.len()));
        }
        if !left_out.contains(&at) {
            stops.push(Stop::Threads(group));
        }
    }
    stops
}

/// `and 1,999 threads like it: worker-1 4131, worker-2 4132, …`; nothing where there is but one.
pub(super) fn others(group: &[&GraphThread]) -> Option<String> {
    let (first, others) = group.split_first().filter(|(_, others)| !others.is_empty())?;
    let names: Vec<String> = others
        .iter()
        .take(NAMED)
        .map(|other| match &other.thread {
            name if *name == first.thread => other.id.tid.to_string(),
            name => format!("{name} {}", other.id.tid),
        })
        .collect();
    let dots = if others.len() > NAMED { ", …" } else { "" };
    let count = grouped(others.len() as u64);
    let threads = if others.len() == 1 { "thread" } else { "threads" };
    Some(format!("and {count} {threads} like it: {}{dots}", names.join(", ")))
}
