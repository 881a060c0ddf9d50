//! What `syncscope why` costs, beside a minimal C loop that makes the same
//! reads and decides nothing; how long a person waits for the answer; and what
//! the analysis alone takes.
//!
//! ```text
//! cargo bench --bench why [-- --program FILE]
//! ```
//!
//! The threads of one process wait for each other's mutexes in a ring: every one
//! of them has to be read twice. CPU time is that of the whole process, from
//! exec to exit, by `getrusage(2)`; both take turns. `collect` is what the survey
//! alone takes in this process, with all that it decides, but without the start of a
//! program and the printing.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use syncscope::backend::observe::graph::{Node, analyse};
use syncscope::backend::observe::survey;
use syncscope::model::Pid;
use syncscope::model::graph::ThreadId;
use syncscope::model::wait::{Holder, Wait, WaitKind};

const TURNS: usize = 15;
const THREADS: [u32; 4] = [1, 250, 1_000, 4_000];

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let given = words.iter().position(|word| word == "--program").and_then(|at| words.get(at + 1));
    let program = given.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_syncscope")), PathBuf::from);
    let (ring, minimal) = (build("ring"), build("loop"));
    println!(
        "{:<24} {:>8} {:>8} {:>6} {:>11} {:>6} {:>12} {:>12}",
        "", "CPU ms", "loop ms", "ratio", "collect ms", "ratio", "wall p50 ms", "wall max ms"
    );
    let mut surveyor = survey::open(Path::new("/proc")).unwrap();
    for threads in THREADS {
        let target = Ring::start(&ring, threads);
        let pid = target.0.id().to_string();
        let (mut ours, mut theirs, mut alone) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TURNS {
            ours.push(cost(Command::new(&program).args(["why", &pid])));
            theirs.push(cost(Command::new(&minimal).arg(&pid)));
            let before = used(UsageWho::RUSAGE_SELF);
            black_box(surveyor.why(&[target.0.id() as Pid]));
            alone.push(used(UsageWho::RUSAGE_SELF).saturating_sub(before));
        }
        let cpu = |turns: &[(Duration, Duration)]| median(turns.iter().map(|(cpu, _)| *cpu).collect());
        let walls: Vec<Duration> = ours.iter().map(|(_, wall)| *wall).collect();
        let (own, floor, alone) = (cpu(&ours), cpu(&theirs), median(alone));
        let times = |time: Duration| time.as_secs_f64() / floor.as_secs_f64();
        let (wall, longest) = (median(walls.clone()), walls.into_iter().max().unwrap());
        let name = format!("a ring of {threads} threads");
        println!(
            "{name:<24} {:>8.2} {:>8.2} {:>6.2} {:>11.2} {:>6.2} {:>12.2} {:>12.2}",
            ms(own),
            ms(floor),
            times(own),
            ms(alone),
            times(alone),
            ms(wall),
            ms(longest)
        );
    }
    println!();
    for count in [1_000, 2_000, 20_000] {
        println!("analysis of a ring of {count:<6} {:>10.3} ms", ms(analysis(count)));
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn median(mut values: Vec<Duration>) -> Duration {
    values.sort_unstable();
    values[values.len() / 2]
}

/// CPU and wall time of a command.
fn cost(command: &mut Command) -> (Duration, Duration) {
    let (before, began) = (used(UsageWho::RUSAGE_CHILDREN), Instant::now());
    command.stdin(Stdio::null()).stdout(Stdio::null()).status().unwrap();
    (used(UsageWho::RUSAGE_CHILDREN).saturating_sub(before), began.elapsed())
}

fn used(by: UsageWho) -> Duration {
    let usage = getrusage(by).unwrap();
    let time = usage.user_time() + usage.system_time();
    Duration::new(time.tv_sec().cast_unsigned(), time.tv_usec() as u32 * 1_000)
}

fn analysis(count: Pid) -> Duration {
    let waits: Vec<Wait> = (0..count)
        .map(|at| {
            let next = (at + 1) % count;
            let holders = vec![Holder { pid: 1, tid: Some(next) }];
            Wait { holders, ..Wait::new(WaitKind::PthreadMutex, "mutex") }
        })
        .collect();
    let node = |(at, wait): (usize, &'_ Wait)| (ThreadId { pid: 1, tid: at as Pid }, wait.clone());
    let owned: Vec<(ThreadId, Wait)> = waits.iter().enumerate().map(node).collect();
    let nodes: Vec<Node<'_>> =
        owned.iter().map(|(id, wait)| Node { id: *id, wait: Some(wait), ended: false, settled: true }).collect();
    let times = (0..TURNS).map(|_| {
        let began = Instant::now();
        black_box(analyse(black_box(&nodes)));
        began.elapsed()
    });
    median(times.collect())
}

/// Compiles one of the C programs beside this file.
fn build(name: &str) -> PathBuf {
    let source = format!("{}/benches/why/{name}.c", env!("CARGO_MANIFEST_DIR"));
    let binary = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{name}"));
    assert!(Command::new("cc").args(["-O2", "-pthread", "-o"]).arg(&binary).arg(source).status().unwrap().success());
    binary
}

/// A ring of threads; it ends with whoever started it.
struct Ring(Child);

impl Ring {
    fn start(program: &PathBuf, threads: u32) -> Self {
        let mut child =
            Command::new(program).arg(threads.to_string()).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        // All of them block at once, but for the time it takes to get there.
        std::thread::sleep(Duration::from_millis(200));
        Ring(child)
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
