//! A measurement as one line of CSV.

use super::{Spread, checks};
use crate::model::histogram::Quantiles;
use crate::model::lock::LockProgress;

/// The first line of `lock --csv`.
pub const CSV_HEADER: &str = "lock,version,threads,hold_ns,think_ns,seconds,repeats,acquisitions,\
    acquisitions_per_s_median,acquisitions_per_s_min,acquisitions_per_s_max,\
    wait_p50_ns,wait_p90_ns,wait_p99_ns,wait_p999_ns,wait_max_ns,held_p50_ns,held_p99_ns,held_max_ns,\
    jain,switches_voluntary,switches_involuntary,checked,violations,trace_cost_ns";

/// A finished measurement as one line of CSV; what is unknown is empty.
pub fn csv(progress: &LockProgress) -> Option<String> {
    let (subject, figures) = (progress.subject.as_ref()?, &progress.figures);
    let spread = Spread::of(&figures.repeats);
    let rate = |pick: fn(&Spread) -> f64| or_empty(spread.as_ref().map(|s| format!("{:.0}", pick(s))));
    let wait = figures.wait.as_ref().map(|wait| wait.quantiles);
    let held = figures.held.as_ref().map(|held| held.quantiles);
    let ns = |quantiles: &Option<Quantiles>, pick: fn(&Quantiles) -> u64| {
        or_empty(quantiles.as_ref().map(|quantiles| pick(quantiles).to_string()))
    };
    let (checked, violations) = checks(progress);
    let cells = [
        subject.spec.lock.clone(),
        format!("\"{}\"", subject.version.replace('"', "\"\"")),
        subject.spec.threads.to_string(),
        subject.spec.setting.hold.0.to_string(),
        subject.spec.setting.think.0.to_string(),
        figures.measured.as_secs_f64().to_string(),
        figures.repeats.len().to_string(),
        figures.acquisitions().to_string(),
        rate(|s| s.median),
        rate(|s| s.min),
        rate(|s| s.max),
        ns(&wait, |q| q.p50.0),
        ns(&wait, |q| q.p90.0),
        ns(&wait, |q| q.p99.0),
        ns(&wait, |q| q.p999.0),
        ns(&wait, |q| q.max.0),
        ns(&held, |q| q.p50.0),
        ns(&held, |q| q.p99.0),
        ns(&held, |q| q.max.0),
        or_empty(figures.jain().map(|jain| format!("{jain:.4}"))),
        figures.switches.voluntary.to_string(),
        figures.switches.involuntary.to_string(),
        checked.to_string(),
        violations.to_string(),
        or_empty(progress.recording.cost.map(|cost| cost.0.to_string())),
    ];
    Some(cells.join(","))
}

fn or_empty(cell: Option<String>) -> String {
    cell.unwrap_or_default()
}
