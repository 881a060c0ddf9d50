//! What the kernel counts of the contending threads: context switches, and calls of
//! futex(2).
//!
//! The calls are counted by a tracepoint, which takes root. While it is open every
//! system call of the machine goes by a way that is some 50 ns longer: so it is opened
//! only where a person looks at what is recorded, and not for bursts.

use nix::sys::resource::{UsageWho, getrusage};
use rustix::io::Errno;

use crate::model::lock::{LockSpec, Switches, Trace};
use crate::sys::perf::Counter;
use crate::sys::perf_tracefs::Tracefs;

/// The counters.
pub(super) struct KernelCounts {
    futex: Result<Counter, &'static str>,
}

/// What they said at one time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) switches: Switches,
    /// Nothing where these calls are not counted.
    pub(super) futex_calls: Option<u64>,
}

impl KernelCounts {
    /// Begins; for the thread that starts the others, before it does.
    pub(super) fn begin(spec: &LockSpec) -> Self {
        let futex = if spec.burst.is_some() {
            Err("not in bursts")
        } else if spec.setting.trace == Trace::Off {
            Err("not recorded")
        } else {
            Tracefs::open()
                .and_then(|tracefs| tracefs.tracepoint("syscalls", "sys_enter_futex"))
                .and_then(|tracepoint| Counter::of_threads_to_come(tracepoint.id))
                .map_err(why_not)
        };
        KernelCounts { futex }
    }

    /// What they say now.
    pub(super) fn read(&self) -> Counted {
        let futex_calls = self.futex.as_ref().ok().and_then(Counter::count);
        Counted { switches: switches_of_others(), futex_calls }
    }

    /// Why calls of futex(2) are not counted, in few words; nothing where they are.
    pub(super) fn uncounted(&self) -> Option<&'static str> {
        self.futex.as_ref().err().copied()
    }
}

impl Counted {
    /// This, and what has come from `before` to `now`.
    pub(super) fn and_from(self, before: Counted, now: Counted) -> Self {
        let more = |so_far: u64, before: u64, now: u64| so_far + now.saturating_sub(before);
        let calls = before.futex_calls.zip(now.futex_calls);
        Counted {
            switches: Switches {
                voluntary: more(self.switches.voluntary, before.switches.voluntary, now.switches.voluntary),
                involuntary: more(self.switches.involuntary, before.switches.involuntary, now.switches.involuntary),
            },
            futex_calls: calls.map(|(before, now)| more(self.futex_calls.unwrap_or(0), before, now)),
        }
    }
}

fn why_not(error: Errno) -> &'static str {
    match error {
        Errno::ACCESS | Errno::PERM => "counted for root",
        Errno::NOENT | Errno::NODEV | Errno::NOSYS => "kernel traces none",
        _ => "kernel refuses",
    }
}

/// Context switches of this process without those of the calling thread.
fn switches_of_others() -> Switches {
    let read =
        |who| getrusage(who).map(|usage| (usage.voluntary_context_switches(), usage.involuntary_context_switches()));
    match (read(UsageWho::RUSAGE_SELF), read(UsageWho::RUSAGE_THREAD)) {
        (Ok(all), Ok(ours)) => {
            Switches { voluntary: (all.0 - ours.0).max(0) as u64, involuntary: (all.1 - ours.1).max(0) as u64 }
        }
        // getrusage(2) fails only for arguments that these are not.
        _ => Switches::default(),
    }
}
