//! Worker processes: the program itself, started again with the hidden
//! subcommand `worker` and a [framed socket](crate::sys::frame) as its
//! standard input. Never a bare fork of the threaded parent.
//!
//! The first frame is the [`Job`], with the descriptors it needs; what follows
//! in either direction is the lab's own protocol. A worker ends when its job
//! is done or its socket closes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::model::{Fault, Nanos, Pid};
use crate::sys::clock;
use crate::sys::frame::FrameSocket;
use crate::sys::spawn_gate;

/// What a worker is to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// One side of a channel.
    Ipc(super::ipc::Job),
    /// The threads that contend for a lock.
    Locks(super::locks::Job),
    /// The threads of a litmus test.
    Litmus(super::litmus::Job),
}

/// A worker, as the lab holds it. Dropping it kills and reaps it.
#[derive(Debug)]
pub struct Worker {
    name: String,
    socket: FrameSocket,
    child: Child,
    /// Set once its number may belong to another process.
    reaped: bool,
    /// CPU time of it that is part of [`CPU_OF_ALL`], in nanoseconds.
    counted: AtomicU64,
}

/// CPU time that workers have used since the program began, in nanoseconds, as
/// far as it has been asked for.
static CPU_OF_ALL: AtomicU64 = AtomicU64::new(0);

/// CPU time used by all workers of all labs so far, those that are gone
/// included. A worker's share grows when its [`Worker::cpu_time`] is asked for,
/// and when it ends.
pub fn cpu_of_all() -> Nanos {
    Nanos(CPU_OF_ALL.load(Ordering::Relaxed))
}

impl Worker {
    /// Starts a worker and hands it its job. `name` is for people: `pipe
    /// receiver`.
    ///
    /// # Errors
    /// A fault that names the worker and what the kernel said.
    pub fn start(name: &str, job: &Job, fds: &[BorrowedFd<'_>]) -> Result<Self, Fault> {
        let fault = |what: &str, error: io::Error| Fault::new(name.to_owned(), format!("{what}: {error}"));
        let (mut socket, theirs) = FrameSocket::pair().map_err(|e| fault("cannot make a socket pair", e))?;
        let mut command = Command::new("/proc/self/exe");
        command.arg0_syncscope().arg("worker");
        command.stdin(OwnedFd::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null());
        let child =
            spawn_gate::while_open(|| command.spawn()).map_err(|e| fault("cannot start the worker process", e))?;
        socket.send(job, fds).map_err(|e| fault("cannot hand the worker its job", e))?;
        Ok(Worker { name: name.to_owned(), socket, child, reaped: false, counted: AtomicU64::new(0) })
    }

    /// Its process id.
    pub fn pid(&self) -> Pid {
        self.child.id() as Pid
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

    /// CPU time it used so far, its ended threads included.
    pub fn cpu_time(&self) -> Nanos {
        if !self.reaped
            && let Ok(now) = clock::cpu_of_process(self.pid())
        {
            let before = self.counted.fetch_max(now.0, Ordering::Relaxed);
            CPU_OF_ALL.fetch_add(now.0.saturating_sub(before), Ordering::Relaxed);
        }
        Nanos(self.counted.load(Ordering::Relaxed))
    }

    /// The descriptor to poll for its next message.
    pub fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    fn fault(&mut self, error: &io::Error) -> Fault {
        let gone = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
        );
        let what = if gone {
            // The socket closes a moment before the process can be reaped.
            self.cpu_time();
            self.reaped = true;
            match self.child.wait() {
                Ok(status) => format!("worker {} ended early: {}", self.child.id(), how(status)),
                Err(error) => format!("worker {} is gone: {error}", self.child.id()),
            }
        } else {
            format!("worker {}: {error}", self.child.id())
        };
        Fault::new(self.name.clone(), what)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.child.kill();
        self.cpu_time();
        let _ = self.child.wait();
    }
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => status.to_string(),
    }
}

trait Arg0 {
    fn arg0_syncscope(&mut self) -> &mut Self;
}

impl Arg0 for Command {
    /// A process table shows `syncscope worker`, not `/proc/self/exe worker`.
    fn arg0_syncscope(&mut self) -> &mut Self {
        std::os::unix::process::CommandExt::arg0(self, "syncscope")
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

/// The whole life of a worker process: takes its job from standard input and
/// does it.
///
/// # Errors
/// Whatever ended it early.
pub fn serve() -> io::Result<()> {
    let mut socket = FrameSocket::from(std::os::unix::net::UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?));
    let mut fds = Vec::new();
    let Some(job) = socket.receive::<Job>(None, &mut fds)? else { return Ok(()) };
    let boss = Boss { socket };
    match job {
        Job::Ipc(job) => super::ipc::work(&job, boss, fds),
        Job::Locks(job) => super::locks::work(job, boss, fds),
        Job::Litmus(job) => super::litmus::work(job, boss, fds),
    }
}
