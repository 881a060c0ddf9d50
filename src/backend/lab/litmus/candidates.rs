//! Every candidate execution of a test: one way through each thread, an order of
//! the writes to each location, and a write for each read to see.
//!
//! Candidates that contradict themselves per location (a read that sees a write
//! which its own thread has overwritten or overtaken, a read-modify-write that
//! is not next to what it read) are cut off as soon as that shows, since every
//! model forbids them; [`Search::incoherent`] keeps them, for explanations.

use std::time::Instant;

use super::ast::{Location, Observable, Test};
use super::execution::{Event, Execution, Kind};
use super::path::{Path, paths};
use super::relation::{MOST_EVENTS, Relation};
use crate::model::litmus::Order;

/// What to look at and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// When to give up.
    pub deadline: Instant,
    /// Whether to look at incoherent candidates too.
    pub incoherent: bool,
}

/// Why a search ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All candidates were looked at.
    Complete,
    /// Whoever looked at them has seen enough.
    Enough,
    /// There are too many; how far it came.
    TooLarge(String),
}

/// Hands every candidate to `each` with its final state, until that says
/// `false`.
pub fn enumerate(test: &Test, search: Search, each: &mut dyn FnMut(&mut Execution, &[i32]) -> bool) -> Ended {
    let mut all = Vec::new();
    for (thread, body) in test.threads.iter().enumerate() {
        match paths(body) {
            Ok(paths) => all.push(paths),
            Err(why) => return Ended::TooLarge(format!("thread {thread}: {why}")),
        }
    }
    let mut progress = Progress { search, visited: 0, each };
    let mut chosen = Vec::new();
    choose(test, &all, &mut chosen, &mut progress).err().unwrap_or(Ended::Complete)
}

struct Progress<'a> {
    search: Search,
    visited: u64,
    each: &'a mut dyn FnMut(&mut Execution, &[i32]) -> bool,
}

impl Progress<'_> {
    /// Looks at the clock now and then.
    fn visit(&mut self) -> Result<(), Ended> {
        self.visited += 1;
        if self.visited.is_multiple_of(1024) && Instant::now() >= self.search.deadline {
            let what =
                format!("{} partial executions were looked at in the time there was, and more are left", self.visited);
            return Err(Ended::TooLarge(what));
        }
        Ok(())
    }
}

/// Chooses a way through each thread, then looks at what can come of it.
fn choose<'a>(
    test: &Test,
    all: &'a [Vec<Path>],
    chosen: &mut Vec<&'a Path>,
    progress: &mut Progress<'_>,
) -> Result<(), Ended> {
    let Some(paths) = all.get(chosen.len()) else {
        progress.visit()?;
        let size = test.locations.len() + chosen.iter().map(|path| path.events.len()).sum::<usize>();
        if size > MOST_EVENTS {
            let what = format!("an execution has {size} events, and at most {MOST_EVENTS} are checked");
            return Err(Ended::TooLarge(what));
        }
        return Shape::new(test, chosen).writes(0, progress);
    };
    for path in paths {
        chosen.push(path);
        choose(test, all, chosen, progress)?;
        chosen.pop();
    }
    Ok(())
}

/// The events that the chosen paths have, and what is decided about them.
struct Shape<'a> {
    test: &'a Test,
    paths: &'a [&'a Path],
    /// Index of each path's first event.
    starts: Vec<usize>,
    frame: Execution,
    reads: Vec<Read>,
    /// Writes to each location in modification order, the initial one first.
    mo: Vec<Vec<usize>>,
    /// Index of each write in its location's modification order.
    position: Vec<usize>,
    /// What each read sees.
    sees: Vec<usize>,
}

/// The values of a path's nodes.
type Nodes = Vec<Option<i32>>;

/// A read and its neighbours.
#[derive(Clone, Copy)]
struct Read {
    event: usize,
    /// The access before it in its thread, at the same location.
    before: Option<usize>,
    /// The next write of its thread at the same location.
    next_write: Option<usize>,
    /// The write of its read-modify-write.
    modifies: Option<usize>,
}

impl<'a> Shape<'a> {
    fn new(test: &'a Test, paths: &'a [&'a Path]) -> Self {
        let mut events: Vec<Event> = (0..test.locations.len())
            .map(|location| Event {
                thread: None,
                kind: Kind::Write,
                location: Location(location),
                order: Order::Plain,
                value: test.locations[location].initial,
            })
            .collect();
        let mut starts = Vec::new();
        for (thread, path) in paths.iter().enumerate() {
            starts.push(events.len());
            events.extend(path.events.iter().map(|event| Event {
                thread: Some(thread),
                kind: event.kind,
                location: event.location,
                order: event.order,
                value: 0,
            }));
        }
        let size = events.len();
        let mut frame = Execution::new(events);
        for (start, path) in starts.iter().zip(paths) {
            for (index, event) in path.events.iter().enumerate() {
                let to = start + index;
                super::relation::Set(event.data).iter().for_each(|from| frame.data.insert(start + from, to));
                super::relation::Set(event.ctrl).iter().for_each(|from| frame.ctrl.insert(start + from, to));
                if event.rmw {
                    frame.rmw.insert(to - 1, to);
                }
            }
        }
        let reads = frame.reads.iter().map(|event| neighbours(&frame, event)).collect();
        let mo = vec![Vec::new(); test.locations.len()];
        Shape { test, paths, starts, frame, reads, mo, position: vec![0; size], sees: vec![usize::MAX; size] }
    }

    /// Orders the writes of each location from `location` on.
    fn writes(&mut self, location: usize, progress: &mut Progress<'_>) -> Result<(), Ended> {
        if location == self.mo.len() {
            self.order();
            return self.look(0, progress);
        }
        let left: Vec<usize> = (0..self.frame.size())
            .filter(|e| self.frame.writes.contains(*e) && self.frame.events[*e].location.0 == location)
            .filter(|e| !self.frame.initial.contains(*e))
            .collect();
        self.mo[location] = vec![location];
        self.position[location] = 0;
        self.extend(location, &left, progress)
    }

    /// Appends each write that may come next.
    fn extend(&mut self, location: usize, left: &[usize], progress: &mut Progress<'_>) -> Result<(), Ended> {
        progress.visit()?;
        if left.is_empty() {
            return self.writes(location + 1, progress);
        }
        for next in left {
            // Its thread's earlier writes come first.
            if !progress.search.incoherent && left.iter().any(|other| self.frame.sb.contains(*other, *next)) {
                continue;
            }
            self.position[*next] = self.mo[location].len();
            self.mo[location].push(*next);
            let rest: Vec<usize> = left.iter().copied().filter(|other| other != next).collect();
            self.extend(location, &rest, progress)?;
            self.mo[location].pop();
        }
        Ok(())
    }

    fn order(&mut self) {
        self.frame.mo = Relation::empty(self.frame.size());
        for order in &self.mo {
            for (index, earlier) in order.iter().enumerate() {
                order[index + 1..].iter().for_each(|later| self.frame.mo.insert(*earlier, *later));
            }
        }
    }

    /// Chooses what each read from `index` on sees.
    fn look(&mut self, index: usize, progress: &mut Progress<'_>) -> Result<(), Ended> {
        progress.visit()?;
        let Some(read) = self.reads.get(index).copied() else { return self.complete(progress) };
        let location = self.frame.events[read.event].location.0;
        for position in self.visible(read, progress.search.incoherent) {
            self.sees[read.event] = self.mo[location][position];
            self.position[read.event] = position;
            self.look(index + 1, progress)?;
        }
        Ok(())
    }

    /// The positions in modification order that a read may see.
    fn visible(&self, read: Read, incoherent: bool) -> std::ops::Range<usize> {
        let writes = self.mo[self.frame.events[read.event].location.0].len();
        if incoherent {
            return 0..writes;
        }
        let least = read.before.map_or(0, |before| self.position[before]);
        let below = read.next_write.map_or(writes, |write| self.position[write]);
        match read.modifies {
            // It sees just what its own write follows.
            Some(write) => least.max(self.position[write] - 1)..below.min(self.position[write]),
            None => least..below,
        }
    }

    fn complete(&mut self, progress: &mut Progress<'_>) -> Result<(), Ended> {
        let Some((values, nodes)) = self.values() else { return Ok(()) };
        for (path, nodes) in self.paths.iter().zip(&nodes) {
            let holds = |(node, expected): &(usize, bool)| nodes[*node].is_some_and(|value| (value != 0) == *expected);
            if !path.assumptions.iter().all(holds) {
                return Ok(());
            }
        }
        for (event, value) in self.frame.events.iter_mut().zip(&values) {
            event.value = *value;
        }
        let state = self.state(&values, &nodes);
        let x = &mut self.frame;
        x.rf = Relation::empty(x.size());
        x.rb = Relation::empty(x.size());
        for read in &self.reads {
            let seen = self.sees[read.event];
            x.rf.insert(seen, read.event);
            x.mo.row(seen).iter().filter(|later| *later != read.event).for_each(|later| x.rb.insert(read.event, later));
        }
        if (progress.each)(x, &state) { Ok(()) } else { Err(Ended::Enough) }
    }

    /// What every event reads or writes, and every value of every path; `None`
    /// where a value depends on itself, which no model allows.
    fn values(&self) -> Option<(Vec<i32>, Vec<Nodes>)> {
        let mut values: Vec<Option<i32>> = vec![None; self.frame.size()];
        for (location, place) in self.test.locations.iter().enumerate() {
            values[location] = Some(place.initial);
        }
        // Each round finds at least one more, or there is a loop.
        loop {
            let mut found = false;
            let mut missing = false;
            let mut nodes = Vec::with_capacity(self.paths.len());
            for (start, path) in self.starts.iter().zip(self.paths) {
                let known = path.evaluate(&|read| values[self.sees[start + read]]);
                for (index, event) in path.events.iter().enumerate() {
                    let value = match event.kind {
                        Kind::Fence => Some(0),
                        Kind::Read => values[self.sees[start + index]],
                        Kind::Write => event.value.and_then(|node| known[node]),
                    };
                    found |= values[start + index].is_none() && value.is_some();
                    missing |= value.is_none();
                    values[start + index] = value;
                }
                nodes.push(known);
            }
            if !missing {
                // One more pass, for those that came before what they read.
                let nodes = self.starts.iter().zip(self.paths);
                let nodes = nodes.map(|(start, path)| path.evaluate(&|read| values[start + read])).collect();
                return Some((values.into_iter().map(Option::unwrap_or_default).collect(), nodes));
            }
            if !found {
                return None;
            }
        }
    }

    fn state(&self, values: &[i32], nodes: &[Nodes]) -> Vec<i32> {
        let value = |observable: &Observable| match observable {
            Observable::Register(thread, register) => {
                let node = self.paths[*thread].registers.get(register);
                node.and_then(|node| nodes[*thread][*node]).unwrap_or(0)
            }
            Observable::Location(location) => self.mo[location.0].last().map_or(0, |last| values[*last]),
        };
        self.test.observed.iter().map(value).collect()
    }
}

fn neighbours(frame: &Execution, event: usize) -> Read {
    let same = |other: &usize| frame.loc.contains(event, *other);
    let before = (0..event).rev().filter(same).find(|other| frame.sb.contains(*other, event));
    let next_write = (event + 1..frame.size())
        .filter(same)
        .find(|other| frame.sb.contains(event, *other) && frame.writes.contains(*other));
    Read { event, before, next_write, modifies: frame.rmw.row(event).iter().next() }
}
