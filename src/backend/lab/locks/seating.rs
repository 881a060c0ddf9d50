//! Where the threads run and how urgent they are: worked out before they start,
//! and taken by each of them as its first act.
//!
//! Real-time threads come before everything else on their CPU, so they are kept
//! from one of the CPUs, and the thread that reports is bound to it: the screen
//! and whoever else works on this machine go on, whatever the workload does.

use crate::model::Fault;
use crate::model::lock::{Pinning, Priority, Schedule};
use crate::sys::affinity;
use crate::sys::priority::{self, RealTime};

/// How much nicer than the program the threads are by default, so that the
/// screen comes first. It changes nothing between them.
const NICER: i32 = 5;

/// What is decided before the threads start.
#[derive(Clone, Debug, Default)]
pub(super) struct Seating {
    schedule: Schedule,
    /// The CPUs that the program may use.
    allowed: Vec<usize>,
    /// The one that real-time threads are kept from.
    pub(super) left_free: Option<usize>,
}

impl Seating {
    /// Works out what was asked for.
    ///
    /// # Errors
    /// A fault where this machine, or this process, has no such CPUs.
    pub(super) fn plan(schedule: &Schedule) -> Result<Self, Fault> {
        let allowed =
            affinity::allowed().map_err(|error| Fault::new("pin", format!("cannot tell the allowed CPUs: {error}")))?;
        Seating::plan_on(schedule, allowed)
    }

    fn plan_on(schedule: &Schedule, allowed: Vec<usize>) -> Result<Self, Fault> {
        let listed = allowed.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        let missing = match &schedule.pinning {
            Pinning::Cpus(cpus) => cpus.iter().find(|cpu| !allowed.contains(cpu)),
            _ => None,
        };
        if let Some(cpu) = missing {
            return Err(Fault::new("pin", format!("CPU {cpu} is not one that may be used here"))
                .hint(format!("there are {listed}")));
        }
        let mut left_free = None;
        if let Some(urgent) = schedule.priorities.iter().find(|priority| priority.is_real_time()) {
            let asked_for = |cpu: &usize| matches!(&schedule.pinning, Pinning::Cpus(cpus) if cpus.contains(cpu));
            left_free = allowed.iter().rev().copied().find(|cpu| !asked_for(cpu));
            if left_free.is_none() || allowed.len() < 2 {
                return Err(Fault::new("priority", format!("{} would leave no CPU for anything else", urgent.words()))
                    .hint(format!("real-time threads leave one CPU free; there are {listed}")));
            }
        }
        Ok(Seating { schedule: schedule.clone(), allowed, left_free })
    }

    /// The CPUs of a thread; empty for anywhere.
    fn cpus_of(&self, thread: usize) -> Vec<usize> {
        let urgent = self.schedule.priority_of(thread).is_some_and(Priority::is_real_time);
        let own: Vec<usize> =
            self.allowed.iter().copied().filter(|cpu| !urgent || Some(*cpu) != self.left_free).collect();
        let turn = |cpus: &[usize]| cpus.get(thread % cpus.len().max(1)).copied().into_iter().collect();
        match &self.schedule.pinning {
            // Threads begin where the one that reports is bound.
            Pinning::None if self.left_free.is_some() => own,
            Pinning::None => Vec::new(),
            Pinning::Each => turn(&own),
            Pinning::One => self.allowed.first().copied().into_iter().collect(),
            Pinning::Cpus(cpus) => turn(cpus),
        }
    }

    /// The calling thread becomes contender number `thread`; its nice value.
    ///
    /// # Errors
    /// A fault that says what was refused and by which limit.
    pub(super) fn take(&self, thread: usize) -> Result<i32, Fault> {
        let cpus = self.cpus_of(thread);
        if !cpus.is_empty() {
            affinity::bind(&cpus)
                .map_err(|error| Fault::new("pin", format!("t{thread} cannot be bound to CPU {cpus:?}: {error}")))?;
        }
        match self.schedule.priority_of(thread) {
            // As nice as can be is nice enough.
            None => drop(priority::set_nice((priority::nice() + NICER).min(19))),
            Some(Priority::Nice(nice)) => priority::set_nice(nice).map_err(|error| refused_nice(nice, &error))?,
            Some(asked @ Priority::Fifo(level)) => urgent(asked, RealTime::Fifo, level)?,
            Some(asked @ Priority::RoundRobin(level)) => urgent(asked, RealTime::RoundRobin, level)?,
        }
        Ok(priority::nice())
    }

    /// The calling thread is the one that reports.
    ///
    /// # Errors
    /// A fault where it cannot have the CPU that is left free.
    pub(super) fn take_free(&self) -> Result<(), Fault> {
        let bind = |cpu| {
            affinity::bind(&[cpu])
                .map_err(|error| Fault::new("priority", format!("cannot keep CPU {cpu} free: {error}")))
        };
        self.left_free.map_or(Ok(()), bind)
    }
}

fn urgent(asked: Priority, policy: RealTime, level: i32) -> Result<(), Fault> {
    priority::set_real_time(policy, level).map_err(|error| {
        let why = if priority::is_privileged() {
            "in spite of CAP_SYS_NICE: the control group has no real-time bandwidth (cpu.rt_runtime_us), or a security \
             module forbids it"
                .to_owned()
        } else {
            let most = priority::highest_real_time();
            format!("RLIMIT_RTPRIO allows up to {most}: raise it (ulimit -r), or run with CAP_SYS_NICE")
        };
        Fault::new("priority", format!("{} was refused: {error}", asked.words())).hint(why)
    })
}

fn refused_nice(nice: i32, error: &rustix::io::Errno) -> Fault {
    let lowest = priority::lowest_nice();
    let limit = if lowest > 19 { "allows none below its own".to_owned() } else { format!("allows down to {lowest}") };
    Fault::new("priority", format!("nice {nice} was refused: {error}"))
        .hint(format!("RLIMIT_NICE {limit}: raise it (ulimit -e), or run with CAP_SYS_NICE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(pinning: Pinning, priorities: &[Priority]) -> Schedule {
        Schedule { pinning, priorities: priorities.to_vec() }
    }

    fn seats(schedule: &Schedule, threads: usize) -> Vec<Vec<usize>> {
        let seating = Seating::plan_on(schedule, vec![0, 1, 2]).unwrap();
        (0..threads).map(|thread| seating.cpus_of(thread)).collect()
    }

    #[test]
    fn threads_are_pinned_as_asked() {
        assert_eq!(seats(&Schedule::default(), 2), [[0; 0]; 2]);
        assert_eq!(seats(&schedule(Pinning::Each, &[]), 4), [[0], [1], [2], [0]]);
        assert_eq!(seats(&schedule(Pinning::One, &[]), 2), [[0], [0]]);
        assert_eq!(seats(&schedule(Pinning::Cpus(vec![2, 0]), &[]), 3), [[2], [0], [2]]);
    }

    #[test]
    fn real_time_threads_always_leave_one_cpu_free() {
        let fifo = [Priority::Fifo(1)];
        assert_eq!(seats(&schedule(Pinning::None, &fifo), 2), [[0, 1], [0, 1]]);
        assert_eq!(seats(&schedule(Pinning::Each, &fifo), 3), [[0], [1], [0]]);
        assert_eq!(seats(&schedule(Pinning::One, &fifo), 1), [[0]]);
        let mixed = schedule(Pinning::None, &[Priority::Nice(0), Priority::RoundRobin(2)]);
        assert_eq!(seats(&mixed, 2), [vec![0, 1, 2], vec![0, 1]]);
        let last = schedule(Pinning::Cpus(vec![2]), &fifo);
        assert_eq!(Seating::plan_on(&last, vec![0, 1, 2]).unwrap().left_free, Some(1), "another than was asked for");
        for (asked, allowed) in [(Pinning::None, vec![3]), (Pinning::Cpus(vec![0, 1]), vec![0, 1])] {
            let fault = Seating::plan_on(&schedule(asked, &fifo), allowed).unwrap_err().to_string();
            assert!(fault.contains("would leave no CPU for anything else"), "{fault}");
        }
        assert_eq!(Seating::plan_on(&schedule(Pinning::None, &[Priority::Nice(3)]), vec![0]).unwrap().left_free, None);
    }

    #[test]
    fn a_thread_takes_its_seat() {
        let one = Seating::plan(&schedule(Pinning::One, &[Priority::Nice(19)])).unwrap();
        let taken = move || (one.take(1), affinity::allowed());
        let (nice, cpus) = std::thread::spawn(taken).join().unwrap();
        assert_eq!((nice, cpus.unwrap()), (Ok(19), affinity::allowed().unwrap()[..1].to_vec()));
        let own = priority::nice();
        let default = Seating::plan(&Schedule::default()).unwrap();
        assert_eq!(std::thread::spawn(move || default.take(0)).join().unwrap(), Ok((own + NICER).min(19)));
    }

    #[test]
    fn a_cpu_that_is_not_there_is_named() {
        let fault = Seating::plan_on(&schedule(Pinning::Cpus(vec![1, 9]), &[]), vec![0, 1]).unwrap_err().to_string();
        assert!(fault.contains("CPU 9 is not one that may be used here") && fault.contains("0, 1"), "{fault}");
    }
}
