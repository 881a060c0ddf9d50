//! From a process table to the rows on the screen: filter, sort, tree, fold.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::filter::Filter;
use crate::model::process::{Process, ProcessTable, Thread};
use crate::model::{Pid, sorting};

/// What a row shows, as an index into the table it was made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// `table.processes[i]`.
    Process(usize),
    /// `table.threads[i]`.
    Thread(usize),
}

/// A row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it shows.
    pub item: Item,
    /// How deep in the tree; 0 in a flat table.
    pub depth: u8,
    /// Bit `d`: the ancestor at depth `d` has siblings below.
    pub guides: u64,
    /// Whether it has siblings below.
    pub more: bool,
    /// Whether rows below it are hidden because it is folded.
    pub folded: bool,
    /// Shown only because a descendant passes the filter.
    pub context: bool,
}

/// What names a row across tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The process.
    pub pid: Pid,
    /// The thread, for a thread's row.
    pub tid: Option<Pid>,
}

impl Row {
    /// The process behind the row; a thread's row has its own process.
    pub fn process<'t>(&self, table: &'t ProcessTable) -> Option<&'t Process> {
        match self.item {
            Item::Process(i) => table.processes.get(i).map(AsRef::as_ref),
            Item::Thread(i) => table.threads.get(i).and_then(|t| table.process(t.pid)).map(AsRef::as_ref),
        }
    }

    /// The thread, where the row shows one.
    pub fn thread<'t>(&self, table: &'t ProcessTable) -> Option<&'t Thread> {
        match self.item {
            Item::Process(_) => None,
            Item::Thread(i) => table.threads.get(i).map(AsRef::as_ref),
        }
    }

    /// The row's name.
    pub fn key(&self, table: &ProcessTable) -> Option<Key> {
        match self.item {
            Item::Process(i) => table.processes.get(i).map(|p| Key { pid: p.pid, tid: None }),
            Item::Thread(i) => table.threads.get(i).map(|t| Key { pid: t.pid, tid: Some(t.tid) }),
        }
    }
}

/// How the table is arranged.
#[derive(Clone, Debug)]
pub struct Arrangement {
    /// Compares two processes in ascending order.
    pub compare: fn(&Process, &Process) -> Ordering,
    /// The other way round.
    pub descending: bool,
    /// As a tree of parents and children.
    pub tree: bool,
    /// With threads.
    pub threads: bool,
    /// What is shown.
    pub filter: Filter,
    /// Processes whose children and threads are hidden.
    pub folded: HashSet<Pid>,
}

/// The rows of a table.
pub fn arrange(table: &ProcessTable, how: &Arrangement) -> Vec<Row> {
    let mut maker = Maker { table, how, rows: Vec::with_capacity(table.processes.len() + table.threads.len()) };
    if how.tree {
        maker.tree();
    } else {
        maker.flat();
    }
    maker.rows
}

struct Maker<'a> {
    table: &'a ProcessTable,
    how: &'a Arrangement,
    rows: Vec<Row>,
}

impl Maker<'_> {
    fn order(&self, a: usize, b: usize) -> Ordering {
        let (a, b) = (&self.table.processes[a], &self.table.processes[b]);
        let order = (self.how.compare)(a, b);
        if self.how.descending { order.reverse() } else { order }.then(a.pid.cmp(&b.pid))
    }

    fn flat(&mut self) {
        let table = self.table;
        let mut order: Vec<usize> =
            (0..table.processes.len()).filter(|i| self.how.filter.passes(&table.processes[*i])).collect();
        sorting::places(&mut order, &|a, b| self.order(a, b));
        for index in order {
            let row =
                Row { item: Item::Process(index), depth: 0, guides: 0, more: false, folded: false, context: false };
            self.push_with_threads(row, index, false);
        }
    }

    fn push_with_threads(&mut self, mut row: Row, index: usize, children_follow: bool) {
        let process = &self.table.processes[index];
        let threads = if self.how.threads { self.table.threads_of(process.pid) } else { &[] };
        let fold = self.how.folded.contains(&process.pid);
        row.folded = fold && (threads.len() > 1 || children_follow);
        self.rows.push(row);
        if fold {
            return;
        }
        let first = self.table.threads.partition_point(|t| t.pid < process.pid);
        let shown: Vec<usize> =
            (first..first + threads.len()).filter(|i| self.table.threads[*i].tid != process.pid).collect();
        for (n, thread) in shown.iter().enumerate() {
            let more = n + 1 < shown.len() || children_follow;
            let guides = if row.more { row.guides | 1 << row.depth.min(63) } else { row.guides };
            let item = Item::Thread(*thread);
            self.rows.push(Row {
                item,
                depth: row.depth.saturating_add(1),
                guides,
                more,
                folded: false,
                context: row.context,
            });
        }
    }

    fn tree(&mut self) {
        let table = self.table;
        let (wanted, direct) = self.wanted();
        // Children of each parent, grouped; a process whose parent is not in
        // the table (or which is its own) is a root.
        let parent = |process: &Process| {
            let orphan = process.ppid == process.pid || table.process(process.ppid).is_none();
            if orphan { 0 } else { process.ppid }
        };
        let parents: Vec<Pid> = table.processes.iter().map(|process| parent(process)).collect();
        let mut order: Vec<usize> = (0..parents.len()).filter(|index| wanted[*index]).collect();
        sorting::places(&mut order, &|a, b| parents[a].cmp(&parents[b]).then_with(|| self.order(a, b)));
        let by_parent: Vec<(Pid, usize)> = order.into_iter().map(|index| (parents[index], index)).collect();
        self.branch(
            &by_parent,
            &direct,
            Row { item: Item::Process(0), depth: 0, guides: 0, more: false, folded: false, context: false },
            0,
        );
    }

    fn branch(&mut self, by_parent: &[(Pid, usize)], direct: &[bool], above: Row, parent: Pid) {
        let children = children_of(by_parent, parent);
        for (n, (_, index)) in children.iter().enumerate() {
            let process = &self.table.processes[*index];
            let row =
                Row { item: Item::Process(*index), more: n + 1 < children.len(), context: !direct[*index], ..above };
            let grandchildren = !children_of(by_parent, process.pid).is_empty();
            self.push_with_threads(row, *index, grandchildren);
            // A loop of parents cannot come from the kernel, but a torn reading
            // or a test's tree must not make this recurse for ever.
            if grandchildren && !self.how.folded.contains(&process.pid) && row.depth < 60 && process.pid != parent {
                let guides = if row.more { row.guides | 1 << row.depth } else { row.guides };
                self.branch(by_parent, direct, Row { depth: row.depth + 1, guides, ..row }, process.pid);
            }
        }
    }

    /// Which processes a tree shows (those that pass the filter and all their
    /// ancestors), and which of them pass themselves.
    fn wanted(&self) -> (Vec<bool>, Vec<bool>) {
        let processes = &self.table.processes;
        let direct: Vec<bool> = processes.iter().map(|p| self.how.filter.passes(p)).collect();
        let mut wanted = direct.clone();
        if self.how.filter.is_empty() {
            return (wanted, direct);
        }
        for (index, _) in direct.iter().enumerate().filter(|(_, d)| **d) {
            let mut parent = processes[index].ppid;
            while let Ok(i) = processes.binary_search_by_key(&parent, |p| p.pid) {
                if wanted[i] {
                    break;
                }
                wanted[i] = true;
                parent = processes[i].ppid;
            }
        }
        (wanted, direct)
    }
}

fn children_of(by_parent: &[(Pid, usize)], parent: Pid) -> &[(Pid, usize)] {
    let from = by_parent.partition_point(|(p, _)| *p < parent);
    let to = by_parent.partition_point(|(p, _)| *p <= parent);
    &by_parent[from..to]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::panels::processes::fixture::{process, table, thread};

    fn plain() -> Arrangement {
        Arrangement {
            compare: |a, b| a.pid.cmp(&b.pid),
            descending: false,
            tree: false,
            threads: false,
            filter: Filter::default(),
            folded: HashSet::new(),
        }
    }

    fn shape(table: &ProcessTable, how: &Arrangement) -> Vec<(Pid, Option<Pid>, u8)> {
        let rows = arrange(table, how);
        rows.iter()
            .map(|r| {
                let k = r.key(table).unwrap();
                (k.pid, k.tid, r.depth)
            })
            .collect()
    }

    #[test]
    fn a_tree_shows_children_under_their_parents() {
        let table = table(
            vec![
                process(1, 0, "init"),
                process(2, 1, "a"),
                process(3, 2, "b"),
                process(4, 1, "c"),
                process(9, 77, "stray"),
            ],
            vec![],
        );
        let how = Arrangement { tree: true, ..plain() };
        assert_eq!(shape(&table, &how), [(1, None, 0), (2, None, 1), (3, None, 2), (4, None, 1), (9, None, 0)]);
        let rows = arrange(&table, &how);
        assert!(rows[1].more && !rows[3].more);
        assert_eq!(rows[2].guides, 0b11, "a guide runs past `b` for `c` and for `stray`");
    }

    #[test]
    fn folding_hides_descendants_and_threads() {
        let table = table(
            vec![process(1, 0, "init"), process(2, 1, "a"), process(3, 2, "b")],
            vec![thread(2, 2), thread(2, 21)],
        );
        let how = Arrangement { tree: true, threads: true, ..plain() };
        assert_eq!(shape(&table, &how), [(1, None, 0), (2, None, 1), (2, Some(21), 2), (3, None, 2)]);
        let how = Arrangement { folded: HashSet::from([2]), ..how };
        assert_eq!(shape(&table, &how), [(1, None, 0), (2, None, 1)]);
        assert!(arrange(&table, &how)[1].folded);
    }

    #[test]
    fn a_filtered_tree_keeps_the_way_to_its_root() {
        let table = table(
            vec![process(1, 0, "init"), process(2, 1, "a"), process(3, 2, "find-me"), process(4, 1, "c")],
            vec![],
        );
        let how = Arrangement { tree: true, filter: Filter::parse("find-me"), ..plain() };
        assert_eq!(shape(&table, &how), [(1, None, 0), (2, None, 1), (3, None, 2)]);
        let rows = arrange(&table, &how);
        assert!(rows[0].context && rows[1].context && !rows[2].context);
    }

    #[test]
    fn a_loop_of_parents_ends() {
        let table = table(vec![process(5, 6, "a"), process(6, 5, "b"), process(7, 7, "self")], vec![]);
        let how = Arrangement { tree: true, ..plain() };
        assert!(arrange(&table, &how).len() <= 200);
    }

    #[test]
    fn order_is_stable_and_reversible() {
        let table = table(vec![process(1, 0, "z"), process(2, 1, "a"), process(3, 1, "z")], vec![]);
        let how = Arrangement { compare: |a, b| a.name.cmp(&b.name), descending: true, ..plain() };
        assert_eq!(shape(&table, &how).iter().map(|k| k.0).collect::<Vec<_>>(), [1, 3, 2]);
    }
}
