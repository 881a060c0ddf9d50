//! What `syncscope lock` found: JSON, CSV, and a table for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Serialize;

use crate::backend::lab::locks::{Family, find};
use crate::model::histogram::Quantiles;
use crate::model::lock::{Figures, Invariant, LockProgress, Subject, Violation};
use crate::model::lock_diagnosis::{Diagnosis, diagnose};
use crate::model::units::{grouped, si};

/// Median and range over the repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "the names of the contract")]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
}

impl Spread {
    /// Of so many figures; nothing of none.
    pub fn of(figures: &[f64]) -> Option<Self> {
        let mut sorted = figures.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let half = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) };
        Some(Spread { median, min, max })
    }
}

/// One line of `lock --json`.
#[derive(Serialize)]
struct Row<'a> {
    schema: &'static str,
    lock: &'a str,
    version: &'a str,
    threads: usize,
    hold_ns: u64,
    think_ns: u64,
    hold_spread: &'static str,
    think_spread: &'static str,
    read_share: Option<f64>,
    family: &'static str,
    seconds: f64,
    repeats: usize,
    acquisitions: u64,
    acquisitions_per_s: Option<Spread>,
    wait_ns: Option<Quantiles>,
    held_ns: Option<Quantiles>,
    jain: Option<f64>,
    per_thread: &'a [u64],
    handoffs: &'a Option<Vec<Vec<u64>>>,
    switches: SwitchesRow,
    futex_calls: Option<u64>,
    invariants: Vec<InvariantRow<'a>>,
    violations: &'a [Violation],
    trace: crate::model::lock::Trace,
    clock: &'a str,
    trace_cost_ns: Option<u64>,
    recorded: u64,
    dropped: u64,
    nice: i32,
    diagnoses: Vec<Diagnosis>,
    /// The counts that only some primitives have, by name.
    #[serde(flatten)]
    own: BTreeMap<&'a str, u64>,
}

#[derive(Serialize)]
struct SwitchesRow {
    voluntary: u64,
    involuntary: u64,
}

#[derive(Serialize)]
struct InvariantRow<'a> {
    name: &'a str,
    checked: u64,
    violations: u64,
}

/// A finished measurement as one line of JSON; nothing before one has begun.
pub fn json(progress: &LockProgress) -> Option<String> {
    let (subject, figures) = (progress.subject.as_ref()?, &progress.figures);
    let family = find(&subject.spec.lock).map(|primitive| primitive.info().family);
    let row = Row {
        schema: "syncscope.lock/1",
        lock: &subject.spec.lock,
        version: &subject.version,
        threads: subject.spec.threads,
        hold_ns: subject.spec.setting.hold.0,
        think_ns: subject.spec.setting.think.0,
        hold_spread: subject.spec.setting.hold_spread.name(),
        think_spread: subject.spec.setting.think_spread.name(),
        read_share: family.filter(|family| family.reads()).map(|_| subject.spec.setting.reads.share()),
        family: family.map_or("unknown", Family::name),
        seconds: figures.measured.as_secs_f64(),
        repeats: figures.repeats.len(),
        acquisitions: figures.acquisitions(),
        acquisitions_per_s: Spread::of(&figures.repeats),
        wait_ns: figures.wait.as_ref().map(|wait| wait.quantiles),
        held_ns: figures.held.as_ref().map(|held| held.quantiles),
        jain: figures.jain(),
        per_thread: &figures.per_thread,
        handoffs: &figures.handoffs,
        switches: SwitchesRow { voluntary: figures.switches.voluntary, involuntary: figures.switches.involuntary },
        futex_calls: figures.futex_calls,
        invariants: progress.invariants.iter().map(invariant).collect(),
        violations: &progress.violations,
        trace: subject.spec.setting.trace,
        clock: &progress.recording.clock,
        trace_cost_ns: progress.recording.cost.map(|cost| cost.0),
        recorded: progress.recording.recorded,
        dropped: progress.recording.dropped,
        nice: subject.nice,
        diagnoses: diagnose(figures),
        own: figures.own.iter().map(|own| (&*own.name, own.count)).collect(),
    };
    serde_json::to_string(&row).ok()
}

fn invariant(invariant: &Invariant) -> InvariantRow<'_> {
    InvariantRow { name: &invariant.name, checked: invariant.checked, violations: invariant.violations }
}

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

/// Checks and violations of all invariants together.
pub fn checks(progress: &LockProgress) -> (u64, u64) {
    progress.invariants.iter().fold((0, 0), |sum, i| (sum.0 + i.checked, sum.1 + i.violations))
}

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

const BAR: usize = 16;
/// The longest key: `pthread_rwlock_writer`.
const NAME: usize = 21;

fn line(out: &mut String, name: &str, subject: &Subject, progress: &LockProgress, share: f64) {
    let Figures { wait, repeats, .. } = &progress.figures;
    let figures = &progress.figures;
    let wait = |pick: fn(&Quantiles) -> crate::model::Nanos| match wait {
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

/// The two holders in words: `t0 held it from 0 to 110 ns, t3 from 30 to 205`.
pub fn sentence(violation: &Violation) -> String {
    let [a, b] = violation.holders;
    if let Some(words) = &violation.words {
        return words.clone();
    }
    match violation.held {
        Some([[_, a_end], [b_begin, b_end]]) => {
            format!("t{a} held it from 0 to {a_end} ns, t{b} from {b_begin} to {b_end} ns")
        }
        None if a == b => format!("t{a} found that its count was lost"),
        None => format!("t{a} found t{b} inside together with it"),
    }
}

fn bar(share: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = if share.is_finite() { (share * (BAR * 8) as f64).round() as usize } else { 0 };
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Nanos;
    use crate::model::histogram::Distribution;
    use crate::model::lock::LockSpec;

    fn measured(threads: usize, repeats: &[f64], violations: u64) -> LockProgress {
        let quantiles =
            Quantiles { count: 7, p50: Nanos(41), p99: Nanos(1_210), max: Nanos(4_100_000), ..Quantiles::default() };
        let held: Vec<_> = (violations > 0).then_some([[0, 110], [30, 205]]).into_iter().collect();
        LockProgress {
            subject: Some(Subject {
                spec: LockSpec { threads, ..LockSpec::default() },
                version: "with a \"quote\", and a comma".to_owned(),
                nice: 5,
            }),
            figures: Figures {
                measured: Nanos::from_secs(2),
                per_thread: vec![10; threads],
                repeats: repeats.to_vec(),
                wait: Some(Distribution { quantiles, ..Distribution::default() }),
                ..Figures::default()
            },
            invariants: vec![Invariant {
                name: "mutual exclusion".into(),
                formula: "∀".into(),
                how: "so".into(),
                checked: 20,
                violations,
            }],
            violations: held
                .into_iter()
                .map(|held| Violation {
                    invariant: "mutual exclusion".into(),
                    holders: [0, 3],
                    held: Some(held),
                    words: None,
                })
                .collect(),
            ..LockProgress::default()
        }
    }

    #[test]
    fn the_median_lies_between_the_extremes() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[3.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 3.0 }));
        assert_eq!(Spread::of(&[4.0, 1.0]).map(|s| s.median), Some(2.5));
    }

    #[test]
    fn json_has_the_fields_of_the_contract_and_null_for_the_unknown() {
        let line = json(&measured(2, &[30.0, 10.0, 20.0], 0)).unwrap();
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["schema"], "syncscope.lock/1");
        assert_eq!(value["acquisitions"], 20);
        assert_eq!(value["acquisitions_per_s"], serde_json::json!({"median": 20.0, "min": 10.0, "max": 30.0}));
        assert_eq!(value["wait_ns"]["p99"], 1_210);
        assert_eq!(value["jain"], 1.0);
        assert_eq!(
            value["invariants"],
            serde_json::json!([{"name": "mutual exclusion", "checked": 20, "violations": 0}])
        );
        for unknown in ["held_ns", "handoffs", "trace_cost_ns", "futex_calls"] {
            assert!(value.get(unknown).is_some_and(serde_json::Value::is_null), "{unknown}");
        }
        assert_eq!(json(&LockProgress::default()), None);
    }

    #[test]
    fn csv_has_as_many_cells_as_names() {
        let line = csv(&measured(2, &[10.0], 0)).unwrap();
        let quoted = line.split('"').step_by(2).map(|part| part.matches(',').count()).sum::<usize>();
        assert_eq!(quoted, CSV_HEADER.matches(',').count(), "{line}");
        assert!(line.contains("\"with a \"\"quote\"\", and a comma\""), "{line}");
    }

    #[test]
    fn the_table_names_a_lock_once_and_its_violations_below() {
        let text = table(&[measured(1, &[40e6], 0), measured(2, &[10e6], 3)]);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].starts_with("std_mutex ") && lines[1].contains(&"█".repeat(BAR)), "{text}");
        assert!(lines[2].starts_with(&" ".repeat(NAME)) && lines[2].contains(" ████  "), "{text}");
        assert!(text.contains("std_mutex, 2 threads: mutual exclusion violated 3 times in 20 checks"), "{text}");
        assert!(text.contains("t0 held it from 0 to 110 ns, t3 from 30 to 205 ns"), "{text}");
        let width = lines[0].chars().count();
        assert!(lines[..3].iter().all(|line| line.chars().count() == width), "{text}");
    }
}
