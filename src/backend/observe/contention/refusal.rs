//! Why the scheduler's events cannot be had, and which setting would change it.

use rustix::io::Errno;
use rustix::thread::{CapabilitySet, capabilities};

use crate::backend::observe::privilege::explain;
use crate::model::Fault;

/// The tracing file system could not be opened.
pub(super) fn tracefs(error: Errno) -> Fault {
    let source = "/sys/kernel/tracing";
    match error {
        Errno::ACCESS | Errno::PERM => {
            Fault::new(source, format!("the numbers of the scheduler's events cannot be read: {}", explain(error)))
                .hint("run as root, or mount -t tracefs -o mode=755 tracefs /sys/kernel/tracing")
        }
        Errno::NODEV => Fault::new(source, "this kernel has no tracing file system (CONFIG_TRACING)"),
        error => Fault::new(source, format!("it is not mounted and cannot be: {}", explain(error)))
            .hint("mount -t tracefs tracefs /sys/kernel/tracing"),
    }
}

/// A tracepoint could not be found.
pub(super) fn tracepoint(name: &str, error: Errno) -> Fault {
    let source = format!("/sys/kernel/tracing/events/sched/{name}");
    match error {
        Errno::NOENT => Fault::new(source, "this kernel has no such event"),
        Errno::ACCESS | Errno::PERM => {
            Fault::new(source, explain(error)).hint("run as root, or mount tracefs with -o mode=755")
        }
        error => Fault::new(source, explain(error)),
    }
}

/// The events could not be opened.
pub(super) fn perf(error: Errno) -> Fault {
    let paranoid = std::fs::read_to_string("/proc/sys/kernel/perf_event_paranoid").ok();
    perf_with(error, paranoid.as_deref().map(str::trim), may_monitor())
}

fn perf_with(error: Errno, paranoid: Option<&str>, may_monitor: bool) -> Fault {
    let source = "perf_event_open";
    match error {
        Errno::ACCESS | Errno::PERM if may_monitor => {
            Fault::new(source, explain(error)).hint("a security module or a container's seccomp filter forbids it")
        }
        Errno::ACCESS | Errno::PERM => {
            let level = paranoid.map_or_else(String::new, |level| format!("; kernel.perf_event_paranoid is {level}"));
            Fault::new(source, format!("{}{level}", explain(error)))
                .hint("run as root or with CAP_PERFMON, or sysctl kernel.perf_event_paranoid=-1")
        }
        Errno::NOSYS | Errno::NOENT | Errno::NODEV | Errno::OPNOTSUPP => {
            Fault::new(source, format!("this kernel does not offer the events: {}", explain(error)))
        }
        Errno::MFILE | Errno::NFILE => Fault::new(source, explain(error)).hint("raise ulimit -n"),
        error => Fault::new(source, explain(error)),
    }
}

/// The kernel's symbols are hidden or not readable.
pub(super) fn kallsyms(error: Option<&std::io::Error>) -> Fault {
    let source = "/proc/kallsyms";
    if let Some(error) = error {
        return Fault::new(source, format!("a futex wait cannot be told from other blocks: {error}"));
    }
    let restrict = std::fs::read_to_string("/proc/sys/kernel/kptr_restrict").unwrap_or_default();
    let what = format!(
        "a futex wait cannot be told from other blocks: the kernel's addresses are hidden (kernel.kptr_restrict is {})",
        restrict.trim()
    );
    Fault::new(source, what).hint("run as root or with CAP_SYSLOG, or sysctl kernel.kptr_restrict=0")
}

/// Whether this program may open events of the whole machine.
fn may_monitor() -> bool {
    // CAP_PERFMON is number 38; rustix names it since it knows of it.
    capabilities(None).is_ok_and(|sets| {
        sets.effective.contains(CapabilitySet::SYS_ADMIN) || sets.effective.contains(CapabilitySet::PERFMON)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_names_the_setting() {
        let text = perf_with(Errno::ACCESS, Some("2"), false).to_string();
        assert!(text.contains("kernel.perf_event_paranoid is 2") && text.contains("CAP_PERFMON"), "{text}");
        let text = perf_with(Errno::PERM, Some("2"), true).to_string();
        assert!(!text.contains("run as root") && text.contains("seccomp"), "{text}");
        assert!(tracefs(Errno::PERM).to_string().contains("mount -t tracefs"));
        assert!(tracefs(Errno::NODEV).to_string().contains("CONFIG_TRACING"));
        assert!(kallsyms(None).to_string().contains("kptr_restrict"));
        assert!(tracepoint("sched_waking", Errno::NOENT).to_string().contains("sched_waking: this kernel has no"));
    }
}
