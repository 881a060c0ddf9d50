//! How urgent the calling thread is: `setpriority(2)`, `sched_setscheduler(2)`,
//! and the limits on either (getrlimit(2), capabilities(7)).
//!
//! On Linux both calls, given the number 0, change the calling thread alone. The
//! C library is not asked: musl's `sched_setscheduler` only says `ENOSYS`.

use std::mem::MaybeUninit;

use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use rustix::thread::{CapabilitySet, capabilities};

use crate::model::Pid;

/// A real-time policy, sched(7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RealTime {
    /// `SCHED_FIFO`.
    Fifo,
    /// `SCHED_RR`.
    RoundRobin,
}

/// Lets others go before the calling thread: it interrupts nobody when it wakes
/// (`SCHED_BATCH`), and gets about a tenth of a CPU that others want whole.
///
/// # Errors
/// Whatever the system calls say.
pub fn give_way() -> Result<(), Errno> {
    set_policy(0, libc::SCHED_BATCH, 0)?;
    if nice() < 10 { set_nice(10) } else { Ok(()) }
}

/// Asks for turns of this length, where nobody says otherwise 0.7 to 2.8 ms.
const SHORT_TURN: u64 = 200_000;

/// Lets the calling thread, which works little and seldom, begin soon after it
/// wakes though others want every CPU: it asks for short turns, and who asks for a
/// short one goes first. It gets no more of the CPU for it than before. Threads and
/// processes that it starts ask for none. Before Linux 6.12, and for threads with
/// another policy or urgency than the usual, it does nothing.
pub fn be_prompt() {
    // A negative nice value would not be handed on either: it stays as it is.
    let Some(attributes) =
        attributes().filter(|now| now.sched_policy == libc::SCHED_OTHER as u32 && now.sched_nice >= 0)
    else {
        return;
    };
    let flags = attributes.sched_flags | libc::SCHED_FLAG_RESET_ON_FORK as u64;
    let mut wanted = libc::sched_attr { sched_runtime: SHORT_TURN, sched_flags: flags, ..attributes };
    // Without it, it is only slower.
    // SAFETY: the kernel reads as many bytes as its first field says.
    let _ = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw mut wanted, 0) };
}

/// How the calling thread is scheduled: `sched_getattr(2)`.
fn attributes() -> Option<libc::sched_attr> {
    let mut found = MaybeUninit::<libc::sched_attr>::zeroed();
    let size = size_of::<libc::sched_attr>();
    // SAFETY: the kernel writes at most `size` bytes.
    let result = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, found.as_mut_ptr(), size, 0) };
    // SAFETY: integers only: zeros are a value, and what the kernel wrote is one.
    (result == 0).then(|| unsafe { found.assume_init() })
}

/// Gives the calling thread this nice value, −20 to 19.
///
/// # Errors
/// `EACCES` where it is lower than [`lowest_nice`] allows.
pub fn set_nice(nice: i32) -> Result<(), Errno> {
    rustix::process::setpriority_process(None, nice)
}

/// The nice value of the calling thread.
pub fn nice() -> i32 {
    // It fails only for a process that is not.
    rustix::process::getpriority_process(None).unwrap_or_default()
}

/// Gives the calling thread a real-time policy with this priority, 1 to 99.
///
/// # Errors
/// `EPERM` where [`highest_real_time`] is lower, or the control group has no
/// real-time bandwidth; `EINVAL` for another priority.
pub fn set_real_time(policy: RealTime, priority: i32) -> Result<(), Errno> {
    set_real_time_of(0, policy, priority)
}

/// The same for the first thread of another process, or for the calling thread
/// where `pid` is 0.
///
/// # Errors
/// As [`set_real_time`], and `ESRCH` where there is no such process.
pub fn set_real_time_of(pid: Pid, policy: RealTime, priority: i32) -> Result<(), Errno> {
    let policy = match policy {
        RealTime::Fifo => libc::SCHED_FIFO,
        RealTime::RoundRobin => libc::SCHED_RR,
    };
    set_policy(pid, policy, priority)
}

fn set_policy(pid: Pid, policy: libc::c_int, priority: i32) -> Result<(), Errno> {
    let mut parameter: libc::c_int = priority;
    // SAFETY: the kernel's sched_param is one int; it is only read.
    let result = unsafe { libc::syscall(libc::SYS_sched_setscheduler, pid, policy, &raw mut parameter) };
    if result == 0 {
        Ok(())
    } else {
        Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::PERM))
    }
}

/// Whether this thread has `CAP_SYS_NICE`, and no limit counts.
pub fn is_privileged() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::SYS_NICE))
}

/// The lowest nice value that `RLIMIT_NICE` allows.
pub fn lowest_nice() -> i64 {
    20 - getrlimit(Resource::Nice).current.map_or(40, |limit| limit.min(40) as i64)
}

/// The highest real-time priority that `RLIMIT_RTPRIO` allows; 0 for none.
pub fn highest_real_time() -> u64 {
    getrlimit(Resource::Rtprio).current.unwrap_or(99)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_prompt_stays_as_it_is_and_hands_nothing_on() {
        std::thread::spawn(|| {
            let before = attributes().unwrap();
            be_prompt();
            let after = attributes().unwrap();
            assert_eq!((after.sched_policy, after.sched_nice), (before.sched_policy, before.sched_nice));
            let child = std::thread::spawn(|| attributes().unwrap()).join().unwrap();
            assert_eq!(child.sched_runtime, before.sched_runtime);
            assert_eq!(child.sched_flags, before.sched_flags);
            let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
            let version: Vec<u32> = release.split('.').take(2).map_while(|part| part.parse().ok()).collect();
            if before.sched_policy == 0 && before.sched_nice >= 0 && version >= vec![6, 12] {
                assert_eq!(after.sched_runtime, SHORT_TURN);
            }
        })
        .join()
        .unwrap();
    }

    #[test]
    fn a_thread_is_as_urgent_as_it_was_made_or_the_limit_says_why_not() {
        std::thread::spawn(|| {
            let before = nice();
            set_nice((before + 1).min(19)).unwrap();
            assert_eq!(nice(), (before + 1).min(19));
            let lower = set_nice(-20);
            assert!(lower == Ok(()) || (lower == Err(Errno::ACCESS) && lowest_nice() > -20), "{lower:?}");
            let real_time = set_real_time(RealTime::RoundRobin, 1);
            // A control group may forbid it to whoever has the capability.
            assert!(real_time.is_ok() || real_time == Err(Errno::PERM), "{real_time:?}");
            assert!(real_time.is_ok() || is_privileged() || highest_real_time() == 0, "{real_time:?}");
            assert_eq!(set_real_time(RealTime::Fifo, 100), Err(Errno::INVAL));
        })
        .join()
        .unwrap();
    }
}
