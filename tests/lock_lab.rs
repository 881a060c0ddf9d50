//! The lock lab as a face uses it: started, changed and stopped through
//! commands, with a real worker, which is this program itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::ExitCode;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use syncscope::backend::lab::locks::LockLab;
use syncscope::backend::lab::run_headless;
use syncscope::backend::{Command, Update};
use syncscope::model::lab::{Burst, LabCommand, LabState};
use syncscope::model::lock::{
    LockProgress, LockSetting, LockSpec, Measure, Order, Pinning, Priority, Several, Sweep, Trace, diagnose,
};
use syncscope::model::{Fault, Nanos};

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("worker") {
        return syncscope::cli::main();
    }
    for (name, test) in [
        ("what_runs_is_shown_and_stops", what_runs_is_shown_and_stops as fn()),
        ("settings_change_in_the_running_worker", settings_change_in_the_running_worker),
        ("another_lock_takes_another_worker", another_lock_takes_another_worker),
        ("a_long_hold_is_seen_while_it_lasts", a_long_hold_is_seen_while_it_lasts),
        ("bursts_rest_in_between", bursts_rest_in_between),
        ("what_cannot_run_is_a_fault", what_cannot_run_is_a_fault),
        ("any_order_is_warned_of_and_its_deadlock_named", any_order_is_warned_of_and_its_deadlock_named),
        ("one_order_is_never_warned_of", one_order_is_never_warned_of),
        ("a_curve_fills_point_by_point", a_curve_fills_point_by_point),
        ("the_steps_of_waits_add_up", the_steps_of_waits_add_up),
        ("who_runs_in_the_holders_place_is_named", who_runs_in_the_holders_place_is_named),
        (
            "urgent_threads_leave_a_cpu_free_or_the_limit_is_named",
            urgent_threads_leave_a_cpu_free_or_the_limit_is_named,
        ),
    ] {
        test();
        println!("test {name} ... ok");
    }
    ExitCode::SUCCESS
}

struct Lab {
    commands: Sender<Command>,
    updates: Receiver<Update>,
    thread: JoinHandle<Result<(), Fault>>,
}

impl Lab {
    fn start(spec: LockSpec) -> Self {
        let (commands, inbox) = unbounded();
        let (sender, updates) = unbounded();
        let thread = std::thread::spawn(move || run_headless::<LockLab>(spec, inbox, sender));
        Lab { commands, updates, thread }
    }

    fn send(&self, spec: &LockSpec) {
        self.commands.send(Command::Locks(LabCommand::Run(spec.clone()))).unwrap();
    }

    fn wait(&self, what: &str, mut wanted: impl FnMut(&LockProgress) -> bool) -> LockProgress {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            match self.updates.recv_deadline(deadline) {
                Ok(Update::Locks(progress)) if wanted(&progress.value) => return progress.value.clone(),
                Ok(_) => {}
                Err(error) => panic!("{what}: {error}"),
            }
        }
    }

    fn stop(self) {
        self.commands.send(Command::Locks(LabCommand::Stop)).unwrap();
        self.thread.join().unwrap().unwrap();
        assert_eq!(workers(), Vec::<String>::new(), "left");
    }
}

/// The command lines of our children that are workers; the janitor stays.
fn workers() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let children = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let pids: Vec<_> = children.flat_map(|pids| pids.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
    let lines = pids.iter().filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/cmdline")).ok());
    lines.filter(|line| line.contains("worker") && !line.contains("janitor")).collect()
}

fn setting(of: &LockProgress) -> Option<LockSetting> {
    of.subject.as_ref().map(|subject| subject.spec.setting)
}

fn what_runs_is_shown_and_stops() {
    let spec = LockSpec { threads: 3, ..LockSpec::default() };
    let lab = Lab::start(spec.clone());
    let progress = lab.wait("figures", |p| p.state == LabState::Running && p.figures.acquisitions() > 1_000);
    let subject = progress.subject.unwrap();
    assert_eq!(subject.spec, spec);
    assert_eq!(progress.cost.processes, 1);
    assert!(progress.cost.cpu_time > Nanos::ZERO);
    assert_eq!(progress.figures.recent.len(), 3);
    assert_eq!(progress.figures.handoffs.as_ref().map(Vec::len), Some(3));
    assert_eq!(workers().len(), 1, "while it runs there is one");
    let lanes = progress.lanes.unwrap();
    assert_eq!(lanes.threads.len(), 3);
    assert!(lanes.span > Nanos::ZERO && lanes.span <= spec.setting.window);
    for lane in &lanes.threads {
        for a in lane {
            assert!(a.wanted <= a.got && a.got <= a.released && a.released <= lanes.span.0, "{a:?} of {}", lanes.span);
        }
        assert!(lane.windows(2).all(|pair| pair[0].released <= pair[1].wanted), "{lane:?}");
    }
    for _ in 0..20 {
        let lanes = lab.wait("lanes", |p| p.lanes.is_some()).lanes.unwrap();
        let mut holds: Vec<_> = lanes.threads.iter().flatten().filter(|a| a.got < a.released).collect();
        holds.sort_by_key(|a| a.got);
        for pair in holds.windows(2) {
            assert!(pair[0].released <= pair[1].got, "two threads are drawn as holders: {pair:?}");
        }
    }
    lab.stop();
}

fn settings_change_in_the_running_worker() {
    let spec = LockSpec { threads: 2, ..LockSpec::default() };
    let lab = Lab::start(spec.clone());
    let before = lab.wait("figures", |p| p.figures.measured > Nanos::from_millis(300));
    let longer = LockSetting { hold: Nanos(50_000), ..spec.setting };
    lab.send(&LockSpec { setting: longer, ..spec.clone() });
    let after = lab.wait("the longer hold", |p| setting(p) == Some(longer) && p.figures.acquisitions() > 10);
    // Preemption makes a hold longer, never shorter.
    let held = after.figures.held.unwrap().quantiles;
    assert!(held.p50 > Nanos(30_000), "{held:?}");
    assert!(after.cost.cpu_time > before.cost.cpu_time, "it is the same worker");
    let off = LockSetting { trace: Trace::Off, ..longer };
    lab.send(&LockSpec { setting: off, ..spec });
    let bare = lab.wait("recording off", |p| setting(p) == Some(off) && p.figures.acquisitions() > 10);
    assert_eq!((bare.lanes, bare.figures.wait, bare.recording.cost), (None, None, None));
    assert_eq!(bare.recording.recorded, 0);
    lab.stop();
}

fn another_lock_takes_another_worker() {
    let spec = LockSpec { threads: 2, ..LockSpec::default() };
    let lab = Lab::start(spec.clone());
    lab.wait("figures", |p| p.figures.acquisitions() > 0);
    let futex = LockSpec { lock: "futex_mutex".to_owned(), threads: 4, ..spec };
    lab.send(&futex);
    let progress = lab.wait("the other lock", |p| p.subject.as_ref().is_some_and(|s| s.spec == futex));
    assert!(progress.figures.futex_calls.is_some());
    assert_eq!(progress.figures.per_thread.len(), 4);
    lab.stop();
}

fn a_long_hold_is_seen_while_it_lasts() {
    let setting = LockSetting { hold: Nanos::from_secs(1), window: Nanos::from_secs(1), ..LockSetting::default() };
    let lab = Lab::start(LockSpec { threads: 4, setting, ..LockSpec::default() });
    let progress = lab.wait("a holder and three that want", |p| {
        let Some(lanes) = &p.lanes else { return false };
        let last = |lane: &Vec<_>| lane.last().copied();
        let at_end = lanes.threads.iter().filter_map(last).filter(|a| a.released == lanes.span.0);
        let (wanting, holding): (Vec<_>, Vec<_>) = at_end.partition(|a| a.got == lanes.span.0);
        wanting.len() == 3 && holding.len() == 1
    });
    assert!(progress.figures.longest.is_some_and(|longest| longest.still && longest.waited > Nanos::ZERO));
    lab.stop();
}

fn bursts_rest_in_between() {
    let burst = Burst { on: Nanos::from_millis(5), every: Nanos::from_millis(100) };
    let lab = Lab::start(LockSpec { burst: Some(burst), ..LockSpec::default() });
    let first = lab.wait("a burst", |p| p.state == LabState::Resting && p.figures.acquisitions() > 0);
    let second = lab.wait("another", |p| p.figures.acquisitions() > first.figures.acquisitions());
    assert!(second.figures.measured > first.figures.measured);
    assert!(second.lanes.is_some_and(|lanes| lanes.threads.iter().any(|lane| !lane.is_empty())));
    lab.stop();
}

fn what_cannot_run_is_a_fault() {
    let lab = Lab::start(LockSpec { threads: 10_000, ..LockSpec::default() });
    let fault = lab.thread.join().unwrap().unwrap_err();
    assert!(fault.to_string().contains("from 1 to 256"), "{fault}");
}

fn several(lock: &str, order: Order, hold: Nanos) -> LockSpec {
    let setting = LockSetting { hold, think: Nanos::ZERO, ..LockSetting::default() };
    let several = Some(Several { locks: 3, take: 2, order });
    LockSpec { lock: lock.to_owned(), threads: 4, setting, several, ..LockSpec::default() }
}

fn any_order_is_warned_of_and_its_deadlock_named() {
    for order in [Order::Random, Order::Rotating] {
        let spec = several("pthread", order, Nanos(20_000));
        let lab = Lab::start(spec.clone());
        let before = lab.wait("a warning", |p| p.order.as_ref().is_some_and(|order| order.inversion.is_some()));
        let inversion = before.order.unwrap().inversion.unwrap();
        assert_eq!(before.state, LabState::WarmUp, "before anybody contends");
        assert!(inversion.rehearsed && inversion.words().contains(" holding L"), "{inversion:?}");
        let stuck = |p: &LockProgress| p.order.as_ref().is_some_and(|order| order.deadlock.is_some());
        let deadlock = lab.wait("a deadlock", stuck).order.unwrap().deadlock.unwrap();
        let names: Vec<_> = deadlock.circle.iter().map(|stuck| stuck.thread).collect();
        let next = |at: usize| deadlock.circle[(at + 1) % deadlock.circle.len()].thread;
        assert!(deadlock.circle.iter().enumerate().all(|(at, stuck)| stuck.holder == next(at)), "{deadlock:?}");
        for thread in names {
            let line = deadlock.chain.iter().find(|line| line.starts_with(&format!("contender {thread}: deadlocked")));
            assert!(line.is_some_and(|line| line.contains("held by contender")), "{deadlock:#?}");
        }
        // It lives in a child: another setting takes another one.
        let ascending = several("pthread", Order::Ascending, Nanos(20_000));
        lab.send(&ascending);
        lab.wait("what comes after", |p| {
            p.subject.as_ref().is_some_and(|s| s.spec == ascending) && p.figures.acquisitions() > 100 && !stuck(p)
        });
        lab.send(&LockSpec { setting: LockSetting { tries: true, ..spec.setting }, ..spec });
        let tried = lab
            .wait("who tries and lets go", |p| setting(p).is_some_and(|s| s.tries) && p.figures.acquisitions() > 100);
        assert_eq!(tried.order.unwrap().deadlock, None);
        lab.stop();
    }
}

fn one_order_is_never_warned_of() {
    let measure = Some(Measure { each: Nanos::from_millis(200), repeats: 1 });
    let lab = Lab::start(LockSpec { measure, ..several("std_mutex", Order::Ascending, Nanos(500)) });
    let done = lab.wait("the end", |p| p.state == LabState::Done);
    let order = done.order.unwrap();
    assert_eq!((order.pairs, order.inversion, order.deadlock), (3, None, None));
    assert!(done.figures.acquisitions() > 0 && done.invariants[0].checked >= 2 * done.figures.acquisitions());
    assert_eq!(done.invariants[0].violations, 0);
    let handed: u64 = done.figures.handoffs.unwrap().iter().flatten().sum();
    assert_eq!(handed, 2 * done.figures.per_thread.iter().sum::<u64>(), "each of the two was somebody's before");
    lab.thread.join().unwrap().unwrap();
}

fn a_curve_fills_point_by_point() {
    let locks = vec!["std_mutex".to_owned(), "ticket".to_owned()];
    let sweep = Some(Box::new(Sweep { locks, threads: vec![1, 2] }));
    let measure = Some(Measure { each: Nanos::from_millis(20), repeats: 3 });
    let lab = Lab::start(LockSpec { sweep, measure, ..LockSpec::default() });
    let mut seen = Vec::new();
    let done = lab.wait("the whole curve", |p| {
        seen_points(&mut seen, p);
        p.state == LabState::Done
    });
    let curve = done.curve.unwrap();
    assert_eq!((curve.left(), curve.points.len()), (0, 4));
    assert_eq!(seen, [0, 1, 2, 3, 4], "each is shown when it is known");
    for point in &curve.points {
        assert!(point.rates.len() == 3 && point.median() > Some(0.0) && point.fault.is_none(), "{point:?}");
    }
    assert_eq!(curve.of("ticket").map(|point| point.threads).collect::<Vec<_>>(), [1, 2]);
    lab.thread.join().unwrap().unwrap();
}

fn seen_points(seen: &mut Vec<usize>, progress: &LockProgress) {
    let Some(curve) = &progress.curve else { return };
    if seen.last() != Some(&curve.points.len()) {
        seen.push(curve.points.len());
    }
}

fn the_steps_of_waits_add_up() {
    let measure = Some(Measure { each: Nanos::from_millis(200), repeats: 1 });
    let lab = Lab::start(LockSpec { lock: "condvar_all".to_owned(), measure, ..LockSpec::default() });
    let steps = lab.wait("the end", |p| p.state == LabState::Done).steps.unwrap();
    let [looked, slept, woken, back, again] = steps.passed;
    assert!(looked > 0 && looked == slept && back == again && slept == back, "{steps:?}");
    assert_eq!(woken + steps.timeouts, back, "who was not woken ran out of time");
    assert!(steps.asleep.is_empty() && steps.lost == 0, "all are at rest: {steps:?}");
    lab.thread.join().unwrap().unwrap();
}

fn who_runs_in_the_holders_place_is_named() {
    let own = syncscope::sys::priority::nice();
    let [urgent, middle, patient] = [own, own + 5, own + 15].map(Priority::Nice);
    if own + 15 > 19 {
        return println!("not tested here: at nice {own} there are not three urgencies below");
    }
    let (hold, think) = (Nanos::from_millis(5), Nanos::from_millis(20));
    let mut spec = LockSpec { threads: 5, ..LockSpec::default() };
    spec.setting = LockSetting { hold, think, ..spec.setting };
    spec.schedule.pinning = Pinning::One;
    spec.schedule.priorities = vec![urgent, middle, middle, middle, patient];
    let lab = Lab::start(spec);
    let progress = lab.wait("an inversion", |p| p.figures.inverted.is_some());
    let seen = progress.figures.inverted.unwrap();
    assert!((1..=seen.looks).contains(&seen.seen) && seen.stalled > Nanos::ZERO, "{seen:?}");
    let [waiter, holder, between] = [seen.waiter, seen.holder, seen.middle];
    // One of those in the middle may wait for the most patient, but nobody runs between.
    assert_eq!([waiter.priority, holder.priority, between.priority], [urgent, patient, middle], "{seen:?}");
    assert_eq!((waiter.thread, holder.thread), (0, 4));
    let told = diagnose(&progress.figures).remove(0);
    assert!(told.name == "priority inversion" && told.seen.starts_with("t0 (nice "), "{told:?}");
    lab.stop();
}

fn urgent_threads_leave_a_cpu_free_or_the_limit_is_named() {
    let mut spec = LockSpec { threads: 3, ..LockSpec::default() };
    spec.schedule.priorities = vec![Priority::Fifo(1)];
    spec.measure = Some(Measure { each: Nanos::from_millis(50), repeats: 1 });
    let lab = Lab::start(spec);
    let mut last = None;
    while let Ok(Update::Locks(progress)) = lab.updates.recv() {
        last = Some(progress.value.clone());
    }
    match lab.thread.join().unwrap() {
        Ok(()) => assert!(last.unwrap().subject.unwrap().left_free.is_some()),
        Err(fault) => {
            println!("not tested here: {fault}");
            let named = ["RLIMIT_RTPRIO", "cpu.rt_runtime_us", "no CPU for anything else"];
            assert!(named.iter().any(|limit| fault.to_string().contains(limit)), "{fault}");
        }
    }
}
