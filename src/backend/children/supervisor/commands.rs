//! What a face asks of the supervisor.

use crossbeam_channel::TryRecvError;

use super::Loop;
use crate::backend::children::child::Child;
use crate::backend::children::output::PER_CHILD;
use crate::backend::{ChildCommand, Command, Update};
use crate::model::child::{ChildId, ChildSpec, ChildState};
use crate::model::life::Target;
use crate::model::{Fault, Nanos, signal};

impl Loop {
    /// Does what there is to do; `false` once nobody can ask any more.
    pub(super) fn commands(&mut self) -> bool {
        loop {
            match self.inbox.try_recv() {
                Ok(Command::Child(command)) => {
                    self.dirty = true;
                    if let Err(fault) = self.obey(command) {
                        self.outlet.fault(fault);
                    }
                }
                // Any other is for another thread.
                Ok(_) => {}
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn obey(&mut self, command: ChildCommand) -> Result<(), Fault> {
        match command {
            ChildCommand::Spawn(spec) => self.spawn(&spec),
            ChildCommand::Signal { id, signal, target } => self.signal(id, signal, target),
            ChildCommand::End { id, target, grace } => self.end(id, target, grace),
            ChildCommand::Write { id, bytes } => {
                self.child(id)?.write(&bytes)?;
                self.pictures.ask(id);
                self.flush(id);
                Ok(())
            }
            ChildCommand::CloseStdin(id) => {
                self.child(id)?.close_stdin();
                self.flush(id);
                Ok(())
            }
            ChildCommand::Again(id) => {
                let child = self.child(id)?;
                if child.life.next_start.is_some() {
                    // It waits to be started again anyway.
                    child.life.wanted_again();
                    self.start_again(id);
                    return Ok(());
                }
                let spec = child.spec.clone();
                self.spawn(&spec)
            }
            ChildCommand::Read(id) => {
                self.pictures.read = id;
                Ok(())
            }
            ChildCommand::Forget(id) => {
                let child = self.child(id)?;
                if child.lives() {
                    return Err(child.fault("it still runs; end it first"));
                }
                // Its descriptors go with it.
                self.children.remove(&id);
                self.share_memory();
                Ok(())
            }
        }
    }

    fn child(&mut self, id: ChildId) -> Result<&mut Child, Fault> {
        self.children
            .get_mut(&id)
            .ok_or_else(|| Fault::new("children", format!("there is no child number {id} any more")))
    }

    fn spawn(&mut self, spec: &ChildSpec) -> Result<(), Fault> {
        self.last_id += 1;
        let id = self.last_id;
        let child = Child::start(id, spec, PER_CHILD);
        let watched = self.watch(&child);
        let outcome = match &child.state {
            ChildState::NotStarted(fault) => Err(fault.clone()),
            _ => watched.map_err(|error| child.fault(&format!("cannot be watched: {error}"))),
        };
        if outcome.is_ok() {
            self.outlet.publish(Update::Done(format!("started {}", child.short_name()).into()));
        }
        self.children.insert(id, child);
        self.share_memory();
        self.look_soon();
        outcome
    }

    fn signal(&mut self, id: ChildId, number: i32, target: Target) -> Result<(), Fault> {
        let child = self.child(id)?;
        let reached = child.signal(number, target)?;
        let whom = match (target, reached.count) {
            (Target::Child, _) => child.name(),
            (_, Some(count)) => {
                let processes = if count == 1 { "process" } else { "processes" };
                format!("{} of {}: {count} {processes}", target.words(), child.name())
            }
            (_, None) => format!("{} of {}", target.words(), child.name()),
        };
        let name = signal::name(number);
        // Why it does nothing comes first: there may be no room for all.
        let done = match reached.unheard {
            Some(unheard) => format!("{name} sent, but {} ({whom})", unheard.words()),
            None => format!("{name} sent to {whom}"),
        };
        self.outlet.publish(Update::Done(done.into()));
        Ok(())
    }

    fn end(&mut self, id: ChildId, target: Target, grace: Nanos) -> Result<(), Fault> {
        let child = self.child(id)?;
        child.end(target, grace)?;
        let done = format!("asked {} of {} to end", target.words(), child.name());
        self.outlet.publish(Update::Done(done.into()));
        Ok(())
    }
}
