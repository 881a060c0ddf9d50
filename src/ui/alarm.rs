//! The notice of a deadlock that nobody has looked at yet.
//!
//! ```text
//! DEADLOCK – press 3: 4130 ⇄ 4133 (payments)
//! ```
//!
//! It stands in every panel until the panel of waits has been opened or the
//! deadlock is gone, on a frozen screen too.

use crate::model::Nanos;
use crate::model::graph::{Deadlock, ThreadId, WaitGraph};

/// What is to be done about it.
const WORD: &str = "DEADLOCK – press 3";

/// Which deadlocks there are, and which of them were looked at.
#[derive(Clone, Debug, Default)]
pub struct Alarm {
    standing: Vec<Notice>,
    readings: u64,
}

#[derive(Clone, Debug)]
struct Notice {
    cycle: Vec<ThreadId>,
    process: String,
    looked_at: bool,
    /// In which reading it was there first, and when it began.
    begun: (u64, Option<Nanos>),
}

impl Alarm {
    /// Takes the latest graph in; returns whether what it says has changed.
    pub fn hear(&mut self, graph: &WaitGraph) -> bool {
        let before = self.text();
        let standing = std::mem::take(&mut self.standing);
        self.readings += 1;
        let notice = |d: &Deadlock| {
            let known = standing.iter().find(|notice| notice.cycle == d.cycle);
            let threads = || d.cycle.iter().filter_map(|id| graph.thread(*id));
            let since = threads().filter_map(|thread| thread.wait.as_ref()?.since).max();
            Notice {
                cycle: d.cycle.clone(),
                process: threads().next().map_or_else(String::new, |thread| thread.process.to_string()),
                looked_at: known.is_some_and(|notice| notice.looked_at),
                begun: known.map_or((self.readings, since), |notice| notice.begun),
            }
        };
        self.standing = graph.deadlocks.iter().map(notice).collect();
        self.text() != before
    }

    /// Somebody looks at the deadlocks.
    pub fn look(&mut self) {
        self.standing.iter_mut().for_each(|notice| notice.looked_at = true);
    }

    /// What is to be said, of the newest first; `None` where there is nothing new.
    pub fn text(&self) -> Option<String> {
        const NAMED: usize = 3;
        let new = || self.standing.iter().filter(|notice| !notice.looked_at);
        let first = new().max_by_key(|notice| notice.begun)?;
        let mut tids: Vec<String> = first.cycle.iter().take(NAMED).map(|id| id.tid.to_string()).collect();
        if first.cycle.len() > NAMED {
            tids.push("…".to_owned());
        }
        let others = match new().count() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        let tids = tids.join(" ⇄ ");
        Some(format!("{WORD}: {tids} ({}){others}", first.process))
    }

    /// The same with less and less said, for where there is little room.
    pub fn texts(&self) -> Vec<String> {
        let Some(whole) = self.text() else { return Vec::new() };
        let without_name = whole.rfind(" (").map(|end| whole[..end].to_owned());
        std::iter::once(whole).chain(without_name).chain([WORD.to_owned()]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::wait::Certainty;

    fn graph(cycles: &[&[i32]]) -> WaitGraph {
        let ids = |cycle: &[i32]| cycle.iter().map(|&tid| ThreadId { pid: 1, tid }).collect::<Vec<_>>();
        let deadlock =
            |cycle: &&[i32]| Deadlock { cycle: ids(cycle), stuck: ids(cycle), certainty: Certainty::Certain };
        WaitGraph { deadlocks: cycles.iter().map(deadlock).collect(), ..WaitGraph::default() }
    }

    #[test]
    fn a_deadlock_is_told_until_it_is_looked_at_or_gone() {
        let mut alarm = Alarm::default();
        assert!(!alarm.hear(&graph(&[])));
        assert!(alarm.hear(&graph(&[&[2, 3]])));
        assert_eq!(alarm.text().unwrap(), "DEADLOCK – press 3: 2 ⇄ 3 ()");
        assert!(!alarm.hear(&graph(&[&[2, 3]])), "the same is no news");
        alarm.look();
        assert_eq!(alarm.text(), None);
        alarm.hear(&graph(&[&[2, 3], &[5, 6, 7, 8]]));
        assert_eq!(alarm.text().unwrap(), "DEADLOCK – press 3: 5 ⇄ 6 ⇄ 7 ⇄ … ()", "a new one beside the old");
        alarm.hear(&graph(&[&[1, 9], &[2, 3], &[5, 6, 7, 8]]));
        assert_eq!(alarm.text().unwrap(), "DEADLOCK – press 3: 1 ⇄ 9 () and 1 more", "the newest first");
        alarm.hear(&graph(&[&[1, 9], &[2, 3], &[4], &[5, 6, 7, 8]]));
        assert_eq!(alarm.text().unwrap(), "DEADLOCK – press 3: 4 () and 2 more", "wherever it stands");
        alarm.hear(&graph(&[]));
        assert_eq!(alarm.text(), None);
        alarm.hear(&graph(&[&[2, 3]]));
        assert!(alarm.text().is_some(), "come again, it is new");
    }
}
