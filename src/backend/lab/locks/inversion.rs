//! Priority inversion, looked for again and again while the threads run.
//!
//! Who waits and who holds is read from the rings, who runs from the kernel. A
//! look has two readings, a millisecond apart, and claims an inversion only where
//! all of this held from the one to the other:
//!
//! | what | by what |
//! |---|---|
//! | one thread waited | its open acquisition is the same, wanted and not got |
//! | a less urgent one held the lock | its open acquisition is the same, got and not released |
//! | that one could run | its state is R, and who does not run cannot change it |
//! | and did not | its CPU time is the same |
//! | a third, between them, had its CPU | its CPU time grew by most of that millisecond, and both ran there last |
//!
//! Urgencies are those that were asked for. Where a lock lends the holder its
//! waiter's (priority inheritance), a real-time holder runs and nothing is
//! claimed; ordinary threads have it no better there, for what is lent to them is
//! no nice value.

use std::thread;
use std::time::Duration;

use super::crew::Crew;
use super::stamps::RunClock;
use crate::backend::observe::parse::Stat;
use crate::model::lock::{Priority, PriorityInversion, Ranked, Schedule};
use crate::model::process::State;
use crate::model::{Nanos, Pid};
use crate::sys::clock;

/// From the first reading to the second.
const APART: Duration = Duration::from_millis(1);

/// What was seen so far.
#[derive(Debug, Default)]
pub(super) struct Inversions {
    looks: u64,
    seen: u64,
    last: Option<PriorityInversion>,
}

/// A thread that waits or holds, and the number of the acquisition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct At {
    thread: usize,
    number: u64,
    shared: bool,
}

/// Who waits and who holds.
#[derive(Debug, Default)]
struct Open {
    waiting: Vec<At>,
    holding: Vec<At>,
}

/// What the kernel says of a thread.
#[derive(Clone, Copy, Debug)]
struct Running {
    cpu_time: Nanos,
    runnable: bool,
    cpu: u32,
}

impl Inversions {
    /// Looks once more.
    pub(super) fn look(&mut self, crew: &Crew, schedule: &Schedule, clock: RunClock) {
        self.looks += 1;
        let rank = |thread: usize| schedule.priority_of(thread).map(|priority| Ranked { thread, priority });
        let before = Open::of(crew);
        let Some((waiter, holder)) = before.inverted(schedule) else { return };
        let (Some(waits), Some(holds)) = (rank(waiter.thread), rank(holder.thread)) else { return };
        let (lowest, highest) = (urgency(holds.priority), urgency(waits.priority));
        let lies_between = |third: &Ranked| (lowest + 1..highest).contains(&urgency(third.priority));
        let between: Vec<Ranked> = (0..crew.seats.len()).filter_map(rank).filter(lies_between).collect();
        let read = |ranked: &Ranked| crew.tids.get(ranked.thread).and_then(|tid| running(*tid));
        let thirds: Vec<_> = between.iter().map(read).collect();
        let Some(first) = read(&holds) else { return };
        let begin = clock::monotonic();
        thread::sleep(APART);
        let passed = clock::monotonic().since(begin);
        let Some(second) = read(&holds) else { return };
        let did_not_run = first.runnable && second.runnable && first.cpu_time == second.cpu_time;
        let had_its_cpu = |(third, then): (&Ranked, &Option<Running>)| {
            let (then, now) = ((*then)?, read(third)?);
            let ran = now.cpu_time.since(then.cpu_time);
            (now.cpu == second.cpu && 2 * ran.0 > passed.0).then_some(*third)
        };
        let middle = between.iter().zip(&thirds).find_map(had_its_cpu);
        let after = Open::of(crew);
        let stood = after.waiting.contains(&waiter) && after.holding.contains(&holder);
        let Some(middle) = middle.filter(|_| did_not_run && stood) else { return };
        let (number, record) = crew.seats[waiter.thread].ring.open();
        if number != waiter.number {
            // It got it at this very moment, and nobody knows when it had asked.
            return;
        }
        self.seen += 1;
        self.last = Some(PriorityInversion {
            waiter: waits,
            holder: holds,
            middle,
            cpu: second.cpu,
            waited: Nanos(clock.scale.nanos(clock.now().saturating_sub(record.wanted))),
            stalled: passed,
            seen: 0,
            looks: 0,
        });
    }

    /// The last one that was seen, and how often.
    pub(super) fn seen(&self) -> Option<PriorityInversion> {
        self.last.map(|last| PriorityInversion { seen: self.seen, looks: self.looks, ..last })
    }
}

/// Whether there can be one, and who waits is known to wait for who holds.
pub(super) fn can_be(crew: &Crew, schedule: &Schedule) -> bool {
    three(schedule, crew.seats.len()) && crew.subject.excludes_in_time() && crew.subject.taking().is_none()
}

/// Whether three urgencies were asked for.
fn three(schedule: &Schedule, threads: usize) -> bool {
    let mut urgencies: Vec<i32> = (0..threads).filter_map(|thread| schedule.priority_of(thread)).map(urgency).collect();
    urgencies.sort_unstable();
    urgencies.dedup();
    urgencies.len() >= 3
}

/// The higher, the sooner it runs.
fn urgency(priority: Priority) -> i32 {
    match priority {
        Priority::Nice(nice) => -nice,
        Priority::Fifo(level) | Priority::RoundRobin(level) => 100 + level,
    }
}

impl Open {
    fn of(crew: &Crew) -> Self {
        let mut open = Open::default();
        for (thread, seat) in crew.seats.iter().enumerate() {
            let (number, record) = seat.ring.open();
            let at = At { thread, number, shared: record.shared };
            match (record.wanted, record.got, record.released) {
                (0, ..) => {}
                (_, 0, _) => open.waiting.push(at),
                (_, _, 0) => open.holding.push(at),
                _ => {}
            }
        }
        open
    }

    /// The most urgent thread that waits, and the least urgent of those that keep
    /// it waiting, if that is less urgent.
    fn inverted(&self, schedule: &Schedule) -> Option<(At, At)> {
        let of = |at: &&At| schedule.priority_of(at.thread).map_or(0, urgency);
        let waiter = self.waiting.iter().max_by_key(of)?;
        // Readers do not keep readers waiting.
        let holder = self.holding.iter().filter(|holder| !(holder.shared && waiter.shared)).min_by_key(of)?;
        (of(&holder) < of(&waiter)).then_some((*waiter, *holder))
    }
}

fn running(tid: Pid) -> Option<Running> {
    let content = std::fs::read(format!("/proc/self/task/{tid}/stat")).ok()?;
    let stat = Stat::parse(&content)?;
    Some(Running {
        cpu_time: clock::cpu_of_thread(tid).ok()?,
        runnable: stat.state == State::Running,
        cpu: stat.last_cpu,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(priorities: &[Priority]) -> Schedule {
        Schedule { priorities: priorities.to_vec(), ..Schedule::default() }
    }

    #[test]
    fn three_urgencies_make_one_possible() {
        let nice = Priority::Nice;
        assert!(!three(&schedule(&[]), 8));
        assert!(!three(&schedule(&[nice(0), nice(5)]), 8));
        assert!(!three(&schedule(&[nice(0), nice(5), nice(9)]), 2));
        assert!(three(&schedule(&[nice(19), Priority::Fifo(1), nice(0)]), 3));
        assert!(urgency(Priority::Fifo(1)) > urgency(nice(-20)) && urgency(nice(-20)) > urgency(nice(19)));
    }

    #[test]
    fn it_takes_a_waiter_that_is_more_urgent_than_who_keeps_it_waiting() {
        let schedule = schedule(&[Priority::Nice(0), Priority::Nice(5), Priority::Nice(9)]);
        let at = |thread, shared| At { thread, number: 7, shared };
        let inverted = |waiting: &[At], holding: &[At]| {
            let open = Open { waiting: waiting.to_vec(), holding: holding.to_vec() };
            open.inverted(&schedule).map(|(waiter, holder)| (waiter.thread, holder.thread))
        };
        assert_eq!(inverted(&[at(1, false), at(0, false)], &[at(2, false)]), Some((0, 2)));
        assert_eq!(inverted(&[at(2, false)], &[at(0, false)]), None, "that is as it should be");
        assert_eq!(inverted(&[at(0, true)], &[at(2, true)]), None, "readers do not wait for readers");
        assert_eq!(inverted(&[at(0, false)], &[at(2, true), at(1, true)]), Some((0, 2)));
        assert_eq!(inverted(&[], &[at(2, false)]), None);
    }

    #[test]
    fn a_thread_that_sleeps_is_not_runnable_and_one_that_runs_is() {
        let own = running(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
        assert!(own.runnable && own.cpu_time > Nanos::ZERO);
        let (tell, told) = std::sync::mpsc::channel();
        let (wake, woken) = std::sync::mpsc::channel::<()>();
        let sleeper = thread::spawn(move || {
            tell.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
            let _ = woken.recv();
        });
        let tid = told.recv().unwrap();
        while running(tid).is_some_and(|it| it.runnable) {
            thread::yield_now();
        }
        let (first, second) = (running(tid).unwrap(), running(tid).unwrap());
        assert_eq!(first.cpu_time, second.cpu_time);
        wake.send(()).unwrap();
        sleeper.join().unwrap();
    }
}
