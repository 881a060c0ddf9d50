//! What threads wait for, read at one time, followed to whoever must act, and
//! confirmed where the answer is "never".
//!
//! ```text
//! asked for ─► all threads of each ─► their waits ─► the processes of the holders ─► …
//!                                                       │ nobody new
//!                                              who may never go on?
//!                                                       │ those only
//!                                  every fact once more; has any of them run meanwhile?
//! ```
//!
//! All first readings lie before all second ones. A thread that was not put on
//! a CPU between its two readings, and of which both say the same, was blocked
//! in that wait at the moment between; if that holds for all threads of a loop,
//! the loop stood at that moment, and nobody in it has been able to act since.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::path::Path as FilePath;
use std::sync::Arc;

use rustix::io::Errno;

use super::blocked::call_in;
use super::dating::last_ran;
use super::faults::explain;
use super::graph::{Analysis, Node, analyse};
use super::infer::{self, Inference, Sleeper};
use super::parse::{self, Stat};
use super::privilege::{advice, may_trace};
use super::progress::{Abandoned, Progress};
use super::source::Source;
use super::wait::{self, Around, Call, Facts};
use crate::model::graph::{GraphThread, Scanned, ThreadId, Unreadable, WaitGraph};
use crate::model::process::State;
use crate::model::wait::{Certainty, Wait};
use crate::model::{Nanos, Pid, text};
use crate::sys::clock;
use crate::sys::proc_read::Path;
use crate::sys::procroot::ProcRoot;

/// Opens a proc file system, to ask [`Surveyor::why`] and [`Surveyor::deadlocks`].
///
/// # Errors
/// Where it cannot be opened.
pub fn open(root: &FilePath) -> Result<Surveyor, Errno> {
    Ok(Surveyor::new(Source::new(Arc::new(ProcRoot::open(root)?))))
}

/// Of so many threads it is said in which line they wait.
const LOCATED: usize = 64;

/// A thread that runs again and again is not followed for ever.
const ATTEMPTS: usize = 3;

/// What is read of a thread.
#[derive(Debug)]
struct Seen {
    process: Arc<str>,
    thread: Arc<str>,
    state: State,
    kernel: bool,
    started: Nanos,
    /// Changes whenever the thread gets a CPU; `None` where the kernel does not
    /// count.
    turns: Option<u64>,
    call: Call,
    wchan: Option<Arc<str>>,
    /// The memory around the futex that it sleeps on, as its wait was told from.
    lock: Option<Around>,
    wait: Option<Arc<Wait>>,
    settled: bool,
}

impl Seen {
    /// The address of the futex that it sleeps on.
    fn futex(&self) -> Option<u64> {
        match &self.call {
            Call::Blocked { call, .. } if call.number == libc::SYS_futex => Some(call.args[0]),
            _ => None,
        }
    }

    fn ended(&self) -> bool {
        matches!(self.state, State::Zombie | State::Dead)
    }
}

/// Reads waits and follows them.
#[derive(Debug)]
pub struct Surveyor {
    source: Source,
    threads: BTreeMap<ThreadId, Seen>,
    processes: BTreeSet<Pid>,
    unreadable: Vec<Unreadable>,
    /// Where it says what it reads, for whoever looks after a reading that
    /// hangs.
    progress: Arc<Progress>,
    abandoned: Option<Abandoned>,
}

impl Surveyor {
    /// One that reads from `source`.
    pub fn new(source: Source) -> Self {
        Surveyor {
            source,
            threads: BTreeMap::new(),
            processes: BTreeSet::new(),
            unreadable: Vec::new(),
            progress: Arc::default(),
            abandoned: None,
        }
    }

    /// As [`Surveyor::why`], by a thread that is looked after.
    ///
    /// # Errors
    /// [`Abandoned`] where a reading hung so long that another thread has taken
    /// over.
    pub fn why_watched(&mut self, pids: &[Pid], progress: &Arc<Progress>) -> Result<WaitGraph, Abandoned> {
        self.progress.clone_from(progress);
        let graph = self.why(pids);
        self.abandoned.map_or(Ok(graph), Err)
    }

    /// The threads of these processes, and every other thread on a chain from
    /// them. A number may also be that of a thread.
    pub fn why(&mut self, pids: &[Pid]) -> WaitGraph {
        let began = self.begin();
        let mut asked = BTreeSet::new();
        for &pid in pids {
            match process_of(&self.source, pid) {
                Ok(process) => drop(asked.insert(process)),
                Err(error) => self.unreadable.push(Unreadable { pid, why: absent(error) }),
            }
        }
        self.follow(asked.iter().copied().collect());
        self.infer();
        let analysis = self.analyse(true);
        let wanted = self.on_chains(|id| asked.contains(&id.pid));
        self.graph(&analysis, &wanted, began)
    }

    /// Every thread of the machine that can never go on.
    ///
    /// # Errors
    /// Where the processes cannot be listed.
    pub fn deadlocks(&mut self) -> Result<WaitGraph, Errno> {
        let began = self.begin();
        let mut pids = Vec::new();
        self.source.list_processes(&mut pids)?;
        self.follow(pids);
        self.infer();
        let analysis = self.analyse(false);
        let stuck = self.threads.keys().zip(&analysis.verdicts).filter(|(_, verdict)| verdict.is_for_ever());
        let wanted = stuck.map(|(id, _)| *id).collect();
        Ok(self.graph(&analysis, &wanted, began))
    }

    fn begin(&mut self) -> Nanos {
        self.threads.clear();
        self.processes.clear();
        self.unreadable.clear();
        self.source.world.precise(true);
        self.source.world.thorough(false);
        self.source.world.vouch();
        self.source.world.begin_scan();
        clock::monotonic()
    }

    /// Reads these processes, and those of whoever their threads wait for.
    fn follow(&mut self, mut queue: Vec<Pid>) {
        while let Some(pid) = queue.pop().filter(|_| self.abandoned.is_none()) {
            if !self.processes.insert(pid) {
                continue;
            }
            self.progress.enter(pid);
            let read = self.read_process(pid);
            self.abandoned = self.progress.leave().err();
            if let Err(error) = read {
                self.unreadable.push(Unreadable { pid, why: absent(error) });
                continue;
            }
            let range = ThreadId { pid, tid: 0 }..=ThreadId { pid, tid: Pid::MAX };
            let holders = self.threads.range(range).filter_map(|(_, seen)| seen.wait.as_ref()).flat_map(|w| &w.holders);
            queue.extend(holders.map(|holder| holder.pid).filter(|pid| !self.processes.contains(pid)));
        }
    }

    fn read_process(&mut self, pid: Pid) -> Result<(), Errno> {
        let mut tids = Vec::new();
        self.source.list_threads(pid, &mut tids)?;
        let tasks = self.tasks(pid)?;
        let mut process: Arc<str> = Arc::from("");
        let (mut found, mut refused) = (Vec::with_capacity(tids.len()), None);
        for tid in tids {
            match self.look(&tasks, tid) {
                Ok(mut seen) => {
                    if tid == pid {
                        process = seen.thread.clone();
                    }
                    if let Call::Unreadable(error) = seen.call {
                        refused = refused.or(Some(error));
                    }
                    seen.process = process.clone();
                    found.push(ThreadId { pid, tid });
                    self.threads.insert(ThreadId { pid, tid }, seen);
                }
                // It has ended since it was listed.
                Err(Errno::NOENT | Errno::SRCH) => {}
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        self.source.world.saw_threads(pid, found.iter().map(|id| id.tid).collect());
        self.decode(pid, &found);
        match refused {
            Some(error) => {
                let what = "what its threads wait for cannot be read";
                let way = advice(may_trace(), "run as root or with CAP_SYS_PTRACE");
                let why = format!("{what} ({}): {way}", explain(error));
                self.unreadable.push(Unreadable { pid, why });
                Ok(())
            }
            None if found.is_empty() => Err(Errno::SRCH),
            None => Ok(()),
        }
    }

    /// The directory of a process's threads.
    fn tasks(&self, pid: Pid) -> Result<OwnedFd, Errno> {
        self.source.directory(&Path::process(pid).file("task"))
    }

    /// What a thread does; not yet what it waits for.
    fn look(&mut self, tasks: &OwnedFd, tid: Pid) -> Result<Seen, Errno> {
        // First: whoever runs from here on is found out.
        let turns = turns(&mut self.source, tasks, tid);
        let own = Path::process(tid);
        let (units, source) = (self.source.units, &mut self.source);
        let stat = Stat::parse(source.once_in(tasks, &own.file("stat"))?).ok_or(Errno::INVAL)?;
        let (state, kernel, started) = (stat.state, stat.is_kernel(), units.ticks(stat.start_ticks));
        let thread = text::visible_arc(&parse::unescape(stat.comm));
        let (mut call, mut wchan) = (Call::Running, None);
        if !matches!(state, State::Running | State::Zombie | State::Dead) {
            call = if kernel { Call::Outside } else { call_in(source.once_in(tasks, &own.file("syscall"))) };
            // Every futex wait sleeps at the same place.
            let is_futex = matches!(&call, Call::Blocked { call, .. } if call.number == libc::SYS_futex);
            if !is_futex && call != Call::Running {
                let content = source.once_in(tasks, &own.file("wchan")).map(<[u8]>::to_vec);
                wchan = content.ok().and_then(|content| source.symbols.get(&content));
            }
        }
        let process = Arc::from("");
        Ok(Seen { process, thread, state, kernel, started, turns, call, wchan, lock: None, wait: None, settled: true })
    }

    /// What these threads of one process wait for.
    fn decode(&mut self, pid: Pid, ids: &[ThreadId]) {
        let threads = &self.threads;
        let sleepers = ids.iter().filter_map(|id| {
            let seen = threads.get(id)?;
            let Call::Blocked { sp, .. } = seen.call else { return None };
            Some((Some(sp), seen.futex()))
        });
        let world = &mut self.source.world;
        world.read_ahead(pid, sleepers);
        for id in ids {
            let Some(seen) = self.threads.get_mut(id).filter(|seen| seen.call != Call::Running) else { continue };
            let (state, call, wchan) = (seen.state, &seen.call, seen.wchan.as_deref().unwrap_or_default());
            let facts = Facts { pid, tid: id.tid, state, call, wchan, since: None };
            seen.wait = wait::decode(&facts, world).map(Arc::new);
            seen.lock = seen.futex().and_then(|address| world.around(pid, address));
        }
    }

    /// Names the holders of locks that do not store them, by what every thread of
    /// the process would let go of. Whoever has run since it was read is not
    /// named.
    fn infer(&mut self) {
        let open = |seen: &Seen| seen.wait.as_deref().is_some_and(infer::is_open);
        let pids: BTreeSet<Pid> = self.threads.iter().filter(|(_, seen)| open(seen)).map(|(id, _)| id.pid).collect();
        for pid in pids {
            if self.abandoned.is_some() {
                return;
            }
            self.progress.enter(pid);
            self.infer_in(pid);
            self.abandoned = self.progress.leave().err();
        }
    }

    fn infer_in(&mut self, pid: Pid) {
        let range = ThreadId { pid, tid: 0 }..=ThreadId { pid, tid: Pid::MAX };
        let mut running = 0;
        let mut sleepers = Vec::new();
        for (id, seen) in self.threads.range(range.clone()) {
            match seen.call {
                Call::Blocked { sp, pc, .. } => {
                    sleepers.push(Sleeper { tid: id.tid, sp, pc, wait: seen.wait.as_deref() });
                }
                _ if seen.ended() => {}
                _ => running += 1,
            }
        }
        let world = &mut self.source.world;
        let inference = Inference::of(world, pid, &sleepers, running);
        let mut named = BTreeSet::new();
        for (_, seen) in self.threads.range_mut(range.clone()) {
            if seen.wait.as_deref().is_some_and(infer::is_open)
                && let Some(wait) = &mut seen.wait
            {
                let wait = Arc::make_mut(wait);
                inference.name(world, pid, wait);
                named.extend(wait.holders.iter().filter_map(|holder| holder.tid));
            }
        }
        let moved = self.moved(pid, &named);
        for (_, seen) in self.threads.range_mut(range) {
            let Some(wait) = seen.wait.as_mut().filter(|wait| wait.certainty == Certainty::Inferred) else { continue };
            if wait.holders.iter().any(|holder| holder.tid.is_some_and(|tid| moved.contains(&tid))) {
                let wait = Arc::make_mut(wait);
                wait.holders.clear();
                wait.partial = true;
                wait.certainty = Certainty::Unknown;
                wait.evidence.push("but it has run while it was read".to_owned());
            }
        }
    }

    /// Those of these threads of a process that have run since they were read.
    fn moved(&mut self, pid: Pid, tids: &BTreeSet<Pid>) -> BTreeSet<Pid> {
        let Ok(tasks) = self.tasks(pid) else { return tids.clone() };
        let mut moved = tids.clone();
        moved.retain(|&tid| {
            let before = self.threads.get(&ThreadId { pid, tid }).and_then(|seen| seen.turns);
            before.is_none() || turns(&mut self.source, &tasks, tid) != before
        });
        moved
    }

    /// Who can go on; whoever seems unable to is read once more. Where `all` are
    /// shown, it is also made sure that the others were not read on the move.
    fn analyse(&mut self, all: bool) -> Analysis {
        let first = analyse(&self.nodes());
        let candidates: Vec<ThreadId> = self
            .threads
            .keys()
            .zip(&first.verdicts)
            .filter(|(_, verdict)| verdict.is_for_ever())
            .map(|(id, _)| *id)
            .collect();
        if all && self.catch_up(&candidates) {
            return self.analyse_again(&candidates);
        }
        if candidates.is_empty() { first } else { self.analyse_again(&candidates) }
    }

    fn analyse_again(&mut self, candidates: &[ThreadId]) -> Analysis {
        self.source.world.thorough(true);
        self.source.world.begin_scan();
        for own in candidates.chunk_by(|one, other| one.pid == other.pid) {
            if self.abandoned.is_some() {
                break;
            }
            self.progress.enter(own[0].pid);
            self.confirm(own);
            self.abandoned = self.progress.leave().err();
        }
        analyse(&self.nodes())
    }

    /// Reads the waits of threads of one process once more. A lock whose memory
    /// is the same byte for byte says the same as before, where neither who
    /// waits nor who holds it has run meanwhile.
    fn confirm(&mut self, ids: &[ThreadId]) {
        let pid = ids[0].pid;
        let threads = &self.threads;
        let futexes = ids.iter().filter_map(|id| threads.get(id)?.futex());
        self.source.world.read_ahead(pid, futexes.map(|address| (None, Some(address))));
        let changed: Vec<ThreadId> = ids.iter().copied().filter(|id| !self.is_same_lock(*id)).collect();
        let before: Vec<Option<Arc<Wait>>> =
            changed.iter().map(|id| self.threads.get_mut(id).and_then(|seen| seen.wait.take())).collect();
        self.decode(pid, &changed);
        for (id, before) in changed.iter().zip(before) {
            if let Some(seen) = self.threads.get_mut(id) {
                seen.settled = is_same(before.as_deref(), seen.wait.as_deref());
            }
        }
        let tasks = self.tasks(pid);
        for id in ids {
            let turns = tasks.as_ref().ok().and_then(|tasks| turns(&mut self.source, tasks, id.tid));
            if let Some(seen) = self.threads.get_mut(id) {
                seen.settled &= turns.is_some() && turns == seen.turns;
            }
        }
    }

    fn is_same_lock(&self, id: ThreadId) -> bool {
        let Some(seen) = self.threads.get(&id) else { return false };
        let now = seen.futex().and_then(|address| self.source.world.around(id.pid, address));
        now.is_some() && now == seen.lock
    }

    /// Reads those threads anew that have moved on while they were read, but for
    /// the `candidates`, sorted by id; whether there were any.
    fn catch_up(&mut self, candidates: &[ThreadId]) -> bool {
        for attempt in 0..ATTEMPTS {
            let is_other = |id: &ThreadId| candidates.binary_search(id).is_err();
            let waiting = self.threads.iter().filter(|(id, seen)| seen.wait.is_some() && is_other(id));
            let waiting: Vec<(ThreadId, Option<u64>)> = waiting.map(|(id, seen)| (*id, seen.turns)).collect();
            let mut moved = false;
            for own in waiting.chunk_by(|(one, _), (other, _)| one.pid == other.pid) {
                let Ok(tasks) = self.tasks(own[0].0.pid) else { continue };
                for (id, before) in own {
                    if turns(&mut self.source, &tasks, id.tid) != *before {
                        moved = true;
                        self.look_again(&tasks, *id);
                    }
                }
            }
            if !moved {
                return attempt > 0;
            }
        }
        true
    }

    fn look_again(&mut self, tasks: &OwnedFd, id: ThreadId) {
        let process = self.threads.get(&id).map(|seen| seen.process.clone()).unwrap_or_default();
        match self.look(tasks, id.tid) {
            Ok(seen) => {
                self.threads.insert(id, Seen { process, ..seen });
                self.decode(id.pid, &[id]);
            }
            Err(_) => drop(self.threads.remove(&id)),
        }
    }

    fn nodes(&self) -> Vec<Node<'_>> {
        self.threads
            .iter()
            .map(|(id, seen)| Node { id: *id, wait: seen.wait.as_deref(), ended: seen.ended(), settled: seen.settled })
            .collect()
    }

    /// The threads that are asked for and all on chains from them.
    fn on_chains(&self, asked: impl Fn(&ThreadId) -> bool) -> BTreeSet<ThreadId> {
        let mut wanted: BTreeSet<ThreadId> = self.threads.keys().filter(|id| asked(id)).copied().collect();
        let mut queue: Vec<ThreadId> = wanted.iter().copied().collect();
        while let Some(id) = queue.pop() {
            let Some(wait) = self.threads.get(&id).and_then(|seen| seen.wait.as_ref()) else { continue };
            for holder in &wait.holders {
                let tids = holder.tid.map_or(0..=Pid::MAX, |tid| tid..=tid);
                let range =
                    ThreadId { pid: holder.pid, tid: *tids.start() }..=ThreadId { pid: holder.pid, tid: *tids.end() };
                for (&next, _) in self.threads.range(range) {
                    if wanted.insert(next) {
                        queue.push(next);
                    }
                }
            }
        }
        wanted
    }

    /// Says in which lines of source these threads wait, as far as that is known
    /// and they have not run since they were read.
    fn locate(&mut self, wanted: &BTreeSet<ThreadId>) {
        let mut tasks: Option<(Pid, Option<OwnedFd>)> = None;
        for id in wanted.iter().take(LOCATED) {
            let Some(Seen { call: Call::Blocked { sp, pc, .. }, turns: before, wait: Some(_), .. }) =
                self.threads.get(id)
            else {
                continue;
            };
            let (sp, pc, before) = (*sp, *pc, *before);
            let Some(line) = self.source.world.line_of(id.pid, sp, pc) else { continue };
            if tasks.as_ref().is_none_or(|(pid, _)| *pid != id.pid) {
                tasks = Some((id.pid, self.tasks(id.pid).ok()));
            }
            let Some((_, Some(directory))) = &tasks else { continue };
            if before.is_some()
                && turns(&mut self.source, directory, id.tid) == before
                && let Some(wait) = self.threads.get_mut(id).and_then(|seen| seen.wait.as_mut())
            {
                Arc::make_mut(wait).at = Some(line.into());
            }
        }
    }

    fn graph(&mut self, analysis: &Analysis, wanted: &BTreeSet<ThreadId>, began: Nanos) -> WaitGraph {
        self.locate(wanted);
        let scanned = Scanned { processes: self.processes.len(), threads: self.threads.len() };
        let mut threads = Vec::with_capacity(wanted.len());
        for ((id, seen), &verdict) in self.threads.iter_mut().zip(&analysis.verdicts) {
            if !wanted.contains(id) {
                continue;
            }
            if let Some(wait) = seen.wait.as_mut().filter(|wait| wait.since.is_none() && !seen.kernel) {
                let directory = Path::thread(id.pid, id.tid);
                Arc::make_mut(wait).since = last_ran(&directory, seen.started, &mut self.source);
            }
            let Seen { process, thread, state, wait, .. } = seen;
            let (process, thread, wait) = (process.clone(), thread.clone(), wait.clone());
            threads.push(GraphThread { id: *id, process, thread, state: *state, wait, verdict });
        }
        self.unreadable.sort_by_key(|process| process.pid);
        let shown = |dead: &&crate::model::graph::Deadlock| dead.stuck.iter().any(|id| wanted.contains(id));
        WaitGraph {
            threads,
            deadlocks: analysis.deadlocks.iter().filter(shown).cloned().collect(),
            unreadable: std::mem::take(&mut self.unreadable),
            scanned,
            took: clock::monotonic().since(began),
        }
    }
}

/// Whether two readings tell of the same wait; they may word it differently.
fn is_same(one: Option<&Wait>, other: Option<&Wait>) -> bool {
    let (Some(one), Some(other)) = (one, other) else { return false };
    let what = |wait: &Wait| (wait.kind, wait.address, wait.mode, wait.timed, wait.partial, wait.orphaned);
    let who = |wait: &Wait| wait.holders.iter().copied().collect::<BTreeSet<_>>();
    what(one) == what(other) && one.certainty == other.certainty && who(one) == who(other)
}

/// How often the task got a CPU; where the kernel does not count that, how
/// often it gave one up or lost it.
fn turns(source: &mut Source, tasks: &OwnedFd, tid: Pid) -> Option<u64> {
    let own = Path::process(tid);
    let counted = source.once_in(tasks, &own.file("schedstat")).ok().and_then(|content| {
        let count = str::from_utf8(content).ok()?.split_ascii_whitespace().nth(2)?.parse::<u64>().ok()?;
        (count > 0).then_some(count)
    });
    counted.or_else(|| {
        let switches = parse::switches(source.once_in(tasks, &own.file("status")).ok()?)?;
        Some(switches.voluntary + switches.involuntary)
    })
}

/// The process that a number stands for: of a process, or of one of its threads.
fn process_of(source: &Source, pid: Pid) -> Result<Pid, Errno> {
    let mut status = Vec::new();
    source.root().read_into(&format!("{pid}/status"), &mut status)?;
    let line = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"Tgid:"));
    let number = line.and_then(|line| str::from_utf8(line).ok()?.trim().parse().ok());
    Ok(number.unwrap_or(pid))
}

fn absent(error: Errno) -> String {
    match error {
        Errno::NOENT => "there is no such process".to_owned(),
        Errno::SRCH => "it has ended while it was read".to_owned(),
        error => explain(error),
    }
}
