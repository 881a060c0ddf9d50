//! Whether a task ran since it was looked at last: the cheap question asked of
//! every process at every reading. Only who ran is read again.
//!
//! | source | says | cost |
//! |---|---|---|
//! | the process's CPU clock, `clock_getcpuclockid(3)` | time of all its threads, in nanoseconds | 0.5 µs |
//! | `schedstat`, kept open | time and runs of one task | 2.3 µs |
//! | none | nothing: it may always have run | the whole reading |

use rustix::io::Errno;

use super::parse;
use super::source::Source;
use crate::model::{Nanos, Pid};
use crate::sys::clock;
use crate::sys::proc_read::{Kept, Path};

/// How a task is asked whether it ran.
#[derive(Debug)]
enum Method {
    /// By the CPU clock of its process.
    Clock(Pid),
    /// By its `schedstat`.
    Schedstat(Box<(Path, Kept)>),
    /// It cannot be asked.
    None,
}

/// What a task's counters said last.
#[derive(Debug)]
pub struct Pulse {
    method: Method,
    on_cpu: Option<Nanos>,
    runs: Option<u64>,
}

/// What asking a task came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// It did not run since.
    Still,
    /// It ran, or may have run.
    Ran,
    /// It is gone.
    Gone,
}

impl Pulse {
    /// Of a whole process, threads included. `on_cpu` is what is known of it
    /// already, from a sampler before this one.
    pub fn of_process(pid: Pid, clocks: bool, on_cpu: Option<Nanos>) -> Self {
        if clocks {
            Pulse { method: Method::Clock(pid), on_cpu, runs: None }
        } else {
            Pulse::of_task(Path::process(pid), on_cpu)
        }
    }

    /// Of a single thread, whose directory this is.
    pub fn of_task(directory: Path, on_cpu: Option<Nanos>) -> Self {
        Pulse {
            method: Method::Schedstat(Box::new((directory.file("schedstat"), Kept::default()))),
            on_cpu,
            runs: None,
        }
    }

    /// Time on a CPU so far, where that is known to the nanosecond.
    pub fn on_cpu(&self) -> Option<Nanos> {
        self.on_cpu
    }

    /// Whether asking reads a file, which may hang.
    pub fn reads_a_file(&self) -> bool {
        !matches!(self.method, Method::Clock(_))
    }

    /// Whether [`Pulse::on_cpu`] counts all threads of the process.
    pub fn counts_all_threads(&self) -> bool {
        matches!(self.method, Method::Clock(_))
    }

    /// Asks.
    pub fn look(&mut self, source: &mut Source) -> Beat {
        let now = match &mut self.method {
            Method::Clock(pid) => match clock::cpu_of_process(*pid) {
                Ok(on_cpu) => Some((on_cpu, None)),
                Err(Errno::SRCH) => return Beat::Gone,
                Err(_) => None,
            },
            Method::Schedstat(file) => {
                let (path, file) = &mut **file;
                match source.kept(file, path) {
                    Ok(content) => parse::schedstat(content).map(|(on_cpu, runs)| (on_cpu, Some(runs))),
                    Err(Errno::SRCH) => return Beat::Gone,
                    Err(_) => None,
                }
            }
            Method::None => return Beat::Ran,
        };
        let Some((on_cpu, runs)) = now else {
            // No such clock, or a kernel without scheduling statistics.
            *self = Pulse { method: Method::None, on_cpu: None, runs: None };
            return Beat::Ran;
        };
        let still = self.on_cpu == Some(on_cpu) && (self.runs.is_none() || self.runs == runs);
        (self.on_cpu, self.runs) = (Some(on_cpu), runs);
        if still { Beat::Still } else { Beat::Ran }
    }
}

/// A share of one CPU from a counter of CPU time and the time between readings.
#[derive(Clone, Copy, Debug, Default)]
pub struct Share {
    base: Option<(Nanos, Nanos)>,
}

impl Share {
    /// The share since the measurement before; `None` at the first, or where
    /// the counter is not known. Starts the next interval.
    pub fn measure(&mut self, counter: Option<Nanos>, at: Nanos) -> Option<f32> {
        let before = std::mem::replace(&mut self.base, counter.map(|counter| (counter, at)));
        let ((then, began), counter) = (before?, counter?);
        // A counter that fell is another one's: not known is better than wrong.
        let used = counter.0.checked_sub(then.0)?;
        let interval = at.since(began).0;
        (interval > 0).then(|| (used as f64 / interval as f64) as f32)
    }

    /// Forgets the measurement before: the counter's meaning has changed.
    pub fn restart(&mut self) {
        self.base = None;
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::*;
    use crate::sys::procroot::ProcRoot;

    #[test]
    fn schedstat_tells_who_ran() {
        let tree = tempfile::tempdir().unwrap();
        fs::create_dir(tree.path().join("7")).unwrap();
        let file = tree.path().join("7/schedstat");
        fs::write(&file, "100 5 3\n").unwrap();
        let mut source = Source::new(Arc::new(ProcRoot::open(tree.path()).unwrap()));
        let mut pulse = Pulse::of_process(7, source.clocks, None);
        assert_eq!(pulse.look(&mut source), Beat::Ran, "the first look");
        assert_eq!(pulse.look(&mut source), Beat::Still);
        fs::write(&file, "100 5 4\n").unwrap();
        assert_eq!(pulse.look(&mut source), Beat::Ran, "put on a CPU, time not accounted yet");
        assert_eq!(pulse.on_cpu(), Some(Nanos(100)));
        let mut taken_over = Pulse::of_process(7, source.clocks, Some(Nanos(100)));
        assert_eq!(taken_over.look(&mut source), Beat::Still, "known from the sampler before");
        fs::write(&file, "").unwrap();
        assert_eq!(pulse.look(&mut source), Beat::Ran, "unreadable: it may always have run");
        assert_eq!((pulse.look(&mut source), pulse.on_cpu()), (Beat::Ran, None));
    }

    #[test]
    fn shares_need_two_measurements_of_one_counter() {
        let mut share = Share::default();
        assert_eq!(share.measure(Some(Nanos(500)), Nanos(1_000)), None);
        assert_eq!(share.measure(Some(Nanos(750)), Nanos(2_000)), Some(0.25));
        assert_eq!(share.measure(Some(Nanos(750)), Nanos(3_000)), Some(0.0));
        assert_eq!(share.measure(Some(Nanos(10)), Nanos(4_000)), None, "a counter that fell");
        assert_eq!(share.measure(Some(Nanos(20)), Nanos(4_000)), None, "no time has passed");
        assert_eq!(share.measure(None, Nanos(5_000)), None);
        share.measure(Some(Nanos(1)), Nanos(6_000));
        share.restart();
        assert_eq!(share.measure(Some(Nanos(2)), Nanos(7_000)), None);
    }
}
