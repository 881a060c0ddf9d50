//! The contending threads of a worker process.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::contend::{Contend, Seat};
use super::gate::{Gate, Plan};
use super::{Family, Primitive};
use crate::model::Fault;

/// The nice value of the contending threads, so that the screen and whoever
/// else works on this machine come first. It changes nothing between them.
pub(super) const NICE: i32 = 5;

/// How long to wait for all threads to come to rest.
const REST: Duration = Duration::from_secs(2);

/// Threads, their places, their lock and their gate.
pub(super) struct Crew {
    pub(super) family: Family,
    pub(super) subject: Arc<dyn Contend>,
    pub(super) seats: Arc<[Seat]>,
    gate: Arc<Gate>,
}

impl Crew {
    /// Starts the threads behind a closed gate. They end when this is dropped.
    ///
    /// # Errors
    /// A fault where the system gives no more threads.
    pub(super) fn start(primitive: &dyn Primitive, threads: usize, plan: Plan) -> Result<Self, Fault> {
        let crew = Crew {
            family: primitive.info().family,
            subject: Arc::from(primitive.contend(threads)),
            seats: (0..threads).map(|index| Seat::new(index, threads)).collect(),
            gate: Arc::new(Gate::closed(plan)),
        };
        for index in 0..threads {
            let (subject, seats, gate) = (crew.subject.clone(), crew.seats.clone(), crew.gate.clone());
            let life = move || {
                // It fails only where it would make a thread nicer than the
                // nicest, and then the thread is nice enough.
                let _ = rustix::process::nice(NICE);
                subject.run(&seats[index], &gate);
            };
            thread::Builder::new().name(format!("contender {index}")).spawn(life).map_err(|error| {
                Fault::new("locks", format!("cannot start thread {} of {threads}: {error}", index + 1))
                    .hint("ask for fewer threads, or raise the limit (ulimit -u)")
            })?;
        }
        crew.rest();
        Ok(crew)
    }

    /// Lets them run.
    pub(super) fn open(&self, plan: Plan) {
        self.gate.open(plan);
    }

    /// Tells them to come to rest.
    pub(super) fn shut(&self) {
        self.gate.close();
        self.subject.interrupt();
    }

    /// Waits until they have; false where some take longer than two seconds.
    pub(super) fn rest(&self) -> bool {
        self.gate.rest(self.seats.len(), REST)
    }

    /// Acquisitions so far.
    pub(super) fn laps(&self) -> u64 {
        self.seats.iter().map(|seat| seat.tally.laps()).sum()
    }

    /// Memory of all rings and counters in bytes.
    pub(super) fn memory(&self) -> usize {
        self.seats.iter().map(Seat::memory).sum()
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.gate.end();
        self.subject.interrupt();
    }
}
