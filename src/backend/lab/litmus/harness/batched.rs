//! Batched: instances in arrays, a cache line or two a location. The threads
//! meet, run all instances, meet again, and then each counts and resets a share
//! of them. Between the meetings each runs in its own time, or they meet before
//! every instance too, or every instance has its deadline.

use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use super::barrier::Barrier;
use super::plan::{Pace, Plan};
use super::tally::Ledger;
use crate::backend::lab::litmus::ast::{Observable, Register, Test};
use crate::backend::lab::litmus::jit::{Body, LINE, Line, Runnable};
use crate::model::Fault;
use crate::sys::tsc::Tsc;

/// Ticks of the time stamp counter from one instance's deadline to the next.
const STEP: u64 = 500;
/// Ticks from the moment when a thread sets the first deadline on.
const LEAD: u64 = 4_000;

/// The arrays and the bodies.
#[derive(Debug)]
pub(super) struct Batched {
    test: Test,
    bodies: Vec<Runnable>,
    memory: Vec<Line>,
    /// What each thread's body writes out, instance by instance.
    out: Vec<Vec<AtomicI32>>,
    /// Where each observed value is found.
    sources: Vec<Source>,
    plan: Plan,
    /// Lines from one instance to the next.
    stride: usize,
    /// Where the threads meet before each instance, if they do.
    barrier: Option<Barrier>,
    /// The first instance's deadline, where there are deadlines.
    base: Option<(Tsc, AtomicU64)>,
}

#[derive(Clone, Copy, Debug)]
enum Source {
    /// Thread, outputs of an instance, which of them.
    Out(usize, usize, usize),
    /// Location.
    Memory(usize),
}

impl Batched {
    pub(super) fn new(test: &Test, plan: Plan) -> Result<Self, Fault> {
        let outputs: Vec<Vec<Register>> = (0..test.threads.len()).map(|thread| test.observed_by(thread)).collect();
        let locations = test.locations.len();
        let (spacing, stride, instances) = (plan.spacing, locations * plan.spacing, plan.chunk);
        let bodies = test.threads.iter().zip(&outputs).map(|(thread, outputs)| {
            let registers = thread.registers.len();
            Runnable::new(&Body { ops: &thread.body, registers, outputs, spacing, stride: stride * LINE }, locations)
        });
        let bodies = bodies.collect::<Result<_, _>>()?;
        let cells = |count| std::iter::repeat_with(AtomicI32::default).take(count).collect();
        let out: Vec<Vec<AtomicI32>> = outputs.iter().map(|outputs| cells(outputs.len() * instances)).collect();
        let memory = std::iter::repeat_with(Line::default).take(instances * stride).collect();
        let sources = test.observed.iter().map(|observable| match observable {
            Observable::Register(thread, register) => {
                let outputs = &outputs[*thread];
                let which = outputs.iter().position(|output| output == register).unwrap_or_default();
                Source::Out(*thread, outputs.len(), which)
            }
            Observable::Location(location) => Source::Memory(location.0),
        });
        let base = Tsc::invariant().filter(|_| plan.pace == Pace::Timebase).map(|tsc| (tsc, AtomicU64::new(0)));
        let barrier = (plan.pace == Pace::Barrier).then(|| Barrier::new(test.threads.len(), true));
        let sources = sources.collect();
        let batched = Batched { test: test.clone(), bodies, memory, out, sources, plan, stride, barrier, base };
        batched.reset(0..instances);
        Ok(batched)
    }

    pub(super) fn bodies(&self) -> &[Runnable] {
        &self.bodies
    }

    /// Runs a thread's part of all instances.
    pub(super) fn run(&self, thread: usize, ledger: &Ledger) {
        let instances = self.plan.chunk;
        if let Some(barrier) = &self.barrier {
            self.one_by_one(thread, |_| barrier.wait());
        } else if let Some((tsc, base)) = &self.base {
            let base = base.load(Ordering::Relaxed);
            // A little earlier or later each time: that is where variety comes from.
            let jitter = |instance: usize| ((instance * (5 + 2 * thread)) & 63) as u64;
            self.one_by_one(thread, |instance| {
                let deadline = base + instance as u64 * STEP + jitter(instance);
                while tsc.plain() < deadline {
                    std::hint::spin_loop();
                }
            });
        } else {
            self.bodies[thread].run(&self.memory, &self.out[thread], instances, 1);
        }
        ledger.iterations.add(instances as u64);
    }

    /// Runs the instances, each after `wait`.
    fn one_by_one(&self, thread: usize, wait: impl Fn(usize)) {
        let (body, out) = (&self.bodies[thread], &self.out[thread]);
        let outputs = out.len() / self.plan.chunk;
        for instance in 0..self.plan.chunk {
            wait(instance);
            body.run(&self.memory[instance * self.stride..], &out[instance * outputs..], 1, 1);
        }
    }

    /// Sets the deadlines of the next round, before the threads meet.
    pub(super) fn prepare(&self) {
        if let Some((tsc, base)) = &self.base {
            base.store(tsc.plain() + LEAD, Ordering::Relaxed);
        }
    }

    /// Counts and resets a thread's share, while no thread runs.
    pub(super) fn count(&self, thread: usize, ledger: &Ledger) {
        let threads = self.bodies.len();
        let share = thread * self.plan.chunk / threads..(thread + 1) * self.plan.chunk / threads;
        let mut state = vec![0; self.sources.len()];
        let mut witnesses = 0;
        for instance in share.clone() {
            for (value, source) in state.iter_mut().zip(&self.sources) {
                *value = match source {
                    Source::Out(thread, outputs, which) => {
                        self.out[*thread][instance * outputs + which].load(Ordering::Relaxed)
                    }
                    Source::Memory(location) => {
                        self.memory[instance * self.stride + location * self.plan.spacing].value.load(Ordering::Relaxed)
                    }
                };
            }
            if self.test.filter.as_ref().is_some_and(|filter| !filter.holds(&state)) {
                continue;
            }
            ledger.states.add(&state);
            witnesses += u64::from(self.test.condition.proposition.holds(&state));
        }
        ledger.frames.add(share.len() as u64);
        ledger.witnesses.add(witnesses);
        // Every instance is another iteration of every thread.
        ledger.distinct.add(witnesses);
        self.reset(share);
    }

    fn reset(&self, instances: std::ops::Range<usize>) {
        for instance in instances {
            for (index, place) in self.test.locations.iter().enumerate() {
                let line = &self.memory[instance * self.stride + index * self.plan.spacing];
                line.value.store(place.initial, Ordering::Relaxed);
            }
        }
    }
}
