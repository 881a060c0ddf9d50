//! The observation of a process on a thread of its own, for the dashboard.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use super::{Way, observe};
use crate::backend::Update;
use crate::backend::outlet::Outlet;
use crate::model::{Fault, Pid, Stamped};
use crate::sys::clock;
use crate::sys::thread::start_thread;

/// An observation under way. Dropping it ends it.
#[derive(Debug)]
pub struct Watch {
    pid: Pid,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins to observe a process, and tells each second what was seen.
    pub fn start(pid: Pid, outlet: &Outlet) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (outlet, asked) = (outlet.clone(), stop.clone());
        let faults = outlet.clone();
        let life = move || {
            let mut seq = 0;
            let mut tell = |observation| {
                seq += 1;
                let stamped = Stamped { at: clock::monotonic(), took: clock::thread_cpu(), seq, value: observation };
                outlet.publish(Update::Contention(Arc::new(stamped)));
            };
            match observe(pid, None, Way::Best, &asked, &mut tell) {
                Ok(last) => {
                    // Who has looked away wants nothing more of it.
                    if !asked.load(Ordering::Relaxed) {
                        tell(last);
                    }
                }
                Err(fault) => outlet.fault(fault),
            }
        };
        let thread = match start_thread("contention", Box::new(life)) {
            Ok(thread) => Some(thread),
            Err(error) => {
                faults.fault(Fault::new("contention", format!("cannot start its thread: {error}")));
                None
            }
        };
        Watch { pid, stop, thread }
    }

    /// The process.
    pub fn pid(&self) -> Pid {
        self.pid
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The thread sees it within a turn; nobody waits for that.
        drop(self.thread.take());
    }
}
