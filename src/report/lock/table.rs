//! Measurements as a table, with what is to be told of each below.

use std::fmt::Write;

use super::{Spread, checks, sentence};
use crate::model::Nanos;
use crate::model::histogram::Quantiles;
use crate::model::lock::{Diagnosis, Figures, LockOrder, LockProgress, Subject, diagnose};
use crate::model::units::{grouped, si};

/// Measurements as a table:
///
/// ```text
/// lock          threads  acquisitions/s                wait p50      p99       max   jain  switches  violated
/// std_mutex           4         37.1 M  ██████▌          41 ns  1.21 µs   4.1 ms   0.98    0.0031         0
/// ```
///
/// The bar is the rate as a share of the highest in the table.
pub fn table(all: &[LockProgress]) -> String {
    let mut out = format!(
        "{:<NAME$} {:>7}  {:>14}  {:<BAR$}  {:>9} {:>9} {:>9}  {:>5}  {:>11}  {:>8}\n",
        "lock", "threads", "acquisitions/s", "", "wait p50", "p99", "max", "jain", "switches/aq", "violated"
    );
    let rate = |progress: &LockProgress| Spread::of(&progress.figures.repeats).map_or(0.0, |s| s.median);
    let highest = all.iter().map(rate).fold(0.0, f64::max);
    let mut last = None;
    for progress in all {
        let Some(subject) = &progress.subject else { continue };
        let lock = &subject.spec.lock;
        let name = if last.replace(lock) == Some(lock) { "" } else { lock };
        line(&mut out, name, subject, progress, rate(progress) / highest);
    }
    for progress in all {
        notes(&mut out, progress);
    }
    out
}

pub(super) const BAR: usize = 16;
/// The longest key: `pthread_rwlock_writer`.
pub(super) const NAME: usize = 21;

fn line(out: &mut String, name: &str, subject: &Subject, progress: &LockProgress, share: f64) {
    let Figures { wait, repeats, .. } = &progress.figures;
    let figures = &progress.figures;
    let wait = |pick: fn(&Quantiles) -> Nanos| match wait {
        Some(wait) if wait.quantiles.count > 0 => pick(&wait.quantiles).precise(),
        _ => "–".to_owned(),
    };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "{:<NAME$} {:>7}  {:>14}  {:<BAR$}  {:>9} {:>9} {:>9}  {:>5}  {:>11}  {:>8}",
        name,
        subject.spec.threads,
        or_dash(Spread::of(repeats).map(|spread| si(spread.median))),
        bar(share),
        wait(|q| q.p50),
        wait(|q| q.p99),
        wait(|q| q.max),
        or_dash(figures.jain().map(|jain| format!("{jain:.2}"))),
        or_dash(figures.switches_per_acquisition().map(|[v, i]| per_acquisition(v + i))),
        grouped(checks(progress).1),
    );
}

fn per_acquisition(rate: f64) -> String {
    if rate > 0.0 && rate < 0.000_1 { "<0.0001".to_owned() } else { format!("{rate:.4}") }
}

fn notes(out: &mut String, progress: &LockProgress) {
    let Some(subject) = &progress.subject else { return };
    for Diagnosis { name, seen } in diagnose(&progress.figures) {
        let _ = writeln!(out, "\n{}, {} threads: {name}: {seen}", subject.spec.lock, subject.spec.threads);
    }
    if let Some(order) = &progress.order {
        order_notes(out, subject, order);
    }
    for invariant in progress.invariants.iter().filter(|invariant| invariant.violations > 0) {
        let _ = writeln!(
            out,
            "\n{}, {} threads: {} violated {} times in {} checks\n  {}",
            subject.spec.lock,
            subject.spec.threads,
            invariant.name,
            grouped(invariant.violations),
            grouped(invariant.checked),
            invariant.formula,
        );
        let of_it = progress.violations.iter().filter(|violation| violation.invariant == invariant.name);
        for violation in of_it.take(2) {
            let _ = writeln!(out, "  {}", sentence(violation));
        }
    }
}

fn order_notes(out: &mut String, subject: &Subject, order: &LockOrder) {
    let (lock, threads) = (&subject.spec.lock, subject.spec.threads);
    if let Some(inversion) = &order.inversion {
        let before = if inversion.rehearsed { ", seen before the threads contended" } else { "" };
        let _ = writeln!(out, "\n{lock}, {threads} threads: lock-order inversion{before}\n  {}", inversion.words());
    }
    if let Some(deadlock) = &order.deadlock {
        let _ = writeln!(out, "\n{lock}, {threads} threads: DEADLOCK\n  {}", deadlock.words());
        for line in &deadlock.chain {
            let _ = writeln!(out, "  {line}");
        }
    }
}

fn bar(share: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = if share.is_finite() { (share * (BAR * 8) as f64).round() as usize } else { 0 };
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}
