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
use super::path::{Node, Path, paths};
use super::relation::{MOST_EVENTS, Relation, Set};
use crate::model::litmus::Order;

/// What to look at and for how long.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// When to give up.
    pub deadline: Instant,
    /// Whether to look at incoherent candidates too.
    pub incoherent: bool,
    /// Whether only candidates that satisfy the condition are of interest: some
    /// others are left out then.
    pub satisfying: bool,
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

/// Who looks at candidates. Models are numbered; a set of them is a word with
/// a bit for each.
pub trait Visitor {
    /// Whether to look at candidates of these events at all.
    fn begin(&mut self, _x: &Execution) -> bool {
        true
    }

    /// Which of the models `alive` may find an extension of `x` consistent,
    /// whose reads do not all see a write yet: adding to `rf` and `rb` never
    /// mends an axiom. `left` reads are undecided.
    fn narrow(&mut self, _x: &Execution, alive: u32, _left: usize) -> u32 {
        alive
    }

    /// Whether a candidate with this final state is worth a look.
    fn wants(&mut self, _state: &[i32], _alive: u32) -> bool {
        true
    }

    /// Looks at a candidate that the models `alive` may find consistent;
    /// `false` ends the search.
    fn visit(&mut self, x: &mut Execution, state: &[i32], alive: u32) -> bool;
}

/// Hands every candidate to `visitor` with its final state.
pub fn enumerate(test: &Test, search: Search, alive: u32, visitor: &mut dyn Visitor) -> Ended {
    let mut all = Vec::new();
    for (thread, body) in test.threads.iter().enumerate() {
        match paths(body) {
            Ok(paths) => all.push(paths),
            Err(why) => return Ended::TooLarge(format!("thread {thread}: {why}")),
        }
    }
    let mut progress = Progress { search, visited: 0, alive, visitor };
    let mut chosen = Vec::new();
    choose(test, &all, &mut chosen, &mut progress).err().unwrap_or(Ended::Complete)
}

struct Progress<'a> {
    search: Search,
    visited: u64,
    /// The models that look.
    alive: u32,
    visitor: &'a mut dyn Visitor,
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
        let mut shape = Shape::new(test, chosen);
        if progress.search.satisfying {
            shape.require();
        }
        return if progress.visitor.begin(&shape.frame) { shape.writes(0, progress) } else { Ok(()) };
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
    /// The final state's values, where no value has to be computed.
    plain: Option<Plain>,
    /// What a read must have read to be of interest.
    required: Vec<Option<i32>>,
}

/// Where nothing depends on what is read but the final state itself.
struct Plain {
    /// What each write stores.
    stored: Vec<i32>,
    /// Where the final state's values come from.
    sources: Vec<Source>,
    state: Vec<i32>,
}

#[derive(Clone, Copy)]
enum Source {
    Constant(i32),
    /// What this event reads.
    Read(usize),
    /// The last write to this location.
    Last(usize),
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
                Set(event.data).iter().for_each(|from| frame.data.insert(start + from, to));
                Set(event.ctrl).iter().for_each(|from| frame.ctrl.insert(start + from, to));
                if event.rmw {
                    frame.rmw.insert(to - 1, to);
                }
            }
        }
        let reads = frame.reads.iter().map(|event| neighbours(&frame, event)).collect();
        frame.conflict = conflict(&frame);
        let mo = vec![Vec::new(); test.locations.len()];
        let plain = Plain::new(test, paths, &starts);
        let required = vec![None; size];
        Shape {
            test,
            paths,
            starts,
            frame,
            reads,
            mo,
            position: vec![0; size],
            sees: vec![usize::MAX; size],
            plain,
            required,
        }
    }

    /// Notes what reads must see for the condition to hold, where that is simple.
    fn require(&mut self) {
        let Some(plain) = &self.plain else { return };
        let values = self.test.condition.proposition.required(plain.sources.len());
        for (source, value) in plain.sources.iter().zip(values) {
            if let Source::Read(event) = source {
                self.required[*event] = self.required[*event].or(value);
            }
        }
    }

    fn is_ruled_out(&self, read: usize, seen: usize) -> bool {
        match (self.required[read], &self.plain) {
            (Some(required), Some(plain)) => plain.stored[seen] != required,
            _ => false,
        }
    }

    /// Orders the writes of each location from `location` on.
    fn writes(&mut self, location: usize, progress: &mut Progress<'_>) -> Result<(), Ended> {
        if location == self.mo.len() {
            self.order();
            let alive = progress.alive;
            return self.look(0, alive, progress);
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
    fn look(&mut self, index: usize, alive: u32, progress: &mut Progress<'_>) -> Result<(), Ended> {
        progress.visit()?;
        let Some(read) = self.reads.get(index).copied() else { return self.complete(alive, progress) };
        let alive = progress.visitor.narrow(&self.frame, alive, self.reads.len() - index);
        if alive == 0 {
            return Ok(());
        }
        let location = self.frame.events[read.event].location.0;
        for position in self.visible(read, progress.search.incoherent) {
            let seen = self.mo[location][position];
            if self.is_ruled_out(read.event, seen) {
                continue;
            }
            self.sees[read.event] = seen;
            self.position[read.event] = position;
            self.frame.rf.insert(seen, read.event);
            self.frame.rb.set_row(read.event, self.frame.mo.row(seen));
            self.look(index + 1, alive, progress)?;
            self.frame.rf.remove(seen, read.event);
        }
        self.frame.rb.set_row(read.event, Set::default());
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

    fn complete(&mut self, alive: u32, progress: &mut Progress<'_>) -> Result<(), Ended> {
        let looked = match self.plain.take() {
            Some(mut plain) => {
                plain.fill(&self.sees, &self.mo);
                let looked = self.hand_over(&plain.state, |seen| plain.stored[seen], alive, progress);
                self.plain = Some(plain);
                looked
            }
            None => {
                let Some((values, nodes)) = self.values() else { return Ok(()) };
                for (path, nodes) in self.paths.iter().zip(&nodes) {
                    let holds =
                        |(node, expected): &(usize, bool)| nodes[*node].is_some_and(|value| (value != 0) == *expected);
                    if !path.assumptions.iter().all(holds) {
                        return Ok(());
                    }
                }
                let state = self.state(&values, &nodes);
                self.hand_over(&state, |event| values[event], alive, progress)
            }
        };
        if looked { Ok(()) } else { Err(Ended::Enough) }
    }

    /// Hands a candidate to who looks; `false` where that is enough.
    fn hand_over(
        &mut self,
        state: &[i32],
        stored: impl Fn(usize) -> i32,
        alive: u32,
        progress: &mut Progress<'_>,
    ) -> bool {
        let filtered = self.test.filter.as_ref().is_some_and(|filter| !filter.holds(state));
        if filtered || !progress.visitor.wants(state, alive) {
            return true;
        }
        for event in 0..self.frame.size() {
            self.frame.events[event].value = match self.frame.events[event].kind {
                Kind::Read => stored(self.sees[event]),
                Kind::Write => stored(event),
                Kind::Fence => 0,
            };
        }
        progress.visitor.visit(&mut self.frame, state, alive)
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

impl Plain {
    /// `None` where a value has to be computed, or decides about the way.
    fn new(test: &Test, paths: &[&Path], starts: &[usize]) -> Option<Self> {
        let mut stored: Vec<i32> = test.locations.iter().map(|place| place.initial).collect();
        for path in paths {
            if !path.assumptions.is_empty() {
                return None;
            }
            let known = path.evaluate(&|_| None);
            for event in &path.events {
                stored.push(match event.value {
                    Some(node) => known[node]?,
                    None => 0,
                });
            }
        }
        let source = |observable: &Observable| match observable {
            Observable::Location(location) => Some(Source::Last(location.0)),
            Observable::Register(thread, register) => {
                let path = paths[*thread];
                let Some(node) = path.registers.get(register) else { return Some(Source::Constant(0)) };
                match path.nodes[*node] {
                    Node::Read(event) => Some(Source::Read(starts[*thread] + event)),
                    _ => path.evaluate(&|_| None)[*node].map(Source::Constant),
                }
            }
        };
        let sources: Vec<Source> = test.observed.iter().map(source).collect::<Option<_>>()?;
        Some(Plain { stored, state: vec![0; sources.len()], sources })
    }

    fn fill(&mut self, sees: &[usize], mo: &[Vec<usize>]) {
        for (value, source) in self.state.iter_mut().zip(&self.sources) {
            *value = match source {
                Source::Constant(value) => *value,
                Source::Read(event) => self.stored[sees[*event]],
                Source::Last(location) => mo[*location].last().map_or(0, |last| self.stored[*last]),
            };
        }
    }
}

/// Whether two threads access a location, one of them to write and one of them
/// plainly: only then can there be a race.
fn conflict(frame: &Execution) -> bool {
    let own = |e: usize| frame.events[e].thread.is_some() && frame.events[e].kind != Kind::Fence;
    let plain = |e: usize| !frame.atomics.contains(e);
    let writes = |e: usize| frame.writes.contains(e);
    (0..frame.size()).filter(|a| own(*a) && plain(*a)).any(|a| {
        let meets = |b: usize| own(b) && frame.ext.contains(a, b) && frame.loc.contains(a, b);
        (0..frame.size()).any(|b| meets(b) && (writes(a) || writes(b)))
    })
}

fn neighbours(frame: &Execution, event: usize) -> Read {
    let same = |other: &usize| frame.loc.contains(event, *other);
    let before = (0..event).rev().filter(same).find(|other| frame.sb.contains(*other, event));
    let next_write = (event + 1..frame.size())
        .filter(same)
        .find(|other| frame.sb.contains(event, *other) && frame.writes.contains(*other));
    Read { event, before, next_write, modifies: frame.rmw.row(event).iter().next() }
}
