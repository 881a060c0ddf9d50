//! When a task that was asleep before anybody watched ran last.
//!
//! `/proc/PID/sched` gives `se.exec_start`, on the scheduler's clock of the CPU
//! it ran on. That clock leaves out time stolen from the machine and time spent
//! in interrupts, so it is neither `CLOCK_MONOTONIC` nor quite the same on two
//! CPUs: only the distance to another reading of it means something. It is
//! taken to that of a thread that goes to the CPU in question, which is exact to a
//! tick; or, where that is not to be had, to this thread's own `se.exec_start`, and
//! then believed only where it is far longer than what the clocks of two CPUs may
//! differ by.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use super::blocked::Task;
use super::parse;
use super::scheduler_clock::{self, SchedulerClock};
use super::source::Source;
use crate::model::wait::Wait;
use crate::model::{Nanos, Pid};
use crate::sys::clock;
use crate::sys::proc_read::{Path, read_once};
use crate::sys::procroot::ProcRoot;

/// As much is read of a `sched` file: what is wanted of it stands at its beginning, but where
/// the kernel keeps statistics of the scheduler.
const SCHED: usize = 8 << 10;

/// Shorter distances say nothing: a second, and a thousandth of the time the
/// clocks have had to drift apart.
fn least_distance(now: Nanos) -> Nanos {
    Nanos::from_secs(1) + Nanos(now.0 / 1_000)
}

/// Nobody asks since when one waits that is no older than that.
const YOUNG: Nanos = Nanos::from_secs(1);
/// The clock of a CPU is good for so long where many tasks are dated.
const FRESH: Nanos = Nanos::from_secs(1);

/// Since when a task is known not to have run, on `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rest {
    /// That moment.
    pub since: Nanos,
    /// It may have slept for longer: it did when it was first seen, and the kernel does not
    /// tell when it ran last.
    pub at_least: bool,
    /// Whether that is as much as can be known.
    dated: bool,
}

impl Rest {
    /// As the wait in the last table of a sampler that hangs says.
    pub fn resume(wait: Option<&Wait>, at: Nanos) -> Self {
        let since = wait.and_then(|wait| wait.since);
        let at_least = wait.is_some_and(|wait| wait.at_least);
        Rest { since: since.unwrap_or(at), at_least, dated: since.is_some() && !at_least }
    }

    /// It ran, or is seen for the first time; `seen` says that it ran since the reading
    /// before, so that its wait began after that.
    pub fn ran(&mut self, at: Nanos, seen: bool) {
        *self = Rest { since: at, at_least: false, dated: self.dated || seen };
    }

    /// Asks the kernel, until it tells, when a task that slept when it was first seen ran
    /// last. `started` is after boot, `cpu` that on which it ran.
    pub fn date(&mut self, task: &Task, (started, cpu): (Nanos, u32), source: &mut Source) {
        if self.dated || task.has_no_wait() {
            return;
        }
        let told = if task.kernel { None } else { last_ran(&task.directory, (started, cpu), source) };
        // One that was born just before it was seen cannot have waited for longer.
        let young = clock::boottime().since(started) <= YOUNG + clock::monotonic().since(self.since);
        self.dated = told.is_some() || young;
        self.at_least = !self.dated;
        self.since = told.unwrap_or(self.since);
    }
}

/// When the task with this directory ran last; `None` where the kernel does not tell or
/// it was too short a while ago.
fn last_ran(directory: &Path, (started, cpu): (Nanos, u32), source: &mut Source) -> Option<Nanos> {
    let age = clock::boottime().since(started);
    if age <= YOUNG {
        return None;
    }
    let start = source.once(&directory.file("sched")).ok().and_then(exec_start)?;
    let root = Arc::clone(source.root());
    by_clock_of(cpu, start, (started, FRESH), source)
        .or_else(|| last_ran_by(started, &root, &mut source.scheduler_clock, || Some(start)))
}

/// What is told of a task at one time. `switches` alone does not say that it sleeps:
/// one that has just got a CPU has as many as before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastRun {
    /// On `CLOCK_MONOTONIC`; `None` where the kernel does not tell or it was too short a
    /// while ago.
    pub at: Option<Nanos>,
    /// How often it gave a CPU up or lost it. Of one that sleeps that is never less
    /// than how often it got one (`schedstat`), which is counted at fewer occasions.
    pub switches: Option<u64>,
}

impl LastRun {
    /// Whether it has certainly not had a CPU since then, however the clocks of two
    /// CPUs may differ.
    pub fn is_before(&self, then: Nanos) -> bool {
        self.at.is_some_and(|at| at + least_distance(clock::monotonic()) < then)
    }
}

/// The same of a thread of the process whose directory of threads is open: the
/// way to it is shorter. `None` where it is too young for that.
pub fn last_run_in(
    tasks: &OwnedFd,
    tid: Pid,
    started: Nanos,
    root: &ProcRoot,
    clock: &mut SchedulerClock,
) -> Option<LastRun> {
    if clock::boottime().since(started) <= least_distance(clock::monotonic()) {
        return None;
    }
    let buffer = &mut [0; SCHED];
    let content = read_once(tasks.as_fd(), &Path::process(tid).file("sched"), buffer).ok()?;
    let (start, switches) = (exec_start(content), parse::all_switches(content));
    Some(LastRun { at: last_ran_by(started, root, clock, || start), switches })
}

/// When a thread that sleeps ran last, by the clock of the CPU that it ran on then;
/// `None` where the kernel does not tell, or that CPU has no time for us.
pub fn last_ran_on(cpu: u32, tasks: &OwnedFd, tid: Pid, started: Nanos, source: &mut Source) -> Option<Nanos> {
    let start = exec_start(source.once_in(tasks, &Path::process(tid).file("sched")).ok()?)?;
    by_clock_of(cpu, start, (started, scheduler_clock::FRESH), source)
}

fn by_clock_of(cpu: u32, start: Nanos, (started, fresh): (Nanos, Nanos), source: &mut Source) -> Option<Nanos> {
    let (now, age) = (clock::monotonic(), clock::boottime().since(started));
    if !source.clocks {
        return None;
    }
    let here = source.clocks_of_cpus.entry(cpu).or_default().now(now, fresh, || scheduler_clock::of_cpu(cpu))?;
    let distance = here.since(start);
    (start <= here && distance <= age).then(|| now - distance)
}

fn last_ran_by(
    started: Nanos,
    root: &ProcRoot,
    clock: &mut SchedulerClock,
    start: impl FnOnce() -> Option<Nanos>,
) -> Option<Nanos> {
    let now = clock::monotonic();
    let age = clock::boottime().since(started);
    if age <= least_distance(now) {
        return None;
    }
    let own = Path::top("thread-self").file("sched");
    let here = clock.now(now, scheduler_clock::FRESH, || {
        read_once(root.directory().as_fd(), &own, &mut [0; SCHED]).ok().and_then(exec_start)
    });
    let distance = here?.since(start()?);
    (distance > least_distance(now) && distance <= age).then(|| now - distance)
}

fn exec_start(content: &[u8]) -> Option<Nanos> {
    // The kernel sets it to zero when it moves a sleeping task to another CPU.
    parse::exec_start(content).filter(|start| *start > Nanos::ZERO)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::*;
    use crate::model::process::State;
    use crate::sys::procroot::ProcRoot;

    #[test]
    fn who_ran_lately_or_at_no_known_time_has_not_certainly_slept() {
        let now = clock::monotonic();
        let margin = least_distance(now);
        let run = |at: Option<Nanos>| LastRun { at, switches: Some(7) };
        assert!(run(Some(Nanos::ZERO)).is_before(margin + margin));
        assert!(!run(Some(now)).is_before(now), "it may be running");
        assert!(!run(Some(now)).is_before(now + margin), "two clocks may differ by so much");
        assert!(!run(None).is_before(now));
    }

    #[test]
    fn a_long_sleep_is_dated_and_a_short_one_is_not() {
        let tree = tempfile::tempdir().unwrap();
        let write = |task: &str, millis: u64, fraction: &str| {
            fs::create_dir_all(tree.path().join(task)).unwrap();
            let content = format!("x (1, #threads: 1)\n---\nse.exec_start      :    {millis}.{fraction}\n");
            fs::write(tree.path().join(task).join("sched"), content).unwrap();
        };
        // As far back as this machine's clock allows to be dated.
        let up = clock::monotonic().0 / 1_000_000;
        let long = up / 2;
        assert!(Nanos::from_millis(long) > least_distance(clock::monotonic()), "up for {up} ms only");
        for (task, millis) in [("thread-self", up), ("6", up - long), ("7", up - 900), ("8", up + 5)] {
            write(task, millis, "500000");
        }
        write("10", 0, "000000");
        let mut source = Source::new(Arc::new(ProcRoot::open(tree.path()).unwrap()));
        let before = clock::monotonic();
        let ran = last_ran(&Path::process(6), (Nanos::ZERO, 0), &mut source).unwrap();
        let after = clock::monotonic();
        let expected = |now: Nanos| now.since(Nanos::from_millis(long));
        // Its reading is brought forward while time passes here.
        assert!(ran <= expected(after) && ran + Nanos::from_millis(1_000) >= expected(before), "{ran:?}");
        for pid in [7, 8, 9, 10] {
            assert_eq!(last_ran(&Path::process(pid), (Nanos::ZERO, 0), &mut source), None, "{pid}");
        }
        let young = clock::boottime() - Nanos::from_secs(1);
        assert_eq!(last_ran(&Path::process(6), (young, 0), &mut source), None, "before it was born");
    }

    /// A child that sleeps, and this process's own clock beside.
    #[test]
    fn a_wait_is_dated_exactly_by_the_clock_of_its_own_cpu() {
        let root = Arc::new(ProcRoot::open(std::path::Path::new("/proc")).unwrap());
        let mut source = Source::new(root);
        if source.once(&Path::top("thread-self").file("sched")).is_err() || !source.clocks {
            return eprintln!("skipped: this kernel does not tell when a task ran last");
        }
        let before = clock::monotonic();
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = child.id() as Pid;
        let tasks = source.directory(&Path::process(pid).file("task")).unwrap();
        let mut look = || {
            let content = source.once_in(&tasks, &Path::process(pid).file("stat")).unwrap();
            let stat = parse::Stat::parse(content).unwrap();
            let (state, cpu, ticks) = (stat.state, stat.last_cpu, stat.start_ticks);
            let started = source.units.ticks(ticks);
            (state == State::Sleeping).then(|| last_ran_on(cpu, &tasks, pid, started, &mut source)).flatten()
        };
        let deadline = before + Nanos::from_secs(20);
        let since = loop {
            match look() {
                Some(since) => break since,
                None => assert!(clock::monotonic() < deadline, "it is never told"),
            }
        };
        let after = clock::monotonic();
        // Nor does the table take the moment at which it sees it for the first time.
        let directory = Path::process(pid);
        let content = source.once(&directory.file("stat")).unwrap();
        let cpu = parse::Stat::parse(content).unwrap().last_cpu;
        let task = Task { pid, tid: pid, directory, state: State::Sleeping, kernel: false };
        let mut rest = Rest::default();
        let told = loop {
            rest.ran(clock::monotonic(), false);
            rest.dated = false;
            rest.date(&task, (Nanos::ZERO, cpu), &mut source);
            assert!(clock::monotonic() < deadline, "it is never told");
            if !rest.at_least {
                break rest.since;
            }
        };
        assert!(told.0.abs_diff(since.0) < 1_000_000_000, "{told:?} {since:?}");
        child.kill().unwrap();
        child.wait().unwrap();
        // A tick or two is what the clocks lag behind by.
        let tick = Nanos::from_millis(40);
        assert!(since + tick >= before && since <= after, "{before:?} {since:?} {after:?}");
    }

    #[test]
    fn where_the_kernel_does_not_tell_the_first_sight_is_a_bound() {
        let tree = tempfile::tempdir().unwrap();
        let mut source = Source::new(Arc::new(ProcRoot::open(tree.path()).unwrap()));
        let (now, born) = (clock::monotonic(), clock::boottime());
        for (started, seen, state, at_least) in [
            (Nanos::ZERO, false, State::Sleeping, true),
            (Nanos::ZERO, true, State::Sleeping, false),
            (Nanos::ZERO, false, State::Running, false),
            (born, false, State::Sleeping, false),
        ] {
            let task = Task { pid: 7, tid: 7, directory: Path::process(7), state, kernel: false };
            let mut rest = Rest::default();
            rest.ran(now, seen);
            rest.date(&task, (started, 0), &mut source);
            assert_eq!((rest.since, rest.at_least), (now, at_least), "{started:?} {seen} {state:?}");
            // What has been seen to run since is dated by that.
            rest.ran(now + Nanos(1), true);
            rest.date(&task, (started, 0), &mut source);
            assert_eq!((rest.since, rest.at_least), (now + Nanos(1), false));
        }
    }

    #[test]
    fn a_name_does_not_pass_for_a_count() {
        let rule = "-".repeat(67);
        let content =
            format!("a\nnr_switches:5 (1, #threads: 1)\n{rule}\nse.exec_start  :  1.000000\nnr_switches  :  7\n");
        assert_eq!(parse::all_switches(content.as_bytes()), Some(7));
        assert_eq!(parse::all_switches(b"nr_switches  :  7\n"), None);
    }
}
