//! Runs a test on this machine: pinned threads, several plans, counts that can be
//! read at any time.
//!
//! ```text
//! each thread, round after round:
//!     meet    run    meet    count a share    (rest, or end)
//! ```

mod barrier;
mod batched;
pub mod cost;
mod pairing;
mod perpetual;
mod plan;
mod search;
mod tally;

use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use self::barrier::Barrier;
use self::batched::Batched;
use self::perpetual::Perpetual;
use self::plan::Pace;
pub use self::plan::Plan;
pub use self::search::Trials;
pub use self::tally::Tally;
use self::tally::{Ledger, States};
use super::ast::Test;
use super::jit::{Architecture, Runnable};
use crate::model::Fault;
use crate::model::litmus::{Instruction, Strategy};
use crate::sys::clock;
use crate::sys::thread::start_thread;

/// A test that runs. Dropping it ends its threads.
#[derive(Debug)]
pub struct Runner {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    cpus: Vec<usize>,
    notes: Vec<String>,
    plan: Plan,
}

#[derive(Debug)]
struct Shared {
    engine: Engine,
    barrier: Barrier,
    ledgers: Vec<Ledger>,
    /// What is wanted.
    wanted: Mutex<Wish>,
    changed: Condvar,
    /// What was wanted when the first thread looked: all act on that.
    agreed: Mutex<Wish>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Wish {
    phase: Phase,
    /// Counts wishes, so that none is overlooked by a thread that sleeps.
    number: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Rest,
    Run,
    End,
    /// End before anything has run: not all threads are there.
    Abandon,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one of them in a worker")]
enum Engine {
    Batched(Batched),
    Perpetual(Perpetual),
}

impl Engine {
    fn new(test: &Test, plan: Plan) -> Result<Self, Fault> {
        Ok(match plan.pace {
            Pace::Perpetual => Engine::Perpetual(Perpetual::new(test, plan)?),
            Pace::Free | Pace::Barrier | Pace::Timebase => Engine::Batched(Batched::new(test, plan)?),
        })
    }

    /// Before the threads meet for a round.
    fn prepare(&self) {
        if let Engine::Batched(batched) = self {
            batched.prepare();
        }
    }

    fn run(&self, thread: usize, ledger: &Ledger) {
        match self {
            Engine::Batched(batched) => batched.run(thread, ledger),
            Engine::Perpetual(perpetual) => perpetual.run(thread, ledger),
        }
    }

    fn count(&self, thread: usize, ledger: &Ledger) {
        match self {
            Engine::Batched(batched) => batched.count(thread, ledger),
            Engine::Perpetual(perpetual) => perpetual.count(thread, ledger),
        }
    }

    fn bodies(&self) -> &[Runnable] {
        match self {
            Engine::Batched(batched) => batched.bodies(),
            Engine::Perpetual(perpetual) => perpetual.bodies(),
        }
    }
}

/// Why a test cannot run perpetually, where it cannot.
pub fn not_perpetual(test: &Test) -> Option<&'static str> {
    pairing::pairing(test).err()
}

impl Runner {
    /// Assembles the bodies and starts the threads, at rest.
    ///
    /// # Errors
    /// A fault where the strategy does not fit the test, or something cannot be
    /// had from the kernel.
    pub fn start(test: &Test, strategy: Strategy) -> Result<Self, Fault> {
        let plan = Plan::first(test, strategy, has_cpus(test))?;
        Self::start_plan(test, plan)
    }

    /// As [`Runner::start`], by a plan.
    ///
    /// # Errors
    /// As [`Runner::start`].
    pub fn start_plan(test: &Test, plan: Plan) -> Result<Self, Fault> {
        let engine = Engine::new(test, plan)?;
        let threads = test.threads.len();
        let mut available = available_cpus();
        let mut notes = Vec::new();
        if let Err(fault) = Architecture::host() {
            notes.push(format!("{}: compiled code runs the test, and the compiler has its say", fault.what));
        }
        if !available.is_empty() {
            let turn = plan.turn % available.len();
            available.rotate_left(turn);
        }
        let cpus = if available.len() >= threads { available[..threads].to_vec() } else { Vec::new() };
        if cpus.is_empty() {
            let count = available.len();
            notes.push(format!(
                "{threads} threads take turns on {count} {}: few executions overlap",
                if count == 1 { "CPU" } else { "CPUs" }
            ));
        }
        let ledger = || Ledger { states: States::new(test.observed.len()), ..Ledger::default() };
        let shared = Arc::new(Shared {
            engine,
            barrier: Barrier::new(threads, !cpus.is_empty()),
            ledgers: std::iter::repeat_with(ledger).take(threads).collect(),
            wanted: Mutex::default(),
            changed: Condvar::new(),
            agreed: Mutex::default(),
        });
        let mut runner = Runner { shared, threads: Vec::new(), cpus, notes, plan };
        for thread in 0..threads {
            let (shared, cpu) = (runner.shared.clone(), runner.cpus.get(thread).copied());
            let spawned = start_thread(&format!("P{thread}"), Box::new(move || shared.live(thread, cpu)));
            match spawned {
                Ok(handle) => runner.threads.push(handle),
                Err(error) => {
                    runner.shared.want(Phase::Abandon);
                    return Err(Fault::new("litmus", format!("cannot start thread {thread}: {error}")));
                }
            }
        }
        Ok(runner)
    }

    /// Lets the threads run.
    pub fn run(&self) {
        self.shared.want(Phase::Run);
    }

    /// Lets the threads sleep after their current round.
    pub fn rest(&self) {
        self.shared.want(Phase::Rest);
    }

    /// What was counted so far.
    pub fn tally(&self) -> Tally {
        Tally::of(&self.shared.ledgers)
    }

    /// How it runs.
    pub fn plan(&self) -> Plan {
        self.plan
    }

    /// The CPU of each thread; empty where there are too few.
    pub fn cpus(&self) -> &[usize] {
        &self.cpus
    }

    /// What should be known beside the figures.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The machine code of each thread.
    pub fn code(&self) -> Vec<Vec<Instruction>> {
        self.shared.engine.bodies().iter().map(|body| body.code().listing.clone()).collect()
    }

    /// Ends the threads and gives what they counted.
    pub fn finish(mut self) -> Tally {
        self.end();
        self.tally()
    }

    fn end(&mut self) {
        if self.threads.len() == self.shared.ledgers.len() {
            self.shared.want(Phase::End);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn want(&self, phase: Phase) {
        let mut wanted = self.wanted.lock();
        *wanted = Wish { phase, number: wanted.number + 1 };
        self.changed.notify_all();
    }

    /// The life of one thread.
    fn live(&self, thread: usize, cpu: Option<usize>) {
        pin(cpu);
        let mut agreed = Wish::default();
        loop {
            match agreed.phase {
                Phase::Rest => {
                    let mut wanted = self.wanted.lock();
                    self.changed.wait_while(&mut wanted, |wanted| wanted.number == agreed.number);
                    if wanted.phase == Phase::Abandon {
                        return;
                    }
                }
                Phase::Run => self.rounds(thread),
                Phase::End | Phase::Abandon => return,
            }
            agreed = self.agree(thread);
        }
    }

    /// All threads take the same wish, or their meetings would not match.
    fn agree(&self, thread: usize) -> Wish {
        if thread == 0 {
            *self.agreed.lock() = *self.wanted.lock();
        }
        self.barrier.wait();
        let agreed = *self.agreed.lock();
        self.barrier.wait();
        agreed
    }

    /// A few rounds between two looks at what is wanted: about a millisecond.
    fn rounds(&self, thread: usize) {
        let ledger = &self.ledgers[thread];
        let begin = clock::monotonic();
        for _ in 0..8 {
            if thread == 0 {
                self.engine.prepare();
            }
            self.barrier.wait();
            self.engine.run(thread, ledger);
            self.barrier.wait();
            self.engine.count(thread, ledger);
        }
        ledger.elapsed.add(clock::monotonic().since(begin).0);
    }
}

/// Keeps the calling thread on a CPU.
fn pin(cpu: Option<usize>) {
    if let Some(cpu) = cpu {
        let mut only = CpuSet::new();
        only.set(cpu);
        // Where that is refused the thread runs on another CPU: slower, and no
        // less true.
        let _ = sched_setaffinity(None, &only);
    }
}

/// Whether each thread of a test can have a CPU of its own.
pub fn has_cpus(test: &Test) -> bool {
    available_cpus().len() >= test.threads.len()
}

/// The CPUs this process may use.
fn available_cpus() -> Vec<usize> {
    match sched_getaffinity(None) {
        Ok(set) => (0..CpuSet::MAX_CPU).filter(|cpu| set.is_set(*cpu)).collect(),
        // Without knowing which, none is taken.
        Err(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
