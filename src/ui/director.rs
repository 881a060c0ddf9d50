//! Who runs the labs: a person, or the overview in bursts.
//!
//! While the overview is on the screen and its bursts are on, each lab that
//! nobody else runs works a few milliseconds a second, so that a glance shows
//! the machine's channels, locks and orderings alive for next to nothing. A
//! lab that a person has started is left alone until that person stops it.

use crate::backend::Command;
use crate::model::channel::IpcSpec;
use crate::model::lab::LabCommand;
use crate::model::litmus::LitmusSpec;
use crate::model::lock::LockSpec;

/// Whether the overview runs the labs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bursts {
    /// Not at all.
    Off,
    /// In short bursts.
    On,
    /// At full speed, for a demonstration.
    Demo,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Idle,
    Burst,
    Person,
}

/// Keeps who runs which lab.
#[derive(Clone, Debug)]
pub struct Director {
    bursts: Bursts,
    ipc: Mode,
    locks: Mode,
    litmus: Mode,
}

impl Director {
    /// Nothing runs yet.
    pub fn new(bursts: Bursts) -> Self {
        Director { bursts, ipc: Mode::Idle, locks: Mode::Idle, litmus: Mode::Idle }
    }

    /// Whether the overview runs the labs.
    pub fn bursts(&self) -> Bursts {
        self.bursts
    }

    /// Switches the bursts off, or on again.
    pub fn toggle(&mut self) {
        self.bursts = if self.bursts == Bursts::Off { Bursts::On } else { Bursts::Off };
    }

    /// Notes what a person asks of a lab.
    pub fn note(&mut self, command: &Command) {
        match command {
            Command::Ipc(command) => self.ipc = mode_after(command),
            Command::Locks(command) => self.locks = mode_after(command),
            Command::Litmus(command) => self.litmus = mode_after(command),
            _ => {}
        }
    }

    /// The commands that follow from the overview being on the screen or not.
    pub fn overview(&mut self, visible: bool) -> Vec<Command> {
        let wanted = visible && self.bursts != Bursts::Off;
        let demo = self.bursts == Bursts::Demo;
        let mut commands = Vec::new();
        if let Some(on) = step(&mut self.ipc, wanted) {
            let spec = if demo { IpcSpec::default() } else { IpcSpec::overview() };
            commands.push(Command::Ipc(if on { LabCommand::Run(spec) } else { LabCommand::Stop }));
        }
        if let Some(on) = step(&mut self.locks, wanted) {
            let spec = if demo { LockSpec::default() } else { LockSpec::overview() };
            commands.push(Command::Locks(if on { LabCommand::Run(spec) } else { LabCommand::Stop }));
        }
        if let Some(on) = step(&mut self.litmus, wanted) {
            let spec = if demo { LitmusSpec::store_buffering() } else { LitmusSpec::overview() };
            commands.push(Command::Litmus(if on { LabCommand::Run(spec) } else { LabCommand::Stop }));
        }
        commands
    }
}

fn mode_after<S>(command: &LabCommand<S>) -> Mode {
    match command {
        LabCommand::Run(_) => Mode::Person,
        LabCommand::Stop => Mode::Idle,
    }
}

/// Starts or stops the bursts of a lab that no person runs; `None` where
/// nothing changes.
fn step(mode: &mut Mode, wanted: bool) -> Option<bool> {
    match (*mode, wanted) {
        (Mode::Idle, true) => *mode = Mode::Burst,
        (Mode::Burst, false) => *mode = Mode::Idle,
        _ => return None,
    }
    Some(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_come_and_go_with_the_overview() {
        let mut director = Director::new(Bursts::On);
        assert_eq!(director.overview(true).len(), 3, "all three start");
        assert!(director.overview(true).is_empty(), "and start once");
        assert!(director.overview(false).iter().all(|c| matches!(
            c,
            Command::Ipc(LabCommand::Stop) | Command::Locks(LabCommand::Stop) | Command::Litmus(LabCommand::Stop)
        )));
    }

    #[test]
    fn a_persons_run_is_left_alone() {
        let mut director = Director::new(Bursts::On);
        director.note(&Command::Locks(LabCommand::Run(LockSpec::default())));
        assert_eq!(director.overview(true).len(), 2);
        assert_eq!(director.overview(false).len(), 2);
        director.note(&Command::Locks(LabCommand::Stop));
        director.toggle();
        assert!(director.overview(true).is_empty(), "switched off");
    }
}
