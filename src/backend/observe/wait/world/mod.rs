//! Where decoders look things up during one scan.
//!
//! ```text
//! memory    of processes, and what their maps say of it
//! code      where in it threads are, and how they came there
//! frames    the frames of a thread, and what is in their registers
//! stage     a process as a rehearsal sees it
//! supposed  what a thread would do next, if memory held something else
//! tasks     who lives, under which number, whose child
//! indexes   of the whole machine: pipe and socket ends, file locks
//! in_flight descriptors on their way from one process to another
//! sampled   a thread as it was at a moment that has passed
//! ```

mod code;
mod frames;
mod in_flight;
mod indexes;
mod memory;
mod sampled;
mod stage;
mod supposed;
mod tasks;

pub(in crate::backend::observe) use self::frames::CodeOf;
use self::in_flight::Queue;
pub(in crate::backend::observe::wait) use self::in_flight::Receiver;
pub(in crate::backend::observe) use self::memory::Sharer;
pub(in crate::backend::observe::wait) use self::supposed::{BY_CODE, Supposed};

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use rustix::io::Errno;

use super::ahead::Ahead;
use super::beyond_proc::Source;
use super::live::Live;
use super::parked::Primitive;
use super::told::{Place, Told};
use crate::backend::observe::endpoints::Ends;
use crate::backend::observe::file_locks::FileLocks;
use crate::backend::observe::inet::InetSockets;
use crate::backend::observe::target::maps::Maps;
use crate::backend::observe::target::stack::{CallSite, Code, DEPTH};
use crate::model::{Nanos, Pid};
use crate::sys::clock;
use crate::sys::procroot::ProcRoot;

/// An index of descriptors, or of processes in other pid namespaces, is used so
/// long for the process table; a precise answer never uses one of an earlier scan.
const ENDS_LAST: Nanos = Nanos(3_000_000_000);
/// An index this young is not read anew for what it lacks.
const ENDS_FRESH: Nanos = Nanos(500_000_000);
/// So are tables of internet sockets.
const INET_FRESH: Nanos = Nanos(50_000_000);
/// So many memory maps are kept: those of the process at hand and of those it
/// shares locks with.
const MAPS: usize = 32;
/// A lock has its fields so near to the word that is waited for.
const AROUND: u64 = 64;

/// The memory around a futex.
pub type Around = [u8; 2 * AROUND as usize];
/// At what cost questions are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Effort {
    /// What is dear is left out, and said to be.
    Cheap,
    /// Every holder that can be found is named.
    Precise,
    /// Even what hardly ever is is looked for.
    Thorough,
}

/// A descriptor, by its process, its thread and its number.
type Opened = (Pid, Pid, i32);

/// A table that is asked again and again for every thread.
type Quick<K, V> = HashMap<K, V, foldhash::fast::RandomState>;

/// A thread's process, id, stack pointer and program counter.
type SiteKey = (Pid, Pid, u64, u64);

/// Where decoders look things up during one scan.
#[derive(Debug)]
pub struct World {
    /// The proc file system.
    pub root: Arc<ProcRoot>,
    source: Box<dyn Source>,
    effort: Effort,
    vouched: bool,
    ahead: Ahead,
    /// The threads of the process at hand, but for its main thread.
    threads: (Pid, Vec<Pid>),
    /// Which addresses of a process are those behind a call.
    returns: Quick<(Pid, u64), bool>,
    /// What code of a process is before an address.
    places: Quick<(Pid, u64), Code>,
    /// What code without names has told.
    pub(super) nameless: HashMap<Place, Option<Told>>,
    /// And of those that `parking_lot` has put to sleep.
    pub(super) parked: HashMap<Place, Primitive>,
    maps: Quick<Pid, Option<Arc<Maps>>>,
    levels: HashMap<Pid, usize>,
    /// All processes that live in a pid namespace below this program's own, and
    /// when that was found out.
    nested: Option<(Nanos, Arc<[Pid]>)>,
    /// Threads by which processes are reached whose main thread has ended.
    detours: HashMap<Pid, Pid>,
    /// Where the thread at hand is in its code: several decoders ask.
    site: Option<(SiteKey, Option<Arc<CallSite>>)>,
    ends: Option<Ends>,
    /// Whether it has to be renewed before it is used again.
    ends_outdated: bool,
    file_locks: Option<Result<Arc<FileLocks>, Errno>>,
    /// By the number of a pseudo-terminal, the processes that it controls, in this scan.
    controlled: Option<HashMap<u64, Vec<Pid>>>,
    /// The descriptors that are in flight, in this scan.
    queues: Option<Arc<[Queue]>>,
    /// By what their links say, all descriptors of files that have no name of their own, as
    /// process, thread and number; and how many processes may not be read. Of this scan.
    linked: HashMap<&'static [u8], (Vec<Opened>, usize)>,
    /// By the inode of the network namespace.
    inet: HashMap<u64, Arc<InetSockets>>,
}

impl World {
    /// A world with nothing looked up yet.
    pub fn new(root: Arc<ProcRoot>) -> Self {
        let source = Box::new(Live::new(root.is_real()));
        World::with_source(root, source)
    }

    /// A world with a source of its own.
    pub(in crate::backend::observe::wait) fn with_source(root: Arc<ProcRoot>, source: Box<dyn Source>) -> Self {
        World {
            root,
            source,
            effort: Effort::Cheap,
            vouched: false,
            ahead: Ahead::default(),
            threads: (0, Vec::new()),
            returns: Quick::default(),
            places: Quick::default(),
            nameless: HashMap::new(),
            parked: HashMap::new(),
            maps: Quick::default(),
            levels: HashMap::new(),
            nested: None,
            detours: HashMap::new(),
            site: None,
            ends: None,
            ends_outdated: false,
            file_locks: None,
            controlled: None,
            queues: None,
            linked: HashMap::new(),
            inet: HashMap::new(),
        }
    }

    /// Forgets what may have changed since the scan before.
    pub fn begin_scan(&mut self) {
        self.maps.clear();
        self.levels.clear();
        self.returns.clear();
        self.places.clear();
        self.nameless.clear();
        self.parked.clear();
        self.ahead = Ahead::default();
        self.file_locks = None;
        self.queues = None;
        self.controlled = None;
        self.linked.clear();
        self.inet.clear();
        let now = clock::monotonic();
        let old = |ends: &Ends| now.0.saturating_sub(ends.at().0) > ENDS_LAST.0;
        if self.is_precise() {
            (self.ends, self.nested) = (None, None);
        }
        self.nested.take_if(|(at, _)| now.since(*at) > ENDS_LAST);
        self.ends_outdated |= self.ends.as_ref().is_some_and(old);
    }

    /// Lets go of what is large and can be read again, until somebody asks again.
    pub fn rest(&mut self) {
        self.source.rest();
    }

    /// Whether every answer shall rest on readings of this scan, and name every
    /// holder that can be found, at whatever cost. Without, a decoder leaves out
    /// what is dear, and says so.
    pub fn precise(&mut self, precise: bool) {
        self.effort = if precise { Effort::Precise } else { Effort::Cheap };
        if precise {
            (self.ends, self.nested) = (None, None);
        }
    }

    /// Whether even what hardly ever is shall be looked for: somebody is about to
    /// be told that a thread can never go on.
    pub fn thorough(&mut self, thorough: bool) {
        if self.is_precise() {
            self.effort = if thorough { Effort::Thorough } else { Effort::Precise };
        }
    }

    /// Whether [`World::thorough`] was asked for.
    pub fn is_thorough(&self) -> bool {
        self.effort == Effort::Thorough
    }

    /// Whether [`World::precise`] was asked for.
    pub fn is_precise(&self) -> bool {
        self.effort >= Effort::Precise
    }

    /// From now on whoever asks finds out by other means whether a thread has
    /// moved on while it was read: decoders need not.
    pub fn vouch(&mut self) {
        self.vouched = true;
    }
}
