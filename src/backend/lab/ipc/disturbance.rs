//! What else went on while something was measured: CPU time that the host of
//! a virtual machine took away (`steal`, proc(5)), preemption, other work on
//! the same CPUs and whose it was, a time in which nothing moved, and a machine that was short of memory or waited for its
//! disks (`Documentation/accounting/psi.rst`).

use std::fs;

use super::placement::Seats;
use super::slice::Slice;
use crate::model::channel::{Placement, Waiting};
use crate::model::sorting;
use crate::model::text::visible;
use crate::model::{Nanos, Pid};
use crate::sys::clock;

/// Steal of more than this share of all CPU time is worth a flag.
const STEAL: f64 = 0.005;
/// More preemptions a second of either side are worth a flag: a timer tick or
/// two and a kernel thread are not.
const PREEMPTIONS: f64 = 50.0;
/// A side that waited for its CPU for a larger share of the time is worth a
/// flag.
const DELAY: f64 = 0.02;

/// Nothing moved for so long: worth a flag.
const STALL: Nanos = Nanos::from_millis(5);
/// On one CPU: a larger share of the time that neither side used is worth a
/// look at who did.
const UNUSED: f64 = 0.15;

/// The machine's CPU time so far, in ticks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CpuTime {
    steal: u64,
    all: u64,
}

impl CpuTime {
    /// Reads `/proc/stat`; zero where that cannot be read.
    pub(super) fn now() -> Self {
        fs::read_to_string("/proc/stat").map(|text| CpuTime::parse(&text)).unwrap_or_default()
    }

    fn parse(text: &str) -> Self {
        let line = text.lines().next().unwrap_or_default();
        // user nice system idle iowait irq softirq steal; guest time is in user
        let ticks: Vec<u64> = line.split_whitespace().skip(1).take(8).filter_map(|t| t.parse().ok()).collect();
        CpuTime { steal: ticks.get(7).copied().unwrap_or(0), all: ticks.iter().sum() }
    }
}

/// What is short on a machine, in the order of [`STALLS`].
const SHORT_OF: [&str; 3] = ["cpu", "memory", "io"];
/// For what share of the time some process may have waited for it before that
/// is worth a flag. For a CPU the workers themselves wait a little.
const STALLS: [f64; 3] = [0.2, 0.01, 0.1];

/// How the machine stands at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Surroundings {
    cpu: CpuTime,
    /// For how long some process has waited for each, in microseconds; none
    /// without `CONFIG_PSI`.
    stalls: Option<[u64; 3]>,
    at: Nanos,
}

impl Surroundings {
    pub(super) fn now() -> Self {
        let stalls = SHORT_OF.map(|what| stalled(&fs::read_to_string(format!("/proc/pressure/{what}")).ok()?));
        let stalls = if let [Some(cpu), Some(memory), Some(io)] = stalls { Some([cpu, memory, io]) } else { None };
        Surroundings { cpu: CpuTime::now(), stalls, at: clock::monotonic() }
    }
}

/// The total of `some avg10=0.00 avg60=0.00 avg300=0.00 total=1234`.
fn stalled(text: &str) -> Option<u64> {
    text.lines().find(|line| line.starts_with("some "))?.rsplit_once("total=")?.1.trim().parse().ok()
}

/// What disturbed the slices of one point.
#[derive(Clone, Debug, Default)]
pub(super) struct Disturbance {
    steal: u64,
    all: u64,
    stalls: [u64; 3],
    /// Time between two looks at the machine.
    span: Nanos,
    involuntary: u64,
    delay: Nanos,
    time: Nanos,
    stall: Nanos,
    /// CPU time of both sides.
    used: Nanos,
    /// Who else ran on their CPUs when that was looked for last.
    others: Option<String>,
}

impl Disturbance {
    /// Counts a slice that began at `before`.
    pub(super) fn count(&mut self, before: &Surroundings, slice: &Slice, seats: &Seats, workers: &[Pid]) {
        let now = Surroundings::now();
        self.steal += now.cpu.steal.saturating_sub(before.cpu.steal);
        self.all += now.cpu.all.saturating_sub(before.cpu.all);
        if let (Some(now), Some(before)) = (now.stalls, before.stalls) {
            for (sum, (now, before)) in self.stalls.iter_mut().zip(now.into_iter().zip(before)) {
                *sum += now.saturating_sub(before);
            }
        }
        self.span += now.at - before.at;
        self.count_sides(slice);
        let time = slice.time().as_secs_f64().max(1e-9);
        let delay = slice.asker.delay.max(slice.answerer.delay).as_secs_f64() / time;
        let used = (slice.asker.cpu + slice.answerer.cpu).as_secs_f64() / time;
        let suspicious = if seats.are_one_cpu() { used < 1.0 - UNUSED } else { delay > DELAY };
        if suspicious {
            self.others = company(seats, workers).or(self.others.take());
        }
    }

    /// Counts what the sides of a slice noticed by themselves.
    pub(super) fn count_sides(&mut self, slice: &Slice) {
        self.delay += slice.asker.delay.max(slice.answerer.delay);
        self.involuntary += slice.asker.involuntary.max(slice.answerer.involuntary);
        self.time += slice.time();
        self.used += slice.asker.cpu + slice.answerer.cpu;
        self.stall = self.stall.max(slice.asker.stall).max(slice.answerer.stall);
    }

    /// What is worth a flag beside the figure.
    pub(super) fn flags(&self, placement: Placement, wait: Waiting) -> Vec<String> {
        let mut flags = Vec::new();
        let steal = self.steal as f64 / self.all.max(1) as f64;
        if steal > STEAL {
            flags.push(format!("steal {:.1}%", steal * 100.0));
        }
        let preemptions = self.involuntary as f64 / self.time.as_secs_f64().max(1e-9);
        // On one CPU the two sides wait for each other: that is how it works.
        // Waiting may have begun before the clock did.
        let delay = (self.delay.as_secs_f64() / self.time.as_secs_f64().max(1e-9)).min(1.0);
        let unused = 1.0 - self.used.as_secs_f64() / self.time.as_secs_f64().max(1e-9);
        match (placement, &self.others) {
            (Placement::SameCpu, Some(others)) if unused > UNUSED => {
                flags.push(format!("CPU shared with {others}: neither side ran {:.0}% of the time", unused * 100.0));
            }
            (Placement::SameCpu, _) => {}
            (_, others) if delay > DELAY => {
                let with = others.as_ref().map_or(String::new(), |others| format!(" with {others}"));
                flags.push(format!("CPU shared{with}: waited {:.0}% of the time", delay * 100.0));
            }
            _ => {}
        }
        if self.stall >= STALL {
            flags.push(format!("stalled for {}", self.stall.precise()));
        }
        if placement != Placement::SameCpu && preemptions > PREEMPTIONS {
            flags.push(format!("preempted {preemptions:.0}/s"));
        }
        for ((what, stalled), most) in SHORT_OF.into_iter().zip(self.stalls).zip(STALLS) {
            let share = stalled as f64 * 1e3 / self.span.0.max(1) as f64;
            // On one CPU the two sides make that pressure themselves.
            if share > most && !(what == "cpu" && placement == Placement::SameCpu) {
                flags.push(format!("{what} pressure {:.0}%", share * 100.0));
            }
        }
        if placement == Placement::SameCpu && wait == Waiting::Spin {
            flags.push("spins on the CPU that its peer needs".to_owned());
        }
        flags
    }
}

/// Who else is running on these CPUs at this moment: `4121 stress`, two at
/// most. A process is seen by its main thread.
fn company(seats: &Seats, workers: &[Pid]) -> Option<String> {
    let own = std::process::id() as Pid;
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<Pid>().ok()) else { continue };
        if pid == own || workers.contains(&pid) {
            continue;
        }
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        if let Some((name, cpu, ticks)) = running(&stat)
            && seats.hold(cpu)
        {
            found.push((ticks, format!("{pid} {name}")));
        }
    }
    // What has used most is the likeliest to be in the way.
    sorting::by_key(&mut found, |(ticks, _)| std::cmp::Reverse(*ticks));
    let names: Vec<_> = found.into_iter().take(2).map(|(_, name)| visible(name.as_bytes())).collect();
    (!names.is_empty()).then(|| names.join(" and "))
}

/// Name, CPU and CPU time of a process that runs, from its `stat`.
fn running(stat: &str) -> Option<(&str, usize, u64)> {
    let (front, back) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = back.split(' ').collect();
    // Fields are counted from 1, and the third comes first here.
    let field = |number: usize| fields.get(number - 3).copied();
    if field(3)? != "R" {
        return None;
    }
    let ticks = field(14)?.parse::<u64>().ok()? + field(15)?.parse::<u64>().ok()?;
    Some((front.split_once(" (")?.1, field(39)?.trim().parse().ok()?, ticks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_the_eighth_figure() {
        let time = CpuTime::parse("cpu  10 0 5 80 1 0 2 2 7 0\ncpu0 1 1 1\n");
        assert_eq!((time.steal, time.all), (2, 100));
        assert_eq!(CpuTime::parse("").all, 0);
    }

    #[test]
    fn only_what_matters_is_flagged() {
        let quiet = Disturbance {
            steal: 0,
            all: 200,
            stalls: [50_000, 0, 1_000],
            span: Nanos::from_secs(1),
            involuntary: 3,
            delay: Nanos(900_000),
            time: Nanos::from_secs(1),
            stall: Nanos::from_millis(2),
            used: Nanos::from_secs(1),
            others: None,
        };
        assert!(quiet.flags(Placement::CrossCpu, Waiting::Block).is_empty());
        let loud = Disturbance {
            steal: 6,
            all: 200,
            stalls: [300_000, 40_000, 200_000],
            span: Nanos::from_secs(1),
            involuntary: 300,
            delay: Nanos::from_millis(350),
            time: Nanos::from_secs(1),
            stall: Nanos::from_millis(10),
            used: Nanos::from_millis(600),
            others: Some("4121 stress".to_owned()),
        };
        assert_eq!(
            loud.flags(Placement::CrossCpu, Waiting::Block),
            [
                "steal 3.0%",
                "CPU shared with 4121 stress: waited 35% of the time",
                "stalled for 10.0 ms",
                "preempted 300/s",
                "cpu pressure 30%",
                "memory pressure 4%",
                "io pressure 20%"
            ]
        );
        assert_eq!(
            loud.flags(Placement::SameCpu, Waiting::Block),
            [
                "steal 3.0%",
                "CPU shared with 4121 stress: neither side ran 40% of the time",
                "stalled for 10.0 ms",
                "memory pressure 4%",
                "io pressure 20%"
            ]
        );
        let text = "some avg10=0.34 avg60=2.14 avg300=2.36 total=8551556809\nfull avg10=0.00 total=7\n";
        assert_eq!((stalled(text), stalled("")), (Some(8_551_556_809), None));
    }

    #[test]
    fn who_runs_is_read_with_name_and_cpu() {
        let fields = |state: &str| {
            let zeros = ["0"; 10].join(" ");
            let middle = ["0"; 23].join(" ");
            format!("77 (a) (b) {state} {zeros} 30 12 {middle} 1 0 0")
        };
        assert_eq!(running(&fields("R")), Some(("a) (b", 1, 42)));
        assert_eq!(running(&fields("S")), None);
        assert_eq!(running("nonsense"), None);
    }
}
