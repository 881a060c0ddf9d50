//! One candidate execution: what happened, and how it is related.

use std::cell::OnceCell;

use super::ast::Location;
use super::relation::{Relation, Set};
use crate::model::litmus::Order;

/// What an event does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Reads a location.
    Read,
    /// Writes one.
    Write,
    /// Orders.
    Fence,
}

/// An event. A read-modify-write is two: a read and a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whose; `None` for an initial write.
    pub thread: Option<usize>,
    /// What it does.
    pub kind: Kind,
    /// Where; unused for a fence.
    pub location: Location,
    /// How it is ordered.
    pub order: Order,
    /// What was read or written.
    pub value: i32,
}

/// A candidate execution, coherent or not.
#[derive(Clone, Debug)]
pub struct Execution {
    /// The events: initial writes first, then thread by thread.
    pub events: Vec<Event>,
    /// Sequenced before: program order within a thread, transitive.
    pub sb: Relation,
    /// Reads from: a write to each read of its value.
    pub rf: Relation,
    /// Modification order of each location, transitive.
    pub mo: Relation,
    /// Reads before: a read to each write that is later than what it read.
    pub rb: Relation,
    /// The read of a read-modify-write to its write.
    pub rmw: Relation,
    /// A read to each write whose value depends on it.
    pub data: Relation,
    /// A read to each event in the arms of an `if` that depends on it.
    pub ctrl: Relation,
    /// Same location.
    pub loc: Relation,
    /// Different threads, initial writes apart from all.
    pub ext: Relation,
    /// All reads.
    pub reads: Set,
    /// All writes, initial ones too.
    pub writes: Set,
    /// All fences.
    pub fences: Set,
    /// The initial writes.
    pub initial: Set,
    /// Atomic events: everything but plain accesses.
    pub atomics: Set,
    /// Events that acquire.
    pub acquires: Set,
    /// Events that release.
    pub releases: Set,
    /// Events ordered `seq_cst`.
    pub seq_cst: Set,
    /// What a model of a machine keeps of program order, once it has found that
    /// out: it is the same for all candidates of these events.
    pub preserved: OnceCell<Relation>,
    /// Whether two accesses of different threads could race.
    pub conflict: bool,
    /// Whether a violated axiom is to be shown with its cycle.
    pub explain: bool,
}

impl Execution {
    /// Events in their thread's order, with nothing else known about them yet.
    pub fn new(events: Vec<Event>) -> Self {
        let size = events.len();
        let relate = |related: &dyn Fn(usize, usize) -> bool| {
            let mut relation = Relation::empty(size);
            for a in 0..size {
                (0..size).filter(|b| related(a, *b)).for_each(|b| relation.insert(a, b));
            }
            relation
        };
        let collect = |member: &dyn Fn(&Event) -> bool| {
            let mut set = Set::default();
            (0..size).filter(|e| member(&events[*e])).for_each(|e| set.insert(e));
            set
        };
        let accesses = |e: usize| events[e].kind != Kind::Fence;
        let own = |e: usize| events[e].thread;
        let empty = || Relation::empty(size);
        Execution {
            sb: relate(&|a, b| a < b && own(a).is_some() && own(a) == own(b)),
            loc: relate(&|a, b| accesses(a) && accesses(b) && events[a].location == events[b].location),
            ext: relate(&|a, b| own(a) != own(b)),
            rf: empty(),
            mo: empty(),
            rb: empty(),
            rmw: empty(),
            data: empty(),
            ctrl: empty(),
            reads: collect(&|e| e.kind == Kind::Read),
            writes: collect(&|e| e.kind == Kind::Write),
            fences: collect(&|e| e.kind == Kind::Fence),
            initial: collect(&|e| e.thread.is_none()),
            atomics: collect(&|e| e.order != Order::Plain),
            acquires: collect(&|e| e.kind != Kind::Write && e.order.acquires()),
            releases: collect(&|e| e.kind != Kind::Read && e.order.releases()),
            seq_cst: collect(&|e| e.order == Order::SeqCst),
            preserved: OnceCell::new(),
            conflict: false,
            explain: false,
            events,
        }
    }

    /// How many events there are.
    pub fn size(&self) -> usize {
        self.events.len()
    }

    /// eco = (rf ∪ mo ∪ rb)⁺, the extended coherence order. As mo is transitive
    /// and rf;rb is part of it, one more step of rf is all that the closure adds.
    pub fn eco(&self) -> Relation {
        let later = &self.mo | &self.rb;
        &self.rf | later.then(&self.rf) | later
    }

    /// `[set]`
    pub fn only(&self, set: Set) -> Relation {
        super::relation::identity(set, self.size())
    }
}
