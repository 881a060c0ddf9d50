//! One reading of the threads of a process: what each does, and what it waits for.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;

use super::{Surveyor, alongside};
use crate::backend::observe::blocked::call_in;
use crate::backend::observe::dating::LastRun;
use crate::backend::observe::parse::{self, Stat, Units};
use crate::backend::observe::privilege::{advice, explain, may_trace};
use crate::backend::observe::source::Symbols;
use crate::backend::observe::wait::{self, Around, Call, Facts};
use crate::model::graph::{ThreadId, Unreadable};
use crate::model::process::State;
use crate::model::wait::Wait;
use crate::model::{Nanos, Pid, text};
use crate::sys::proc_read::{Path, read_once};

/// What is read of a thread.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) process: Arc<str>,
    pub(super) thread: Arc<str>,
    pub(super) state: State,
    pub(super) kernel: bool,
    pub(super) started: Nanos,
    /// The CPU that it ran on last.
    pub(super) cpu: u32,
    /// Changes whenever the thread gets a CPU; `None` where the kernel does not
    /// count.
    pub(super) turns: Option<u64>,
    pub(super) call: Call,
    pub(super) wchan: Option<Arc<str>>,
    /// The memory around the futex that it sleeps on, as its wait was told from.
    pub(super) lock: Option<Around>,
    pub(super) wait: Option<Arc<Wait>>,
    pub(super) settled: bool,
    /// What the second reading told of when it ran last.
    pub(super) ran: Option<LastRun>,
}

impl Seen {
    /// The address of the futex that it sleeps on.
    pub(super) fn futex(&self) -> Option<u64> {
        match &self.call {
            Call::Blocked { call, .. } if call.number == libc::SYS_futex => Some(call.args[0]),
            _ => None,
        }
    }

    pub(super) fn ended(&self) -> bool {
        matches!(self.state, State::Zombie | State::Dead)
    }
}

impl Surveyor {
    pub(super) fn read_process(&mut self, pid: Pid) -> Result<(), Errno> {
        let mut tids = Vec::new();
        self.source.list_threads(pid, &mut tids)?;
        let tasks = self.tasks(pid)?;
        let mut process: Arc<str> = Arc::from("");
        let (mut found, mut refused) = (Vec::with_capacity(tids.len()), None);
        let (units, symbols) = (self.source.units, &mut self.source.symbols);
        let all = alongside::for_each(&tids, symbols, |symbols, &tid| (tid, look(&tasks, tid, units, symbols)));
        for (tid, seen) in all {
            match seen {
                Ok(seen) => {
                    if tid == pid {
                        process = seen.thread.clone();
                    }
                    if let Call::Unreadable(error) = seen.call {
                        refused = refused.or(Some(error));
                    }
                    found.push(ThreadId { pid, tid });
                    self.threads.insert(ThreadId { pid, tid }, seen);
                }
                // It has ended since it was listed.
                Err(Errno::NOENT | Errno::SRCH) => {}
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        // Numbers begin anew: a thread may have a smaller one than its process.
        for id in &found {
            self.threads.entry(*id).and_modify(|seen| seen.process = process.clone());
        }
        self.source.world.saw_threads(pid, found.iter().map(|id| id.tid).collect());
        let ended = |id: &ThreadId| self.threads.get(id).is_none_or(Seen::ended);
        let other = found.iter().find(|id| !ended(id)).filter(|_| ended(&ThreadId { pid, tid: pid }));
        self.source.world.go_through(pid, other.map(|id| id.tid));
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
    pub(super) fn tasks(&self, pid: Pid) -> Result<OwnedFd, Errno> {
        self.source.directory(&Path::process(pid).file("task"))
    }

    /// What a thread does; not yet what it waits for.
    pub(super) fn look(&mut self, tasks: &OwnedFd, tid: Pid) -> Result<Seen, Errno> {
        look(tasks, tid, self.source.units, &mut self.source.symbols)
    }

    /// What these threads of one process wait for.
    pub(super) fn decode(&mut self, pid: Pid, ids: &[ThreadId]) {
        if self.own == Some(pid) {
            return;
        }
        let threads = &self.threads;
        let sleepers = ids.iter().filter_map(|id| {
            let seen = threads.get(id)?;
            let Call::Blocked { sp, .. } = seen.call else { return None };
            Some((Some(sp), seen.futex()))
        });
        self.progress.enter(pid);
        let world = &mut self.source.world;
        world.read_ahead(pid, sleepers);
        for id in ids {
            let Some(seen) = self.threads.get_mut(id).filter(|seen| seen.call != Call::Running) else { continue };
            let (state, call, wchan) = (seen.state, &seen.call, seen.wchan.as_deref().unwrap_or_default());
            let facts = Facts { pid, tid: id.tid, state, call, wchan, since: None };
            seen.wait = wait::decode(&facts, world).map(Arc::new);
            seen.lock = seen.futex().and_then(|address| world.around(pid, address));
        }
        self.leave();
    }
}

/// As much of a file of a thread's is read; none that is asked for is longer.
const FILE: usize = 4 << 10;
/// Three numbers are shorter.
const NUMBERS: usize = 128;

/// What a thread does; not yet what it waits for.
fn look(tasks: &OwnedFd, tid: Pid, units: Units, symbols: &mut Symbols) -> Result<Seen, Errno> {
    // First: whoever runs from here on is found out.
    let turns = turns(tasks, tid);
    let (own, buffer) = (Path::process(tid), &mut [0; FILE]);
    let stat = Stat::parse(read_once(tasks.as_fd(), &own.file("stat"), buffer)?).ok_or(Errno::INVAL)?;
    let (state, kernel) = (stat.state, stat.is_kernel());
    let (started, cpu) = (units.ticks(stat.start_ticks), stat.last_cpu);
    let thread = text::visible_arc(&parse::unescape(stat.comm));
    let (mut call, mut wchan) = (Call::Running, None);
    if !matches!(state, State::Running | State::Zombie | State::Dead) {
        call = if kernel { Call::Kernel } else { call_in(read_once(tasks.as_fd(), &own.file("syscall"), buffer)) };
        if matches!(call, Call::Unreadable(_)) {
            // It may have ended meanwhile.
            read_once(tasks.as_fd(), &own.file("stat"), buffer)?;
        }
        // Every futex wait sleeps at the same place.
        let is_futex = matches!(&call, Call::Blocked { call, .. } if call.number == libc::SYS_futex);
        if !is_futex && call != Call::Running {
            let content = read_once(tasks.as_fd(), &own.file("wchan"), buffer).ok();
            wchan = content.and_then(|content| symbols.get(content));
        }
    }
    let (process, settled, ran) = (Arc::from(""), true, None);
    Ok(Seen { process, thread, state, kernel, started, cpu, turns, call, wchan, lock: None, wait: None, settled, ran })
}

/// Whether a thread sleeps: one that has been woken, and waits for a CPU, does not.
#[inline(never)]
pub(super) fn sleeps(tasks: &OwnedFd, tid: Pid) -> bool {
    let buffer = &mut [0; FILE];
    let stat = read_once(tasks.as_fd(), &Path::process(tid).file("stat"), buffer).ok().and_then(Stat::parse);
    stat.is_some_and(|stat| stat.state != State::Running)
}

/// Whether a thread that is in a call for a futex sleeps somewhere else than there, if that
/// is told: the supervisor of a filter (seccomp(2)) holds the call before it has begun.
pub(super) fn is_before_futex(tasks: &OwnedFd, tid: Pid) -> bool {
    let buffer = &mut [0; FILE];
    let wchan = read_once(tasks.as_fd(), &Path::process(tid).file("wchan"), buffer).unwrap_or_default();
    // One that passes its priority on sleeps in `rt_mutex_schedule`.
    let is_there = [&b"futex"[..], b"rt_mutex"].iter().any(|place| memchr::memmem::find(wchan, place).is_some());
    !(matches!(wchan, b"" | b"0") || is_there)
}

/// How often the task got a CPU; where the kernel does not count that, how
/// often it gave one up or lost it.
pub(super) fn turns(tasks: &OwnedFd, tid: Pid) -> Option<u64> {
    let own = Path::process(tid);
    let counted = read_once(tasks.as_fd(), &own.file("schedstat"), &mut [0; NUMBERS]).ok().and_then(|content| {
        let count = str::from_utf8(content).ok()?.split_ascii_whitespace().nth(2)?.parse::<u64>().ok()?;
        (count > 0).then_some(count)
    });
    counted.or_else(|| {
        let mut buffer = [0; FILE];
        let switches = parse::switches(read_once(tasks.as_fd(), &own.file("status"), &mut buffer).ok()?)?;
        Some(switches.voluntary + switches.involuntary)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use crate::backend::observe::survey;

    #[test]
    fn a_thread_with_a_smaller_number_than_its_process_has_the_name_of_that() {
        let tree = tempfile::tempdir().unwrap();
        for (tid, name) in [(70, "worker"), (900, "payments"), (901, "worker")] {
            let task = tree.path().join("900/task").join(tid.to_string());
            fs::create_dir_all(&task).unwrap();
            let stat = format!("{tid} ({name}) R{}\n", " 0".repeat(49));
            fs::write(task.join("stat"), stat).unwrap();
        }
        fs::write(tree.path().join("900/status"), "Name:\tpayments\nTgid:\t900\n").unwrap();
        let graph = survey::open(tree.path()).unwrap().why(&[900]);
        let names: Vec<_> = graph.threads.iter().map(|one| (one.id.tid, &*one.process, &*one.thread)).collect();
        assert_eq!(names, [(70, "payments", "worker"), (900, "payments", "payments"), (901, "payments", "worker")]);
    }
}
