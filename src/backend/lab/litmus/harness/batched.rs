//! Batched: instances in arrays, one cache line a location. The threads meet,
//! run all instances each in its own time, meet again, and then each counts and
//! resets a share of them.

use std::sync::atomic::{AtomicI32, Ordering};

use super::tally::Ledger;
use crate::backend::lab::litmus::ast::{Observable, Register, Test};
use crate::backend::lab::litmus::jit::{Body, LINE, Line, Runnable};
use crate::model::Fault;

/// Instances in a round.
const INSTANCES: usize = 1 << 11;

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
}

#[derive(Clone, Copy, Debug)]
enum Source {
    /// Thread, outputs of an instance, which of them.
    Out(usize, usize, usize),
    /// Location.
    Memory(usize),
}

impl Batched {
    pub(super) fn new(test: &Test) -> Result<Self, Fault> {
        let outputs: Vec<Vec<Register>> = (0..test.threads.len()).map(|thread| observed(test, thread)).collect();
        let locations = test.locations.len();
        let bodies = test.threads.iter().zip(&outputs).map(|(thread, outputs)| {
            let registers = thread.registers.len();
            Runnable::new(&Body { ops: &thread.body, registers, outputs, stride: locations * LINE }, locations)
        });
        let bodies = bodies.collect::<Result<_, _>>()?;
        let cells = |count| std::iter::repeat_with(AtomicI32::default).take(count).collect();
        let out: Vec<Vec<AtomicI32>> = outputs.iter().map(|outputs| cells(outputs.len() * INSTANCES)).collect();
        let memory = std::iter::repeat_with(Line::default).take(INSTANCES * locations).collect();
        let sources = test.observed.iter().map(|observable| match observable {
            Observable::Register(thread, register) => {
                let outputs = &outputs[*thread];
                let which = outputs.iter().position(|output| output == register).unwrap_or_default();
                Source::Out(*thread, outputs.len(), which)
            }
            Observable::Location(location) => Source::Memory(location.0),
        });
        let batched = Batched { test: test.clone(), bodies, memory, out, sources: sources.collect() };
        batched.reset(0..INSTANCES);
        Ok(batched)
    }

    pub(super) fn bodies(&self) -> &[Runnable] {
        &self.bodies
    }

    /// Runs a thread's part of all instances.
    pub(super) fn run(&self, thread: usize, ledger: &Ledger) {
        self.bodies[thread].run(&self.memory, &self.out[thread], INSTANCES, 1);
        ledger.iterations.add(INSTANCES as u64);
    }

    /// Counts and resets a thread's share, while no thread runs.
    pub(super) fn count(&self, thread: usize, ledger: &Ledger) {
        let threads = self.bodies.len();
        let share = thread * INSTANCES / threads..(thread + 1) * INSTANCES / threads;
        let locations = self.test.locations.len();
        let mut state = vec![0; self.sources.len()];
        let mut witnesses = 0;
        for instance in share.clone() {
            for (value, source) in state.iter_mut().zip(&self.sources) {
                *value = match source {
                    Source::Out(thread, outputs, which) => {
                        self.out[*thread][instance * outputs + which].load(Ordering::Relaxed)
                    }
                    Source::Memory(location) => {
                        self.memory[instance * locations + location].value.load(Ordering::Relaxed)
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
        let places = &self.test.locations;
        let lines = &self.memory[instances.start * places.len()..instances.end * places.len()];
        for (line, place) in lines.iter().zip(places.iter().cycle()) {
            line.value.store(place.initial, Ordering::Relaxed);
        }
    }
}

/// The registers of a thread that the condition mentions.
pub(super) fn observed(test: &Test, thread: usize) -> Vec<Register> {
    let registers = test.observed.iter().filter_map(|observable| match observable {
        Observable::Register(of, register) if *of == thread => Some(*register),
        _ => None,
    });
    registers.collect()
}
