//! The events that the chosen paths have, and the decisions about them.

use super::orders::{Demand, Orders};
use super::values::{Source, UNDECIDED, Values};
use super::{Ended, Progress, Search};
use crate::backend::lab::litmus::ast::{Location, Place, Test};
use crate::backend::lab::litmus::execution::{Event, Execution, Kind};
use crate::backend::lab::litmus::path::Path;
use crate::backend::lab::litmus::relation::Set;
use crate::model::litmus::Order;

/// One choice of paths and what is decided about it.
pub(super) struct Shape<'a> {
    test: &'a Test,
    frame: Execution,
    values: Values<'a>,
    /// The orders of the writes, location by location.
    orders: Vec<Orders>,
    reads: Vec<Read>,
    decisions: Vec<Decision>,
    /// What each read sees, by event.
    sees: Vec<usize>,
    /// The final state, once it is known, and the models that it is of interest to.
    state: Vec<i32>,
    interested: u32,
    incoherent: bool,
}

/// What else is of interest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// Whatever comes next.
    Any,
    /// Other final states only.
    OtherState,
}

/// Something to be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    /// What a read sees, by index into [`Shape::reads`].
    Sees(usize),
    /// How the writes to a location follow one another.
    Order(usize),
}

/// A read and its neighbours at the same location.
#[derive(Clone, Debug)]
struct Read {
    event: usize,
    location: usize,
    thread: usize,
    /// The accesses of its thread before it.
    before: Vec<usize>,
    /// Those after it, but for its own write.
    after: Vec<usize>,
    /// The write of its read-modify-write.
    modifies: Option<usize>,
}

impl<'a> Shape<'a> {
    /// What the chosen paths do; `None` where they contradict themselves.
    ///
    /// # Errors
    /// Where there are too many orders of the writes.
    pub(super) fn new(test: &'a Test, paths: &[&'a Path], search: Search) -> Result<Option<Self>, Ended> {
        let (frame, starts) = frame(test, paths);
        let size = frame.size();
        let Some(mut values) = Values::new(test, paths, starts, size) else { return Ok(None) };
        if search.satisfying {
            values.required = test.condition.proposition.required(test.observed.len());
        }
        let mut orders = Vec::with_capacity(test.locations.len());
        for (location, place) in test.locations.iter().enumerate() {
            let writes = frame.writes.iter().filter(|e| frame.events[*e].location.0 == location).collect();
            orders.push(Orders::new(writes, &frame.sb, search.incoherent, &place.name)?);
        }
        let reads: Vec<Read> = frame.reads.iter().map(|event| neighbours(&frame, event)).collect();
        let decisions = decisions(&values, &reads, &orders);
        let mut shape = Shape {
            test,
            frame,
            values,
            orders,
            reads,
            decisions,
            sees: vec![UNDECIDED; size],
            state: Vec::new(),
            interested: 0,
            incoherent: search.incoherent,
        };
        (0..shape.orders.len()).for_each(|location| shape.relate(location));
        Ok(Some(shape))
    }

    /// The events.
    pub(super) fn frame(&self) -> &Execution {
        &self.frame
    }

    /// Hands all candidates over.
    pub(super) fn all(&mut self, progress: &mut Progress<'_>) -> Result<(), Ended> {
        let alive = progress.alive;
        self.decide(0, alive, false, progress).map(drop)
    }

    /// Goes on with decision `at`; `known` says whether the final state was known
    /// before.
    fn decide(&mut self, at: usize, alive: u32, known: bool, progress: &mut Progress<'_>) -> Result<Next, Ended> {
        progress.visit()?;
        let orders = &self.orders;
        let last = |location: usize| orders[location].last();
        let now = known || self.values.state(&mut self.state, last);
        if now && !known {
            let filtered = self.test.filter.as_ref().is_some_and(|filter| !filter.holds(&self.state));
            if filtered || !progress.visitor.wants(&self.state, alive) {
                return Ok(Next::Any);
            }
            self.interested = alive;
        } else if !now && progress.search.satisfying && self.values.is_ruled_out(last) {
            return Ok(Next::Any);
        }
        let open = |decision: &Decision| match decision {
            Decision::Sees(_) => true,
            Decision::Order(location) => self.orders[*location].left() > 1,
        };
        // Where one order is left there is nothing to decide.
        let at = (at..self.decisions.len()).find(|at| open(&self.decisions[*at])).unwrap_or(self.decisions.len());
        let Some(decision) = self.decisions.get(at).copied() else { return self.complete(alive, known, now, progress) };
        let alive = progress.visitor.narrow(&self.frame, alive);
        if alive == 0 {
            return Ok(Next::Any);
        }
        let next = match decision {
            Decision::Sees(read) => self.look(read, at, alive, now, progress)?,
            Decision::Order(location) => self.arrange(location, at, alive, now, progress)?,
        };
        // Where the state was not known yet, others are to come.
        Ok(if known { next } else { Next::Any })
    }

    /// Lets a read see each write that it may.
    fn look(
        &mut self,
        read: usize,
        at: usize,
        alive: u32,
        known: bool,
        progress: &mut Progress<'_>,
    ) -> Result<Next, Ended> {
        let (event, location, thread) = (self.reads[read].event, self.reads[read].location, self.reads[read].thread);
        let demands = if self.incoherent { Vec::new() } else { self.demands(read) };
        let mut result = Next::Any;
        for index in 0..self.orders[location].writes.len() {
            let seen = self.orders[location].writes[index];
            let before = self.orders[location].keep(index, &demands);
            if self.orders[location].left() > 0 {
                self.sees[event] = seen;
                let mark = self.values.mark();
                if self.values.settle(thread, &self.sees) {
                    self.frame.rf.insert(seen, event);
                    self.relate(location);
                    result = self.decide(at + 1, alive, known, progress)?;
                    self.frame.rf.remove(seen, event);
                }
                self.values.forget(mark);
                self.sees[event] = UNDECIDED;
            }
            self.orders[location].restore(before);
            if result == Next::OtherState && known {
                break;
            }
        }
        self.frame.rb.set_row(event, Set::default());
        self.relate(location);
        Ok(result)
    }

    /// What an order of the writes must fulfil for what a read sees.
    fn demands(&self, read: usize) -> Vec<Demand> {
        let Read { location, before, after, modifies, .. } = &self.reads[read];
        let orders = &self.orders[*location];
        let is_write = |event: usize| self.frame.writes.contains(event);
        let seen_by = |event: usize| Some(self.sees[event]).filter(|seen| *seen != UNDECIDED);
        let earlier = before.iter().filter_map(|event| if is_write(*event) { Some(*event) } else { seen_by(*event) });
        let mut demands: Vec<Demand> = earlier.map(|write| Demand::NotAfter(orders.index(write))).collect();
        for event in after {
            if is_write(*event) {
                demands.push(Demand::Before(orders.index(*event)));
            } else if let Some(write) = seen_by(*event) {
                demands.push(Demand::NotBefore(orders.index(write)));
            }
        }
        demands.extend(modifies.map(|write| Demand::Next(orders.index(write))));
        demands
    }

    /// Tries each order of a location's writes that is left.
    fn arrange(
        &mut self,
        location: usize,
        at: usize,
        alive: u32,
        known: bool,
        progress: &mut Progress<'_>,
    ) -> Result<Next, Ended> {
        let mut result = Next::Any;
        for nth in 0..self.orders[location].left() {
            let before = self.orders[location].choose(nth);
            self.relate(location);
            result = self.decide(at + 1, alive, known, progress)?;
            self.orders[location].restore(before);
            if result == Next::OtherState && known {
                break;
            }
        }
        self.relate(location);
        Ok(result)
    }

    /// Relates a location's events as far as it is decided.
    fn relate(&mut self, location: usize) {
        let orders = &self.orders[location];
        for (index, write) in orders.writes.iter().enumerate() {
            self.frame.mo.set_row(*write, orders.later(index));
        }
        for read in self.reads.iter().filter(|read| read.location == location) {
            let seen = self.sees[read.event];
            if seen != UNDECIDED {
                self.frame.rb.set_row(read.event, self.frame.mo.row(seen));
            }
        }
    }

    fn complete(&mut self, alive: u32, before: bool, known: bool, progress: &mut Progress<'_>) -> Result<Next, Ended> {
        // A value that depends on itself is allowed by no model.
        let accesses = self.frame.reads | self.frame.writes;
        if !known || accesses.iter().any(|event| self.values.events[event].is_none()) {
            return Ok(Next::Any);
        }
        for (event, value) in self.frame.events.iter_mut().zip(&self.values.events) {
            event.value = value.unwrap_or_default();
        }
        if !progress.visitor.visit(&mut self.frame, &self.state, alive) {
            return Err(Ended::Enough);
        }
        // Where this decision made the state known, no other leads to it from here.
        let more = !before || progress.visitor.wants(&self.state, self.interested);
        Ok(if more { Next::Any } else { Next::OtherState })
    }
}

/// The events of the paths, and where each path's begin.
fn frame(test: &Test, paths: &[&Path]) -> (Execution, Vec<usize>) {
    let initial = |(location, place): (usize, &Place)| Event {
        thread: None,
        kind: Kind::Write,
        location: Location(location),
        order: Order::Plain,
        value: place.initial,
    };
    let mut events: Vec<Event> = test.locations.iter().enumerate().map(initial).collect();
    let mut starts = Vec::with_capacity(paths.len());
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
    frame.conflict = conflict(&frame);
    (frame, starts)
}

/// First what the final state shows, then the rest; reads in the order of the
/// program.
fn decisions(values: &Values<'_>, reads: &[Read], orders: &[Orders]) -> Vec<Decision> {
    let mut shown = Set::default();
    let mut last = Set::default();
    for source in values.sources() {
        match source {
            Source::Constant(_) => {}
            Source::Node(node) => values.behind(*node).into_iter().for_each(|read| shown.insert(read)),
            Source::Last(location) => last.insert(*location),
        }
    }
    let sees = |wanted: bool| {
        let those = move |(_, read): &(usize, &Read)| shown.contains(read.event) == wanted;
        reads.iter().enumerate().filter(those).map(|(index, _)| Decision::Sees(index))
    };
    let order = |wanted: bool| {
        (0..orders.len()).filter(move |location| last.contains(*location) == wanted).map(Decision::Order)
    };
    sees(true).chain(order(true)).chain(sees(false)).chain(order(false)).collect()
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
    let modifies = frame.rmw.row(event).iter().next();
    let same = |other: &usize| frame.loc.contains(event, *other);
    let before = (0..event).filter(same).filter(|other| frame.sb.contains(*other, event)).collect();
    let after = (event + 1..frame.size()).filter(same).filter(|other| frame.sb.contains(event, *other));
    let after = after.filter(|other| modifies != Some(*other)).collect();
    let Event { location, thread, .. } = frame.events[event];
    Read { event, location: location.0, thread: thread.unwrap_or_default(), before, after, modifies }
}
