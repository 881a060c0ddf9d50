//! What the README says about the lock lab's own cost.
//!
//! 1. The unrecorded loop, reached through the erased registry, against a bare
//!    loop of the same lock: both count under the lock, as often, taken in turn,
//!    and the fastest rounds are compared: whatever else runs on the machine
//!    only ever adds. The bare loops know their lock's type, and are compiled for
//!    speed, by `rustc` itself, where the program is compiled for size.
//! 2. What recording adds to an uncontended acquisition, plain and ordered: to one
//!    that follows the one before at once, and to one after work outside. Beside it
//!    what as many readings of the counter add to the same loop where nothing is
//!    written down: alone they take less than between two locked instructions. And
//!    what recording leaves of the throughput where the lock is held for 1 µs.
//! 3. The lab in its worker: how soon a broken lock is caught, how soon a run
//!    stops, what a burst each second costs.
//!
//! `cargo bench --bench locks`; the process is also its own worker. With `soak`
//! behind it, [another thing](soak): 10⁸ acquisitions that nothing flags.

#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

mod soak;

use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use syncscope::backend::lab::locks::{
    A_LITTLE, Contend, LockLab, Pace, Plan, Recorder, Seat, Work, find, recording_cost,
};
use syncscope::backend::lab::run_headless;
use syncscope::backend::{Command, Update};
use syncscope::model::Nanos;
use syncscope::model::lab::{Burst, LabCommand};
use syncscope::model::lock::{LockProgress, LockSetting, LockSpec, Spread};
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
    // The C library takes locks without locked instructions where there is one thread.
    thread::spawn(|| {
        loop {
            thread::park();
        }
    });
    loops();
    recording();
    lab();
    ExitCode::SUCCESS
}

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

/// So many times the bare loop and ours take turns.
const TURNS: usize = 7;

fn loops() {
    let bare = bare_program();
    println!("ns an acquisition, 1 thread, fastest of {TURNS} × {} rounds of {LAPS}", ROUNDS / TURNS);
    for key in ["std_mutex", "parking_lot", "pthread", "tas_spin", "ticket", "std_rwlock"] {
        let Some(primitive) = find(key) else { continue };
        let (mut ours, mut theirs) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..TURNS {
            theirs = theirs.min(match key {
                // This crate is compiled for speed, and what it is put into is as short.
                "parking_lot" => {
                    (0..ROUNDS / TURNS).map(|_| time(|| bare_parking_lot(LAPS))).fold(f64::INFINITY, f64::min)
                }
                _ => bare_rounds(&bare, key),
            });
            // A place is some hundred kilobytes: making it is no part of a round.
            let (subject, seat) = (primitive.contend(1), Seat::new(0, 1));
            for _ in 0..ROUNDS / TURNS {
                ours = ours.min(time(|| erased(&*subject, &seat, LAPS)));
            }
        }
        println!("  {key:<12} bare {theirs:6.2}   erased {ours:6.2}   ratio {:.3}", ours / theirs);
    }
}

/// Compiles the bare loops.
fn bare_program() -> PathBuf {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/locks/bare.rs");
    let binary = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bare");
    let options = ["--edition=2024", "-Copt-level=3", "-o"];
    let built = process::Command::new("rustc").args(options).arg(&binary).arg(source).status().unwrap();
    assert!(built.success());
    binary
}

/// The fastest of its rounds.
fn bare_rounds(program: &Path, key: &str) -> f64 {
    let words = [key.to_owned(), (ROUNDS / TURNS).to_string(), LAPS.to_string()];
    let output = process::Command::new(program).args(words).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap()
}

fn erased(subject: &dyn Contend, seat: &Seat, laps: u64) {
    subject.laps(seat, &Plan::default(), &AtomicBool::new(true), laps);
}

fn time(run: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    run();
    begin.elapsed().as_nanos() as f64 / LAPS as f64
}

fn recording() {
    println!("ns that recording adds to an uncontended acquisition");
    let Some(tsc) = Tsc::invariant() else { return println!("  no invariant TSC here") };
    let (none, plain, ordered) = (|| 0, || tsc.plain(), || tsc.ordered());
    let without = fastest(|| bare_std(LAPS));
    println!("  readings of the counter in the bare loop of std_mutex, nothing written down:");
    println!(
        "    one plain {:.1}   one plain, one ordered {:.1}   two plain {:.1}   two plain, one ordered {:.1}",
        fastest(|| stamped_std(none, none, plain)) - without,
        fastest(|| stamped_std(none, ordered, plain)) - without,
        fastest(|| stamped_std(plain, none, plain)) - without,
        fastest(|| stamped_std(plain, ordered, plain)) - without
    );
    for key in ["std_mutex", "parking_lot", "ttas_spin", "std_rwlock"] {
        let Some(primitive) = find(key) else { continue };
        let cost = |recorder, outside| recording_cost(primitive, recorder, outside).0;
        for (name, outside) in [("at once", Work::default()), ("after work outside", A_LITTLE)] {
            println!(
                "  {key:<12} {name:<20} plain {:3}   ordered {:3}   CLOCK_MONOTONIC {:3}",
                cost(Recorder::Plain(tsc), outside),
                cost(Recorder::Ordered(tsc), outside),
                cost(Recorder::Kernel, outside)
            );
        }
    }
    held(tsc);
}

/// The share of the throughput that recording leaves where the lock is held for
/// 1 µs: the fastest rounds of each.
fn held(tsc: Tsc) {
    const SHORT: u64 = 2_000;
    let hold = Pace::calibrate().work(Nanos(1_000), Spread::Fixed);
    for key in ["std_mutex", "parking_lot"] {
        let Some(primitive) = find(key) else { continue };
        let recorders = [Recorder::Off, Recorder::Plain(tsc), Recorder::Ordered(tsc)];
        let subjects = recorders.map(|recorder| {
            (primitive.contend(1), Seat::new(0, 1), Plan { recorder, hold, ..Plan::default() }, f64::INFINITY)
        });
        let mut rows = subjects;
        let go_on = AtomicBool::new(true);
        for _ in 0..ROUNDS {
            for (subject, seat, plan, fastest) in &mut rows {
                *fastest = fastest.min(time(|| subject.laps(seat, plan, &go_on, SHORT)) * LAPS as f64 / SHORT as f64);
            }
        }
        let [off, plain, ordered] = rows.map(|(.., fastest)| fastest);
        println!(
            "  {key:<12} held for 1 µs: {off:.0} ns a lap, throughput plain {:.3}   ordered {:.3}",
            off / plain,
            off / ordered
        );
    }
}

fn fastest(run: impl Fn()) -> f64 {
    (0..ROUNDS).map(|_| time(&run)).fold(f64::INFINITY, f64::min)
}

/// The bare loop with these readings, which nobody keeps: where the lock is asked
/// for, where it is got, where it is let go.
fn stamped_std(wanted: impl Fn() -> u64, got: impl Fn() -> u64, released: impl Fn() -> u64) {
    let lock = black_box(std::sync::Mutex::new(0_u64));
    for _ in 0..LAPS {
        black_box(wanted());
        let mut held = lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        black_box(got());
        *held += 1;
        black_box(released());
    }
    black_box(lock);
}

/// A lab that runs on a thread of its own.
struct Running {
    commands: Sender<Command>,
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
        let _ = self.commands.send(Command::Locks(LabCommand::Stop));
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
