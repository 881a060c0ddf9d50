//! A barrier that does not wait for long.

use std::borrow::Cow;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{AcqRel, Acquire};

use super::Barrier;
use crate::backend::lab::locks::exclusion::spin_while;
use crate::backend::lab::locks::{Family, Info};

/// Looks at the count before a thread goes on without the others.
const PATIENCE: u32 = 1_000;

/// A barrier with a timeout that nobody looks at.
#[derive(Debug)]
pub(in crate::backend::lab::locks) struct Impatient {
    threads: u64,
    arrived: AtomicU64,
}

impl Barrier for Impatient {
    const INFO: Info = Info {
        key: "barrier_impatient",
        name: "impatient barrier",
        family: Family::Barrier,
        breaks: Some("all arrive first"),
        version: || Cow::Borrowed("broken on purpose"),
        explanation: "A count of arrivals that everybody watches, with a timeout whose result nobody looks at: after a \
            thousand looks a thread goes on, whoever is still missing. From then on the count is out of step with the \
            phases, and threads of different phases take each other for company.",
    };

    const WAITS: bool = false;

    fn of(threads: usize) -> Self {
        Impatient { threads: threads as u64, arrived: AtomicU64::new(0) }
    }

    fn wait(&self) -> bool {
        let place = self.arrived.fetch_add(1, AcqRel);
        let all = (place / self.threads + 1) * self.threads;
        let mut looks = 0;
        spin_while(|| {
            looks += 1;
            looks < PATIENCE && self.arrived.load(Acquire) < all
        });
        place + 1 == all
    }
}
