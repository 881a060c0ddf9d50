//! What the README says about the lock lab's own cost.
//!
//! 1. The unrecorded loop, reached through the erased registry, against a bare
//!    loop of the same lock: both count under the lock, as often, taken in turn,
//!    and the fastest rounds are compared: whatever else runs on the machine
//!    only ever adds. The bare loops know their lock's type.
//! 2. What recording adds to an uncontended acquisition, plain and ordered, beside
//!    what three readings of the counter add to the same loop where nothing is
//!    written down: alone they take less than between two locked instructions.
//! 3. The lab in its worker: how soon a broken lock is caught, how soon a run
//!    stops, what a burst each second costs.
//!
//! `cargo bench --bench locks`; the process is also its own worker. With `soak`
//! behind it, [another thing](soak): 10⁸ acquisitions that nothing flags.

mod soak;

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use syncscope::backend::Update;
use syncscope::backend::lab::locks::{Contend, LockLab, Plan, Recorder, Seat, find, recording_cost};
use syncscope::backend::lab::run_headless;
use syncscope::model::Nanos;
use syncscope::model::lab::{Burst, LabCommand};
use syncscope::model::lock::{LockProgress, LockSetting, LockSpec};
use syncscope::sys::tsc::Tsc;

const LAPS: u64 = 100_000;
const ROUNDS: usize = 301;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("worker") {
        return syncscope::cli::main();
    }
    // Cargo adds `--bench` to what follows `--`.
    let typed: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    if typed.first().is_some_and(|word| word == "soak") {
        let number =
            |index: usize, or| typed.get(index).and_then(|word| word.replace('_', "").parse().ok()).unwrap_or(or);
        return soak::soak(number(1, 100_000_000), number(2, 4) as usize);
    }
    loops();
    recording();
    lab();
    ExitCode::SUCCESS
}

/// A bare loop: takes the lock, adds one, lets it go.
type Bare = fn(laps: u64);

const BARE: [(&str, Bare); 2] = [("std_mutex", bare_std), ("parking_lot", bare_parking_lot)];

fn bare_std(laps: u64) {
    let lock = black_box(std::sync::Mutex::new(0_u64));
    for _ in 0..laps {
        *lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner) += 1;
    }
    black_box(lock);
}

fn bare_parking_lot(laps: u64) {
    let lock = black_box(parking_lot::Mutex::new(0_u64));
    for _ in 0..laps {
        *lock.lock() += 1;
    }
    black_box(lock);
}

fn loops() {
    println!("ns an acquisition, 1 thread, fastest of {ROUNDS} rounds of {LAPS}");
    for (key, bare) in BARE {
        let Some(primitive) = find(key) else { continue };
        let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..ROUNDS {
            theirs = theirs.min(time(|| bare(LAPS)));
            let subject = primitive.contend(1);
            ours = ours.min(time(|| erased(&*subject, LAPS)));
        }
        println!("  {key:<12} bare {theirs:6.2}   erased {ours:6.2}   ratio {:.3}", ours / theirs);
    }
}

fn erased(subject: &dyn Contend, laps: u64) {
    subject.laps(&Seat::new(0, 1), &Plan::default(), &AtomicBool::new(true), laps);
}

fn time(run: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    run();
    begin.elapsed().as_nanos() as f64 / LAPS as f64
}

fn recording() {
    println!("ns that recording adds to an uncontended acquisition");
    let Some(tsc) = Tsc::invariant() else { return println!("  no invariant TSC here") };
    let (plain, ordered) = (|| tsc.plain(), || tsc.ordered());
    println!(
        "  three readings of the counter alone: plain {:.0}, one ordered {:.0}",
        fastest(|| three_readings(plain, plain)),
        fastest(|| three_readings(plain, ordered))
    );
    let without = fastest(|| bare_std(LAPS));
    println!(
        "  the same in the bare loop of std_mutex: plain {:.0}, one ordered {:.0}",
        fastest(|| stamped_std(plain, plain)) - without,
        fastest(|| stamped_std(plain, ordered)) - without
    );
    for key in ["std_mutex", "parking_lot", "ttas_spin"] {
        let Some(primitive) = find(key) else { continue };
        let cost = |recorder| recording_cost(primitive, recorder).0;
        println!(
            "  {key:<12} plain {:3}   ordered {:3}   CLOCK_MONOTONIC {:3}",
            cost(Recorder::Plain(tsc)),
            cost(Recorder::Ordered(tsc)),
            cost(Recorder::Kernel)
        );
    }
}

fn fastest(run: impl Fn()) -> f64 {
    (0..ROUNDS).map(|_| time(&run)).fold(f64::INFINITY, f64::min)
}

/// What no recorder can do without: a reading where the lock is asked for, one
/// where it is got, one where it is let go.
fn three_readings(now: impl Fn() -> u64, got: impl Fn() -> u64) {
    for _ in 0..LAPS {
        black_box((now(), got(), now()));
    }
}

/// The bare loop with these readings, which nobody keeps.
fn stamped_std(now: impl Fn() -> u64, got: impl Fn() -> u64) {
    let lock = black_box(std::sync::Mutex::new(0_u64));
    for _ in 0..LAPS {
        black_box(now());
        let mut held = lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        black_box(got());
        *held += 1;
        black_box(now());
    }
    black_box(lock);
}

/// A lab that runs on a thread of its own.
struct Running {
    commands: Sender<LabCommand<LockSpec>>,
    updates: Receiver<Update>,
    thread: thread::JoinHandle<()>,
}

impl Running {
    fn start(spec: LockSpec) -> Self {
        let (commands, inbox) = unbounded();
        let (sender, updates) = unbounded();
        let run = move || {
            if let Err(fault) = run_headless::<LockLab>(spec, inbox, sender) {
                println!("  {fault}");
            }
        };
        Running { commands, updates, thread: thread::spawn(run) }
    }

    /// The first progress that is as wanted, within ten seconds.
    fn wait(&self, wanted: impl Fn(&LockProgress) -> bool) -> Option<LockProgress> {
        self.wait_for(Duration::from_secs(10), wanted)
    }

    /// The first progress that is as wanted, within so long.
    fn wait_for(&self, at_most: Duration, wanted: impl Fn(&LockProgress) -> bool) -> Option<LockProgress> {
        let deadline = Instant::now() + at_most;
        loop {
            match self.updates.recv_deadline(deadline) {
                Ok(Update::Locks(progress)) if wanted(&progress.value) => return Some(progress.value.clone()),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// How long stopping takes, the worker being gone included.
    fn stop(self) -> Duration {
        let begin = Instant::now();
        // It may have ended already.
        let _ = self.commands.send(LabCommand::Stop);
        let _ = self.thread.join();
        begin.elapsed()
    }
}

fn lab() {
    let setting = LockSetting { hold: Nanos::ZERO, think: Nanos::ZERO, ..LockSetting::default() };
    let begin = Instant::now();
    let broken =
        Running::start(LockSpec { lock: "broken_flag".to_owned(), threads: 2, setting, ..LockSpec::default() });
    let caught = broken.wait(|progress| progress.invariants.iter().any(|i| i.violations > 0));
    println!("broken_flag caught after {:?}: {}", begin.elapsed(), caught.is_some());
    broken.stop();

    for (threads, lock) in [(8, "std_mutex"), (256, "ttas_spin"), (256, "ticket")] {
        let run = Running::start(LockSpec { lock: lock.to_owned(), threads, setting, ..LockSpec::default() });
        run.wait(|progress| progress.figures.acquisitions() > 0);
        println!("{lock} with {threads} threads stopped after {:?}", run.stop());
    }

    let burst = Some(Burst { on: Nanos::from_millis(4), every: Nanos::from_secs(1) });
    let run = Running::start(LockSpec { burst, ..LockSpec::default() });
    let cost = |progress: Option<LockProgress>| progress.map_or(Nanos::ZERO, |p| p.cost.cpu_time);
    let (first, begin) = (cost(run.wait(|p| p.figures.acquisitions() > 0)), Instant::now());
    let mut last = first;
    for _ in 0..5 {
        last = cost(run.wait(|_| true));
    }
    let share = (last - first).as_secs_f64() / begin.elapsed().as_secs_f64();
    println!("a burst of 4 ms each second, 4 threads: {:.2} % of one CPU", share * 100.0);
    run.stop();
}
