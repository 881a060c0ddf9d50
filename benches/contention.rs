//! What it costs a program to be observed by `syncscope lock --pid`, and whether
//! anything is lost.
//!
//! ```text
//! cargo bench --bench contention [-- --program FILE] [--only WORD]
//! ```
//!
//! Two threads hand a lock to and fro, with work between, as often as the row
//! says: anywhere, or both on the first CPU, where nothing but what the kernel does
//! for each event stands in their way. The figure is how many rounds they do in a
//! second, observed and not observed in turns. Every program runs by itself and is
//! compared with itself: an observed second with the mean of the two beside it. The
//! ratio is the median of these, in brackets the least and the most.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Observed seconds, with one that is not before and behind each.
const TURNS: usize = 9;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let given = words.iter().position(|word| word == "--program").and_then(|at| words.get(at + 1));
    let only =
        words.iter().position(|word| word == "--only").and_then(|at| words.get(at + 1)).map_or("", String::as_str);
    let program = given.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_syncscope")), PathBuf::from);
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/contention/handoff.c");
    let binary = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("handoff");
    let built = Command::new("cc").args(["-O2", "-pthread", "-o"]).arg(&binary).arg(source).status().unwrap();
    assert!(built.success());
    println!(
        "{:<28} {:>10} {:>10} {:>20} {:>10} {:>6} {:>8}",
        "", "rounds/s", "blocks/s", "ratio", "events/s", "lost", "own CPU"
    );
    // How much work a round has: the more, the fewer blocks.
    for (name, words) in [
        ("seldom blocks", ["free", "200", "any"]),
        ("some 5,000 blocks/s", ["hand", "150000", "any"]),
        ("some 20,000 blocks/s", ["hand", "30000", "any"]),
        ("the same on one CPU", ["hand", "30000", "one"]),
        ("some 50,000 blocks/s", ["hand", "6000", "any"]),
        ("as many as it can", ["hand", "0", "any"]),
        ("the same on one CPU", ["hand", "0", "one"]),
    ] {
        if !only.is_empty() && !name.contains(only) {
            continue;
        }
        row(name, &mut Target::start(&binary, words), &program);
    }
}

fn row(name: &str, target: &mut Target, program: &PathBuf) {
    let (mut ratios, mut blocks, mut events) = (Vec::new(), Vec::new(), Vec::new());
    let (mut lost, mut cpus) = (0, Vec::new());
    let mut before = target.second();
    for _ in 0..TURNS {
        let mut observer = Observer::start(program, target.pid);
        let (observed, observed_blocks) = target.second();
        let end = observer.end();
        let after = target.second();
        ratios.push(observed / f64::midpoint(before.0, after.0));
        blocks.push(observed_blocks);
        events.push(end.0);
        lost += end.1;
        cpus.push(end.2);
        before = after;
    }
    let median = |mut figures: Vec<f64>| {
        figures.sort_by(f64::total_cmp);
        (figures[figures.len() / 2], figures[0], figures[figures.len() - 1])
    };
    let (ratio, least, most) = median(ratios);
    println!(
        "{name:<28} {:>10.0} {:>10.0} {:>20} {:>10.0} {lost:>6} {:>7.1}%",
        before.0,
        median(blocks).0,
        format!("{ratio:.3} ({least:.3} … {most:.3})"),
        median(events).0,
        median(cpus).0 * 100.0
    );
}

/// The program that is observed: it tells rounds and blocks so far when asked.
struct Target {
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    pid: u32,
}

impl Target {
    fn start(binary: &PathBuf, words: [&str; 3]) -> Self {
        let mut child = Command::new(binary).args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        let pid = child.id();
        std::thread::sleep(Duration::from_millis(200));
        Target { child, to, from, pid }
    }

    fn ask(&mut self) -> [f64; 3] {
        writeln!(self.to, "?").unwrap();
        let mut line = String::new();
        self.from.read_line(&mut line).unwrap();
        let numbers: Vec<f64> = line.split_ascii_whitespace().map(|word| word.parse().unwrap()).collect();
        numbers.try_into().unwrap()
    }

    /// Rounds and blocks per second, over one.
    fn second(&mut self) -> (f64, f64) {
        let before = self.ask();
        std::thread::sleep(Duration::from_secs(1));
        let after = self.ask();
        let seconds = (after[2] - before[2]) / 1e9;
        ((after[0] - before[0]) / seconds, (after[1] - before[1]) / seconds)
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Observer(Child, BufReader<ChildStdout>);

impl Observer {
    /// Starts one, and waits until it is at work.
    fn start(program: &PathBuf, pid: u32) -> Self {
        let mut command = Command::new(program);
        command.args(["lock", "--json", "--pid", &pid.to_string(), "--seconds", "2.6"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        lines.read_line(&mut String::new()).unwrap();
        Observer(child, lines)
    }

    /// Events per second, lost ones, and the share of a CPU that it took.
    fn end(&mut self) -> (f64, u64, f64) {
        let mut last = String::new();
        loop {
            let mut line = String::new();
            if self.1.read_line(&mut line).unwrap() == 0 {
                break;
            }
            last = line;
        }
        let value: serde_json::Value = serde_json::from_str(&last).unwrap();
        let seconds = value["seconds"].as_f64().unwrap();
        let number = |key: &str| value[key].as_u64().unwrap_or(0);
        let before = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).unwrap();
        self.0.wait().unwrap();
        let after = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).unwrap();
        let cpu = |usage: nix::sys::resource::Usage| {
            let time = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
            time(usage.user_time()) + time(usage.system_time())
        };
        assert_eq!(value["source"], "sched_events", "{}", value["notes"]);
        // A block and its wake-up.
        let events = 2.0 * (number("waits") + number("other_blocks")) as f64 / seconds;
        (events, number("lost_events"), (cpu(after) - cpu(before)) / seconds)
    }
}
