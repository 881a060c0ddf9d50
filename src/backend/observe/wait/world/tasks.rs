//! Threads and processes: who lives, under which number, whose child.

use std::collections::HashMap;
use std::sync::Arc;

use rustix::fs::{AtFlags, statat};

use super::World;
use crate::backend::observe::endpoints::index_of;
use crate::backend::observe::parse::Stat;
use crate::backend::observe::wait::{Call, Facts};
use crate::model::Pid;
use crate::sys::clock;

impl World {
    /// Whether the thread is still in the very system call of the facts: same
    /// number, arguments, stack pointer and program counter.
    pub fn still_there(&self, facts: &Facts<'_>) -> bool {
        if self.vouched {
            return true;
        }
        self.call_of(facts.pid, facts.tid).as_ref() == Some(facts.call)
    }

    /// What a thread is in by now; `None` where that cannot be read.
    pub(in crate::backend::observe::wait) fn call_of(&self, pid: Pid, tid: Pid) -> Option<Call> {
        let mut content = Vec::new();
        self.root.read_into(&format!("{pid}/task/{tid}/syscall"), &mut content).ok()?;
        Call::parse(&content)
    }

    /// How often the thread has been put on a CPU; `None` on a kernel that does
    /// not count (`CONFIG_SCHED_INFO`).
    pub fn times_run(&self, pid: Pid, tid: Pid) -> Option<u64> {
        let mut content = Vec::new();
        self.root.read_into(&format!("{pid}/task/{tid}/schedstat"), &mut content).ok()?;
        let count = str::from_utf8(&content).ok()?.split_ascii_whitespace().nth(2)?.parse().ok()?;
        (count > 0).then_some(count)
    }

    /// Whether `tid` is a living thread of process `pid`.
    pub fn has_thread(&self, pid: Pid, tid: Pid) -> bool {
        let (known, tids) = &self.threads;
        if self.vouched && *known == pid && tid != pid && tids.binary_search(&tid).is_ok() {
            return true;
        }
        let path = format!("{pid}/task/{tid}");
        if statat(self.root.directory(), path.as_str(), AtFlags::empty()).is_err() {
            return false;
        }
        // A main thread that has ended stays as a zombie while others live.
        tid != pid || !self.has_ended(&format!("{path}/stat"))
    }

    fn has_ended(&self, stat: &str) -> bool {
        let mut content = Vec::new();
        if self.root.read_into(stat, &mut content).is_err() {
            return true;
        }
        let state = content.iter().rposition(|&byte| byte == b')').and_then(|end| content.get(end + 2));
        matches!(state, Some(b'Z' | b'X'))
    }

    /// The lines of a task's `status` file that begin with one of `keys`, as the
    /// fields behind it.
    pub(in crate::backend::observe::wait) fn status(&self, task: &str, key: &str) -> Option<Vec<Pid>> {
        let mut content = Vec::new();
        self.root.read_into(&format!("{task}/status"), &mut content).ok()?;
        let line = content.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(key.as_bytes()))?;
        Some(str::from_utf8(line).ok()?.split_ascii_whitespace().filter_map(|field| field.parse().ok()).collect())
    }

    /// How many pid namespaces below this program's own the process lives; 0 in
    /// the same one.
    pub(in crate::backend::observe::wait) fn level(&mut self, pid: Pid) -> usize {
        if let Some(&level) = self.levels.get(&pid) {
            return level;
        }
        let level = self.status(&pid.to_string(), "NSpid:").map_or(0, |ids| ids.len().saturating_sub(1));
        self.levels.insert(pid, level);
        level
    }

    /// Whether two processes do not certainly live in the same pid namespace.
    pub fn is_in_other_namespace(&mut self, one: Pid, other: Pid) -> bool {
        match (self.level(one), self.level(other)) {
            (0, 0) => false,
            (a, b) if a != b => true,
            _ => {
                let link = |pid: Pid| std::fs::read_link(self.root.path().join(format!("{pid}/ns/pid"))).ok();
                let (one, other) = (link(one), link(other));
                one.is_none() || one != other
            }
        }
    }

    /// The processes that do not certainly live in the pid namespace of `pid`.
    pub(in crate::backend::observe::wait) fn processes_elsewhere(&mut self, pid: Pid) -> Vec<Pid> {
        let others = if self.level(pid) == 0 { self.nested().to_vec() } else { self.numbers_in(".") };
        others.into_iter().filter(|&other| self.is_in_other_namespace(pid, other)).collect()
    }

    /// The processes below this program's own pid namespace. To find them every
    /// process is asked.
    fn nested(&mut self) -> Arc<[Pid]> {
        if let Some((_, nested)) = &self.nested {
            return Arc::clone(nested);
        }
        let nested: Arc<[Pid]> = self.numbers_in(".").into_iter().filter(|&pid| self.level(pid) > 0).collect();
        self.nested = Some((clock::monotonic(), Arc::clone(&nested)));
        nested
    }

    /// Whether the process lives in another pid namespace than this program.
    pub fn is_in_other_namespace_than_ours(&mut self, pid: Pid) -> bool {
        self.level(pid) > 0
    }

    /// The thread of process `pid` that has the number `inside` in the process's
    /// own pid namespace: its number here. `None` where there is no such living
    /// thread.
    pub fn thread_by_inner_number(&mut self, pid: Pid, inside: Pid) -> Option<Pid> {
        let level = self.level(pid);
        if level == 0 {
            return self.has_thread(pid, inside).then_some(inside);
        }
        let tasks = self.numbers_in(&format!("{pid}/task"));
        let is_it = |tid: &Pid| {
            let ids = self.status(&format!("{pid}/task/{tid}"), "NSpid:");
            ids.is_some_and(|ids| ids.get(level) == Some(&inside))
        };
        tasks.into_iter().find(|tid| is_it(tid) && self.has_thread(pid, *tid))
    }

    /// The number that process or thread `other` has in the pid namespace of process `pid`.
    pub fn inner_number(&mut self, pid: Pid, other: Pid) -> Option<Pid> {
        match self.level(pid) {
            0 => Some(other),
            level => self.status(&other.to_string(), "NSpid:")?.get(level).copied(),
        }
    }

    /// Whether process or thread `other` has the number `inside` in the pid
    /// namespace of process `pid`.
    pub fn has_inner_number(&mut self, pid: Pid, other: Pid, inside: Pid) -> bool {
        self.inner_number(pid, other) == Some(inside)
    }

    /// Whether the process was made by fork(2) and has not started a program of its own since.
    pub(in crate::backend::observe::wait) fn is_copy(&self, pid: Pid) -> bool {
        /// `PF_FORKNOEXEC`
        const IS_COPY: u64 = 0x40;
        let mut content = Vec::new();
        let read = self.root.read_into(&format!("{pid}/stat"), &mut content);
        read.is_ok() && Stat::parse(&content).is_some_and(|stat| stat.flags & IS_COPY != 0)
    }

    /// The number of the pseudo-terminal that controls a process (`tty_nr` in
    /// `proc_pid_stat(5)`).
    pub(in crate::backend::observe::wait) fn controlling_terminal(&self, pid: Pid) -> Option<u64> {
        let mut content = Vec::new();
        self.root.read_into(&format!("{pid}/stat"), &mut content).ok()?;
        index_of(Stat::parse(&content)?.terminal)
    }

    /// The processes that the pseudo-terminal with this number controls, in whichever
    /// devpts. To find them every process is asked.
    pub(in crate::backend::observe::wait) fn controlled_by(&mut self, index: u64) -> &[Pid] {
        if self.controlled.is_none() {
            let mut found: HashMap<u64, Vec<Pid>> = HashMap::new();
            for pid in self.numbers_in(".") {
                if let Some(index) = self.controlling_terminal(pid) {
                    found.entry(index).or_default().push(pid);
                }
            }
            self.controlled = Some(found);
        }
        self.controlled.as_ref().and_then(|all| all.get(&index)).map_or(&[], Vec::as_slice)
    }

    /// The children of all threads of a process; `None` where the kernel does
    /// not list them (`CONFIG_PROC_CHILDREN`).
    pub fn children(&self, pid: Pid) -> Option<Vec<Pid>> {
        let mut all = Vec::new();
        for tid in self.numbers_in(&format!("{pid}/task")) {
            match self.children_of_thread(pid, tid) {
                Some(children) => all.extend(children),
                // A thread that has ended meanwhile has handed its children on.
                None if !self.has_thread(pid, tid) => {}
                None => return None,
            }
        }
        all.sort_unstable();
        all.dedup();
        Some(all)
    }

    /// The children that one thread made; `None` where the kernel does not list
    /// them.
    pub fn children_of_thread(&self, pid: Pid, tid: Pid) -> Option<Vec<Pid>> {
        let mut content = Vec::new();
        self.root.read_into(&format!("{pid}/task/{tid}/children"), &mut content).ok()?;
        let text = str::from_utf8(&content).ok()?;
        Some(text.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect())
    }

    /// The entries of a directory below the root that are numbers.
    pub(in crate::backend::observe::wait) fn numbers_in(&self, relative: &str) -> Vec<Pid> {
        let Ok(entries) = std::fs::read_dir(self.root.path().join(relative)) else { return Vec::new() };
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
    }
}
