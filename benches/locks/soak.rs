//! So many clean acquisitions that no invariant flags.
//!
//! Every primitive that is not broken on purpose runs in the lab's worker,
//! recorded with ordered stamps, until it has its share of the acquisitions: as
//! many as every other. What stands behind each invariant is summed up over all
//! of them. One violation, or a primitive that does not get there in time, fails
//! the whole.
//!
//! `cargo bench --bench locks -- soak [ACQUISITIONS] [THREADS]`; 10⁸ with 4
//! threads where nothing is said.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use syncscope::backend::lab::locks::PRIMITIVES;
use syncscope::model::lock::{LockProgress, LockSetting, LockSpec, PerMille};
use syncscope::model::{Nanos, units::grouped};

use super::Running;

/// A primitive that has not got its share by then has failed.
const PATIENCE: Duration = Duration::from_mins(30);

/// Checks and violations of an invariant, by its name.
type Sums = BTreeMap<String, (u64, u64)>;

/// Runs them all, and says what stands behind each invariant.
pub(super) fn soak(acquisitions: u64, threads: usize) -> ExitCode {
    let clean = || PRIMITIVES.iter().map(|primitive| primitive.info()).filter(|info| info.breaks.is_none());
    let share = acquisitions.div_ceil(clean().count() as u64);
    println!("{} primitives, {} acquisitions each, {threads} threads", clean().count(), grouped(share));
    let (mut sums, mut done, mut well) = (Sums::new(), 0, true);
    for info in clean() {
        let begin = Instant::now();
        let Some(progress) = one(info.key, threads, share) else {
            println!("  {:<22} did not get there in {PATIENCE:?}", info.key);
            well = false;
            continue;
        };
        let violations: u64 = progress.invariants.iter().map(|invariant| invariant.violations).sum();
        let got = progress.figures.acquisitions();
        println!("  {:<22} {:>15}  {violations} violated  {:.1?}", info.key, grouped(got), begin.elapsed());
        done += got;
        for invariant in &progress.invariants {
            let sum = sums.entry(invariant.name.clone().into_owned()).or_default();
            *sum = (sum.0 + invariant.checked, sum.1 + invariant.violations);
        }
    }
    println!("{} acquisitions; behind each invariant:", grouped(done));
    for (name, (checked, violations)) in &sums {
        println!("  {name:<28} {:>15} checked  {} violated", grouped(*checked), grouped(*violations));
    }
    well &= done >= acquisitions && sums.values().all(|(_, violations)| *violations == 0);
    if well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One primitive until it has its share, or something is violated.
fn one(key: &str, threads: usize, share: u64) -> Option<LockProgress> {
    let setting = LockSetting { hold: Nanos::ZERO, think: Nanos::ZERO, reads: PerMille(500), ..LockSetting::default() };
    let run = Running::start(LockSpec { lock: key.to_owned(), threads, setting, ..LockSpec::default() });
    let is_violated = |progress: &LockProgress| progress.invariants.iter().any(|invariant| invariant.violations > 0);
    let progress = run.wait_for(PATIENCE, |p| p.figures.acquisitions() >= share || is_violated(p));
    run.stop();
    progress
}
