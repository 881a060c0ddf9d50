//! The janitor: a small process that outlives the program by a moment, ends
//! the children it was told to end and removes the names it was told to
//! remove, however the program went.
//!
//! It holds one end of a [socket](PacketSocket); the program holds the other.
//! Children announce themselves, before they execute their program and while
//! they still hold a copy of the program's end: so the janitor sees the end of
//! the stream only after it has heard of every child, wherever a SIGKILL
//! struck. Messages:
//!
//! ```text
//! u  + pidfd   a user's child: SIGTERM, after a grace SIGKILL, with its tree
//! u  + brand   the same, and how its descendants are known
//! w  + pidfd   a worker: SIGKILL
//! e  + brand   the child of this brand ended while the program looked on
//! n  + name    this name must not outlive us (see `Name::to_bytes`)
//! g  + name    this name is gone
//! ```
//!
//! A child that ends while the program runs is forgotten: what it leaves
//! running then was its own affair, as with a shell. One with a brand is
//! forgotten when the program says so, since it may also have ended because
//! the program did: its input closed, its terminal hung up. Messages are heard
//! when the program nudges, once for a few dozen of them, or is gone.

mod serve;
mod sweep;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;
use rustix::event::{EventfdFlags, eventfd};

use self::serve::message;
pub use self::serve::serve;
use super::program;
use crate::model::{Fault, Pid};
use crate::sys::brand::Brand;
use crate::sys::limits;
pub use crate::sys::names::Name;
use crate::sys::packet::PacketSocket;
use crate::sys::pidfd::Pidfd;
use crate::sys::reap;
use crate::sys::spawn::{Group, Register, Spawn, SpawnError, Spawned, Stdio, Step, Trail, spawn};

/// What a child is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A program that the user started: it may want to clean up.
    User,
    /// A process of ours.
    Worker,
}

/// A child that the janitor knows.
#[derive(Clone, Debug)]
pub struct Child {
    /// Its process id, valid until it is reaped.
    pub pid: Pid,
    /// Its pidfd.
    pub pidfd: Arc<Pidfd>,
    /// What starting it took.
    pub trail: Arc<Trail>,
}

impl From<Spawned> for Child {
    fn from(spawned: Spawned) -> Self {
        let Spawned { pid, pidfd, trail } = spawned;
        Child { pid, pidfd: Arc::new(pidfd), trail: Arc::new(trail) }
    }
}

/// The janitor, as the program holds it.
#[derive(Debug)]
pub struct Janitor {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    socket: Arc<PacketSocket>,
    /// An eventfd: there is something to hear.
    nudge: OwnedFd,
    unheard: u32,
    process: Spawned,
    /// What a successor would have to know.
    children: Vec<Told>,
    names: Vec<Name>,
    /// When `children` is to be swept of those that ended.
    sweep_at: usize,
}

/// A child that the janitor was told of.
#[derive(Debug)]
struct Told {
    role: Role,
    brand: Option<Brand>,
    pidfd: Weak<Pidfd>,
}

/// How many messages may wait unheard.
const UNHEARD: u32 = 32;

static JANITOR: OnceLock<Janitor> = OnceLock::new();
static STARTING: Mutex<()> = Mutex::new(());

/// The janitor; the first call starts it.
///
/// # Errors
/// A fault that says why it could not be started.
pub fn ensure() -> Result<&'static Janitor, Fault> {
    if let Some(janitor) = JANITOR.get() {
        return Ok(janitor);
    }
    let _one_at_a_time = STARTING.lock();
    if let Some(janitor) = JANITOR.get() {
        return Ok(janitor);
    }
    let state = Mutex::new(start()?);
    Ok(JANITOR.get_or_init(|| Janitor { state }))
}

/// The janitor's process id, where it runs: a process of ours that is no
/// experiment's worker and nobody's child program.
pub fn pid() -> Option<Pid> {
    JANITOR.get().map(|janitor| janitor.state.lock().process.pid)
}

/// Registers a name that is about to be made; it is removed when the guard is
/// dropped, and by the janitor if the program ends before that. Paths must be
/// absolute.
///
/// # Errors
/// A fault where the janitor cannot be told: then the name must not be made.
pub fn register_name(name: Name) -> Result<NameGuard, Fault> {
    ensure()?.register_name(name)
}

/// Registers a name with the janitor for as long as it lives; then removes it.
#[derive(Debug)]
pub struct NameGuard {
    name: Name,
    /// It turned out to be somebody else's.
    given_up: bool,
}

impl NameGuard {
    /// The name.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// Gives the name up without removing what bears it: making it has failed,
    /// for somebody else has it.
    pub fn not_ours(mut self) {
        if let Some(janitor) = JANITOR.get() {
            janitor.forget(&self.name);
        }
        self.given_up = true;
    }
}

impl Drop for NameGuard {
    fn drop(&mut self) {
        if self.given_up {
            return;
        }
        // What cannot be removed now stays registered, for the janitor to try.
        if self.name.remove().is_ok()
            && let Some(janitor) = JANITOR.get()
        {
            janitor.forget(&self.name);
        }
    }
}

impl Janitor {
    /// Starts a child that the janitor knows of before it runs. Where it is
    /// given a brand, [`Janitor::ended`] must be told of its end.
    ///
    /// # Errors
    /// Which step failed, and the kernel's reason.
    pub fn spawn(&self, request: &Spawn<'_>, role: Role) -> Result<Child, SpawnError> {
        let message = message(role, request.brand);
        let attempt = || {
            let socket = self.state.lock().socket.clone();
            let register = Some(Register { socket: socket.as_fd(), message: &message });
            spawn(&Spawn { register, ..*request })
        };
        let spawned = match attempt() {
            Err(error) if error.step == Step::Register && self.revive() => attempt(),
            other => other,
        };
        // One that could not become its program had announced itself before.
        let spawned = spawned.inspect_err(|_| self.ended(request.brand))?;
        let child = Child::from(spawned);
        let mut state = self.state.lock();
        state.remember(role, request.brand, &child.pidfd);
        state.sent_one();
        drop(state);
        Ok(child)
    }

    /// A child with a brand has ended while the program runs: what it leaves
    /// behind stays.
    pub fn ended(&self, brand: Option<Brand>) {
        let Some(brand) = brand else { return };
        let mut state = self.state.lock();
        state.children.retain(|told| told.brand != Some(brand));
        // A successor would not hear of it at all.
        let _ = state.send(&[b"e", brand.to_bytes().as_slice()].concat(), None);
    }

    fn register_name(&self, name: Name) -> Result<NameGuard, Fault> {
        let bytes = [b"n", name.to_bytes().as_slice()].concat();
        let mut sent = self.send(&bytes);
        if sent.is_err() && self.revive() {
            sent = self.send(&bytes);
        }
        sent.map_err(|error| Fault::new("janitor", format!("cannot register a name: {error}")))?;
        self.state.lock().names.push(name.clone());
        Ok(NameGuard { name, given_up: false })
    }

    fn forget(&self, name: &Name) {
        self.state.lock().names.retain(|known| known != name);
        // Where it is not there to hear it, it cannot act on it either.
        let _ = self.send(&[b"g", name.to_bytes().as_slice()].concat());
    }

    fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.state.lock().send(bytes, None)
    }

    /// Starts a successor where somebody has killed the janitor, and tells it
    /// what there is. Whether one is there to try again with.
    fn revive(&self) -> bool {
        let mut state = self.state.lock();
        if reap::try_wait(&state.process.pidfd) == Ok(None) {
            return true;
        }
        let Ok(mut next) = start() else { return false };
        let mut told = true;
        for child in std::mem::take(&mut state.children) {
            if let Some(alive) = child.pidfd.upgrade() {
                told &= next.send(&message(child.role, child.brand), Some(alive.as_fd())).is_ok();
                next.children.push(child);
            }
        }
        for name in std::mem::take(&mut state.names) {
            told &= next.send(&[b"n", name.to_bytes().as_slice()].concat(), None).is_ok();
            next.names.push(name);
        }
        *state = next;
        told
    }
}

impl State {
    fn send(&mut self, message: &[u8], fd: Option<BorrowedFd<'_>>) -> io::Result<()> {
        self.socket.send(message, fd)?;
        self.sent_one();
        Ok(())
    }

    /// Counts a message; now and then the janitor is to hear them. It must be
    /// often enough for the socket, which holds some 250, and for the limit of
    /// descriptors on their way (`RLIMIT_NOFILE`, unix(7)).
    fn sent_one(&mut self) {
        self.unheard += 1;
        if self.unheard >= UNHEARD {
            self.unheard = 0;
            // It cannot be full: the janitor takes the whole count.
            let _ = rustix::io::write(&self.nudge, &1u64.to_ne_bytes());
        }
    }

    fn remember(&mut self, role: Role, brand: Option<Brand>, pidfd: &Arc<Pidfd>) {
        if self.children.len() >= self.sweep_at {
            self.children.retain(|told| told.pidfd.strong_count() > 0);
            self.sweep_at = 2 * self.children.len().max(32);
        }
        self.children.push(Told { role, brand, pidfd: Arc::downgrade(pidfd) });
    }
}

/// Signals that end programs on a terminal or stop them. The janitor ends when
/// its work is done.
const DEAF_TO: [i32; 10] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGPIPE,
    libc::SIGTERM,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGUSR1,
    libc::SIGUSR2,
];

fn start() -> Result<State, Fault> {
    let fault = |error: String| {
        let why = "without it nothing could clean up after a crash, so no child is started";
        let hint = limits::behind(&error).map_or(why.to_owned(), |limit| format!("{limit}; {why}"));
        Fault::new("janitor", format!("cannot start it: {error}")).hint(hint)
    };
    let (ours, theirs) = PacketSocket::pair().map_err(|error| fault(error.to_string()))?;
    let nudge = eventfd(0, EventfdFlags::CLOEXEC).map_err(|error| fault(error.to_string()))?;
    let args = program::janitor_args();
    let request = Spawn {
        program: program::file(),
        arg0: Some("syncscope".as_ref()),
        args: &args,
        cwd: Some("/".as_ref()),
        stdio: [Stdio::Fd(theirs.as_fd()), Stdio::Null, Stdio::Fd(nudge.as_fd())],
        group: Group::Session,
        ignore: &DEAF_TO,
        ..Spawn::default()
    };
    let process = spawn(&request).map_err(|error| fault(error.to_string()))?;
    let socket = Arc::new(ours);
    Ok(State { socket, nudge, unheard: 0, process, children: Vec::new(), names: Vec::new(), sweep_at: 64 })
}

#[cfg(test)]
mod tests;
