//! How long a person waits: for the first frame, for a key's effect, and for the
//! first counts of a litmus test whose file was saved.
//!
//! The program runs in a pseudo-terminal of 200 × 60. A key moves the selection
//! by a row; its effect is there when the row in the selection's colour is
//! another. The table is sorted by pid, so that nothing else moves it. A saved
//! test has another name each time; its counts are there when the screen shows
//! that name and outcomes.
//!
//! ```text
//! cargo bench --bench latency [-- --program FILE] [--only start|key|save]
//! ```
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

mod crowd;
#[path = "pty/eye.rs"]
mod eye;
#[expect(dead_code, reason = "other benches use more of it")]
mod pty;

use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crowd::Crowd;
use eye::Eye;
use pty::{Pty, rows_in_use};

const KEYS: usize = 300;
const STARTS: usize = 20;
const SAVES: usize = 40;
const DOWN: &str = "\x1b[B";
const UP: &str = "\x1b[A";
/// A column near the right edge of the table.
const EDGE: u16 = 190;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if words.get(1).is_some_and(|word| word == "spin") {
        spin();
    }
    let given = words.iter().position(|word| word == "--program").and_then(|at| words.get(at + 1));
    let program = given.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_syncscope")), PathBuf::from);
    let only = words.iter().position(|word| word == "--only").and_then(|at| words.get(at + 1));
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    println!("{:<52} {:>8} {:>8} {:>8}", "milliseconds", "p50", "p99", "max");
    if wanted("start") {
        starts(&program, "the machine as it is", 20.0);
    }
    if wanted("start") || wanted("key") {
        let _crowd = Crowd::gather(2_000, 0).unwrap();
        if wanted("start") {
            starts(&program, "2,000 processes", 50.0);
        }
        if wanted("key") {
            keys(&program, "1s", "key, 2,000 processes scanned each second", 16.0);
            keys(&program, "50ms", "key, 2,000 processes scanned each 50 ms", 16.0);
        }
    }
    if wanted("key") {
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let _spinners: Vec<Spinner> = (0..cpus).map(|_| Spinner::start()).collect();
        keys(&program, "1s", "key, every CPU busy", 50.0);
    }
    if wanted("save") {
        saves(&program);
    }
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// A process that keeps a CPU busy.
struct Spinner(Child);

impl Spinner {
    fn start() -> Self {
        Spinner(Command::new(std::env::current_exe().unwrap()).arg("spin").spawn().unwrap())
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn open(program: &PathBuf, refresh: &str) -> Pty {
    let mut command = Command::new(program);
    command.args(["--panel", "processes", "--labs", "off", "--refresh", refresh]);
    command.env("XDG_CONFIG_HOME", env!("CARGO_TARGET_TMPDIR"));
    Pty::start(&mut command, 200, 60).unwrap()
}

/// From exec to the first text, and to nine tenths of the rows in use.
fn starts(program: &PathBuf, words: &str, limit: f64) {
    let (mut first, mut full) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let terminal = open(program, "1s");
        std::thread::sleep(Duration::from_millis(1_500));
        let settled = terminal.rows_in_use();
        first.push(terminal.first(|screen| rows_in_use(screen) > 0).unwrap());
        full.push(terminal.first(|screen| rows_in_use(screen) * 10 >= settled * 9).unwrap());
    }
    show(&format!("first text, {words}"), first, None);
    show(&format!("first full frame, {words}"), full, Some((50, limit)));
}

fn keys(program: &PathBuf, refresh: &str, words: &str, limit: f64) {
    let terminal = open(program, refresh);
    std::thread::sleep(Duration::from_millis(1_500));
    terminal.send("N").unwrap();
    terminal.send(DOWN).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let mut eye = Eye::on(&terminal, 200, 60);
    let mut waits = Vec::with_capacity(KEYS);
    for n in 0..KEYS {
        // Not in step with the refreshes.
        std::thread::sleep(Duration::from_millis(11 + (n as u64 * 7) % 30));
        let before = eye.selected(EDGE);
        let sent = Instant::now();
        terminal.send(if n % 2 == 0 { DOWN } else { UP }).unwrap();
        let seen = eye.until_other(before, EDGE);
        waits.push(seen.saturating_duration_since(sent));
    }
    show(words, waits, Some((99, limit)));
}

/// From saving a test's file, as an editor does it, to the first counts.
fn saves(program: &PathBuf) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("saved.litmus");
    let save = |name: &str| {
        let written = path.with_extension("new");
        let bodies =
            ["x.store(1, Relaxed); let r0 = y.load(Relaxed);", "y.store(1, Relaxed); let r0 = x.load(Relaxed);"];
        let text = format!("Rust {name}\n{{}}\nP0: {}\nP1: {}\nexists (0:r0=0 /\\ 1:r0=0)\n", bodies[0], bodies[1]);
        std::fs::write(&written, text).unwrap();
        std::fs::rename(&written, &path).unwrap();
    };
    save("S0");
    let mut command = Command::new(program);
    command.args(["--panel", "ordering", "--labs", "off"]);
    command.env("XDG_CONFIG_HOME", env!("CARGO_TARGET_TMPDIR"));
    let terminal = Pty::start(&mut command, 200, 60).unwrap();
    let mut eye = Eye::on(&terminal, 200, 60);
    let shows = |screen: &vt100::Screen, text: &str| screen.contents().contains(text);
    eye.until(|screen| shows(screen, "start/stop"));
    terminal.send("t/").unwrap();
    terminal.send(&path.display().to_string()).unwrap();
    terminal.send("\r").unwrap();
    eye.until(|screen| shows(screen, "╭ S0 "));
    terminal.send("s").unwrap();
    let mut waits = Vec::with_capacity(SAVES);
    for n in 1..=SAVES {
        eye.until(|screen| shows(screen, "outcomes in"));
        // Neither in step with the refreshes nor before the search for the best way is over.
        std::thread::sleep(Duration::from_millis(1_500 + (n as u64 * 37) % 200));
        let name = format!("╭ S{n} ");
        let saved = Instant::now();
        save(&format!("S{n}"));
        let seen = eye.until(|screen| shows(screen, &name) && shows(screen, "outcomes in"));
        waits.push(seen.saturating_duration_since(saved));
    }
    std::fs::remove_file(&path).unwrap();
    show("first counts of a saved litmus test", waits, Some((99, 100.0)));
}

fn show(words: &str, mut times: Vec<Duration>, limit: Option<(usize, f64)>) {
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    let verdict = limit.map_or_else(String::new, |(percent, limit)| {
        let verdict = if at(percent) <= limit { "met" } else { "NOT MET" };
        format!("   p{percent} at most {limit}: {verdict}")
    });
    println!("{words:<52} {:>8.1} {:>8.1} {:>8.1}{verdict}", at(50), at(99), at(100));
}
