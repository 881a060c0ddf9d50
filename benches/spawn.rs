//! What starting a child costs: through the janitor, by std's `Command` bare,
//! and by `Command` with a `pre_exec`, at growing sizes of this program.
//! Interleaved, so that a busy machine touches all alike; medians and ratios.
//!
//! `cargo bench --bench spawn`

#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Instant;

use syncscope::backend::{janitor, program};
use syncscope::sys::reap;
use syncscope::sys::spawn::{self, Spawn};

const ROUNDS: usize = 400;
const SIZES_MB: [usize; 3] = [0, 64, 512];

fn main() {
    program::set(env!("CARGO_BIN_EXE_syncscope"));
    let janitor = janitor::ensure().unwrap();
    let bare = || {
        let mut child = command().spawn().unwrap();
        end(move || child.wait().unwrap())
    };
    let forked = || {
        let mut command = command();
        // SAFETY: does nothing.
        unsafe { command.pre_exec(|| Ok(())) };
        let mut child = command.spawn().unwrap();
        end(move || child.wait().unwrap())
    };
    let request = Spawn { program: b"/bin/true", stdio: [spawn::Stdio::Null; 3], ..Spawn::default() };
    let ours = || {
        let child = janitor.spawn(&request, janitor::Role::User).unwrap();
        end(move || reap::wait(&*child.pidfd).unwrap())
    };
    let alone = || {
        let child = spawn::spawn(&request).unwrap();
        end(move || reap::wait(&child.pidfd).unwrap())
    };
    println!("{:>9} {:>12} {:>22} {:>22} {:>22}", "resident", "Command", "with the janitor", "without", "pre_exec");
    for size in SIZES_MB {
        let ballast = vec![1u8; size << 20];
        let ways: [&dyn Fn() -> Box<dyn FnOnce()>; 4] = [&bare, &ours, &alone, &forked];
        let [bare, ours, alone, forked] = measure(ways);
        let ratio = |(call, all): (f64, f64)| format!("{call:.0} µs {:.2}× {:.2}×", call / bare.0, all / bare.1);
        println!("{size:>6} MB {:>9.0} µs {:>22} {:>22} {:>22}", bare.0, ratio(ours), ratio(alone), ratio(forked));
        drop(ballast);
    }
    println!("medians of {ROUNDS}; the first ratio is of the call alone, the second until the child is reaped");
}

/// What is left to do: to reap the child.
fn end<T>(reap: impl FnOnce() -> T + 'static) -> Box<dyn FnOnce()> {
    Box::new(move || {
        reap();
    })
}

fn command() -> Command {
    let mut command = Command::new("/bin/true");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Medians in microseconds: of the call, and until the child is reaped.
fn measure<const N: usize>(ways: [&dyn Fn() -> Box<dyn FnOnce()>; N]) -> [(f64, f64); N] {
    let mut times: [(Vec<f64>, Vec<f64>); N] = std::array::from_fn(|_| (Vec::new(), Vec::new()));
    for round in 0..ROUNDS {
        for turn in 0..N {
            // Nobody always goes first.
            let way = (turn + round) % N;
            let begin = Instant::now();
            let reap = ways[way]();
            times[way].0.push(begin.elapsed().as_secs_f64() * 1e6);
            reap();
            times[way].1.push(begin.elapsed().as_secs_f64() * 1e6);
        }
    }
    let median = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    times.map(|(call, all)| (median(call), median(all)))
}
