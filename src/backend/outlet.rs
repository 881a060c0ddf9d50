//! The way from the backend's threads to a face: latest-only slots for
//! samples, a lossless queue for results, a bell that wakes the face.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use crossbeam_queue::ArrayQueue;

use super::update::Update;
use crate::model::channel::{FailureProgress, IpcProgress};
use crate::model::child::Children;
use crate::model::contention::Observation;
use crate::model::detail::ProcessDetail;
use crate::model::graph::WaitGraph;
use crate::model::litmus::LitmusProgress;
use crate::model::lock::LockProgress;
use crate::model::process::ProcessTable;
use crate::model::system::SystemSample;
use crate::model::{Fault, Stamped};

/// A slot that holds the latest value only: a newer one replaces one that
/// nobody has read, so a slow reader never makes samples queue. Lock-free.
#[derive(Debug)]
struct Slot<T>(ArrayQueue<Arc<Stamped<T>>>);

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Slot(ArrayQueue::new(1))
    }
}

#[derive(Debug, Default)]
struct Slots {
    system: Slot<SystemSample>,
    processes: Slot<ProcessTable>,
    graph: Slot<WaitGraph>,
    detail: Slot<ProcessDetail>,
    children: Slot<Children>,
    ipc: Slot<IpcProgress>,
    failures: Slot<FailureProgress>,
    locks: Slot<LockProgress>,
    litmus: Slot<LitmusProgress>,
    contention: Slot<Observation>,
}

/// The sending side; every thread of the backend has a clone.
#[derive(Clone, Debug)]
pub struct Outlet {
    slots: Arc<Slots>,
    results: Sender<Update>,
    bell: Sender<()>,
}

/// The receiving side.
#[derive(Debug)]
pub struct Inlet {
    slots: Arc<Slots>,
    results: Receiver<Update>,
    bell: Receiver<()>,
}

/// A connected pair.
pub fn outlet() -> (Outlet, Inlet) {
    let slots = Arc::new(Slots::default());
    let (results_in, results) = unbounded();
    let (bell_in, bell) = bounded(1);
    (Outlet { slots: slots.clone(), results: results_in, bell: bell_in }, Inlet { slots, results, bell })
}

impl Outlet {
    /// Publishes a sample (latest-only) or a result (never dropped), and rings.
    pub fn publish(&self, update: Update) {
        match update {
            Update::System(value) => drop(self.slots.system.0.force_push(value)),
            Update::Processes(value) => drop(self.slots.processes.0.force_push(value)),
            Update::Graph(value) => drop(self.slots.graph.0.force_push(value)),
            Update::Detail(value) => drop(self.slots.detail.0.force_push(value)),
            Update::Children(value) => drop(self.slots.children.0.force_push(value)),
            Update::Ipc(value) => drop(self.slots.ipc.0.force_push(value)),
            Update::Failures(value) => drop(self.slots.failures.0.force_push(value)),
            Update::Locks(value) => drop(self.slots.locks.0.force_push(value)),
            Update::Litmus(value) => drop(self.slots.litmus.0.force_push(value)),
            Update::Contention(value) => drop(self.slots.contention.0.force_push(value)),
            // A face that is gone needs no results any more.
            result @ (Update::Experiment(_) | Update::SavedTest(_) | Update::Done(_) | Update::Fault(_)) => {
                drop(self.results.send(result));
            }
        }
        // A bell that already rings is loud enough.
        let _ = self.bell.try_send(());
    }

    /// Publishes a fault.
    pub fn fault(&self, fault: Fault) {
        self.publish(Update::Fault(fault));
    }
}

impl Inlet {
    /// The bell: one message waits here whenever something is new.
    pub fn bell(&self) -> &Receiver<()> {
        &self.bell
    }

    /// Takes everything that is new.
    pub fn drain(&self, mut each: impl FnMut(Update)) {
        let slots = &self.slots;
        slots.system.0.pop().map(Update::System).map(&mut each);
        slots.processes.0.pop().map(Update::Processes).map(&mut each);
        slots.graph.0.pop().map(Update::Graph).map(&mut each);
        slots.detail.0.pop().map(Update::Detail).map(&mut each);
        slots.children.0.pop().map(Update::Children).map(&mut each);
        slots.ipc.0.pop().map(Update::Ipc).map(&mut each);
        slots.failures.0.pop().map(Update::Failures).map(&mut each);
        slots.locks.0.pop().map(Update::Locks).map(&mut each);
        slots.litmus.0.pop().map(Update::Litmus).map(&mut each);
        slots.contention.0.pop().map(Update::Contention).map(&mut each);
        self.results.try_iter().for_each(each);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_replace_each_other_and_results_do_not() {
        let (out, inlet) = outlet();
        for seq in 1..=3 {
            out.publish(Update::System(Arc::new(Stamped { seq, ..Stamped::default() })));
            out.fault(Fault::new("test", seq.to_string()));
        }
        assert!(inlet.bell().try_recv().is_ok());
        assert!(inlet.bell().try_recv().is_err(), "the bell rings once for all");
        let (mut samples, mut faults) = (Vec::new(), Vec::new());
        inlet.drain(|update| match update {
            Update::System(s) => samples.push(s.seq),
            Update::Fault(f) => faults.push(f.what.into_owned()),
            _ => {}
        });
        assert_eq!(samples, [3]);
        assert_eq!(faults, ["1", "2", "3"]);
    }
}
