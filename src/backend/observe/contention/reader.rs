//! What is asked of the target itself while it is observed: what its futex words
//! are, by which calls it came to them, which threads it has.

use std::sync::Arc;

use rustix::io::Errno;

use super::names::{Blocked, Names};
use super::record::Sample;
use super::stacks::Stacks;
use crate::backend::observe::target::unwind::Registers;
use crate::backend::observe::wait::{Call, World};
use crate::model::Pid;
use crate::sys::procroot::ProcRoot;

/// Reads the target.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) pid: Pid,
    pub(super) world: World,
    pub(super) names: Names,
    pub(super) stacks: Stacks,
    /// Why memory could not be read, if so.
    pub(super) refused: Option<Errno>,
}

impl Reader {
    /// Of this process.
    pub(super) fn new(root: Arc<ProcRoot>, pid: Pid) -> Self {
        let world = World::new(root);
        Reader { pid, world, names: Names::default(), stacks: Stacks::default(), refused: None }
    }

    /// A new second: maps and names may have changed.
    pub(super) fn begin_second(&mut self) {
        self.world.begin_scan();
        self.names.begin_second();
        // It may be gone when its map is asked for: this one is kept until then.
        self.world.maps(self.pid);
    }

    /// The threads that the target has now, ascending.
    pub(super) fn threads(&self) -> Vec<Pid> {
        let path = self.world.root.path().join(format!("{}/task", self.pid));
        let Ok(entries) = std::fs::read_dir(path) else { return Vec::new() };
        let mut tids: Vec<Pid> = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
        tids.sort_unstable();
        tids
    }

    /// The call that a thread is blocked in.
    pub(super) fn call(&self, tid: Pid, buffer: &mut Vec<u8>) -> Result<Option<Call>, Errno> {
        self.world.root.read_into(&format!("{}/task/{tid}/syscall", self.pid), buffer)?;
        Ok(Call::parse(buffer))
    }

    /// How often each thread has given up its CPU of its own will, in all.
    pub(super) fn voluntary_switches(&self, threads: &[Pid]) -> u64 {
        let mut content = Vec::new();
        let mut of = |tid: &Pid| {
            self.world.root.read_into(&format!("{}/task/{tid}/status", self.pid), &mut content).ok()?;
            let text = str::from_utf8(&content).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
            line.trim().parse::<u64>().ok()
        };
        threads.iter().filter_map(&mut of).sum()
    }

    /// Learns from a sample with a stack what its futex is, and by which calls
    /// the thread came there.
    pub(super) fn look(&mut self, sample: &Sample) -> Option<usize> {
        let registers = sample.registers.as_ref()?;
        let [word, operation, value, limit, second] = registers.arguments();
        let (sp, pc) = registers.place();
        // Once refused is refused for good.
        if self.refused.is_some() {
            return None;
        }
        if let Err(error) = self.world.lock_now(self.pid, word)
            && error == Errno::PERM
        {
            self.refused = Some(error);
            return None;
        }
        if self.names.wants(word) {
            let arguments = [word, operation, value, limit, second, 0];
            let blocked = Blocked { tid: sample.tid, arguments, place: (sp, pc), stack: Some(&sample.stack) };
            self.names.ask(&mut self.world, self.pid, &blocked);
        }
        let mut full = Registers::new(sp, pc);
        for (number, value) in registers.kept() {
            full.set(number, Some(value));
        }
        self.stacks.way(&mut self.world, self.pid, full, &sample.stack)
    }
}
