//! However the program goes, its children go with it: SIGKILL at random
//! moments, then no process that bears the run's mark may live.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const MARK: &str = "SYNCSCOPE_JANITOR_TEST";
/// How many random moments.
const KILLS: u32 = 80;

/// Processes whose environment holds the mark, the janitor among them; zombies
/// have no environment.
fn marked(mark: &str) -> HashSet<i32> {
    let needle = format!("{MARK}={mark}\0");
    let bears = |path: &Path| {
        let environ = std::fs::read(path.join("environ")).unwrap_or_default();
        environ.windows(needle.len()).any(|window| window == needle.as_bytes())
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter(|entry| bears(&entry.path())).filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn is_janitor(pid: i32) -> bool {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    words.ends_with(b"worker\0--janitor\0")
}

fn start(mark: &str, words: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
    command.args(words).env(MARK, mark).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Kills the program after a while, and asserts that soon nothing of it is left.
fn kill_after(mark: &str, words: &[&str], pause: Duration, patience: Duration) {
    let mut program = start(mark, words);
    std::thread::sleep(pause);
    program.kill().unwrap();
    program.wait().unwrap();
    let begin = Instant::now();
    loop {
        let mut left = marked(mark);
        if left.is_empty() {
            return;
        }
        // The janitor goes when its work is done.
        if begin.elapsed() < patience * 10 {
            left.retain(|pid| !is_janitor(*pid));
        }
        if begin.elapsed() > patience && !left.is_empty() {
            let names: Vec<_> = left.iter().map(|pid| std::fs::read(format!("/proc/{pid}/cmdline"))).collect();
            for pid in &left {
                let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid), nix::sys::signal::Signal::SIGKILL);
            }
            panic!("killed after {pause:?}, {patience:?} later these live: {left:?} {names:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A sequence of pauses that is the same every time.
struct Pauses(u64);

impl Pauses {
    fn next(&mut self, below: Duration) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        below.mul_f64((self.0 >> 11) as f64 / (1u64 << 53) as f64)
    }
}

#[test]
fn no_descendant_outlives_a_killed_program() {
    // How long a start takes here, so that the moments fall within it.
    let begin = Instant::now();
    assert!(start("calibration", &["run", "--no-ui", "--", "true"]).wait().unwrap().success());
    let whole = begin.elapsed();
    // A second, where a start takes its usual few hundredths: on a machine that
    // is busy with other things all takes longer alike.
    let patience = Duration::from_secs(1).max(whole * 20);
    let mut pauses = Pauses(std::process::id().into());
    let commands: [&[&str]; 3] = [
        &["run", "--no-ui", "--", "sleep", "1000"],
        &["run", "--no-ui", "--", "sh", "-c", "sleep 1000 & sleep 1000 & sh -c 'sleep 1000; :'; :"],
        &["run", "--no-ui", "--", "sh", "-c", "trap '' TERM; while :; do sleep 0.01; done"],
    ];
    for kill in 0..KILLS {
        let mark = format!("{}-{kill}", std::process::id());
        // Half of them about the moment of spawning, half anywhere.
        let below = if kill % 2 == 0 { whole.mul_f64(1.5) } else { whole * 5 };
        kill_after(&mark, commands[kill as usize % commands.len()], pauses.next(below), patience);
    }
}

#[test]
fn a_normal_end_leaves_no_janitor() {
    let mark = format!("{}-normal", std::process::id());
    assert!(start(&mark, &["run", "--no-ui", "--", "true"]).wait().unwrap().success());
    let begin = Instant::now();
    while !marked(&mark).is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", marked(&mark));
        std::thread::sleep(Duration::from_millis(5));
    }
}
