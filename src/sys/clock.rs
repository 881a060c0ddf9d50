//! Clocks: `clock_gettime(2)`.

use rustix::io::Errno;
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

/// `CLOCK_REALTIME`: since 1970, set by people and servers.
pub fn realtime() -> Nanos {
    read(ClockId::Realtime)
}

/// Clock ticks since boot, as `/proc/PID/stat` counts start times.
pub fn ticks_since_boot() -> u64 {
    let per_second = u128::from(rustix::param::clock_ticks_per_second());
    (u128::from(boottime().0) * per_second / 1_000_000_000) as u64
}

/// CPU time used by the calling thread so far.
pub fn thread_cpu() -> Nanos {
    read(ClockId::ThreadCPUTime)
}

/// CPU time used by this process so far.
pub fn process_cpu() -> Nanos {
    read(ClockId::ProcessCPUTime)
}

/// CPU time used so far by all threads of process `pid`, dead ones included, to
/// the nanosecond: the clock of `clock_getcpuclockid(3)`, which needs no
/// permission and costs a tenth of reading `/proc/PID/schedstat`.
///
/// The kernel brings the figure up to date when a task leaves its CPU and at
/// each tick: unchanged between two readings means that no thread ran for
/// longer than a tick in between.
///
/// # Errors
/// `ESRCH` where no process has this id (any more).
pub fn cpu_of_process(pid: Pid) -> Result<Nanos, Errno> {
    // The kernel's encoding, `include/linux/posix-timers_types.h`: the pid
    // inverted in the upper 29 bits, below it 2 for CPUCLOCK_SCHED of the
    // whole process.
    cpu_clock((!pid << 3) | 2)
}

/// CPU time used so far by the thread `tid` of this process, up to this moment:
/// unchanged between two readings means that it did not run in between.
///
/// # Errors
/// `ESRCH` where this process has no such thread (any more).
pub fn cpu_of_thread(tid: Pid) -> Result<Nanos, Errno> {
    // As above, with 4 for a single thread.
    cpu_clock((!tid << 3) | 2 | 4)
}

fn cpu_clock(clock: libc::clockid_t) -> Result<Nanos, Errno> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid timespec to write to; a clock id that names
    // nothing is answered with EINVAL.
    if unsafe { libc::clock_gettime(clock, &raw mut time) } == 0 {
        return Ok(Nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64));
    }
    match Errno::from_io_error(&std::io::Error::last_os_error()) {
        Some(Errno::INVAL) | None => Err(Errno::SRCH),
        Some(error) => Err(error),
    }
}

fn read(clock: ClockId) -> Nanos {
    let time = clock_gettime(clock);
    Nanos(time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_of_a_process_runs_while_it_works_and_ends_with_it() {
        let own = cpu_of_process(std::process::id() as Pid).unwrap();
        let (mut spun, mut later) = (0_u64, own);
        while later <= own {
            spun = std::hint::black_box(spun + 1);
            later = cpu_of_process(std::process::id() as Pid).unwrap();
        }
        assert!(later <= process_cpu());
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert_eq!(cpu_of_process(child.id() as Pid), Err(Errno::SRCH));
    }
}
