//! Spawns and supervises child processes.

use crossbeam_channel::{Sender, unbounded};

use super::ChildCommand;
use super::outlet::Outlet;

/// The supervisor's thread, as the backend holds it.
#[derive(Debug)]
pub struct Supervisor {
    commands: Sender<ChildCommand>,
}

impl Supervisor {
    /// Starts the thread.
    pub fn start(_outlet: Outlet) -> Self {
        let (commands, _inbox) = unbounded();
        Supervisor { commands }
    }

    /// Hands it a command.
    pub fn send(&self, command: ChildCommand) {
        let _ = self.commands.send(command);
    }
}
