//! What it costs to start a process, by the ways there are.

use std::ffi::CStr;
use std::io;
use std::time::Instant;

use super::Stage;
use crate::model::sorting;
use crate::sys::fork::{clone3, fork_and_execute, posix_spawn};
use crate::sys::pidfd::Pidfd;
use crate::sys::reap;
use crate::sys::spawn::{Spawn, Stdio, spawn};

const PROGRAM: &CStr = c"/bin/true";
const SIZES_MB: [usize; 3] = [0, 64, 256];
const ROUNDS: usize = 30;

type Way = (&'static str, fn() -> io::Result<Pidfd>);

const WAYS: [Way; 4] = [
    ("posix_spawn", || Ok(posix_spawn(PROGRAM)?.1)),
    ("vfork", || {
        // clone with CLONE_VM | CLONE_VFORK, as this program starts its own.
        let request = Spawn { program: PROGRAM.to_bytes(), stdio: [Stdio::Inherit; 3], ..Spawn::default() };
        Ok(spawn(&request)?.pidfd)
    }),
    ("clone3", || Ok(clone3(PROGRAM)?.1)),
    ("fork+exec", || Ok(fork_and_execute(PROGRAM)?.1)),
];

/// Interleaved, so that a busy machine touches all alike; the median of the
/// call and of the wait for its end, as both are paid. What a fork leaves behind
/// (its parent's pages are write-protected, the caches are full of page tables)
/// is paid for by a start that is not counted.
pub(super) fn spawn_costs(stage: &mut Stage) -> io::Result<()> {
    stage.seen(
        format!("medians of {ROUNDS}, until the child was reaped; ratios to posix_spawn at the same size"),
        true,
    )?;
    for size in SIZES_MB {
        // Touched, so that there are page tables to copy.
        let ballast = vec![1u8; size << 20];
        let mut times: [Vec<u64>; WAYS.len()] = Default::default();
        for round in 0..ROUNDS {
            // Fork comes last.
            let cheap = WAYS.len() - 1;
            let turns = (0..cheap).map(|turn| (turn + round) % cheap).chain([cheap]);
            for way in turns {
                let begin = Instant::now();
                let child = WAYS[way].1()?;
                let (exit, _) = reap::wait(&child)?;
                times[way].push(begin.elapsed().as_nanos() as u64);
                if exit.code != Some(0) {
                    stage.seen(format!("{} did not run: {exit:?}", WAYS[way].0), false)?;
                }
            }
            reap::wait(&WAYS[0].1()?)?;
        }
        let medians = times.map(|mut all| {
            sorting::by(&mut all, Ord::cmp);
            all[all.len() / 2]
        });
        let of = |(way, median): (&Way, &u64)| {
            let ratio = *median as f64 / medians[0] as f64;
            format!("{} {:.0} µs {ratio:.2}×", way.0, *median as f64 / 1e3)
        };
        let line: Vec<String> = WAYS.iter().zip(&medians).map(of).collect();
        stage.seen(format!("+{size:>3} MiB resident: {}", line.join(" · ")), true)?;
        drop(ballast);
    }
    Ok(())
}
