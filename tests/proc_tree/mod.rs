//! A proc file system made of ordinary files, and a backend that reads it.
#![expect(unreachable_pub, reason = "a test has nobody to export to")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use syncscope::backend::{Backend, Command, Options, Topics, Update};
use syncscope::model::process::{Process, ProcessTable};
use syncscope::model::{Fault, Pid, Stamped};

/// How long a condition may take before a test gives up.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The tree; it is removed with this value.
pub struct ProcTree(tempfile::TempDir);

/// One process to be written into the tree.
#[derive(Clone)]
pub struct Fake {
    pub pid: Pid,
    pub comm: Vec<u8>,
    pub cmdline: Vec<u8>,
    pub state: char,
    pub ppid: Pid,
    pub threads: u32,
    pub ticks: u64,
    pub started: u64,
    pub rss_pages: u64,
    pub on_cpu: u64,
    pub runs: u64,
}

impl Fake {
    /// A sleeping process.
    pub fn new(pid: Pid, comm: &str) -> Self {
        Fake {
            pid,
            comm: comm.as_bytes().to_vec(),
            cmdline: [comm.as_bytes(), b"\0--flag\0"].concat(),
            state: 'S',
            ppid: 1,
            threads: 1,
            ticks: 5,
            started: 1_000,
            rss_pages: 10,
            on_cpu: 50_000_000,
            runs: 3,
        }
    }

    /// The content of its `stat`.
    pub fn stat(&self) -> Vec<u8> {
        let Fake { pid, state, ppid, threads, ticks, started, rss_pages, .. } = self;
        let tail = format!(
            ") {state} {ppid} {pid} {pid} 0 -1 4194304 0 0 0 0 {ticks} 0 0 0 20 0 {threads} 0 {started} 4096000 \
             {rss_pages} 18446744073709551615 94662291517440 1 140730442707856 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0 1 1 1 \
             140730442713817 1 1 1 0\n"
        );
        [format!("{pid} (").as_bytes(), &self.comm, tail.as_bytes()].concat()
    }

    /// The content of its `schedstat`.
    pub fn schedstat(&self) -> String {
        format!("{} 0 {}\n", self.on_cpu, self.runs)
    }

    /// It runs for so many nanoseconds.
    pub fn run(&mut self, nanos: u64) {
        self.on_cpu += nanos;
        self.ticks = self.on_cpu / 10_000_000;
        self.runs += 1;
    }
}

impl ProcTree {
    /// An empty tree.
    pub fn new() -> Self {
        ProcTree(tempfile::tempdir().unwrap())
    }

    /// Where it stands.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// A file of a process.
    pub fn file(&self, pid: Pid, name: &str) -> PathBuf {
        self.path().join(pid.to_string()).join(name)
    }

    /// Writes a process, or writes it again: what changes last is what tells
    /// that it ran.
    pub fn put(&self, fake: &Fake) {
        fs::create_dir_all(self.path().join(fake.pid.to_string())).unwrap();
        self.write(fake.pid, "cmdline", &fake.cmdline);
        self.write(fake.pid, "stat", &fake.stat());
        self.write(fake.pid, "schedstat", fake.schedstat().as_bytes());
    }

    /// Replaces a file's content where it stands, so that kept descriptors see
    /// it, as they do in /proc.
    pub fn write(&self, pid: Pid, name: &str, content: &[u8]) {
        let path = self.file(pid, name);
        if fs::read(&path).is_ok_and(|before| before.len() == content.len()) {
            // In one write, so that no reader finds it half done.
            use std::os::unix::fs::FileExt;
            fs::OpenOptions::new().write(true).open(path).unwrap().write_all_at(content, 0).unwrap();
        } else {
            fs::write(path, content).unwrap();
        }
    }

    /// Removes a process.
    pub fn remove(&self, pid: Pid) {
        fs::remove_dir_all(self.path().join(pid.to_string())).unwrap();
    }
}

/// A backend that a test asks for readings.
pub struct Watcher {
    pub backend: Backend,
    pub latest: Option<Arc<Stamped<ProcessTable>>>,
    pub faults: Vec<Fault>,
}

impl Watcher {
    /// Watches `root`, sampling each `refresh`.
    pub fn start(root: &Path, refresh: Duration, topics: Topics) -> Self {
        let mut backend = Backend::start(&Options { proc_root: root.to_owned(), refresh });
        backend.send(Command::Watch(topics));
        Watcher { backend, latest: None, faults: Vec::new() }
    }

    /// Waits for a table of which `condition` holds.
    pub fn until(
        &mut self,
        what: &str,
        condition: impl Fn(&Stamped<ProcessTable>) -> bool,
    ) -> Arc<Stamped<ProcessTable>> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let mut new = Vec::new();
            self.backend.poll(|update| match update {
                Update::Processes(table) => new.push(table),
                Update::Fault(fault) => self.faults.push(fault),
                _ => {}
            });
            if let Some(table) = new.pop() {
                self.latest = Some(table.clone());
                if condition(&table) {
                    return table;
                }
            }
            assert!(Instant::now() < deadline, "never: {what}; last seen: {:#?}; {:?}", self.latest, self.faults);
            let _ = self.backend.bell().recv_timeout(Duration::from_millis(20));
        }
    }

    /// Samples once, and waits for that reading to be complete.
    pub fn sample(&mut self) -> Arc<Stamped<ProcessTable>> {
        let after = self.latest.as_ref().map_or(0, |latest| latest.seq);
        self.backend.send(Command::SampleNow);
        self.until("a reading", |table| table.seq > after && table.value.complete)
    }
}

/// Processes only.
pub const PROCESSES: Topics = Topics {
    system: false,
    processes: true,
    threads: false,
    waits: false,
    graph: false,
    switches: false,
    io: false,
    detail: None,
    contention: None,
    child: None,
};

/// A refresh that never comes: the test samples itself.
pub const BY_HAND: Duration = Duration::from_hours(1);

/// The process in a table, if it is there.
pub fn process(table: &Stamped<ProcessTable>, pid: Pid) -> Option<&Process> {
    table.value.process(pid).map(|process| &**process)
}
