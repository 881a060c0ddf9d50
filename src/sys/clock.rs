//! Clocks: `clock_gettime(2)`.

use rustix::time::{ClockId, clock_gettime};

use crate::model::{Nanos, Pid};

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

/// CPU time used so far by all threads of a process, ended ones included; also
/// of a zombie. `None` where there is no such process.
pub fn cpu_of(pid: Pid) -> Option<Nanos> {
    let clock = nix::time::clock_getcpuclockid(nix::unistd::Pid::from_raw(pid)).ok()?;
    let time = clock.now().ok()?;
    Some(Nanos(time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64))
}

fn read(clock: ClockId) -> Nanos {
    let time = clock_gettime(clock);
    Nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}
