//! What a program and all that comes from it cost: CPU time and memory.

use syncscope::model::Nanos;
use syncscope::sys::clock;

/// CPU time used so far by a program and all that come from it: by their CPU
/// clocks, and by `cutime` and `cstime` for those that have ended.
pub(crate) fn cpu(leader: i32) -> Nanos {
    let tick = 1_000_000_000 / rustix::param::clock_ticks_per_second();
    let used = |task: &Task| clock::cpu_of_process(task.pid).unwrap_or_default().0 + task.reaped * tick;
    Nanos(family(leader).iter().map(used).sum())
}

/// Resident memory of all of them, in bytes.
pub(crate) fn resident(leader: i32) -> u64 {
    let pages = |task: &Task| -> Option<u64> {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", task.pid)).ok()?;
        statm.split(' ').nth(1)?.parse().ok()
    };
    family(leader).iter().filter_map(pages).sum::<u64>() * rustix::param::page_size() as u64
}

/// A process as `/proc/PID/stat` shows it.
struct Task {
    pid: i32,
    parent: i32,
    session: i32,
    /// Ticks used by the children that it has waited for.
    reaped: u64,
}

/// A program, what descends from it, and what else is in its session.
fn family(leader: i32) -> Vec<Task> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let mut others: Vec<Task> = pids.filter_map(task).collect();
    let mut found: Vec<Task> = Vec::new();
    loop {
        let belongs =
            |task: &Task| task.session == leader || task.pid == leader || found.iter().any(|t| t.pid == task.parent);
        let (more, rest): (Vec<Task>, Vec<Task>) = others.into_iter().partition(belongs);
        if more.is_empty() {
            return found;
        }
        found.extend(more);
        others = rest;
    }
}

fn task(pid: i32) -> Option<Task> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    let field = |at: usize| fields.get(at)?.parse::<i64>().ok();
    let reaped = (field(13)? + field(14)?).cast_unsigned();
    Some(Task { pid, parent: field(1)? as i32, session: field(3)? as i32, reaped })
}
