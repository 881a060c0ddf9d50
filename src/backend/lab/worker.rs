//! Worker processes: the program itself, started again with the hidden
//! subcommand `worker` and a [framed socket](crate::sys::frame) as its
//! standard input. Never a bare fork of the threaded parent.
//!
//! The first frame is the kind of a [`Job`], with the descriptors it needs, the
//! second the job itself; what follows in either direction is the lab's own
//! protocol. A worker ends when its job is done or its socket closes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backend::{janitor, program};
use crate::model::life::Exit;
use crate::model::{Fault, Nanos, Pid};
use crate::sys::brand::Brand;
use crate::sys::clock;
use crate::sys::frame::FrameSocket;
use crate::sys::pidfd::Pidfd;
use crate::sys::reap;
use crate::sys::spawn::{Spawn, Stdio};

/// What a worker is to be.
pub trait Job: Serialize + DeserializeOwned {
    /// What this kind of job is called in the first frame.
    const KIND: &'static str;

    /// The whole life of such a worker.
    ///
    /// # Errors
    /// Whatever the socket to the lab says.
    fn work(self, boss: Boss, fds: Vec<OwnedFd>) -> io::Result<()>;
}

/// A worker, as the lab holds it. Dropping it kills and reaps its process.
#[derive(Debug)]
pub struct Worker {
    name: String,
    // Before the socket, so that a worker is killed where it stands instead of
    // seeing its lab gone.
    process: Arc<Process>,
    socket: FrameSocket,
}

/// The process of a worker, or of two that are threads of it.
#[derive(Debug)]
struct Process {
    child: janitor::Child,
    /// What its descendants are known by: it may end before they do.
    brand: Option<Brand>,
    /// How it ended and what it had used, once it was reaped.
    ended: Mutex<Option<(Exit, Nanos)>>,
}

/// What the workers of this program have used.
static LEDGER: Mutex<Ledger> = Mutex::new(Ledger { live: Vec::new(), ended: Nanos::ZERO });

struct Ledger {
    /// Not reaped yet, so that their pids are theirs.
    live: Vec<Pid>,
    /// What those used that were.
    ended: Nanos,
}

/// CPU time that all workers used since the program started, those that have
/// ended included. One system call for each that lives.
pub fn cpu_of_all() -> Nanos {
    let ledger = LEDGER.lock();
    let live = ledger.live.iter().filter_map(|pid| clock::cpu_of_process(*pid).ok());
    live.fold(ledger.ended, |sum, used| sum + used)
}

/// Signals from the terminal are for the program, which ends its workers.
const DEAF_TO: [i32; 3] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT];

impl Worker {
    /// Starts a worker and hands it its job. `name` is for people: `pipe
    /// receiver`.
    ///
    /// # Errors
    /// A fault that names the worker and what the kernel said.
    pub fn start<J: Job>(name: &str, job: &J, fds: &[BorrowedFd<'_>]) -> Result<Self, Fault> {
        let mut worker = Worker::idle(name)?;
        worker.tell(&J::KIND, fds)?;
        worker.tell(job, &[])?;
        Ok(worker)
    }

    /// Starts a process that is two workers, each with a socket of its own:
    /// the second one's goes along with the job. It lives as long as either.
    ///
    /// # Errors
    /// As [`Worker::start`].
    pub fn start_both<J: Job>(names: &[String; 2], job: &J) -> Result<(Self, Self), Fault> {
        let (socket, theirs) = FrameSocket::pair()
            .map_err(|error| Fault::new(names[1].clone(), format!("cannot make a socket pair: {error}")))?;
        let first = Worker::start(&names[0], job, &[theirs.as_fd()])?;
        let second = Worker { name: names[1].clone(), socket, process: first.process.clone() };
        Ok((first, second))
    }

    /// A worker that waits for its job.
    fn idle(name: &str) -> Result<Self, Fault> {
        let fault = |what: &str, error: io::Error| Fault::new(name.to_owned(), format!("{what}: {error}"));
        let (socket, theirs) = FrameSocket::pair().map_err(|e| fault("cannot make a socket pair", e))?;
        let args = program::worker_args();
        let brand = Brand::new();
        let request = Spawn {
            program: program::file(),
            // A process table shows `syncscope worker`.
            arg0: Some("syncscope".as_ref()),
            args: &args,
            stdio: [Stdio::Fd(theirs.as_fd()), Stdio::Null, Stdio::Null],
            ignore: &DEAF_TO,
            brand,
            ..Spawn::default()
        };
        let spawned = janitor::ensure()?.spawn(&request, janitor::Role::Worker);
        let child = spawned.map_err(|error| Fault::new(name.to_owned(), format!("worker process: {error}")))?;
        LEDGER.lock().live.push(child.pid);
        let process = Process { child, brand, ended: Mutex::new(None) };
        Ok(Worker { name: name.to_owned(), socket, process: Arc::new(process) })
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        self.process.child.pid
    }

    /// Its pidfd, for experiments that stop it or end it.
    pub fn pidfd(&self) -> Arc<Pidfd> {
        self.process.child.pidfd.clone()
    }

    /// What it and all that descend from it bear, where that is possible.
    pub fn brand(&self) -> Option<Brand> {
        self.process.brand
    }

    /// Sends it a message of the lab's protocol.
    ///
    /// # Errors
    /// A fault that names the worker and how it ended.
    pub fn tell<T: Serialize>(&mut self, message: &T, fds: &[BorrowedFd<'_>]) -> Result<(), Fault> {
        self.socket.send(message, fds).map_err(|error| self.fault(&error))
    }

    /// Waits for its next message; `Ok(None)` where none came in time.
    ///
    /// # Errors
    /// A fault that names the worker and how it ended.
    pub fn hear<T: DeserializeOwned>(&mut self, timeout: Duration) -> Result<Option<T>, Fault> {
        self.socket.receive(Some(timeout), &mut Vec::new()).map_err(|error| self.fault(&error))
    }

    /// CPU time it used so far, by all its threads, ended ones included.
    pub fn cpu_time(&self) -> Nanos {
        let now = || clock::cpu_of_process(self.pid()).unwrap_or_default();
        self.process.ended.lock().map_or_else(now, |(_, used)| used)
    }

    /// The descriptor to poll for its next message.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn fault(&self, error: &io::Error) -> Fault {
        let gone = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
        );
        let pid = self.pid();
        let what = if gone {
            // The socket closes a moment before the process can be reaped.
            match self.process.reap() {
                Some(exit) => format!("worker {pid} ended early: {}", how(exit)),
                None => format!("worker {pid} is gone"),
            }
        } else {
            format!("worker {pid}: {error}")
        };
        Fault::new(self.name.clone(), what)
    }
}

impl Process {
    /// Waits for its end and takes it into the ledger, once.
    fn reap(&self) -> Option<Exit> {
        let mut ended = self.ended.lock();
        if ended.is_none() {
            // What it had used last is exact; rusage is cut to microseconds.
            let _ = self.child.pidfd.ended(None);
            let mut ledger = LEDGER.lock();
            let used = clock::cpu_of_process(self.child.pid);
            let (exit, usage) = reap::wait(&self.child.pidfd).ok()?;
            let used = used.unwrap_or(usage.user + usage.system);
            ledger.live.retain(|pid| *pid != self.child.pid);
            ledger.ended += used;
            *ended = Some((exit, used));
        }
        ended.map(|(exit, _)| exit)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended.get_mut().is_none() {
            // It may have ended by itself; then there is nothing to kill.
            let _ = self.child.pidfd.send(libc::SIGKILL);
            self.reap();
        }
        // Where there is no janitor any more, nobody knows of it.
        if let Ok(janitor) = janitor::ensure() {
            janitor.ended(self.brand);
        }
    }
}

fn how(exit: Exit) -> String {
    match (exit.code, exit.signal) {
        (Some(code), _) => format!("exit code {code}"),
        (None, signal) => format!("killed by {}", crate::model::signal::name(signal.unwrap_or_default())),
    }
}

/// What a worker process holds of its lab.
#[derive(Debug)]
pub struct Boss {
    socket: FrameSocket,
}

impl Boss {
    /// Reports to the lab.
    ///
    /// # Errors
    /// Whatever the socket says; the worker has nothing left to do then.
    pub fn tell<T: Serialize>(&mut self, message: &T) -> io::Result<()> {
        self.socket.send(message, &[])
    }

    /// Waits for what the lab says; `Ok(None)` where nothing came in time.
    ///
    /// # Errors
    /// `UnexpectedEof` where the lab is gone: time to end.
    pub fn hear<T: DeserializeOwned>(&mut self, timeout: Option<Duration>) -> io::Result<Option<T>> {
        self.socket.receive(timeout, &mut Vec::new())
    }
}

impl From<FrameSocket> for Boss {
    fn from(socket: FrameSocket) -> Self {
        Boss { socket }
    }
}

/// What a worker was given.
pub(super) struct Assignment {
    /// [`Job::KIND`] of the job.
    pub(super) kind: String,
    pub(super) boss: Boss,
    pub(super) fds: Vec<OwnedFd>,
}

/// In a worker process: takes the first frame from standard input. Nothing
/// where the lab was gone before.
///
/// # Errors
/// Whatever the socket says.
pub(super) fn report_for_work() -> io::Result<Option<Assignment>> {
    // It was executed as /proc/self/exe.
    let _ = rustix::thread::set_name(c"syncscope");
    let mut socket = FrameSocket::from(std::os::unix::net::UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?));
    let mut fds = Vec::new();
    let Some(kind) = socket.receive(None, &mut fds)? else { return Ok(None) };
    Ok(Some(Assignment { kind, boss: Boss { socket }, fds }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_ends_early_says_how_and_stays_counted() {
        let mut worker = Worker::idle("test").unwrap();
        assert!(worker.hear::<String>(Duration::ZERO).unwrap().is_none());
        worker.tell(&"this is no job", &[]).unwrap();
        let fault = worker.hear::<String>(Duration::from_mins(1)).unwrap_err();
        assert!(fault.what.ends_with("ended early: exit code 101"), "{fault}");
        let used = worker.cpu_time();
        assert!(used > Nanos::ZERO);
        let total = cpu_of_all();
        assert!(total >= used);
        drop(worker);
        assert!(cpu_of_all() >= total, "the ledger never forgets");
    }

    #[test]
    fn dropping_a_worker_kills_and_reaps_it() {
        let worker = Worker::idle("test").unwrap();
        let pid = worker.pid();
        assert!(LEDGER.lock().live.contains(&pid));
        drop(worker);
        assert!(!LEDGER.lock().live.contains(&pid));
        assert!(clock::cpu_of_process(pid).is_err(), "nothing is left of it");
    }
}
