//! What the cells say about a process or a thread itself.

use super::Cell;
use crate::model::Nanos;
use crate::model::process::State;
use crate::model::units::si;
use crate::ui::theme::Role;

pub(super) fn unknown() -> (String, Role) {
    ("–".to_owned(), Role::Faint)
}

pub(super) fn pid(cell: &Cell<'_>) -> (String, Role) {
    match cell.thread() {
        Some(thread) => (thread.tid.to_string(), Role::Dim),
        None => (cell.process.pid.to_string(), Role::Text),
    }
}

pub(super) fn ppid(cell: &Cell<'_>) -> (String, Role) {
    (cell.process.ppid.to_string(), Role::Dim)
}

pub(super) fn user(cell: &Cell<'_>) -> (String, Role) {
    (cell.process.user.to_string(), Role::Dim)
}

pub(super) fn state(cell: &Cell<'_>) -> (String, Role) {
    if cell.process.stale.is_some() {
        return ("!".to_owned(), Role::Warn);
    }
    let state = cell.state();
    let role = match state {
        State::Running => Role::Good,
        State::Disk | State::Zombie | State::Stopped | State::Traced => Role::Warn,
        _ => Role::Dim,
    };
    (state.letter().to_string(), role)
}

pub(super) fn cpu(cell: &Cell<'_>) -> (String, Role) {
    match cell.cpu() {
        None => unknown(),
        Some(share) if share < 0.0005 => ("0".to_owned(), Role::Faint),
        Some(share) if share >= 0.9 => (percent(share), Role::Warn),
        Some(share) => (percent(share), Role::Strong),
    }
}

pub(super) fn percent(share: f32) -> String {
    let percent = share * 100.0;
    if percent < 99.95 { format!("{percent:.1}") } else { format!("{percent:.0}") }
}

pub(super) fn memory(cell: &Cell<'_>) -> (String, Role) {
    if cell.thread().is_some() || cell.process.kernel {
        return (String::new(), Role::Faint);
    }
    (cell.process.rss.short(), Role::Text)
}

pub(super) fn virt(cell: &Cell<'_>) -> (String, Role) {
    if cell.thread().is_some() || cell.process.kernel {
        return (String::new(), Role::Faint);
    }
    (cell.process.virt.short(), Role::Dim)
}

pub(super) fn threads(cell: &Cell<'_>) -> (String, Role) {
    match (cell.thread(), cell.process.threads) {
        (Some(_), _) => (String::new(), Role::Faint),
        (None, 1) => ("1".to_owned(), Role::Faint),
        (None, n) => (n.to_string(), Role::Text),
    }
}

pub(super) fn nice(cell: &Cell<'_>) -> (String, Role) {
    (cell.process.nice.to_string(), if cell.process.nice == 0 { Role::Faint } else { Role::Text })
}

pub(super) fn age(cell: &Cell<'_>) -> (String, Role) {
    let started = cell.thread().map_or(cell.process.started, |t| t.started);
    (cell.look.boot.since(started).rough_age(), Role::Dim)
}

pub(super) fn time(cell: &Cell<'_>) -> (String, Role) {
    let time = cell.thread().map_or(cell.process.cpu_time, |t| t.cpu_time);
    (time.cpu_time(), if time == Nanos::ZERO { Role::Faint } else { Role::Dim })
}

pub(super) fn switches(cell: &Cell<'_>) -> (String, Role) {
    let switches = cell.thread().map_or(cell.process.switches, |t| t.switches);
    switches.map_or_else(unknown, |s| (si((s.voluntary + s.involuntary) as f64), Role::Dim))
}

pub(super) fn read(cell: &Cell<'_>) -> (String, Role) {
    io_cell(cell, true)
}

pub(super) fn written(cell: &Cell<'_>) -> (String, Role) {
    io_cell(cell, false)
}

pub(super) fn io_cell(cell: &Cell<'_>, read: bool) -> (String, Role) {
    if cell.thread().is_some() {
        return (String::new(), Role::Faint);
    }
    match cell.process.io {
        None => unknown(),
        Some(io) => {
            let rate = if read { io.read_rate } else { io.write_rate };
            if rate < 0.5 {
                ("0".to_owned(), Role::Faint)
            } else {
                (crate::model::Bytes(rate as u64).short(), Role::Text)
            }
        }
    }
}

pub(super) fn wchan(cell: &Cell<'_>) -> (String, Role) {
    let wchan = cell.thread().map_or(cell.process.wchan.as_deref(), |t| t.wchan.as_deref());
    (wchan.unwrap_or_default().to_owned(), Role::Faint)
}

pub(super) fn call(cell: &Cell<'_>) -> (String, Role) {
    let call = cell.thread().map_or(cell.process.call.as_ref(), |t| t.call.as_ref());
    (call.map(|c| c.name.to_string()).unwrap_or_default(), Role::Dim)
}
