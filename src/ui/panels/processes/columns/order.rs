//! How the rows are sorted where the column's own figure is not enough.

use std::cmp::Ordering;

use crate::model::process::{Io, Process, Switches};

pub(super) fn by_cpu(a: &Process, b: &Process) -> Ordering {
    a.cpu.unwrap_or(-1.0).total_cmp(&b.cpu.unwrap_or(-1.0)).then_with(|| a.cpu_time.cmp(&b.cpu_time))
}

pub(super) fn by_switches(a: &Process, b: &Process) -> Ordering {
    let total = |s: Option<Switches>| s.map(|s| s.voluntary + s.involuntary);
    total(a.switches).cmp(&total(b.switches))
}

/// Waits that somebody must end first, then others, each by how long they last.
pub(super) fn by_wait(a: &Process, b: &Process) -> Ordering {
    let rank = |p: &Process| {
        let wait = p.wait.as_deref()?;
        let held = u8::from(wait.orphaned) * 2 + u8::from(!wait.holders.is_empty());
        Some((held, std::cmp::Reverse(wait.since)))
    };
    rank(a).cmp(&rank(b))
}

pub(super) fn io_rate(io: Option<Io>, read: bool) -> f64 {
    io.map_or(-1.0, |io| if read { io.read_rate } else { io.write_rate })
}
