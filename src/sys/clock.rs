//! Clocks: `clock_gettime(2)`.

use rustix::time::{ClockId, clock_gettime};

use crate::model::Nanos;

/// `CLOCK_MONOTONIC`: comparable between processes, stands while suspended.
pub fn monotonic() -> Nanos {
    read(ClockId::Monotonic)
}

/// `CLOCK_BOOTTIME`: what `starttime` in `/proc/PID/stat` counts from.
pub fn boottime() -> Nanos {
    read(ClockId::Boottime)
}

/// CPU time used by the calling thread so far.
pub fn thread_cpu() -> Nanos {
    read(ClockId::ThreadCPUTime)
}

/// CPU time used by this process so far.
pub fn process_cpu() -> Nanos {
    read(ClockId::ProcessCPUTime)
}

fn read(clock: ClockId) -> Nanos {
    let time = clock_gettime(clock);
    Nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}
