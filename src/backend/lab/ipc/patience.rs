//! Tells a worker that hangs from one that is only slow, and what a worker
//! does at one moment: its state, its CPU time, and where in the kernel it
//! sleeps (proc(5)).

use crate::backend::lab::worker::Worker;
use crate::model::channel::SideNow;
use crate::model::{Nanos, Pid};
use crate::sys::clock;

/// How often the workers are looked at.
const LOOK: Nanos = Nanos::from_millis(150);
/// A worker that is stopped for so long is given up: whoever stops it for a
/// moment only wants to see what the other side does.
const STOPPED: Nanos = Nanos::from_millis(600);
/// Workers that sleep for so long without using any CPU time, while they have
/// something to do, are given up.
const QUIET: Nanos = Nanos::from_millis(600);
/// So much later than expected, workers that only burn CPU time are given up
/// as well.
const GIVE_UP: Nanos = Nanos::from_secs(20);

/// Watches the two workers of a channel while they carry out an order.
#[derive(Debug)]
pub(super) struct Patience {
    next: Nanos,
    end: Nanos,
    /// How long both may sleep without hanging.
    quiet: Nanos,
    /// What both had used when last looked at.
    cpu: Option<[Nanos; 2]>,
    /// Since when nothing has moved, and since when one of them is stopped.
    still: Option<Nanos>,
    stopped: Option<Nanos>,
}

impl Patience {
    /// For an order that takes about `expected`, in which both sides may sleep
    /// for `pause` at a time.
    pub(super) fn new(begun: Nanos, expected: Nanos, pause: Nanos) -> Self {
        let (next, end) = (begun + LOOK, begun + expected + GIVE_UP);
        Patience { next, end, quiet: QUIET + pause, cpu: None, still: None, stopped: None }
    }

    /// Why there is no point in waiting for these workers any longer, each of
    /// which may be one that is awaited: it is stopped, or both sleep and use
    /// no CPU time.
    pub(super) fn ended(&mut self, workers: &[(&Worker, bool); 2]) -> Option<String> {
        let now = clock::monotonic();
        if now < self.next {
            return None;
        }
        self.next = now + LOOK;
        let states = workers.map(|(worker, _)| state(worker.pid()));
        let halted = workers.iter().zip(states).find(|((_, awaited), state)| *awaited && is_stopped(*state));
        self.stopped = halted.map(|_| self.stopped.unwrap_or(now));
        if let (Some(((worker, _), _)), Some(since)) = (halted, self.stopped)
            && now.since(since) >= STOPPED
        {
            return Some(format!("worker {} hangs: it is stopped", worker.pid()));
        }
        let cpu = workers.map(|(worker, _)| worker.cpu_time());
        let rests = self.cpu == Some(cpu) && states.iter().all(|state| *state == Some('S'));
        self.cpu = Some(cpu);
        self.still = rests.then(|| self.still.unwrap_or(now));
        let awaited: Vec<_> = workers.iter().filter(|w| w.1).map(|(worker, _)| worker.pid().to_string()).collect();
        if self.still.is_some_and(|since| now.since(since) >= self.quiet) {
            return Some(match &*awaited {
                [one] => format!("worker {one} hangs: it sleeps, and no message comes any more"),
                all => format!("workers {} hang: both sleep, and no message comes any more", all.join(" and ")),
            });
        }
        (now > self.end).then(|| format!("worker {} did not report in {GIVE_UP}", awaited.join(" and ")))
    }
}

fn is_stopped(state: Option<char>) -> bool {
    matches!(state, Some('T' | 't'))
}

/// The state of a process: the letter of `/proc/PID/stat`.
pub(super) fn state(pid: Pid) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// What a worker does now.
pub(super) fn side_now(pid: Pid) -> Option<SideNow> {
    let asleep = matches!(state(pid)?, 'S' | 'D');
    let place = asleep.then(|| std::fs::read_to_string(format!("/proc/{pid}/wchan")).ok()).flatten();
    // "0" is where nothing may be told, or where it no longer sleeps.
    let place = place.filter(|name| !name.is_empty() && name != "0");
    Some(SideNow { asleep, place: place.map(Into::into) })
}
