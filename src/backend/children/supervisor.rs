//! The supervisor's thread: one epoll(7) loop for any number of children.
//!
//! Exits come from pidfds, output and input from pipes, commands from a
//! channel with an eventfd beside it. Stops and continues have no descriptor:
//! a pidfd says nothing of them. SIGCHLD does, and each child is then asked by
//! waitid(2) through its pidfd. Nothing is polled by the clock save what the
//! living use, once a second.

mod commands;
mod ending;
mod pictures;

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crossbeam_channel::Receiver;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};

use self::pictures::Pictures;
use super::child::Child;
use super::exit;
use super::family::Kinship;
use super::output::{CHUNK, PER_CHILD};
use crate::backend::outlet::Outlet;
use crate::backend::{Command, Update};
use crate::model::child::{ChildId, ChildState, Stream};
use crate::model::{Fault, Nanos};
use crate::sys::clock;
use crate::sys::stops::Stops;

/// All logs together take at most this: half of it as lines, half of it as bytes
/// that are no lines yet.
const ALL_LOGS: usize = 48 << 20;
/// What each half of a child's log may take however many children there are.
const LEAST: usize = 24 << 10;
/// Between two looks for stops, and at what the living use.
const STOPS: Nanos = Nanos::from_millis(10);
const USAGE: Nanos = Nanos::from_secs(1);
/// The same at new ones, where many come one after the other.
const BURST: Nanos = Nanos::from_millis(100);

const WAKE: u64 = 0;
const STOP: u64 = 1;
/// What a token means: the child's id, and in its lowest bits this.
const EXIT: u64 = 0;
const STDIN: u64 = 3;
const EXECUTES: u64 = 4;
const BITS: u32 = 3;

pub(super) struct Loop {
    inbox: Receiver<Command>,
    wake: Arc<OwnedFd>,
    outlet: Outlet,
    epoll: OwnedFd,
    stops: Stops,
    children: BTreeMap<ChildId, Child>,
    last_id: ChildId,
    buffer: Vec<u8>,
    /// Something changed since the last picture.
    dirty: bool,
    pictures: Pictures,
    /// When to look for stops, where there may be some.
    stops_due: Option<Nanos>,
    stops_seen: Nanos,
    usage_due: Nanos,
    usage_seen: Nanos,
}

/// What wakes the loop: written to after each command.
pub(super) fn waker() -> io::Result<OwnedFd> {
    Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
}

impl Loop {
    pub(super) fn new(inbox: Receiver<Command>, wake: Arc<OwnedFd>, outlet: Outlet) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &*wake, EventData::new_u64(WAKE), EventFlags::IN)?;
        let stops = Stops::hear()?;
        epoll::add(&epoll, &stops, EventData::new_u64(STOP), EventFlags::IN)?;
        Ok(Loop {
            inbox,
            wake,
            outlet,
            epoll,
            stops,
            children: BTreeMap::new(),
            last_id: 0,
            buffer: vec![0; CHUNK],
            dirty: true,
            pictures: Pictures::default(),
            stops_due: None,
            stops_seen: Nanos::ZERO,
            usage_due: Nanos::ZERO,
            usage_seen: Nanos::ZERO,
        })
    }

    /// Until the commands end; then ends the children.
    pub(super) fn run(mut self) {
        let mut events: [Event; 128] = [Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; 128];
        loop {
            let timeout = self
                .timeout()
                .map(|t| Timespec { tv_sec: (t.0 / 1_000_000_000) as i64, tv_nsec: (t.0 % 1_000_000_000) as i64 });
            match epoll::wait(&self.epoll, &mut events[..], timeout.as_ref()) {
                Ok(count) => events[..count].iter().for_each(|event| self.serve(event.data.u64(), event.flags)),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => {
                    self.outlet.fault(Fault::new("children", format!("the supervisor cannot wait: {error}")));
                    break;
                }
            }
            if !self.commands() {
                break;
            }
            self.clockwork();
        }
        self.end_all();
    }

    /// How long to sleep; `None` until something happens.
    fn timeout(&self) -> Option<Nanos> {
        let now = clock::monotonic();
        let living = self.children.values().any(Child::is_looked_at);
        let due = self.children.values().filter_map(|child| child.life.due()).min();
        let picture = self.dirty.then_some(self.pictures.due());
        let dues = [picture, self.pictures.answer_due(), self.stops_due, living.then_some(self.usage_due), due];
        dues.into_iter().flatten().min().map(|due| due.since(now))
    }

    fn serve(&mut self, token: u64, flags: EventFlags) {
        match token {
            WAKE => drop(rustix::io::read(&*self.wake, &mut [0; 8])),
            STOP => {
                if self.stops.rang() {
                    self.look_for_stops_soon();
                }
            }
            _ => self.serve_child(token >> BITS, token & ((1 << BITS) - 1), flags),
        }
    }

    fn serve_child(&mut self, id: ChildId, what: u64, flags: EventFlags) {
        let Some(child) = self.children.get_mut(&id) else { return };
        self.dirty = true;
        match what {
            EXIT => {
                if let Some((how, usage)) = child.reap() {
                    if let Some(process) = &child.process {
                        let _ = epoll::delete(&self.epoll, &*process.pidfd);
                    }
                    let done = format!("{}: {} after {}", child.short_name(), exit::short(how), usage.wall);
                    self.outlet.publish(Update::Done(done.into()));
                }
            }
            STDIN => {
                // The reader closed its end, or everybody the terminal.
                if flags.intersects(EventFlags::ERR | EventFlags::HUP) && !flags.contains(EventFlags::OUT) {
                    child.lose_stdin();
                } else {
                    self.flush(id);
                }
            }
            EXECUTES => child.look_for_exec(),
            stream => {
                let stream = if stream == 1 { Stream::Stdout } else { Stream::Stderr };
                if !child.read(stream, &mut self.buffer) {
                    // Closing it takes it out of the epoll set: nobody else
                    // has this end.
                    child.close(stream);
                }
                self.pictures.hear(id);
            }
        }
    }

    fn watch(&self, child: &Child) -> io::Result<()> {
        let token = |what: u64| EventData::new_u64(child.id << BITS | what);
        let Some(process) = &child.process else { return Ok(()) };
        epoll::add(&self.epoll, &*process.pidfd, token(EXIT), EventFlags::IN)?;
        if let Some(executes) = &child.executes {
            // HUP is always told.
            epoll::add(&self.epoll, executes, token(EXECUTES), EventFlags::empty())?;
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            if let Some(file) = child.stream(stream) {
                epoll::add(&self.epoll, file, token(1 + stream as u64), EventFlags::IN)?;
            }
        }
        if let Some(stdin) = &child.stdin {
            // Nothing to write yet; ERR is always told.
            epoll::add(&self.epoll, stdin, token(STDIN), EventFlags::empty())?;
        }
        Ok(())
    }

    /// Starts a child anew whose time has come.
    fn start_again(&mut self, id: ChildId) {
        let Some(child) = self.children.get_mut(&id) else { return };
        child.start_again();
        let Some(child) = self.children.get(&id) else { return };
        let fault = match (&child.state, self.watch(child)) {
            (ChildState::NotStarted(fault), _) => Some(fault.clone()),
            (_, Err(error)) => Some(child.fault(&format!("cannot be watched: {error}"))),
            (_, Ok(())) => None,
        };
        if let Some(fault) = fault {
            self.outlet.fault(fault);
        }
        self.look_soon();
        self.dirty = true;
    }

    /// A new child is looked at soon; of many that come one after the other, all at
    /// once: a look reads all processes of the machine.
    fn look_soon(&mut self) {
        let soon = (clock::monotonic() + STOPS).max(self.usage_seen + BURST);
        self.usage_due = self.usage_due.min(soon);
    }

    /// Writes what a child takes, and is told when it takes more.
    fn flush(&mut self, id: ChildId) {
        let Some(child) = self.children.get_mut(&id) else { return };
        let more = child.flush();
        if let Some(stdin) = &child.stdin {
            let flags = if more { EventFlags::OUT } else { EventFlags::empty() };
            // It is in the set since the child started.
            let _ = epoll::modify(&self.epoll, stdin, EventData::new_u64(id << BITS | STDIN), flags);
        }
    }

    fn share_memory(&mut self) {
        let limit = (ALL_LOGS / 2 / self.children.len().max(1)).clamp(LEAST, PER_CHILD);
        self.children.values_mut().for_each(|child| child.output.set_limit(limit));
    }

    /// A storm of signals must not make us ask everybody each time.
    fn look_for_stops_soon(&mut self) {
        self.stops_due.get_or_insert(self.stops_seen + STOPS);
    }

    fn clockwork(&mut self) {
        let now = clock::monotonic();
        if self.stops.marked() {
            self.look_for_stops_soon();
        }
        if self.stops_due.is_some_and(|due| due <= now) {
            (self.stops_due, self.stops_seen) = (None, now);
            self.children.values_mut().for_each(Child::look_for_stop);
            self.dirty |= self.children.values().any(Child::touched);
        }
        if self.usage_due <= now {
            (self.usage_due, self.usage_seen) = (now + USAGE, now);
            self.children.values_mut().for_each(Child::look_at_usage);
            self.look_at_families();
            self.dirty |= self.children.values().any(Child::touched);
        }
        let is_due = |due: Option<Nanos>| due.is_some_and(|due| due <= now);
        let due: Vec<ChildId> =
            self.children.values().filter(|child| is_due(child.life.due())).map(|child| child.id).collect();
        for id in due {
            self.dirty = true;
            match self.children.get_mut(&id) {
                Some(child) if is_due(child.life.kill_at) => child.grace_is_over(),
                Some(_) => self.start_again(id),
                None => {}
            }
        }
        if self.dirty && self.pictures.due() <= now {
            self.publish(now);
        } else if self.pictures.answer_due().is_some_and(|due| due <= now) {
            self.publish_answer(now);
        }
    }

    /// Who descends from whom: one reading of all processes for all children.
    fn look_at_families(&mut self) {
        if self.children.values().any(Child::is_looked_at) {
            let now = Kinship::read();
            self.children.values_mut().for_each(|child| child.look_at_family(&now));
        }
    }
}
