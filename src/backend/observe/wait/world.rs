//! Where decoders look things up during one scan.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use rustix::fs::{AtFlags, readlinkat_raw, statat};
use rustix::io::Errno;

use super::ahead::Ahead;
use super::live::Live;
use super::{Call, Facts};
use crate::backend::observe::endpoints::{Ends, inode_in};
use crate::backend::observe::file_locks::FileLocks;
use crate::backend::observe::inet::InetSockets;
use crate::backend::observe::target::maps::{Mapping, Maps};
use crate::backend::observe::target::stack::{
    CallSite, Callee, Code, DEPTH, LONGEST_CALL, callee, ends_in_call, stub_slot,
};
use crate::model::{Nanos, Pid};
use crate::sys::clock;
use crate::sys::procroot::ProcRoot;

/// An index of descriptors is used so long for the process table; a precise
/// answer never uses one of an earlier scan.
const ENDS_LAST: Nanos = Nanos(3_000_000_000);
/// An index this young is not read anew for what it lacks.
const ENDS_FRESH: Nanos = Nanos(500_000_000);
/// So are tables of internet sockets.
const INET_FRESH: Nanos = Nanos(50_000_000);
/// So many memory maps are kept: those of the process at hand and of those it
/// shares locks with.
const MAPS: usize = 32;
/// A lock has its fields so near to the word that is waited for.
const AROUND: u64 = 64;

/// The memory around a futex.
pub type Around = [u8; 2 * AROUND as usize];
/// So many callers are looked at.
const CALLERS: usize = 8;

/// At what cost questions are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Effort {
    /// What is dear is left out, and said to be.
    Cheap,
    /// Every holder that can be found is named.
    Precise,
    /// Even what hardly ever is is looked for.
    Thorough,
}

/// A thread's process, id, stack pointer and program counter.
type SiteKey = (Pid, Pid, u64, u64);

/// What is not in `/proc` as files: memory of a process, names of its code. A
/// test has its own.
pub(super) trait Source: Debug + Send {
    /// Fills `buffer` with the memory at these ranges, one behind the other.
    fn memory(&self, pid: Pid, ranges: &[(u64, usize)], buffer: &mut [u8]) -> Result<(), Errno>;

    /// Whether two processes share their memory; `None` where that is not told.
    fn shares_memory(&self, one: Pid, other: Pid) -> Option<bool>;

    /// The time-out of a socket; `None` for none, or where that is not told.
    fn socket_limit(&self, pid: Pid, fd: i32, receives: bool) -> Option<Nanos>;

    /// Whether the file behind a mapping is a program of Go.
    fn is_go(&mut self, root: &ProcRoot, pid: Pid, mapping: &Mapping) -> bool;

    /// Fills `buffer` with those of these ranges that can be read, and says
    /// which.
    fn memory_each(&self, _pid: Pid, ranges: &[(u64, usize)], _buffer: &mut [u8]) -> Vec<bool> {
        vec![false; ranges.len()]
    }

    /// Names the code that ends directly before each address.
    fn code(&mut self, root: &ProcRoot, pid: Pid, maps: &Maps, addresses: &[u64]) -> Vec<Code>;

    /// Names the memory at an address: symbol, section and file.
    fn place(&mut self, root: &ProcRoot, pid: Pid, maps: &Maps, address: u64) -> String;
}

/// Where decoders look things up during one scan.
#[derive(Debug)]
pub struct World {
    /// The proc file system.
    pub root: Arc<ProcRoot>,
    source: Box<dyn Source>,
    effort: Effort,
    vouched: bool,
    ahead: Ahead,
    /// The threads of the process at hand, but for its main thread.
    threads: (Pid, Vec<Pid>),
    /// Which addresses of a process are those behind a call.
    returns: HashMap<(Pid, u64), bool>,
    maps: HashMap<Pid, Option<Arc<Maps>>>,
    levels: HashMap<Pid, usize>,
    /// Where the thread at hand is in its code: several decoders ask.
    site: Option<(SiteKey, Option<Arc<CallSite>>)>,
    ends: Option<Ends>,
    /// Whether it has to be renewed before it is used again.
    ends_outdated: bool,
    file_locks: Option<Result<Arc<FileLocks>, Errno>>,
    /// By the inode of the network namespace.
    inet: HashMap<u64, Arc<InetSockets>>,
}

impl World {
    /// A world with nothing looked up yet.
    pub fn new(root: Arc<ProcRoot>) -> Self {
        let source = Box::new(Live::new(root.is_real()));
        World::with_source(root, source)
    }

    /// A world with a source of its own.
    pub(super) fn with_source(root: Arc<ProcRoot>, source: Box<dyn Source>) -> Self {
        World {
            root,
            source,
            effort: Effort::Cheap,
            vouched: false,
            ahead: Ahead::default(),
            threads: (0, Vec::new()),
            returns: HashMap::new(),
            maps: HashMap::new(),
            levels: HashMap::new(),
            site: None,
            ends: None,
            ends_outdated: false,
            file_locks: None,
            inet: HashMap::new(),
        }
    }

    /// Forgets what may have changed since the scan before.
    pub fn begin_scan(&mut self) {
        self.maps.clear();
        self.levels.clear();
        self.returns.clear();
        self.ahead = Ahead::default();
        self.file_locks = None;
        self.inet.clear();
        let now = clock::monotonic();
        let old = |ends: &Ends| now.0.saturating_sub(ends.at().0) > ENDS_LAST.0;
        if self.is_precise() {
            self.ends = None;
        }
        self.ends_outdated |= self.ends.as_ref().is_some_and(old);
    }

    /// Whether every answer shall rest on readings of this scan, and name every
    /// holder that can be found, at whatever cost. Without, a decoder leaves out
    /// what is dear, and says so.
    pub fn precise(&mut self, precise: bool) {
        self.effort = if precise { Effort::Precise } else { Effort::Cheap };
        if precise {
            self.ends = None;
        }
    }

    /// Whether even what hardly ever is shall be looked for: somebody is about to
    /// be told that a thread can never go on.
    pub fn thorough(&mut self, thorough: bool) {
        if self.is_precise() {
            self.effort = if thorough { Effort::Thorough } else { Effort::Precise };
        }
    }

    /// Whether [`World::thorough`] was asked for.
    pub fn is_thorough(&self) -> bool {
        self.effort == Effort::Thorough
    }

    /// Whether [`World::precise`] was asked for.
    pub fn is_precise(&self) -> bool {
        self.effort >= Effort::Precise
    }

    /// From now on whoever asks finds out by other means whether a thread has
    /// moved on while it was read: decoders need not.
    pub fn vouch(&mut self) {
        self.vouched = true;
    }

    /// These threads of a process, in ascending order, have just been read. One
    /// of them that ends meanwhile is noticed by whoever vouches.
    pub fn saw_threads(&mut self, pid: Pid, tids: Vec<Pid>) {
        self.threads = (pid, tids);
    }

    /// Reads memory of a process ahead: for threads that sleep with these stack
    /// pointers, on futexes at these addresses.
    pub fn read_ahead(&mut self, pid: Pid, sleepers: impl Iterator<Item = (Option<u64>, Option<u64>)>) {
        let mut ranges = Vec::new();
        for (stack, futex) in sleepers {
            ranges.extend(stack.map(|pointer| (pointer, DEPTH)));
            ranges.extend(futex.map(|address| (address.saturating_sub(AROUND), 2 * AROUND as usize)));
        }
        self.ahead = Ahead::read(pid, ranges, |ranges, buffer| self.source.memory_each(pid, ranges, buffer));
    }

    /// What has been [read ahead](World::read_ahead) around the futex at
    /// `address`: all that a lock says of itself.
    pub fn around(&self, pid: Pid, address: u64) -> Option<Around> {
        let mut bytes = [0; 2 * AROUND as usize];
        self.ahead.fill(pid, address.saturating_sub(AROUND), &mut bytes).then_some(bytes)
    }

    /// Fills `buffer` with memory of a process, all or nothing.
    ///
    /// # Errors
    /// As [`memory::read`](crate::sys::memory::read).
    pub fn memory(&self, pid: Pid, address: u64, buffer: &mut [u8]) -> Result<(), Errno> {
        if self.ahead.fill(pid, address, buffer) {
            return Ok(());
        }
        self.source.memory(pid, &[(address, buffer.len())], buffer)
    }

    /// `N` consecutive 32-bit words of a process's memory.
    ///
    /// # Errors
    /// As [`World::memory`].
    pub fn words<const N: usize>(&self, pid: Pid, address: u64) -> Result<[u32; N], Errno> {
        let mut bytes = vec![0; N * 4];
        self.memory(pid, address, &mut bytes)?;
        let mut words = [0; N];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(4)) {
            *word = u32::from_ne_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
        }
        Ok(words)
    }

    /// `N` consecutive 64-bit words of a process's memory.
    ///
    /// # Errors
    /// As [`World::memory`].
    pub fn longs<const N: usize>(&self, pid: Pid, address: u64) -> Result<[u64; N], Errno> {
        let mut bytes = vec![0; N * 8];
        self.memory(pid, address, &mut bytes)?;
        let mut longs = [0; N];
        for (long, chunk) in longs.iter_mut().zip(bytes.chunks_exact(8)) {
            *long = chunk.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        }
        Ok(longs)
    }

    /// The memory map of a process; `None` where it may not be read.
    pub fn maps(&mut self, pid: Pid) -> Option<Arc<Maps>> {
        if let Some(known) = self.maps.get(&pid) {
            return known.clone();
        }
        let mut content = Vec::new();
        let read = self.root.read_into(&format!("{pid}/maps"), &mut content);
        let maps = read.is_ok().then(|| Arc::new(Maps::parse(&content)));
        if self.maps.len() == MAPS {
            self.maps.clear();
        }
        self.maps.insert(pid, maps.clone());
        maps
    }

    /// The runtime of the process, where it schedules threads or objects of its
    /// own on those of the kernel: what one of these waits for tells little.
    pub(super) fn managed_runtime(&mut self, pid: Pid) -> Option<&'static str> {
        let maps = self.maps(pid)?;
        if maps.all().iter().any(|mapping| mapping.name.ends_with("/libjvm.so")) {
            return Some("a Java virtual machine (libjvm.so): its threads and monitors are its own, jstack tells them");
        }
        let program = maps.all().iter().find(|mapping| mapping.file.is_some())?;
        let is_go = self.source.is_go(&self.root, pid, program);
        is_go.then_some("a Go program (.go.buildinfo): its goroutines are not its threads, SIGQUIT makes it tell them")
    }

    /// Names the memory at an address: `COUNT (.data of /srv/payments +0x40)`,
    /// `[heap] +0x2a0`.
    pub fn place(&mut self, pid: Pid, address: u64) -> String {
        match self.maps(pid) {
            Some(maps) => self.source.place(&self.root, pid, &maps, address),
            None => "memory whose mapping may not be read".to_owned(),
        }
    }

    /// Where in its code the thread is blocked, and who called; `None` where its
    /// map or its stack cannot be read.
    pub fn call_site(&mut self, facts: &Facts<'_>) -> Option<Arc<CallSite>> {
        let &Call::Blocked { sp, pc, .. } = facts.call else { return None };
        let key = (facts.pid, facts.tid, sp, pc);
        if let Some((_, site)) = self.site.as_ref().filter(|(known, _)| *known == key) {
            return site.clone();
        }
        let site = self.read_call_site(facts.pid, sp, pc).map(Arc::new);
        self.site = Some((key, site.clone()));
        site
    }

    /// Forgets what is kept of one thread for all its decoders.
    pub(super) fn begin_thread(&mut self) {
        self.site = None;
    }

    fn read_call_site(&mut self, pid: Pid, sp: u64, pc: u64) -> Option<CallSite> {
        let mut maps = self.maps(pid)?;
        if maps.find(sp).is_none() {
            // A thread that is younger than the map.
            self.maps.remove(&pid);
            maps = self.maps(pid)?;
        }
        let stack = maps.find(sp)?;
        let length = (stack.range.end - sp).min(DEPTH as u64) as usize & !7;
        let mut bytes = vec![0; length];
        self.memory(pid, sp, &mut bytes).ok()?;
        let word = |chunk: &[u8]| chunk.iter().rev().fold(0, |sum: u64, &byte| sum << 8 | u64::from(byte));
        let executable = |address: u64| maps.is_code(address.wrapping_sub(1));
        let mut candidates: Vec<u64> = bytes.chunks_exact(8).map(word).filter(|&at| executable(at)).collect();
        candidates.truncate(CALLERS * 3);
        let mut addresses = vec![pc];
        addresses.extend(self.after_calls(pid, &candidates).into_iter().take(CALLERS));
        let mut code = self.source.code(&self.root, pid, &maps, &addresses).into_iter();
        Some(CallSite { at: code.next()?, callers: code.collect() })
    }

    /// The function that the call before a return address enters, through the
    /// linkage table if need be; `None` where that cannot be followed.
    pub(super) fn called_from(&mut self, pid: Pid, caller: &Code) -> Option<Code> {
        let mut code = [0; LONGEST_CALL];
        self.memory(pid, caller.address.checked_sub(LONGEST_CALL as u64)?, &mut code).ok()?;
        let target = match callee(code, caller.address)? {
            Callee::Behind(slot) => self.longs::<1>(pid, slot).ok()?[0],
            Callee::At(to) => {
                let mut stub = [0; 11];
                self.memory(pid, to, &mut stub).ok()?;
                match stub_slot(&stub, to) {
                    Some(slot) => self.longs::<1>(pid, slot).ok()?[0],
                    None => to,
                }
            }
        };
        let maps = self.maps(pid)?;
        // The code that ends directly before the function's second byte.
        self.source.code(&self.root, pid, &maps, &[target.checked_add(1)?]).pop()
    }

    /// The function that made a call which goes on as `restart_syscall(2)` after
    /// a stop; `None` where it has no name.
    pub(super) fn resumed_call(&mut self, facts: &Facts<'_>) -> Option<Arc<str>> {
        self.call_site(facts)?.at.function.clone()
    }

    /// Those of `candidates` that stand behind a call instruction.
    fn after_calls(&mut self, pid: Pid, candidates: &[u64]) -> Vec<u64> {
        if !self.vouched {
            return self.read_after_calls(pid, candidates);
        }
        let mut new: Vec<u64> = candidates.to_vec();
        new.retain(|at| !self.returns.contains_key(&(pid, *at)));
        if !new.is_empty() {
            let found = self.read_after_calls(pid, &new);
            self.returns.extend(new.iter().map(|at| ((pid, *at), found.contains(at))));
        }
        candidates.iter().copied().filter(|at| self.returns.get(&(pid, *at)) == Some(&true)).collect()
    }

    fn read_after_calls(&self, pid: Pid, candidates: &[u64]) -> Vec<u64> {
        let ranges: Vec<_> = candidates.iter().map(|at| (at - LONGEST_CALL as u64, LONGEST_CALL)).collect();
        let mut code = vec![0; candidates.len() * LONGEST_CALL];
        if self.source.memory(pid, &ranges, &mut code).is_err() {
            // One of them at the very beginning of a mapping: one by one.
            return candidates.iter().copied().filter(|&at| self.is_after_call(pid, at)).collect();
        }
        let calls = code.chunks_exact(LONGEST_CALL).map(|bytes| bytes.try_into().is_ok_and(ends_in_call));
        candidates.iter().zip(calls).filter(|(_, is_call)| *is_call).map(|(&at, _)| at).collect()
    }

    fn is_after_call(&self, pid: Pid, at: u64) -> bool {
        let mut code = [0; LONGEST_CALL];
        self.memory(pid, at - LONGEST_CALL as u64, &mut code).is_ok() && ends_in_call(code)
    }

    /// Whether the thread is still in the very system call of the facts: same
    /// number, arguments, stack pointer and program counter.
    pub fn still_there(&self, facts: &Facts<'_>) -> bool {
        if self.vouched {
            return true;
        }
        let mut content = Vec::new();
        let path = format!("{}/task/{}/syscall", facts.pid, facts.tid);
        self.root.read_into(&path, &mut content).is_ok() && Call::parse(&content).as_ref() == Some(facts.call)
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
    pub(super) fn status(&self, task: &str, key: &str) -> Option<Vec<Pid>> {
        let mut content = Vec::new();
        self.root.read_into(&format!("{task}/status"), &mut content).ok()?;
        let line = content.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(key.as_bytes()))?;
        Some(str::from_utf8(line).ok()?.split_ascii_whitespace().filter_map(|field| field.parse().ok()).collect())
    }

    /// How many pid namespaces below this program's own the process lives; 0 in
    /// the same one.
    pub(super) fn level(&mut self, pid: Pid) -> usize {
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

    /// Whether process or thread `other` has the number `inside` in the pid
    /// namespace of process `pid`.
    pub fn has_inner_number(&mut self, pid: Pid, other: Pid, inside: Pid) -> bool {
        match self.level(pid) {
            0 => other == inside,
            level => self.status(&other.to_string(), "NSpid:").is_some_and(|ids| ids.get(level) == Some(&inside)),
        }
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
    pub(super) fn numbers_in(&self, relative: &str) -> Vec<Pid> {
        let Ok(entries) = std::fs::read_dir(self.root.path().join(relative)) else { return Vec::new() };
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
    }

    /// The open ends of all pipes and sockets.
    ///
    /// # Errors
    /// Where the proc file system cannot be listed.
    pub fn ends(&mut self) -> Result<&Ends, Errno> {
        let ends = match self.ends.take() {
            Some(mut ends) if self.ends_outdated => {
                ends.renew(&self.root)?;
                ends
            }
            Some(ends) => ends,
            None => Ends::read(&self.root)?,
        };
        self.ends_outdated = false;
        Ok(self.ends.insert(ends))
    }

    /// As [`World::ends`], but an index from before this scan is read anew: for
    /// a thing that the kept one does not have.
    ///
    /// # Errors
    /// As [`World::ends`].
    pub fn new_ends(&mut self) -> Result<&Ends, Errno> {
        let now = clock::monotonic();
        self.ends_outdated |= self.ends.as_ref().is_some_and(|ends| now.0.saturating_sub(ends.at().0) > ENDS_FRESH.0);
        self.ends()
    }

    /// The internet sockets of the network namespace of process `pid`, as this
    /// scan has read them.
    pub fn inet(&mut self, pid: Pid) -> Arc<InetSockets> {
        let namespace = self.network_namespace(pid);
        let root = &self.root;
        self.inet.entry(namespace).or_insert_with(|| Arc::new(InetSockets::read(root, pid))).clone()
    }

    /// As [`World::inet`], but read anew unless just read: for a socket that the
    /// kept ones lack.
    pub fn new_inet(&mut self, pid: Pid) -> Arc<InetSockets> {
        let known = self.inet(pid);
        if clock::monotonic().0.saturating_sub(known.at().0) < INET_FRESH.0 {
            return known;
        }
        let namespace = self.network_namespace(pid);
        let new = Arc::new(InetSockets::read(&self.root, pid));
        self.inet.insert(namespace, new.clone());
        new
    }

    /// The inode of its network namespace; one that may not be read is taken for
    /// a namespace of its own.
    fn network_namespace(&self, pid: Pid) -> u64 {
        let mut link = [0; 64];
        let path = format!("{pid}/ns/net");
        let length = readlinkat_raw(self.root.directory(), path.as_str(), &mut link[..]).unwrap_or(0);
        inode_in(&link[..length], b"net:[").unwrap_or(pid as u64)
    }

    /// Whether two processes share their memory, as after vfork(2) until
    /// execve(2); `None` where the kernel does not tell.
    pub(super) fn shares_memory(&self, one: Pid, other: Pid) -> Option<bool> {
        self.source.shares_memory(one, other)
    }

    /// The time-out that a process has set on its socket for receiving, else for
    /// sending; looked for only before somebody is called stuck, since it takes a
    /// copy of the descriptor for a moment.
    pub(super) fn socket_limit(&self, pid: Pid, fd: i32, receives: bool) -> Option<Nanos> {
        self.is_thorough().then(|| self.source.socket_limit(pid, fd, receives)).flatten()
    }

    /// The file locks of this scan.
    ///
    /// # Errors
    /// Where `/proc/locks` cannot be read.
    pub fn file_locks(&mut self) -> Result<Arc<FileLocks>, Errno> {
        let root = &self.root;
        self.file_locks.get_or_insert_with(|| FileLocks::read(root).map(Arc::new)).clone()
    }
}
