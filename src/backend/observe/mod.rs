//! Reads other processes.

pub mod endpoints;
pub mod file_locks;
pub mod inet;
pub mod target;
pub mod wait;

use crossbeam_channel::{Sender, unbounded};

use super::outlet::Outlet;
use super::{Command, Options};

/// The observer's thread, as the backend holds it.
#[derive(Debug)]
pub struct Observer {
    commands: Sender<Command>,
}

impl Observer {
    /// Starts the thread.
    pub fn start(_options: &Options, _outlet: Outlet) -> Self {
        let (commands, _inbox) = unbounded();
        Observer { commands }
    }

    /// Hands it a command.
    pub fn send(&self, command: Command) {
        let _ = self.commands.send(command);
    }

    /// Replaces a sampler whose reading hangs; called at every poll.
    pub fn look_after(&mut self) {}
}
