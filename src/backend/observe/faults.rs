//! What could not be read of how many processes, as a few sentences: one fault
//! a source, not one a process.

use rustix::io::Errno;

use super::privilege::{advice, explain, may_trace};
use super::progress::Skipped;
use super::row::Row;
use crate::model::Fault;

/// One source that was refused: for how many processes, and the last error.
type Count = (u32, Option<Errno>);

/// What was refused in one reading; the faults are written again only when it
/// differs from the reading before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    /// The listing of the processes itself.
    pub listing: Option<Errno>,
    /// Whether the listing was empty, which it is nowhere: somebody reads it.
    pub empty: bool,
    /// Whether processes of other users are hidden (`hidepid`).
    pub hidden: bool,
    /// Whether this kernel counts no I/O, where that is watched.
    pub no_io: bool,
    stat: Count,
    call: Count,
    switches: Count,
    io: Count,
    hanging: Vec<i32>,
}

impl Refusals {
    /// Forgets all but what the listing said, which holds until the next
    /// listing: there is not one in every reading. Keeps the room.
    pub fn clear(&mut self) {
        let mut hanging = std::mem::take(&mut self.hanging);
        hanging.clear();
        let Refusals { listing, empty, hidden, .. } = *self;
        *self = Refusals { listing, empty, hidden, hanging, ..Refusals::default() };
    }

    /// Counts what one process refused.
    pub fn count(&mut self, row: &Row) {
        let denied = row.denied();
        for (count, error) in [
            (&mut self.stat, denied.stat),
            (&mut self.call, denied.call),
            (&mut self.switches, denied.switches),
            (&mut self.io, denied.io),
        ] {
            // A file that is gone went with its process.
            if error.is_some_and(|error| !matches!(error, Errno::NOENT | Errno::SRCH)) {
                *count = (count.0 + 1, error);
            }
        }
    }

    /// Notes the processes whose reading hangs.
    pub fn note_hanging(&mut self, skipped: &[Skipped]) {
        self.hanging.extend(skipped.iter().map(|skipped| skipped.pid));
    }

    /// Copies from another without allocating where the room suffices.
    pub fn copy_from(&mut self, other: &Refusals) {
        let mut hanging = std::mem::take(&mut self.hanging);
        hanging.clone_from(&other.hanging);
        let Refusals { listing, empty, hidden, no_io, stat, call, switches, io, .. } = *other;
        *self = Refusals { listing, empty, hidden, no_io, stat, call, switches, io, hanging };
    }

    /// As sentences.
    pub fn faults(&self) -> Vec<Fault> {
        self.sentences(may_trace())
    }

    fn sentences(&self, may_trace: bool) -> Vec<Fault> {
        let with = |without| advice(may_trace, without);
        let mut faults = Vec::new();
        if let Some(error) = self.listing {
            faults.push(Fault::new("/proc", format!("cannot list the processes: {}", explain(error))));
        }
        if self.empty {
            let fault = Fault::new("/proc", "it lists no process at all");
            faults.push(fault.hint("is it mounted? mount -t proc proc /proc"));
        } else if self.hidden {
            let what = "processes of other users are hidden (hidepid)";
            faults.push(Fault::new("/proc", what).hint("run as root, or join the group of the mount's gid= option"));
        }
        if self.no_io {
            let what = "this kernel does not count I/O by process (CONFIG_TASK_IO_ACCOUNTING)";
            faults.push(Fault::new("/proc/PID/io", what));
        }
        let sources = [
            ("/proc/PID/stat", self.stat, "run as root, or join the group of the proc mount's gid= option"),
            ("/proc/PID/syscall", self.call, with("run as root or with CAP_SYS_PTRACE to see what they wait for")),
            ("/proc/PID/status", self.switches, with("run as root to see their context switches")),
            ("/proc/PID/io", self.io, with("run as root or with CAP_SYS_PTRACE to see their I/O")),
        ];
        for (source, (count, error), hint) in sources {
            let Some(error) = error else { continue };
            let fault = Fault::new(source, format!("{} for {}", explain(error), processes(count)));
            let permission = matches!(error, Errno::ACCESS | Errno::PERM);
            faults.push(if permission { fault.hint(hint) } else { fault });
        }
        for pid in &self.hanging {
            let what = "reading it hangs; its row stays as it was";
            let hint = "whoever holds its memory map, mostly a core dump or a dead file server, has to let go";
            faults.push(Fault::new(format!("/proc/{pid}"), what).hint(hint));
        }
        faults
    }
}

fn processes(count: u32) -> String {
    if count == 1 { "1 process".to_owned() } else { format!("{count} processes") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_become_sentences_with_a_way_out() {
        let mut refusals = Refusals { call: (12, Some(Errno::ACCESS)), ..Refusals::default() };
        refusals.stat = (1, Some(Errno::IO));
        let texts: Vec<String> = refusals.sentences(false).iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), 2);
        assert!(texts[0].starts_with("/proc/PID/stat: ") && texts[0].ends_with("for 1 process"), "{}", texts[0]);
        assert!(texts[1].contains("EACCES) for 12 processes (run as root"), "{}", texts[1]);
        let texts: Vec<String> = refusals.sentences(true).iter().map(ToString::to_string).collect();
        assert!(!texts[1].contains("run as root"), "{}", texts[1]);
        let mut copy = Refusals::default();
        copy.copy_from(&refusals);
        assert_eq!(copy, refusals);
        refusals.clear();
        assert_eq!(refusals, Refusals::default());
        assert!(refusals.faults().is_empty());
    }

    #[test]
    fn what_the_listing_said_holds_until_the_next_one() {
        let mut refusals = Refusals { hidden: true, call: (12, Some(Errno::ACCESS)), ..Refusals::default() };
        refusals.clear();
        let texts: Vec<String> = refusals.faults().iter().map(ToString::to_string).collect();
        assert_eq!(texts.len(), 1, "{texts:?}");
        assert!(texts[0].contains("hidepid"), "{texts:?}");
        refusals = Refusals { listing: Some(Errno::IO), ..Refusals::default() };
        refusals.clear();
        assert_eq!(refusals.listing, Some(Errno::IO));
        refusals = Refusals { empty: true, hidden: true, ..Refusals::default() };
        refusals.clear();
        assert_eq!(refusals.faults().len(), 1, "one reason is enough");
        assert!(refusals.faults()[0].to_string().contains("mounted"));
    }
}
