//! What a measured loop used of the machine.

use nix::sys::resource::{UsageWho, getrusage};

use crate::model::Nanos;
use crate::sys::clock;

/// What the calling thread has used so far.
pub(super) struct Usage {
    pub(super) cpu: Nanos,
    pub(super) voluntary: u64,
    pub(super) involuntary: u64,
    /// How long it was ready to run and did not.
    pub(super) delay: Nanos,
}

impl Usage {
    pub(super) fn now() -> Self {
        // It cannot fail for the calling thread.
        let (voluntary, involuntary) = getrusage(UsageWho::RUSAGE_THREAD).map_or((0, 0), |usage| {
            (usage.voluntary_context_switches() as u64, usage.involuntary_context_switches() as u64)
        });
        Usage { cpu: clock::thread_cpu(), voluntary, involuntary, delay: run_delay().unwrap_or_default() }
    }
}

/// The second figure of schedstat (`Documentation/scheduler/sched-stats.rst`):
/// time on a run queue.
fn run_delay() -> Option<Nanos> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().nth(1)?.parse().ok().map(Nanos)
}
