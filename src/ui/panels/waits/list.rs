//! A chain in a line.
//!
//! ```text
//! ● 3m12 payments 4121  4130 ⇄ 4133 +2 behind worker-2, worker-5
//! ? 9m00 psql 870 unix recv ← not seen
//!    14m postgres 811 flock ← 790 pg_dump → 3 hops
//!     8s cat 5120 ×12 pipe empty ← 5121 gzip
//! ```

use ratatui::text::{Line, Span};

use crate::model::Fault;
use crate::model::graph::{Deadlock, GraphThread, ThreadId, Verdict, WaitGraph};
use crate::model::wait::{Certainty, Holder, Wait, at_least};
use crate::ui::chains::Chain;
use crate::ui::panels::Look;
use crate::ui::theme::Role;

/// `no deadlocks`, `1 deadlock`; `no deadlocks seen` where not all could be
/// looked at.
pub(in crate::ui::panels) fn deadlocks(graph: &WaitGraph, look: &Look<'_>) -> String {
    let all_seen = graph.unreadable.is_empty() && unseen(look).is_none();
    match graph.deadlocks.len() {
        0 if all_seen => "no deadlocks".to_owned(),
        0 => "no deadlocks seen".to_owned(),
        1 => "1 deadlock".to_owned(),
        n => format!("{n} deadlocks"),
    }
}

/// What could not be read of what waits hang on, if anything.
pub(in crate::ui::panels) fn unseen<'a>(look: &Look<'a>) -> Option<&'a Fault> {
    let table = &look.store.processes.as_ref()?.value;
    // Neither I/O nor context switches say what anybody waits for.
    table.faults.iter().find(|fault| !matches!(&*fault.source, "/proc/PID/io" | "/proc/PID/status"))
}

/// The line of a chain.
pub(in crate::ui::panels) fn chain_line(chain: &Chain, graph: &WaitGraph, look: &Look<'_>) -> Line<'static> {
    let (mark, role) = match chain.verdict {
        Verdict::Deadlocked | Verdict::Stuck => ("●", Role::Danger),
        Verdict::Unknown => ("?", Role::Warn),
        Verdict::Waiting | Verdict::Running => (" ", Role::Dim),
    };
    let age = |since| at_least(chain.at_least) + &look.now.since(since).age();
    let age = chain.since.map_or_else(|| "–".to_owned(), age);
    let mut spans =
        vec![Span::styled(mark, look.style(role)), Span::styled(format!("{age:>6} "), look.style(Role::Dim))];
    let Some(head) = graph.thread(chain.head) else { return Line::from(spans) };
    spans.push(Span::styled(format!("{} ", head.process), look.style(Role::Strong)));
    match chain.deadlock.and_then(|index| graph.deadlocks.get(index)) {
        Some(deadlock) => spans.extend(loop_spans(deadlock, graph, look)),
        None => spans.extend(wait_spans(chain, head, graph, look)),
    }
    Line::from(spans)
}

fn loop_spans(deadlock: &Deadlock, graph: &WaitGraph, look: &Look<'_>) -> Vec<Span<'static>> {
    const NAMED: usize = 3;
    let mut tids: Vec<String> = deadlock.cycle.iter().take(NAMED).map(|id| id.tid.to_string()).collect();
    if deadlock.cycle.len() > NAMED {
        tids.push(format!("{} more", deadlock.cycle.len() - NAMED));
    }
    let own = deadlock.cycle.iter().take(NAMED).filter(|id| id.tid != id.pid);
    let names: Vec<&str> = own.filter_map(|id| Some(&*graph.thread(*id)?.thread)).collect();
    let pid = deadlock.cycle.first().map_or(0, |id| id.pid);
    let mut spans = vec![
        Span::styled(format!("{pid} "), look.style(Role::Dim)),
        Span::styled("DEADLOCK ", look.style(Role::Danger)),
        Span::styled(tids.join(" ⇄ "), look.style(Role::Text)),
    ];
    if deadlock.cycle.len() == 1 {
        spans.push(Span::styled(" waits for itself", look.style(Role::Dim)));
    }
    let behind = deadlock.stuck.len().saturating_sub(deadlock.cycle.len());
    if behind > 0 {
        spans.push(Span::styled(format!(" +{behind} behind"), look.style(Role::Danger)));
    }
    if deadlock.certainty == Certainty::Inferred {
        spans.push(Span::styled(" inferred", look.style(Role::Dim)));
    }
    if !names.is_empty() {
        spans.push(Span::styled(format!(" {}", names.join(", ")), look.style(Role::Dim)));
    }
    spans
}

fn wait_spans(chain: &Chain, head: &GraphThread, graph: &WaitGraph, look: &Look<'_>) -> Vec<Span<'static>> {
    let mut spans = vec![Span::styled(format!("{} ", head.id.tid), look.style(Role::Dim))];
    if !chain.alike.is_empty() {
        spans.push(Span::styled(format!("×{} ", chain.alike.len() + 1), look.style(Role::Strong)));
    }
    let Some(wait) = &head.wait else { return spans };
    spans.push(Span::styled(format!("{} ", wait.kind.words()), look.style(Role::Accent)));
    spans.extend(holder_spans(wait, graph, look));
    if chain.length > 1 {
        spans.push(Span::styled(format!(" → {} hops", chain.length), look.style(Role::Dim)));
    }
    if wait.certainty == Certainty::Inferred {
        spans.push(Span::styled(" inferred", look.style(Role::Dim)));
    }
    spans
}

fn holder_spans(wait: &Wait, graph: &WaitGraph, look: &Look<'_>) -> Vec<Span<'static>> {
    let arrow = Span::styled("← ", look.style(Role::Dim));
    if wait.orphaned {
        return vec![arrow, Span::styled("nobody: orphaned", look.style(Role::Danger))];
    }
    let Some(first) = wait.holders.first() else {
        return vec![arrow, Span::styled("not seen", look.style(Role::Warn))];
    };
    let mut spans = vec![arrow, Span::styled(holder_name(*first, graph), look.style(Role::Text))];
    let others = wait.holders.len() - 1;
    if others > 0 {
        spans.push(Span::styled(format!(" +{others}"), look.style(Role::Dim)));
    }
    if wait.partial {
        spans.push(Span::styled(" or one unseen", look.style(Role::Warn)));
    }
    spans
}

/// `4133 worker-5`.
pub(super) fn holder_name(holder: Holder, graph: &WaitGraph) -> String {
    let tid = holder.tid.unwrap_or(holder.pid);
    let known = graph.thread(ThreadId { pid: holder.pid, tid }).or_else(|| graph.threads_of(holder.pid).first());
    match known {
        Some(thread) if holder.tid.is_some_and(|tid| tid != holder.pid) => format!("{tid} {}", thread.thread),
        Some(thread) => format!("{tid} {}", thread.process),
        None => tid.to_string(),
    }
}
