//! What is read and written, as far as it follows from what was decided.

use crate::backend::lab::litmus::ast::{Observable, Test};
use crate::backend::lab::litmus::execution::Kind;
use crate::backend::lab::litmus::path::{Path, value_of};

/// Nothing was decided about what a read sees.
pub(super) const UNDECIDED: usize = usize::MAX;

/// The values of one choice of paths.
#[derive(Debug)]
pub(super) struct Values<'a> {
    paths: Vec<&'a Path>,
    /// Index of each path's first event.
    starts: Vec<usize>,
    /// Index of each path's first value among `nodes`.
    bases: Vec<usize>,
    /// What each event reads or writes.
    pub(super) events: Vec<Option<i32>>,
    /// The paths' values, one path after the other.
    nodes: Vec<Option<i32>>,
    /// What became known, in order: an event, or a value behind all events.
    trail: Vec<usize>,
    /// Where the final state's values come from.
    sources: Vec<Source>,
    /// What they must be to be of interest.
    pub(super) required: Vec<Option<i32>>,
}

/// Where a value of the final state comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// It is given.
    Constant(i32),
    /// A value of a path, by index into all of them.
    Node(usize),
    /// The last write to this location.
    Last(usize),
}

impl<'a> Values<'a> {
    /// What is known before anything is decided; `None` where a path contradicts
    /// itself.
    pub(super) fn new(test: &Test, paths: &[&'a Path], starts: Vec<usize>, size: usize) -> Option<Self> {
        let mut bases = Vec::with_capacity(paths.len());
        let mut nodes = 0;
        for path in paths {
            bases.push(nodes);
            nodes += path.nodes.len();
        }
        let source = |observable: &Observable| match observable {
            Observable::Location(location) => Source::Last(location.0),
            Observable::Register(thread, register) => match paths[*thread].registers.get(register) {
                Some(node) => Source::Node(bases[*thread] + node),
                None => Source::Constant(0),
            },
        };
        let sources: Vec<Source> = test.observed.iter().map(source).collect();
        let mut events = vec![None; size];
        for (event, place) in events.iter_mut().zip(&test.locations) {
            *event = Some(place.initial);
        }
        let required = vec![None; sources.len()];
        let paths = paths.to_vec();
        let mut values =
            Values { paths, starts, bases, events, nodes: vec![None; nodes], trail: Vec::new(), sources, required };
        let undecided = vec![UNDECIDED; size];
        let fine = (0..values.paths.len()).all(|thread| values.settle(thread, &undecided));
        fine.then_some(values)
    }

    /// Where the final state's values come from.
    pub(super) fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The reads of a path on which one of the values depends.
    pub(super) fn behind(&self, node: usize) -> Vec<usize> {
        let thread = self.bases.iter().rposition(|base| *base <= node).unwrap_or_default();
        let reads = self.paths[thread].reads_behind(node - self.bases[thread]);
        reads.iter().map(|read| self.starts[thread] + read).collect()
    }

    /// How far the trail goes.
    pub(super) fn mark(&self) -> usize {
        self.trail.len()
    }

    /// Forgets what became known since.
    pub(super) fn forget(&mut self, mark: usize) {
        let size = self.events.len();
        for known in self.trail.drain(mark..) {
            match known.checked_sub(size) {
                Some(node) => self.nodes[node] = None,
                None => self.events[known] = None,
            }
        }
    }

    /// Finds out what follows from a change in `thread`, given what reads see;
    /// `false` where that contradicts the way that was chosen through a thread.
    pub(super) fn settle(&mut self, thread: usize, sees: &[usize]) -> bool {
        let mut dirty = 1_u64 << thread;
        while dirty != 0 {
            let thread = dirty.trailing_zeros() as usize;
            dirty &= dirty - 1;
            let Some(written) = self.evaluate(thread, sees) else { return false };
            if written == 0 {
                continue;
            }
            for (other, start) in self.starts.iter().enumerate() {
                let waits =
                    |at: usize| sees[at] != UNDECIDED && written >> sees[at] & 1 == 1 && self.events[at].is_none();
                if (*start..*start + self.paths[other].events.len()).any(waits) {
                    dirty |= 1 << other;
                }
            }
        }
        true
    }

    /// One pass over a thread: the writes whose value became known, one bit each.
    fn evaluate(&mut self, thread: usize, sees: &[usize]) -> Option<u64> {
        let (path, start, base, size) =
            (self.paths[thread], self.starts[thread], self.bases[thread], self.events.len());
        for (at, event) in (start..).zip(&path.events) {
            if event.kind == Kind::Read && self.events[at].is_none() && sees[at] != UNDECIDED {
                self.events[at] = self.events[sees[at]];
                if self.events[at].is_some() {
                    self.trail.push(at);
                }
            }
        }
        for (index, node) in path.nodes.iter().enumerate() {
            if self.nodes[base + index].is_none() {
                let value = value_of(node, |event| self.events[start + event], |other| self.nodes[base + other]);
                if value.is_some() {
                    self.nodes[base + index] = value;
                    self.trail.push(size + base + index);
                }
            }
        }
        let contradicts = |(node, holds): &(usize, bool)| self.nodes[base + node].is_some_and(|v| (v != 0) != *holds);
        if path.assumptions.iter().any(contradicts) {
            return None;
        }
        let mut written = 0;
        for (at, event) in (start..).zip(&path.events) {
            if let (Some(node), None) = (event.value, self.events[at]) {
                self.events[at] = self.nodes[base + node];
                if self.events[at].is_some() {
                    self.trail.push(at);
                    written |= 1 << at;
                }
            }
        }
        Some(written)
    }

    /// A value of the final state, where it is known; `last` tells the last write
    /// to a location.
    fn source(&self, source: Source, last: impl Fn(usize) -> Option<usize>) -> Option<i32> {
        match source {
            Source::Constant(value) => Some(value),
            Source::Node(node) => self.nodes[node],
            Source::Last(location) => self.events[last(location)?],
        }
    }

    /// Puts the final state into `state` where all of it is known.
    pub(super) fn state(&self, state: &mut Vec<i32>, last: impl Fn(usize) -> Option<usize>) -> bool {
        state.clear();
        for source in &self.sources {
            let Some(value) = self.source(*source, &last) else { return false };
            state.push(value);
        }
        true
    }

    /// Whether what is known of the final state rules out what is required.
    pub(super) fn is_ruled_out(&self, last: impl Fn(usize) -> Option<usize>) -> bool {
        let differs = |(source, required): (&Source, &Option<i32>)| {
            required.is_some_and(|required| self.source(*source, &last).is_some_and(|value| value != required))
        };
        self.sources.iter().zip(&self.required).any(differs)
    }
}
