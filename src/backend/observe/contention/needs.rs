//! What the events need of the system, and how it numbers threads.

use super::kernel::FutexCode;
use super::refusal;
use super::set::Points;
use crate::model::{Fault, Pid};
use crate::sys::perf_tracefs::Tracefs;

/// The tracepoints, and where futex waits are in the kernel.
pub(super) fn requirements() -> Result<(Points, FutexCode), Fault> {
    if !cfg!(target_arch = "x86_64") {
        return Err(Fault::new("perf_event_open", "the registers of this architecture are not known to this program"));
    }
    let tracefs = Tracefs::open().map_err(refusal::tracefs)?;
    let point = |name| tracefs.tracepoint("sched", name).map_err(|error| refusal::tracepoint(name, error));
    let points = Points { switch: point("sched_switch")?, waking: point("sched_waking")? };
    let symbols = std::fs::read("/proc/kallsyms").map_err(|error| refusal::kallsyms(Some(&error)))?;
    let code = FutexCode::parse(&symbols).ok_or_else(|| refusal::kallsyms(None))?;
    Ok((points, code))
}

/// Whether threads have the same numbers in the kernel's events as here: in the
/// first pid namespace, whose inode the kernel fixes (`PROC_PID_INIT_INO`).
pub(super) fn own_numbers() -> bool {
    std::fs::read_link("/proc/self/ns/pid").is_ok_and(|link| link.as_os_str() == "pid:[4026531836]")
}

/// The number that was given out last.
pub(super) fn newest_number() -> Pid {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_ascii_whitespace().next_back().and_then(|number| number.parse().ok()).unwrap_or(0)
}
