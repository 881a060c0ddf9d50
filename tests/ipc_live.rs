//! The IPC lab as a panel runs it: through commands and updates, with real
//! workers. One test after the other: they look at all workers of this process.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use syncscope::backend::{Backend, Command, Options, Update};
use syncscope::model::channel::{IpcProgress, IpcSpec, Placement, Series, Waiting};
use syncscope::model::lab::{LabCommand, LabState};
use syncscope::model::{Nanos, Stamped};

type Seen = Arc<Stamped<IpcProgress>>;

fn main() {
    syncscope::backend::program::set(env!("CARGO_BIN_EXE_syncscope"));
    let tests: [(&str, fn()); 12] = [
        ("all transports advance together", all_transports_advance_together),
        ("settings change while it runs", settings_change_while_it_runs),
        ("a walk goes through the sizes and fills the map", a_walk_fills_the_map),
        ("a rate adds an open loop while it runs", a_rate_adds_an_open_loop),
        ("experiments are done and kept", experiments_are_done_and_kept),
        ("two threads of one worker are measured like two workers", two_threads_are_one_worker),
        ("stopping works at once, also when a worker hangs", stopping_works_at_once),
        ("a dead worker is named and the others go on", a_dead_worker_is_named),
        ("a stopped worker is named and the others go on", a_stopped_worker_is_named),
        ("a wake-up that comes late ends no worker", a_late_wake_up_ends_no_worker),
        ("bursts cost little and say what they cost", bursts_cost_little),
        ("what is unknown fails in its own line", what_is_unknown_fails_in_its_own_line),
    ];
    for (name, test) in tests {
        test();
        println!("ok: {name}");
    }
}

/// A backend with a lab that was asked to run.
struct Lab {
    backend: Backend,
    latest: Option<Seen>,
}

impl Lab {
    fn run(spec: IpcSpec) -> Self {
        let mut lab = Lab { backend: Backend::start(&Options::default()), latest: None };
        lab.ask(spec);
        lab
    }

    fn ask(&mut self, spec: IpcSpec) {
        self.backend.send(Command::Ipc(LabCommand::Run(spec)));
    }

    /// The next progress that the condition holds for.
    fn until(&mut self, what: &str, holds: impl Fn(&IpcProgress) -> bool) -> Seen {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            let _ = self.backend.bell().recv_timeout(Duration::from_millis(100));
            let latest = &mut self.latest;
            let mut fresh = false;
            self.backend.poll(|update| {
                if let Update::Ipc(progress) = update {
                    (*latest, fresh) = (Some(progress), true);
                }
            });
            if fresh && let Some(progress) = self.latest.as_ref().filter(|progress| holds(&progress.value)) {
                return progress.clone();
            }
            assert!(Instant::now() < deadline, "not within 60 s: {what}; last: {:#?}", self.latest);
        }
    }

    fn until_measured(&mut self, what: &str) -> Seen {
        self.until(what, |progress| !progress.series.is_empty() && progress.series.iter().all(measured))
    }
}

fn spec() -> IpcSpec {
    IpcSpec { placement: Placement::Unpinned, ..IpcSpec::default() }
}

fn measured(series: &Series) -> bool {
    series.throughput.len() >= 3 && series.round_trip.is_some() && series.state == LabState::Running
}

/// The workers that are children of this process, in the order they started.
fn workers() -> Vec<i32> {
    let me = std::process::id().to_string();
    let mut pids = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<i32>() else { continue };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let args: Vec<_> = line.split(|&b| b == 0).collect();
        let is_worker = args.contains(&&b"worker"[..]) && !args.contains(&&b"--janitor"[..]);
        if is_worker && fields.get(1) == Some(&me.as_str()) && fields.first() != Some(&"Z") {
            pids.push(pid);
        }
    }
    pids.sort_unstable();
    pids
}

fn all_transports_advance_together() {
    let mut lab = Lab::run(spec());
    let first = lab.until_measured("all measured");
    assert_eq!(first.value.state, LabState::Running);
    assert_eq!(first.value.cost.processes, 6);
    for series in &first.value.series {
        let name = &series.transport;
        assert!(series.throughput.iter().all(|point| point.bytes_per_s > 0.0 && point.messages_per_s > 0.0), "{name}");
        let trips = series.round_trip.as_ref().unwrap();
        assert!(trips.quantiles.p50 > Nanos::ZERO && trips.quantiles.count > 0, "{name}");
        assert_eq!(trips.counts.iter().sum::<u64>(), trips.quantiles.count, "{name}");
        let fill = series.fill.expect("looked into");
        assert!(fill.queued <= 2 * fill.capacity && fill.capacity >= 4096, "{name}: {fill:?}");
        assert!(!series.losses.any() && series.channel.is_some() && series.cost.is_some(), "{name}");
    }
    let points: Vec<_> = first.value.series.iter().map(|series| series.throughput.len()).collect();
    let later = lab.until("all have more", |progress| {
        progress.series.iter().zip(&points).all(|(series, &before)| series.throughput.len() > before + 2)
    });
    assert!(later.seq > first.seq && later.value.cost.cpu_time >= first.value.cost.cpu_time);
    drop(lab);
    assert_eq!(workers(), Vec::<i32>::new(), "dropping the backend ends them");
}

fn a_walk_fills_the_map() {
    // 256 KiB fit into no datagram; what comes after the largest is the smallest.
    let transports = vec!["pipe".to_owned(), "unix_datagram".to_owned()];
    let mut lab = Lab::run(IpcSpec { transports, size: 64 << 10, walk: true, ..spec() });
    let cell =
        |p: &IpcProgress, key: &str, size| p.cells.iter().find(|c| *c.transport == *key && c.size == size).cloned();
    let seen = lab.until("it is at the smallest again", |p| p.cells.iter().any(|cell| cell.size == 1));
    for size in [64 << 10, 256 << 10, 1 << 20, 4 << 20] {
        let pipe = cell(&seen.value, "pipe", size).unwrap();
        assert!(pipe.bytes_per_s.unwrap() > 0.0 && pipe.round_trip_p50.unwrap() > Nanos::ZERO, "{pipe:?}");
        let datagram = cell(&seen.value, "unix_datagram", size).unwrap();
        assert_eq!(datagram.bytes_per_s.is_some(), size == 64 << 10, "{datagram:?}");
    }
    let again = lab
        .until("it goes on with datagrams", |p| cell(p, "unix_datagram", 1).is_some_and(|c| c.bytes_per_s.is_some()));
    assert!(again.value.series.iter().all(|series| !matches!(series.state, LabState::Failed(_))));
}

fn a_rate_adds_an_open_loop() {
    let mut lab = Lab::run(spec());
    let seen = lab.until_measured("all measured");
    assert!(seen.value.series.iter().all(|series| series.open_loop.is_none() && series.open_loop_rate.is_none()));
    let before = workers();
    lab.ask(IpcSpec { rate: Some(500.0), ..spec() });
    let seen = lab.until("open loops", |p| p.series.iter().all(|s| s.open_loop.is_some()));
    for series in &seen.value.series {
        assert!((series.open_loop_rate.unwrap().intended - 500.0).abs() < 1e-9);
        assert!(series.open_loop.as_ref().unwrap().quantiles.count > 0 && series.round_trip.is_some());
    }
    assert_eq!(workers(), before, "the same channels");
    lab.ask(spec());
    lab.until("none any more", |p| p.series.iter().all(|s| s.open_loop.is_none()));
}

fn experiments_are_done_and_kept() {
    let mut backend = Backend::start(&Options::default());
    let mut found = Vec::new();
    for (done, key) in ["kill-writer", "full-queue", "no-such"].into_iter().enumerate() {
        backend.send(Command::Failures(LabCommand::Run(key.into())));
        let deadline = Instant::now() + Duration::from_mins(1);
        while found.len() <= done {
            assert!(Instant::now() < deadline, "not within 60 s: {key}");
            let _ = backend.bell().recv_timeout(Duration::from_millis(100));
            backend.poll(|update| {
                if let Update::Failures(progress) = update {
                    found.clone_from(&progress.value.found);
                }
            });
        }
    }
    let seen = |key: &str| found.iter().find(|(known, _)| **known == *key).unwrap().1.as_ref();
    assert_eq!(seen("kill-writer").unwrap().as_documented(), Some(true));
    assert_eq!(seen("full-queue").unwrap().as_documented(), Some(true));
    assert!(seen("no-such").unwrap_err().what.contains("no-such"));
    drop(backend);
    assert_eq!(workers(), Vec::<i32>::new());
}

fn two_threads_are_one_worker() {
    let transports = ["pipe", "rtrb"].map(str::to_owned).to_vec();
    let mut lab = Lab::run(IpcSpec { transports, size: 64, ..spec() });
    let seen = lab.until_measured("all measured");
    assert_eq!((seen.value.cost.processes, workers().len()), (3, 3));
    let rtrb = workers()[2];
    assert_eq!(std::fs::read_dir(format!("/proc/{rtrb}/task")).unwrap().count(), 2, "its two sides are threads");
    assert!(seen.value.series[1].fill.is_none(), "nothing outside can look into it");
    kill(Pid::from_raw(rtrb), Signal::SIGKILL).unwrap();
    let failed = |p: &IpcProgress| matches!(&p.series[1].state, LabState::Failed(f) if f.what.contains("SIGKILL"));
    lab.until("its death is told", failed);
}

fn settings_change_while_it_runs() {
    let mut lab = Lab::run(spec());
    lab.until_measured("all measured");
    let before = workers();
    // Another size needs no other channels.
    lab.ask(IpcSpec { size: 64, ..spec() });
    let seen = lab.until("measured at 64 B", |progress| {
        progress.spec.as_ref().is_some_and(|spec| spec.size == 64) && progress.series.iter().all(measured)
    });
    for series in &seen.value.series {
        let last = series.throughput.last().unwrap();
        assert!((last.bytes_per_s / last.messages_per_s - 64.0).abs() < 1e-6, "figures of the new size only");
    }
    assert_eq!(workers(), before);
    // One transport less ends its workers only.
    let fewer = ["pipe", "memfd_ring"].map(str::to_owned).to_vec();
    lab.ask(IpcSpec { transports: fewer.clone(), size: 64, ..spec() });
    lab.until("two lines", |progress| progress.series.len() == 2);
    assert_eq!(workers(), [&before[..2], &before[4..]].concat());
    // Another way to wait needs other channels.
    lab.ask(IpcSpec { transports: fewer, size: 64, wait: Some(Waiting::Spin), ..spec() });
    let seen = lab.until("measured spinning", |progress| {
        progress.series.len() == 2
            && progress.series.iter().all(|s| measured(s) && s.channel.is_some_and(|c| c.wait == Waiting::Spin))
    });
    assert_eq!(seen.value.spec.as_ref().unwrap().wait, Some(Waiting::Spin));
    assert_eq!(workers().len(), 4);
}

fn stopping_works_at_once() {
    for hang in [false, true] {
        let mut lab = Lab::run(spec());
        lab.until_measured("all measured");
        if hang {
            kill(Pid::from_raw(workers()[3]), Signal::SIGSTOP).unwrap();
            std::thread::sleep(Duration::from_millis(300));
        }
        let asked = Instant::now();
        lab.backend.send(Command::Ipc(LabCommand::Stop));
        lab.until("idle", |progress| progress.state == LabState::Idle);
        println!("    stopped after {:?}", asked.elapsed());
        assert_eq!(workers(), Vec::<i32>::new());
    }
}

fn a_dead_worker_is_named() {
    let mut lab = Lab::run(spec());
    lab.until_measured("all measured");
    let victim = workers()[1];
    kill(Pid::from_raw(victim), Signal::SIGKILL).unwrap();
    let failed = |series: &Series| match &series.state {
        LabState::Failed(fault) => Some(fault.to_string()),
        _ => None,
    };
    let seen = lab.until("the pipe failed", |progress| failed(&progress.series[0]).is_some());
    let why = failed(&seen.value.series[0]).unwrap();
    assert!(why.contains("pipe sender") && why.contains(&victim.to_string()) && why.contains("SIGKILL"), "{why}");
    let points = seen.value.series[1].throughput.len();
    lab.until("the others go on", |p| p.series[1].throughput.len() > points && p.series[2].state == LabState::Running);
}

fn a_stopped_worker_is_named() {
    let mut lab = Lab::run(spec());
    lab.until_measured("all measured");
    kill(Pid::from_raw(workers()[4]), Signal::SIGSTOP).unwrap();
    let stopped = Instant::now();
    let seen = lab.until("the ring failed", |progress| matches!(progress.series[2].state, LabState::Failed(_)));
    println!("    named after {:?}", stopped.elapsed());
    let points = seen.value.series[0].throughput.len();
    lab.until("the others go on", |progress| progress.series[0].throughput.len() > points);
}

/// The kernel announces a message after it has queued it: the announcement may
/// find a worker that has read the message and is at work already.
fn a_late_wake_up_ends_no_worker() {
    let mut lab = Lab::run(spec());
    let seen = lab.until_measured("all measured");
    let points: Vec<usize> = seen.value.series.iter().map(|s| s.throughput.len()).collect();
    let before = workers();
    for _ in 0..200 {
        for pid in &before {
            kill(Pid::from_raw(*pid), Signal::SIGIO).unwrap();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    lab.until("all go on", |progress| {
        progress.series.iter().zip(&points).all(|(s, n)| measured(s) && s.throughput.len() > n + 3)
    });
    assert_eq!(workers(), before, "the same workers");
}

fn bursts_cost_little() {
    let mut lab = Lab::run(IpcSpec { placement: Placement::default(), ..IpcSpec::overview() });
    let resting = |p: &IpcProgress, n| p.state == LabState::Resting && p.series.iter().all(|s| s.throughput.len() >= n);
    let begin = lab.until("bursts", |progress| resting(progress, 2));
    let end = lab.until("five bursts more", |progress| resting(progress, 7));
    let cpu = (end.value.cost.cpu_time - begin.value.cost.cpu_time).as_secs_f64();
    let share = cpu / (end.at - begin.at).as_secs_f64();
    println!("    the workers use {:.2} % of a CPU", share * 100.0);
    assert!(share > 0.0 && share < 0.1, "{share}");
}

fn what_is_unknown_fails_in_its_own_line() {
    let mut lab = Lab::run(IpcSpec { transports: vec!["carrier_pigeon".into(), "pipe".into()], ..spec() });
    let seen = lab.until("the pipe runs", |progress| progress.series.get(1).is_some_and(measured));
    match &seen.value.series[0].state {
        LabState::Failed(fault) => assert!(fault.what.contains("memfd_ring"), "{fault}"),
        other => panic!("{other:?}"),
    }
    lab.ask(IpcSpec { transports: vec!["carrier_pigeon".into()], ..spec() });
    lab.until("nothing runs", |progress| progress.series.len() == 1 && progress.cost.processes == 0);
    lab.ask(spec());
    lab.until_measured("a change helps");
}
