//! The columns of the process table: title, width, what a cell says, how to
//! sort by it. [`COLUMNS`] is in the order of the screen; a column appears where
//! the screen has room for its `worth`.

mod cells;
mod order;
mod waits;

use std::cmp::Ordering;

use self::cells::{
    age, call, cpu, memory, nice, pid, ppid, read, state, switches, threads, time, user, virt, wchan, written,
};
use self::order::{by_cpu, by_switches, by_wait, io_rate};
use self::waits::{held_by, wait, wait_age};
pub use self::waits::{holder_text, wait_text};
use super::rows::{Item, Row};
use crate::model::graph::{ThreadId, Verdict, WaitGraph};
use crate::model::process::{Process, ProcessTable, State};
use crate::model::sorting;
use crate::model::wait::Wait;
use crate::ui::panels::Look;
use crate::ui::theme::Role;

/// What a column is.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its heading.
    pub title: &'static str,
    /// Columns of the screen.
    pub width: u16,
    /// Columns more on a screen of at least [`WIDE`].
    pub more: u16,
    /// The lower, the sooner it is left out on a narrow screen.
    pub worth: u8,
    /// Whether figures are aligned on the right.
    pub right: bool,
    /// The cell of a row.
    pub cell: fn(&Cell<'_>) -> (String, Role),
    /// Compares two processes by this column, ascending.
    pub compare: Option<fn(&Process, &Process) -> Ordering>,
    /// Whether the first sorting is from the largest down.
    pub descending: bool,
}

/// What a cell is made from.
#[derive(Clone, Copy, Debug)]
pub struct Cell<'a> {
    /// The row.
    pub row: &'a Row,
    /// The table it belongs to.
    pub table: &'a ProcessTable,
    /// The process.
    pub process: &'a Process,
    /// With what it is drawn.
    pub look: &'a Look<'a>,
}

impl Cell<'_> {
    fn thread(&self) -> Option<&crate::model::process::Thread> {
        self.row.thread(self.table)
    }

    fn state(&self) -> State {
        self.thread().map_or(self.process.state, |t| t.state)
    }

    fn wait(&self) -> Option<&Wait> {
        self.thread().map_or(self.process.wait.as_deref(), |t| t.wait.as_deref())
    }

    fn graph(&self) -> Option<&WaitGraph> {
        self.look.store.graph.as_ref().map(|stamped| &stamped.value)
    }

    /// What can become of the thread of this row.
    fn verdict(&self) -> Option<Verdict> {
        let pid = self.process.pid;
        let tid = self.thread().map_or(pid, |thread| thread.tid);
        Some(self.graph()?.thread(ThreadId { pid, tid })?.verdict)
    }

    /// Where the main thread is well and others are not: how many those are.
    fn stuck_within(&self) -> Option<(String, Role)> {
        let itself = self.wait().is_some() && self.verdict().is_some_and(Verdict::is_for_ever);
        if self.thread().is_some() || itself {
            return None;
        }
        let threads = self.graph()?.threads_of(self.process.pid);
        let stuck = threads.iter().filter(|thread| thread.verdict.is_for_ever()).count();
        let dead = threads.iter().any(|thread| thread.verdict == Verdict::Deadlocked);
        let words = if dead { "deadlocked" } else { "stuck" };
        (stuck > 0).then(|| (format!("{stuck} thread{} {words}", if stuck == 1 { "" } else { "s" }), Role::Danger))
    }

    fn cpu(&self) -> Option<f32> {
        self.thread().map_or(self.process.cpu, |t| t.cpu)
    }
}

const fn column(
    title: &'static str,
    width: u16,
    worth: u8,
    right: bool,
    cell: fn(&Cell<'_>) -> (String, Role),
) -> Column {
    Column { title, width, more: 0, worth, right, cell, compare: None, descending: false }
}

const fn sorted(column: Column, compare: fn(&Process, &Process) -> Ordering, descending: bool) -> Column {
    Column { compare: Some(compare), descending, ..column }
}

const fn growing(column: Column, more: u16) -> Column {
    Column { more, ..column }
}

/// From how many columns of the screen on the [growing](Column::more) columns
/// are wide.
pub const WIDE: u16 = 140;

/// The index of the CPU column, by which the table is sorted at first.
pub const CPU: usize = 4;
/// The index of the memory column.
pub const MEMORY: usize = 5;
/// The index of the pid column.
pub const PID: usize = 0;
/// The index of the wait column.
pub const WAIT: usize = 16;

/// The index of the first column about waits; all from there on are.
pub const WAITS_FROM: usize = 14;

/// All columns but the last, the command, which takes what room is left.
pub const COLUMNS: &[Column] = &[
    sorted(column("PID", 7, 100, true, pid), |a, b| a.pid.cmp(&b.pid), false),
    sorted(column("PPID", 7, 40, true, ppid), |a, b| a.ppid.cmp(&b.ppid), false),
    sorted(column("USER", 8, 80, false, user), |a, b| a.user.cmp(&b.user), false),
    sorted(column("S", 1, 95, false, state), |a, b| a.state.cmp(&b.state), false),
    sorted(column("CPU%", 5, 98, true, cpu), by_cpu, true),
    sorted(column("MEM", 5, 97, true, memory), |a, b| a.rss.cmp(&b.rss), true),
    sorted(column("VIRT", 5, 22, true, virt), |a, b| a.virt.cmp(&b.virt), true),
    sorted(column("THR", 4, 70, true, threads), |a, b| a.threads.cmp(&b.threads), true),
    sorted(column("NI", 3, 20, true, nice), |a, b| a.nice.cmp(&b.nice), false),
    sorted(column("AGE", 6, 60, true, age), |a, b| b.started.cmp(&a.started), true),
    sorted(column("TIME", 8, 65, true, time), |a, b| a.cpu_time.cmp(&b.cpu_time), true),
    sorted(column("SWITCHES", 8, 45, true, switches), by_switches, true),
    sorted(column("READ/s", 6, 44, true, read), |a, b| io_rate(a.io, true).total_cmp(&io_rate(b.io, true)), true),
    sorted(column("WRITE/s", 7, 43, true, written), |a, b| io_rate(a.io, false).total_cmp(&io_rate(b.io, false)), true),
    column("WCHAN", 18, 25, false, wchan),
    column("CALL", 14, 35, false, call),
    growing(sorted(column("WAITS FOR", 22, 90, false, wait), by_wait, true), 16),
    column("FOR", 6, 55, true, wait_age),
    growing(column("HELD BY", 14, 85, false, held_by), 8),
];

/// The columns that fit into `width` beside at least `command` columns for the
/// command, those about waits only where they are wanted: indices into
/// [`COLUMNS`] with their widths.
pub fn choose(width: u16, command: u16, waits: bool) -> Vec<(usize, u16)> {
    let mut by_worth: Vec<usize> = (0..if waits { COLUMNS.len() } else { WAITS_FROM }).collect();
    sorting::by_key(&mut by_worth, |i| (std::cmp::Reverse(COLUMNS[*i].worth), *i));
    let mut room = width.saturating_sub(command);
    let mut chosen = Vec::new();
    for index in by_worth {
        let own = COLUMNS[index].width + if width >= WIDE { COLUMNS[index].more } else { 0 };
        if own + 1 > room {
            break;
        }
        room -= own + 1;
        chosen.push((index, own));
    }
    sorting::by_key(&mut chosen, |(index, _)| *index);
    chosen
}

/// Whether an item is a thread's row.
pub fn is_thread(row: &Row) -> bool {
    matches!(row.item, Item::Thread(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_columns_are_where_they_are_said_to_be() {
        for (index, title) in [(CPU, "CPU%"), (MEMORY, "MEM"), (PID, "PID"), (WAIT, "WAITS FOR")] {
            assert_eq!(COLUMNS[index].title, title);
        }
        let about_waits: Vec<&str> = COLUMNS[WAITS_FROM..].iter().map(|c| c.title).collect();
        assert_eq!(about_waits, ["WCHAN", "CALL", "WAITS FOR", "FOR", "HELD BY"]);
    }

    #[test]
    fn narrow_screens_keep_what_matters_most() {
        let titles = |width| choose(width, 16, true).into_iter().map(|(i, _)| COLUMNS[i].title).collect::<Vec<_>>();
        assert_eq!(titles(40), ["PID", "S", "CPU%", "MEM"]);
        assert!(titles(76).contains(&"WAITS FOR") && titles(76).contains(&"HELD BY"));
        assert_eq!(titles(300).len(), COLUMNS.len(), "a wide screen shows all");
        for width in 0..300 {
            let used: u16 = choose(width, 16, true).iter().map(|(_, own)| own + 1).sum();
            assert!(used <= width.saturating_sub(16));
        }
    }
}
