//! Perpetual (PerpLE; Melissaris, Markakis, Shaw, Martonosi, MICRO 2020): no
//! reset and no meeting inside a chunk. Iteration n, from 0, stores n + 1
//! wherever the test stores; every thread only logs its loads. What iteration
//! n of one thread and iteration m of the other say together is one outcome of
//! the test: a load has seen the partner's store where it read a value above m,
//! and has not where it read m or less.
//!
//! Which pairs to look at follows from the log: the first load of the *pivot*
//! thread that reads what its partner writes saw v, so v is the earliest
//! iteration whose store it has not seen, and v - 1 the latest whose store it
//! has seen. Two pairs are looked at: a load that must have missed a store only
//! just missed it in the one, and one that must have seen it only just saw it in
//! the other. The one that can satisfy the condition is looked at for each n, the
//! other now and then. A distinct witness counts each m once.
//!
//! An outcome found so is an outcome of the test: what was seen or missed from a
//! later or earlier iteration orders the events no less, since one thread's
//! stores to one location are ordered by their iterations.
//!
//! A cache line takes its time from CPU to CPU, and until it comes every
//! iteration reads the same. So there are several *lanes*, each with locations of
//! its own: iteration n uses lane n mod lanes, and while one lane's lines travel
//! the threads go on with the others. A lane is a perpetual run for itself; only
//! iterations of one lane are paired.

use std::ops::Range;
use std::sync::atomic::{AtomicI32, Ordering};

use super::pairing::{Load, MOST_LOADS, Pairing, pairing};
use super::plan::Plan;
use super::tally::Ledger;
use crate::backend::lab::litmus::ast::{Expression, Op, Register, Test};
use crate::backend::lab::litmus::jit::{Body, LINE, Line, Runnable};
use crate::model::Fault;

/// Pairs that hardly lead to witnesses are looked at for one in so many
/// iterations: often enough to see that they occur; a prime, so that every lane
/// has its turn.
const SELDOM: usize = 17;
/// The most lanes.
pub(super) const MOST_LANES: usize = 64;

/// Bodies, log and how to read it.
#[derive(Debug)]
pub(super) struct Perpetual {
    bodies: Vec<Runnable>,
    memory: Vec<Line>,
    out: Vec<Vec<AtomicI32>>,
    /// Iterations in a chunk: a multiple of the lanes.
    chunk: usize,
    /// A power of two.
    lanes: usize,
    pivot: usize,
    /// Which of the pivot's outputs leads to the partner's iteration.
    link: usize,
    /// Which pairs lead to witnesses more often: the store just missed (0) or
    /// just seen (1).
    telling: usize,
    /// What is observed, in the order of the test's states.
    loads: Vec<Load>,
    /// The state for each combination of seen (1) and missed (0), the first
    /// load in the highest bit, and whether it satisfies the condition.
    states: Vec<(Vec<i32>, bool)>,
}

impl Perpetual {
    pub(super) fn new(test: &Test, plan: Plan) -> Result<Self, Fault> {
        let (chunk, spacing, lanes) = (plan.chunk, plan.spacing, plan.lanes.clamp(1, MOST_LANES).next_power_of_two());
        let chunk = chunk.next_multiple_of(lanes);
        let lines = test.locations.len() * spacing;
        let stride = if lanes > 1 { lines * LINE } else { 0 };
        let Pairing { pivot, link, loads, states } = pairing(test)
            .map_err(|why| Fault::new("litmus", format!("{} cannot run perpetually: {why}", test.name)))?;
        let outputs: Vec<Vec<Register>> = (0..2).map(|thread| test.observed_by(thread)).collect();
        let bodies = test.threads.iter().zip(&outputs).map(|(thread, outputs)| {
            let named: Vec<Op> = thread.body.iter().cloned().map(naming_the_iteration).collect();
            let body = Body { ops: &named, registers: thread.registers.len(), outputs, spacing, stride };
            Runnable::new(&body, test.locations.len())
        });
        let bodies = bodies.collect::<Result<_, _>>()?;
        let cells = |count| std::iter::repeat_with(AtomicI32::default).take(count).collect();
        let out = outputs.iter().map(|outputs| cells(outputs.len() * chunk)).collect();
        let memory = std::iter::repeat_with(Line::default).take(lines * lanes).collect();
        let linked = loads.iter().position(|load| load.by_pivot && load.output == link).unwrap_or_default();
        let link_bit = loads.len() - 1 - linked;
        let missing = states.iter().enumerate().any(|(bits, (_, holds))| *holds && bits >> link_bit & 1 == 0);
        let telling = usize::from(!missing);
        Ok(Perpetual { bodies, memory, out, chunk, lanes, pivot, link, telling, loads, states })
    }

    pub(super) fn bodies(&self) -> &[Runnable] {
        &self.bodies
    }

    /// Runs a thread's part of a chunk.
    pub(super) fn run(&self, thread: usize, ledger: &Ledger) {
        let (body, out) = (&self.bodies[thread], &self.out[thread]);
        // One lane needs no return to the first.
        let turn = if self.lanes > 1 { self.lanes } else { self.chunk };
        let outputs = out.len() / self.chunk;
        for first in (0..self.chunk).step_by(turn) {
            body.run(&self.memory, &out[first * outputs..], turn, first as i32 + 1);
        }
        ledger.iterations.add(self.chunk as u64);
    }

    /// Counts a thread's half of the pivot's iterations, while no thread runs.
    pub(super) fn count(&self, thread: usize, ledger: &Ledger) {
        if thread == 0 {
            for line in &self.memory {
                line.value.store(0, Ordering::Relaxed);
            }
        }
        let share = thread * self.chunk / 2..(thread + 1) * self.chunk / 2;
        let mut counts = [0; 1 << MOST_LOADS];
        let (witnesses, distinct) = match *self.loads {
            [a] => self.frames(share, [a], &mut counts),
            [a, b] => self.frames(share, [a, b], &mut counts),
            [a, b, c] => self.frames(share, [a, b, c], &mut counts),
            [a, b, c, d] => self.frames(share, [a, b, c, d], &mut counts),
            // `pairing` lets no other number pass.
            _ => (0, 0),
        };
        for ((state, _), count) in self.states.iter().zip(&counts) {
            ledger.states.add_many(state, *count);
        }
        ledger.frames.add(counts.iter().sum());
        ledger.witnesses.add(witnesses);
        ledger.distinct.add(distinct);
    }

    /// Looks at the pairs of the pivot's iterations `share`; compiled for each
    /// number of loads.
    fn frames<const LOADS: usize>(
        &self,
        share: Range<usize>,
        loads: [Load; LOADS],
        counts: &mut [u64; 1 << MOST_LOADS],
    ) -> (u64, u64) {
        let logs = [&self.out[self.pivot][..], &self.out[1 - self.pivot][..]];
        let widths = logs.map(|log| log.len() / self.chunk);
        let seen = loads.map(|load| {
            let reader = usize::from(!load.by_pivot);
            let writer = usize::from(!load.of_pivot);
            Seen { log: &logs[reader][load.output..], width: widths[reader], reader, writer }
        });
        let holds =
            self.states.iter().enumerate().fold(0_u32, |all, (bits, (_, holds))| all | u32::from(*holds) << bits);
        let links = &logs[0][self.link..];
        let (mut witnesses, mut distinct) = (0, 0);
        for which in [self.telling, 1 - self.telling] {
            let led = |n: usize| self.partner(n, links[n * widths[0]].load(Ordering::Relaxed) as usize, which == 1);
            let step = if which == self.telling { 1 } else { SELDOM };
            // Where the first way counts partner iterations the second does not
            // count them again.
            let counts_distinct = distinct == 0;
            // Each lane's partner iteration of the witness before; across the
            // border of two shares what the iteration before would have led to.
            let mut last = [usize::MAX; MOST_LANES];
            for before in share.start.saturating_sub(self.lanes)..share.start {
                last[self.lane(before)] = led(before);
            }
            for n in share.clone().step_by(step) {
                let m = led(n);
                if m >= self.chunk {
                    continue;
                }
                let pair = [n, m];
                let mut state = 0;
                for load in &seen {
                    let read = load.log[pair[load.reader] * load.width].load(Ordering::Relaxed) as usize;
                    state = state << 1 | usize::from(read > pair[load.writer]);
                }
                counts[state % (1 << MOST_LOADS)] += 1;
                if holds >> state & 1 == 1 {
                    witnesses += 1;
                    let last = &mut last[self.lane(n)];
                    distinct += u64::from(counts_distinct && *last != m);
                    *last = m;
                }
            }
        }
        (witnesses, distinct)
    }

    /// The partner's iteration that iteration `n` leads to, having read `value`:
    /// the latest whose store it has seen, or the earliest of its lane whose
    /// store it has not seen; none below the chunk's end where there is none.
    fn partner(&self, n: usize, value: usize, seen: bool) -> usize {
        match (value.checked_sub(1), seen) {
            (Some(latest), true) => latest,
            (Some(latest), false) => latest + self.lanes,
            (None, true) => usize::MAX,
            (None, false) => self.lane(n),
        }
    }

    fn lane(&self, n: usize) -> usize {
        n & (self.lanes - 1)
    }
}

/// Where a load's values stand, and who reads and who writes them: the pivot (0)
/// or its partner (1).
struct Seen<'a> {
    log: &'a [AtomicI32],
    width: usize,
    reader: usize,
    writer: usize,
}

fn naming_the_iteration(op: Op) -> Op {
    match op {
        Op::Store { to, order, .. } => Op::Store { to, value: Expression::Iteration, order },
        other => other,
    }
}

#[cfg(test)]
mod tests;
