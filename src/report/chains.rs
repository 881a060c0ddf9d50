//! Wait chains as a person reads them: the deadlocks, and a tree for each
//! thread.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::io::{self, Write};

use super::alike::{Stop, groups, others, stops};
use super::wait::lasted;
use super::why::{holders, what};
use crate::model::graph::{
    Deadlock, FOR_EACH_OTHER, GraphThread, Scanned, ThreadId, Unreadable, Verdict, WAY_OUT, WaitGraph,
    wait_for_each_other,
};
use crate::model::process::State;
use crate::model::sorting;
use crate::model::units::grouped;
use crate::model::wait::{Certainty, Holder, Mode, Wait, WaitKind};
use crate::model::{Nanos, Pid};

/// Prints what is found of these processes: the deadlocks first, then a tree
/// for every other thread.
///
/// ```text
/// payments  pid 4121  3 threads: 2 deadlocked, 1 stuck
///
///   main  tid 4121  stuck
///   │ waits for join: thread 4130, for 3m12s
///   └ which is worker-1  tid 4130  deadlocked
/// ```
///
/// # Errors
/// Whatever the writer says.
pub fn explain(out: &mut dyn Write, graph: &WaitGraph, asked: &[Pid], at: Nanos) -> io::Result<()> {
    deadlocks(out, graph, at)?;
    let mut apart = !graph.deadlocks.is_empty();
    let mut tree = Tree::new(graph, at, false);
    for &pid in asked {
        let threads = graph.threads_of(pid);
        if threads.is_empty() {
            continue;
        }
        if std::mem::replace(&mut apart, true) {
            writeln!(out)?;
        }
        heading(out, threads)?;
        for group in in_order(threads).iter().filter(|group| group[0].verdict != Verdict::Deadlocked) {
            tree.top(out, group)?;
        }
    }
    for Unreadable { pid, why } in &graph.unreadable {
        writeln!(out, "{pid}: {why}")?;
    }
    out.flush()
}

fn deadlocks(out: &mut dyn Write, graph: &WaitGraph, at: Nanos) -> io::Result<()> {
    for (number, deadlock) in graph.deadlocks.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        draw_deadlock(out, deadlock, graph, at)?;
    }
    Ok(())
}

/// Prints what a scan of the whole machine found.
///
/// # Errors
/// Whatever the writer says.
pub fn scan(out: &mut dyn Write, graph: &WaitGraph, at: Nanos) -> io::Result<()> {
    deadlocks(out, graph, at)?;
    let alone = |thread: &&GraphThread| thread.verdict == Verdict::Stuck && graph.deadlock_of(thread.id).is_none();
    let orphans: Vec<&GraphThread> = graph.threads.iter().filter(alone).collect();
    if !orphans.is_empty() {
        if !graph.deadlocks.is_empty() {
            writeln!(out)?;
        }
        writeln!(out, "STUCK FOR EVER, without a loop:")?;
        let mut tree = Tree::new(graph, at, true);
        for group in groups(&orphans) {
            tree.top(out, &group)?;
        }
    }
    for loop_ in &graph.unclaimed {
        writeln!(out, "{loop_}")?;
    }
    let Scanned { processes, threads } = graph.scanned;
    if graph.has_stuck() {
        writeln!(out)?;
    } else {
        writeln!(out, "no deadlock among what can be seen")?;
    }
    writeln!(out, "looked at {processes} processes with {threads} threads in {}", graph.took)?;
    for (why, pids) in reasons(graph) {
        const NAMED: usize = 3;
        let named: Vec<String> = pids.iter().take(NAMED).map(Pid::to_string).collect();
        let more = pids.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        let (count, named) = (pids.len(), named.join(", "));
        writeln!(out, "{count} of the processes could not be read in full (pid {named}{more}): {why}")?;
    }
    out.flush()
}

/// Why processes could not be read, and of which each is told; first what was met first.
fn reasons(graph: &WaitGraph) -> Vec<(&str, Vec<Pid>)> {
    let mut reasons: Vec<(&str, Vec<Pid>)> = Vec::new();
    for process in &graph.unreadable {
        match reasons.iter_mut().find(|(why, _)| *why == process.why) {
            Some((_, pids)) => pids.push(process.pid),
            None => reasons.push((&process.why, vec![process.pid])),
        }
    }
    reasons
}

/// How the evidence begins that tells of a runtime with threads or objects of its
/// own.
const MANAGED: [&str; 2] = ["in a Java virtual machine", "in a Go program"];

fn heading(out: &mut dyn Write, threads: &[GraphThread]) -> io::Result<()> {
    let pid = threads[0].id.pid;
    let mut counts: Vec<((Verdict, bool), usize)> = Vec::new();
    for thread in threads {
        let kind = (thread.verdict, matches!(thread.state, State::Zombie | State::Dead));
        match counts.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => counts.push((kind, 1)),
        }
    }
    sorting::by(&mut counts, Ord::cmp);
    let word = |verdict: Verdict, ended| if ended { "ended" } else { verdict.word() };
    let words: Vec<String> =
        counts.iter().map(|((verdict, ended), count)| format!("{count} {}", word(*verdict, *ended))).collect();
    let plural = if threads.len() == 1 { "" } else { "s" };
    writeln!(out, "{}  pid {pid}  {} thread{plural}: {}", threads[0].process, threads.len(), words.join(", "))?;
    let mut facts = threads.iter().filter_map(|thread| thread.wait.as_ref()).flat_map(|wait| &wait.evidence);
    // Of a runtime with threads of its own: whoever asks must know where to ask on.
    if let Some(fact) = facts.find(|fact| MANAGED.iter().any(|runtime| fact.starts_with(runtime))) {
        writeln!(out, "  {fact}")?;
    }
    if wait_for_each_other(threads) {
        writeln!(out, "  {FOR_EACH_OTHER}")?;
    }
    Ok(())
}

/// What is said of a descriptor for which nobody in particular is responsible.
const READY: &str = "makes it ready";

/// The threads, worst and longest first; those that wait alike stand together.
fn in_order(threads: &[GraphThread]) -> Vec<Vec<&GraphThread>> {
    let mut order: Vec<&GraphThread> = threads.iter().collect();
    let since = |thread: &GraphThread| thread.wait.as_ref().and_then(|wait| wait.since).unwrap_or(Nanos(u64::MAX));
    sorting::by_key(&mut order, |thread| (thread.verdict, since(thread), thread.id));
    groups(&order)
}

/// A tree of hops as it is printed.
struct Tree<'g> {
    graph: &'g WaitGraph,
    at: Nanos,
    /// Whether the process of each is named at the top.
    named: bool,
    /// The threads from the top to here.
    path: Vec<ThreadId>,
    /// Those that have been told of so far.
    told: HashSet<ThreadId>,
    hops: usize,
}

/// Deeper chains are cut: nobody reads them.
const DEEPEST: usize = 40;
/// So many holders of one wait are followed.
const FOLLOWED: usize = 3;
/// After so many hops nobody wants to read of a thread once more.
const MANY: usize = 100;

impl<'g> Tree<'g> {
    fn new(graph: &'g WaitGraph, at: Nanos, named: bool) -> Self {
        Tree { graph, at, named, path: Vec::new(), told: HashSet::new(), hops: 0 }
    }

    fn top(&mut self, out: &mut dyn Write, group: &[&GraphThread]) -> io::Result<()> {
        if self.hops > MANY && group.iter().all(|thread| self.told.contains(&thread.id)) {
            return Ok(());
        }
        let thread = group[0];
        let also = others(group).map_or_else(String::new, |others| format!("  {others}"));
        let name = if self.named { whole_name(thread) } else { own_name(thread) };
        writeln!(out, "\n  {name}  {}{also}", state_words(thread))?;
        self.told.extend(group.iter().map(|thread| thread.id));
        self.below(out, thread, "  ")
    }

    fn below(&mut self, out: &mut dyn Write, thread: &GraphThread, indent: &str) -> io::Result<()> {
        let Some(wait) = &thread.wait else { return Ok(()) };
        let last = wait.holders.is_empty() && !wait.orphaned;
        let rule = if last { "└" } else { "│" };
        writeln!(out, "{indent}{rule} waits for {}{}", what(wait), manner(wait, self.at))?;
        if let Some(at) = &wait.at {
            writeln!(out, "{indent}{}   at {at}", if last { " " } else { rule })?;
        }
        let undecided = thread.verdict == Verdict::Unknown;
        match wait.evidence.last() {
            Some(reason) if wait.partial && !last && undecided => {
                writeln!(out, "{indent}│   somebody unseen may act too: {reason}")?;
            }
            _ if wait.partial && !last && wait.evidence.iter().any(|fact| fact.contains(READY)) => {
                let mut facts = wait.evidence.iter().filter(|fact| fact.contains(READY));
                let reason = facts.next().map_or("", String::as_str);
                writeln!(out, "{indent}│   somebody unseen may act too: {reason}")?;
            }
            Some(reason) if last && !says_why(wait) && (undecided || thread.verdict.is_for_ever()) => {
                writeln!(out, "{indent}    {reason}")?;
            }
            _ => {}
        }
        if let Some(reason) = wait.evidence.iter().find(|fact| fact.starts_with(WAY_OUT)) {
            writeln!(out, "{indent}│   {reason}")?;
        }
        if wait.orphaned {
            // A lock that the kernel has refused may well be held.
            let may_be_released = !wait.besides.is_empty() && !thread.verdict.is_for_ever();
            let why = match (wait.address, wait.evidence.last()) {
                (None, _) => "nobody will wake it: the kernel has refused the lock",
                (_, Some(reason)) if may_be_released => &format!("its holder is gone, but {reason}"),
                _ => "held by nobody any more: its holder is gone, it will never be released",
            };
            return writeln!(out, "{indent}└ {why}");
        }
        self.path.push(thread.id);
        for (number, holder) in wait.holders.iter().take(FOLLOWED).enumerate() {
            let is_last = number + 1 == wait.holders.len();
            self.hop(out, wait, *holder, indent, is_last)?;
        }
        if wait.holders.len() > FOLLOWED {
            let more = wait.holders.len() - FOLLOWED;
            writeln!(out, "{indent}└ {} {more} more", wait.relation())?;
        }
        self.path.pop();
        Ok(())
    }

    fn hop(&mut self, out: &mut dyn Write, wait: &Wait, holder: Holder, indent: &str, last: bool) -> io::Result<()> {
        let (arm, onward) = if last { ("└", format!("{indent}  ")) } else { ("├", format!("{indent}│ ")) };
        let tid = holder.tid.unwrap_or(holder.pid);
        let id = ThreadId { pid: holder.pid, tid };
        let known = self.graph.thread(id);
        let own = self.path.last().is_some_and(|waiter| waiter.pid == holder.pid);
        let name = match (known, holder.tid) {
            (Some(thread), Some(_)) if own => own_name(thread),
            (Some(thread), Some(_)) => whole_name(thread),
            (Some(thread), None) => format!("{}  pid {}", thread.process, holder.pid),
            (None, Some(_)) => format!("thread {tid} of process {}", holder.pid),
            (None, None) => format!("process {}", holder.pid),
        };
        let ways = match wait.mode {
            Mode::All if wait.holders.len() > 1 => " (all must act)",
            Mode::Any if wait.holders.len() > 1 => " (any of them)",
            _ => "",
        };
        write!(out, "{indent}{arm} {}{ways} {name}", wait.relation())?;
        if self.path.contains(&id) {
            // Whoever can still go on breaks the loop.
            let for_ever = known.is_some_and(|thread| thread.verdict.is_for_ever());
            return writeln!(out, "{}", if for_ever { ", above: a loop" } else { ", see above" });
        }
        let Some(thread) = known else { return writeln!(out, ", which could not be read") };
        writeln!(out, "  {}", state_words(thread))?;
        if thread.verdict == Verdict::Deadlocked {
            // It has been told in full.
            return Ok(());
        }
        if self.path.len() >= DEEPEST {
            return writeln!(out, "{onward}└ … and further");
        }
        self.hops += 1;
        if !self.told.insert(id) && self.hops > MANY {
            return writeln!(out, "{onward}└ … as told above");
        }
        self.below(out, thread, &onward)
    }
}

fn own_name(thread: &GraphThread) -> String {
    format!("{}  tid {}", thread.thread, thread.id.tid)
}

fn whole_name(thread: &GraphThread) -> String {
    format!("{} of {} (pid {})", own_name(thread), thread.process, thread.id.pid)
}

fn state_words(thread: &GraphThread) -> String {
    match (thread.verdict, thread.state) {
        (Verdict::Running, State::Running) => "running".to_owned(),
        (Verdict::Running, State::Zombie) => "has ended, its parent has not yet asked how (zombie)".to_owned(),
        (Verdict::Running, State::Sleeping | State::Disk) => "on its way".to_owned(),
        (Verdict::Running, state) => state.word().to_owned(),
        (verdict, _) => verdict.word().to_owned(),
    }
}

/// `, with a time-out, for 3m12s, inferred`.
fn manner(wait: &Wait, at: Nanos) -> String {
    let mut text = String::new();
    // A sleep has no other end.
    if wait.timed && wait.kind != WaitKind::Sleep {
        text.push_str(", with a time-out");
    }
    if let Some(lasted) = lasted(wait, at) {
        let _ = write!(text, ", for {}", lasted.age());
    }
    text.push_str(match wait.certainty {
        Certainty::Certain => "",
        Certainty::Derived => ", derived",
        Certainty::Inferred => ", inferred",
        Certainty::Unknown => ", not certain",
    });
    if let Some(reason) = wait.evidence.last().filter(|_| says_why(wait)) {
        let _ = write!(text, "; {reason}");
    }
    text
}

/// Whether it is said at once why nobody is named.
fn says_why(wait: &Wait) -> bool {
    let nobody = wait.holders.is_empty() && !wait.orphaned;
    nobody && (wait.kind.is_lock() || wait.certainty == Certainty::Unknown)
}

fn draw_deadlock(out: &mut dyn Write, deadlock: &Deadlock, graph: &WaitGraph, at: Nanos) -> io::Result<()> {
    let certainty = match deadlock.certainty {
        Certainty::Certain => "certain",
        Certainty::Derived => "derived",
        Certainty::Inferred => "inferred",
        Certainty::Unknown => "not certain",
    };
    let count = deadlock.cycle.len();
    let words = if count == 1 { "one thread that waits for itself".to_owned() } else { format!("{count} threads") };
    writeln!(out, "DEADLOCK ({certainty}): {words}")?;
    for (number, stop) in stops(deadlock, graph).iter().enumerate() {
        let group = match stop {
            Stop::Threads(group) => group,
            Stop::LeftOut(count) => {
                writeln!(out, "  ⋯  {} more", grouped(*count as u64))?;
                continue;
            }
        };
        let thread = group[0];
        let rule = if number == 0 { "┌▶" } else { "│ " };
        writeln!(out, "  {rule} {}", whole_name(thread))?;
        if let Some(others) = others(group) {
            writeln!(out, "  │    {others}")?;
        }
        let Some(wait) = &thread.wait else { continue };
        writeln!(out, "  │    waits for {}{}", what(wait), manner(wait, at))?;
        if let Some(at) = &wait.at {
            writeln!(out, "  │      at {at}")?;
        }
        for fact in &wait.evidence {
            writeln!(out, "  │      · {fact}")?;
        }
        if !wait.holders.is_empty() {
            writeln!(out, "  │    {} {}", wait.relation(), holders(wait, graph))?;
        }
    }
    writeln!(out, "  └─── and so on for ever")?;
    let behind = deadlock.stuck.len().saturating_sub(count);
    if behind > 0 {
        let tids: Vec<String> = deadlock
            .stuck
            .iter()
            .filter(|id| !deadlock.cycle.contains(id))
            .take(8)
            .map(|id| id.tid.to_string())
            .collect();
        let dots = if behind > 8 { ", …" } else { "" };
        writeln!(out, "  stuck behind it: {behind} more ({}{dots})", tids.join(", "))?;
    }
    Ok(())
}
