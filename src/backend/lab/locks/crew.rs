//! The contending threads of a worker process.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::contend::{Contend, Seat};
use super::gate::{Gate, Plan};
use super::seating::Seating;
use super::{Family, Primitive};
use crate::model::lock::LockSpec;
use crate::model::{Fault, Pid};
use crate::sys::thread::start_thread;

/// The names of the contending threads begin so.
pub(super) const CONTENDER: &str = "contender ";

/// How long to wait for all threads to come to rest.
const REST: Duration = Duration::from_secs(2);
/// From one look for a deadlock to the next meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// Threads, their places, their lock and their gate.
pub(super) struct Crew {
    pub(super) family: Family,
    pub(super) subject: Arc<dyn Contend>,
    pub(super) seats: Arc<[Seat]>,
    gate: Arc<Gate>,
    /// The threads, as the kernel numbers them.
    pub(super) tids: Vec<Pid>,
    /// The nice value of the first thread.
    pub(super) nice: i32,
    /// The CPU that real-time threads are kept from.
    pub(super) left_free: Option<usize>,
}

impl Crew {
    /// Starts the threads behind a closed gate. They end when this is dropped.
    ///
    /// # Errors
    /// A fault where the system gives no more threads, or not the CPUs or the
    /// priorities that were asked for.
    pub(super) fn start(primitive: &dyn Primitive, spec: &LockSpec, plan: Plan) -> Result<Self, Fault> {
        let threads = spec.threads;
        let seating = Arc::new(Seating::plan(&spec.schedule)?);
        seating.take_free()?;
        let several = spec.several.and_then(|several| primitive.contend_for_several(several, threads));
        let mut crew = Crew {
            family: primitive.info().family,
            subject: Arc::from(several.unwrap_or_else(|| primitive.contend(threads))),
            seats: (0..threads).map(|index| Seat::new(index, threads)).collect(),
            gate: Arc::new(Gate::closed(plan)),
            tids: vec![0; threads],
            nice: 0,
            left_free: seating.left_free,
        };
        let (seated, all_seated) = mpsc::channel();
        for index in 0..threads {
            let (subject, seats, gate) = (crew.subject.clone(), crew.seats.clone(), crew.gate.clone());
            let (seating, seated) = (seating.clone(), seated.clone());
            let life = move || {
                let taken = seating.take(index);
                let is_seated = taken.is_ok();
                // Nobody listens any more where another could not be seated.
                let tid: Pid = rustix::thread::gettid().as_raw_nonzero().get();
                let _ = seated.send((index, tid, taken));
                drop(seated);
                if is_seated {
                    subject.run(&seats[index], &gate);
                }
            };
            start_thread(&format!("{CONTENDER}{index}"), Box::new(life)).map_err(|error| {
                Fault::new("locks", format!("cannot start thread {} of {threads}: {error}", index + 1))
                    .hint("ask for fewer threads, or raise the limit (ulimit -u)")
            })?;
        }
        drop(seated);
        for (index, tid, taken) in all_seated {
            let nice = taken?;
            crew.tids[index] = tid;
            if index == 0 {
                crew.nice = nice;
            }
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

    /// Waits until they have; false where some take longer than two seconds, or
    /// are deadlocked.
    pub(super) fn rest(&self) -> bool {
        let threads = self.seats.len();
        let Some(taking) = self.subject.taking() else { return self.gate.rest(threads, REST) };
        // Whoever is deadlocked never comes.
        let mut waits = taking.waits();
        for _ in 0..REST.as_millis() / LOOK.as_millis() {
            if self.gate.rest(threads, LOOK) {
                return true;
            }
            if taking.seen(&waits).deadlock.is_some() {
                return false;
            }
            waits = taking.waits();
        }
        false
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
