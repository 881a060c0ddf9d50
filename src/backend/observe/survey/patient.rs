//! Surveys that no single reading can hold up: each is made by a thread of its own, and a
//! process whose reading hangs is left out from then on.

use std::path::Path as FilePath;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use super::{Progress, Source, Surveyor};
use crate::model::graph::WaitGraph;
use crate::model::{Nanos, Pid};
use crate::sys::aside::do_aside;
use crate::sys::procroot::ProcRoot;

/// A reading that lasts so long hangs: in a page that no file server brings, and nobody
/// else (`userfaultfd(2)`), or at a memory map that somebody holds.
const LIMIT: Nanos = Nanos::from_secs(3);
/// How often that is looked after.
const PATROL: Duration = Duration::from_millis(100);

/// Asks as a [`Surveyor`] does.
#[derive(Debug)]
pub struct Patient {
    root: Arc<ProcRoot>,
    /// None while one is at work, and after it has been left behind.
    surveyor: Option<Surveyor>,
    hanging: Vec<Pid>,
}

impl Patient {
    /// For a proc file system.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn open(root: &FilePath) -> Result<Self, Errno> {
        Ok(Patient { root: Arc::new(ProcRoot::open(root)?), surveyor: None, hanging: Vec::new() })
    }

    /// As [`Surveyor::why`].
    pub fn why(&mut self, pids: &[Pid]) -> WaitGraph {
        let pids: Arc<[Pid]> = Arc::from(pids);
        self.ask(|| {
            let pids = Arc::clone(&pids);
            Box::new(move |surveyor| Ok(surveyor.why(&pids)))
        })
        .unwrap_or_default()
    }

    /// As [`Surveyor::deadlocks`].
    ///
    /// # Errors
    /// Where the processes cannot be listed.
    pub fn deadlocks(&mut self) -> Result<WaitGraph, Errno> {
        self.ask(|| Box::new(Surveyor::deadlocks))
    }

    fn ask(&mut self, question: impl Fn() -> Question) -> Result<WaitGraph, Errno> {
        loop {
            let new = || Surveyor::new(Source::new(Arc::clone(&self.root)));
            let mut surveyor = self.surveyor.take().unwrap_or_else(new);
            surveyor.own = self.root.has_our_numbers().then(|| std::process::id() as Pid);
            let progress = Arc::<Progress>::default();
            surveyor.progress.clone_from(&progress);
            surveyor.hanging.clone_from(&self.hanging);
            let ask = question();
            let work = move || {
                let answer = ask(&mut surveyor);
                (surveyor, answer)
            };
            let patience = || {
                let hung = progress.hung(LIMIT);
                self.hanging.extend(hung.map(|(pid, _)| pid));
                hung.is_none()
            };
            match do_aside("survey", work, PATROL, patience) {
                Ok(Some((surveyor, answer))) => {
                    self.surveyor = Some(surveyor);
                    return answer;
                }
                Ok(None) => {}
                Err(_) => return question()(&mut new()),
            }
        }
    }
}

type Question = Box<dyn FnOnce(&mut Surveyor) -> Result<WaitGraph, Errno> + Send>;
