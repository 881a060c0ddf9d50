//! Whether a process may have been born since /proc was listed last: the last
//! field of `/proc/loadavg` is the process id given out last in this pid
//! namespace. While it stands, the listing holds no news.

use super::source::Source;
use crate::model::Pid;
use crate::sys::proc_read::{Kept, Path};

/// How often a listing follows one that found a new number: a process gets its
/// number a moment before it can be seen.
const AGAIN: u8 = 2;

/// What is known of births.
#[derive(Debug)]
pub struct Births {
    file: Kept,
    last: Option<Pid>,
    listings_due: u8,
}

impl Default for Births {
    fn default() -> Self {
        Births { file: Kept::default(), last: None, listings_due: AGAIN }
    }
}

impl Births {
    /// Asks for a listing at the next reading, whatever `/proc/loadavg` says.
    pub fn expect(&mut self) {
        self.listings_due = AGAIN;
    }

    /// Whether the processes have to be listed.
    pub fn may_have_happened(&mut self, source: &mut Source) -> bool {
        let last = match source.kept(&mut self.file, &Path::top("loadavg")) {
            Ok(content) => last_pid(content),
            Err(_) => None,
        };
        if last.is_none() || last != self.last {
            self.last = last;
            self.listings_due = AGAIN;
        }
        let due = self.listings_due > 0;
        self.listings_due = self.listings_due.saturating_sub(1);
        due
    }
}

/// `0.08 0.04 0.06 1/190 11487`
fn last_pid(content: &[u8]) -> Option<Pid> {
    str::from_utf8(content).ok()?.split_ascii_whitespace().nth(4)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::*;
    use crate::sys::procroot::ProcRoot;

    #[test]
    fn a_number_given_out_means_two_listings() {
        let tree = tempfile::tempdir().unwrap();
        let mut source = Source::new(Arc::new(ProcRoot::open(tree.path()).unwrap()));
        let mut births = Births::default();
        let mut ask = |births: &mut Births| births.may_have_happened(&mut source);
        for _ in 0..4 {
            assert!(ask(&mut births), "without the file every reading lists");
        }
        let write = |pid: Pid| fs::write(tree.path().join("loadavg"), format!("0.1 0.1 0.1 1/90 {pid}\n")).unwrap();
        for pid in [812, 813, 7] {
            write(pid);
            assert_eq!(
                [ask(&mut births), ask(&mut births), ask(&mut births), ask(&mut births)],
                [true, true, false, false]
            );
        }
        births.expect();
        assert!(ask(&mut births));
    }
}
