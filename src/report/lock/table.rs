//! Measurements as a table, with what is to be told of each below.

use std::fmt::Write;

use super::{Spread, checks, sentence};
use crate::model::Nanos;
use crate::model::histogram::Quantiles;
use crate::model::lock::{Diagnosis, Figures, LockOrder, LockProgress, Subject, diagnose};
use crate::model::units::{grouped, si};
use crate::report::fold::fold;

/// Which columns are shown, and how wide they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Columns {
    name: usize,
    /// The rate's heading, in words or short.
    rate: &'static str,
    bar: usize,
    jain: bool,
    switches: bool,
}

impl Columns {
    /// What fits: the bars give way first, then what is looked at least.
    fn fitting(name: usize, width: usize) -> Self {
        const LONG: &str = "acquisitions/s";
        const SHORT: &str = "  acq./s";
        let steps = [
            (LONG, BAR, true, true),
            (LONG, 8, true, true),
            (LONG, 0, true, true),
            (SHORT, 0, true, true),
            (SHORT, 0, true, false),
            (SHORT, 0, false, false),
        ];
        let steps = steps.map(|(rate, bar, jain, switches)| Columns { name, rate, bar, jain, switches });
        steps.into_iter().find(|columns| columns.width() <= width).unwrap_or(steps[steps.len() - 1])
    }

    fn width(self) -> usize {
        let optional = [(self.bar, self.bar > 0), (5, self.jain), (11, self.switches)];
        let optional: usize = optional.into_iter().filter(|(_, shown)| *shown).map(|(width, _)| width + 2).sum();
        self.name + 1 + 7 + 2 + self.rate.len() + 2 + 9 + 1 + 9 + 1 + 9 + optional + 2 + 8
    }

    /// A line of these cells.
    fn line(self, out: &mut String, name: &str, threads: &str, rate: &str, bar: &str, cells: [&str; 6]) {
        let Columns { name: names, bar: bars, .. } = self;
        let [p50, p99, max, jain, switches, violated] = cells;
        let rates = self.rate.len();
        // Writing to a String cannot fail.
        let _ = write!(out, "{name:<names$} {threads:>7}  {rate:>rates$}");
        if bars > 0 {
            let _ = write!(out, "  {bar:<bars$}");
        }
        let _ = write!(out, "  {p50:>9} {p99:>9} {max:>9}");
        if self.jain {
            let _ = write!(out, "  {jain:>5}");
        }
        if self.switches {
            let _ = write!(out, "  {switches:>11}");
        }
        let _ = writeln!(out, "  {violated:>8}");
    }
}

/// Measurements as a table:
///
/// ```text
/// lock       threads  acquisitions/s                     wait p50       p99       max   jain  switches/aq  violated
/// std_mutex        4          37.1 M  ██████▌                41 ns   1.21 µs    4.1 ms   0.98       0.0031         0
/// ```
///
/// The bar is the rate as a share of the highest in the table. In fewer than
/// `width` columns, where that is known, there are fewer of them.
pub fn table(all: &[LockProgress], width: Option<usize>) -> String {
    let width = width.unwrap_or(usize::MAX);
    let locks = all.iter().filter_map(|progress| progress.subject.as_ref()).map(|subject| &subject.spec.lock);
    let columns = Columns::fitting(locks.map(|lock| lock.chars().count()).max().unwrap_or(0).max(4), width);
    let mut out = String::new();
    let heads = ["wait p50", "p99", "max", "jain", "switches/aq", "violated"];
    columns.line(&mut out, "lock", "threads", columns.rate, "", heads);
    let rate = |progress: &LockProgress| Spread::of(&progress.figures.repeats).map_or(0.0, |s| s.median);
    let highest = all.iter().map(rate).fold(0.0, f64::max);
    let mut last = None;
    for progress in all {
        let Some(subject) = &progress.subject else { continue };
        let lock = &subject.spec.lock;
        let name = if last.replace(lock) == Some(lock) { "" } else { lock };
        line(&mut out, columns, name, subject, progress, rate(progress) / highest);
    }
    for progress in all {
        notes(&mut out, progress, width);
    }
    out
}

pub(super) const BAR: usize = 16;

fn line(out: &mut String, columns: Columns, name: &str, subject: &Subject, progress: &LockProgress, share: f64) {
    let Figures { wait, repeats, .. } = &progress.figures;
    let figures = &progress.figures;
    let wait = |pick: fn(&Quantiles) -> Nanos| match wait {
        Some(wait) if wait.quantiles.count > 0 => pick(&wait.quantiles).precise(),
        _ => "–".to_owned(),
    };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
    let cells = [
        wait(|q| q.p50),
        wait(|q| q.p99),
        wait(|q| q.max),
        or_dash(figures.jain().map(|jain| format!("{jain:.2}"))),
        or_dash(figures.switches_per_acquisition().map(|[v, i]| per_acquisition(v + i))),
        grouped(checks(progress).1),
    ];
    let rate = or_dash(Spread::of(repeats).map(|spread| si(spread.median)));
    let threads = subject.spec.threads.to_string();
    columns.line(out, name, &threads, &rate, &bar(share, columns.bar), cells.each_ref().map(String::as_str));
}

fn per_acquisition(rate: f64) -> String {
    if rate > 0.0 && rate < 0.000_1 { "<0.0001".to_owned() } else { format!("{rate:.4}") }
}

fn notes(out: &mut String, progress: &LockProgress, width: usize) {
    let Some(subject) = &progress.subject else { return };
    let whose = format!("{}, {} threads", subject.spec.lock, subject.spec.threads);
    let mut head = |text: &str| {
        out.push('\n');
        fold(out, &format!("{whose}: {text}"), (0, 2), width);
    };
    let deadlocked = progress.order.as_ref().is_some_and(|order| order.deadlock.is_some());
    if progress.figures.acquisitions() == 0 && !deadlocked {
        head("nothing was got, or nothing was let go again, while it was measured");
    }
    for Diagnosis { name, seen } in diagnose(&progress.figures) {
        head(&format!("{name}: {seen}"));
    }
    if let Some(order) = &progress.order {
        order_notes(out, &whose, order, width);
    }
    for invariant in progress.invariants.iter().filter(|invariant| invariant.violations > 0) {
        let counts = (grouped(invariant.violations), grouped(invariant.checked));
        let text = format!("{whose}: {} violated {} times in {} checks", invariant.name, counts.0, counts.1);
        out.push('\n');
        fold(out, &text, (0, 2), width);
        fold(out, &invariant.formula, (2, 2), width);
        let of_it = progress.violations.iter().filter(|violation| violation.invariant == invariant.name);
        for violation in of_it.take(2) {
            fold(out, &sentence(violation), (2, 2), width);
        }
    }
}

fn order_notes(out: &mut String, whose: &str, order: &LockOrder, width: usize) {
    if let Some(inversion) = &order.inversion {
        let before = if inversion.rehearsed { ", seen before the threads contended" } else { "" };
        out.push('\n');
        fold(out, &format!("{whose}: lock-order inversion{before}"), (0, 2), width);
        fold(out, &inversion.words(), (2, 2), width);
    }
    if let Some(deadlock) = &order.deadlock {
        let _ = writeln!(out, "\n{whose}: DEADLOCK");
        fold(out, &deadlock.words(), (2, 2), width);
        for line in &deadlock.chain {
            let deep = line.len() - line.trim_start().len();
            fold(out, line.trim_start(), (2 + deep, 2), width);
        }
    }
}

fn bar(share: f64, width: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = if share.is_finite() { (share * (width * 8) as f64).round() as usize } else { 0 };
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}
