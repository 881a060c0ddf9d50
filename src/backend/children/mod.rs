//! Spawns and supervises child processes.
//!
//! A face sends [`ChildCommand`]s and is told [`Update::Children`]: all
//! children with their state, what they use, and a bounded log of what they
//! wrote. A child has a session of its own and pipes for its three standard
//! streams, unless its [`ChildSpec`] says otherwise. A child's log takes at most
//! 1 MiB as lines and as much as bytes that are no lines yet; where there are
//! many children both together take 48 MiB for all, but 48 KiB at least for
//! each; the oldest lines are dropped and counted. Lines of more than 4 KiB are
//! split; 1 MiB may wait for a child that does not read. Beside its log a child
//! takes some 20 KiB. When the program ends the children get SIGTERM and,
//! half a second later, SIGKILL, each with its whole tree, daemons that it made
//! included; those whose fate is to go on are left alone, and what a child left
//! behind that had ended before. Of the moments of a child's life the last 200 are
//! kept, and of what it used the last two minutes.
//!
//! [`ChildSpec`]: crate::model::launch::ChildSpec
//! [`Update::Children`]: super::Update::Children

mod ansi;
mod calls;
mod child;
pub mod code;
pub mod exit;
pub mod experiments;
mod family;
pub mod headless;
mod hearing;
mod keyboard;
mod life;
pub mod output;
mod pump;
mod request;
mod signals;
mod streams;
mod supervisor;

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, unbounded};

use self::supervisor::Loop;
use super::outlet::Outlet;
use super::{ChildCommand, Command};
use crate::model::Fault;
use crate::sys::priority;
use crate::sys::thread::start_thread;

/// The supervisor's thread, as the backend holds it. Dropping it ends the
/// children and waits until they are gone.
#[derive(Debug)]
pub struct Supervisor {
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    commands: Sender<Command>,
    wake: Arc<OwnedFd>,
    thread: JoinHandle<()>,
}

impl Supervisor {
    /// Starts the thread. Where that fails a fault says so, and commands are
    /// not heard.
    pub fn start(outlet: &Outlet) -> Self {
        let running = Running::start(outlet.clone());
        let running = running.map_err(|error| {
            outlet.fault(Fault::new("children", format!("cannot start their supervisor: {error}")));
        });
        Supervisor { running: running.ok() }
    }

    /// Hands it a command.
    pub fn send(&self, command: ChildCommand) {
        if let Some(running) = &self.running {
            // It is there until we are dropped.
            let _ = running.commands.send(Command::Child(command));
            running.wake();
        }
    }
}

impl Running {
    fn start(outlet: Outlet) -> std::io::Result<Self> {
        let (commands, inbox) = unbounded();
        let wake = Arc::new(supervisor::waker()?);
        let supervisor = Loop::new(inbox, wake.clone(), outlet)?;
        let life = || {
            // Somebody waits for each of its steps, and none takes long.
            priority::be_prompt();
            supervisor.run();
        };
        let thread = start_thread("children", Box::new(life))?;
        Ok(Running { commands, wake, thread })
    }

    fn wake(&self) {
        // It can only fail because it is awake already.
        let _ = rustix::io::write(&*self.wake, &1u64.to_ne_bytes());
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        let Running { commands, wake, thread } = running;
        drop(commands);
        let _ = rustix::io::write(&*wake, &1u64.to_ne_bytes());
        let _ = thread.join();
    }
}

#[cfg(test)]
mod tests;
