//! What `syncscope lock` found: JSON, CSV, and a table for people.

mod csv;
mod json;
mod table;

use serde::Serialize;

pub use self::csv::{CSV_HEADER, csv};
pub use self::json::json;
pub use self::table::table;
use crate::model::Nanos;
use crate::model::lock::{LockProgress, Violation};
use crate::model::sorting;

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
        sorting::by(&mut sorted, f64::total_cmp);
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let half = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 { sorted[half] } else { f64::midpoint(sorted[half - 1], sorted[half]) };
        Some(Spread { median, min, max })
    }
}

/// Checks and violations of all invariants together.
pub fn checks(progress: &LockProgress) -> (u64, u64) {
    progress.invariants.iter().fold((0, 0), |sum, i| (sum.0 + i.checked, sum.1 + i.violations))
}

/// The two holders in words: `t0 held it from 0 to 110 ns, t3 from 30 ns to 205 ns: both for 80 ns`.
pub fn sentence(violation: &Violation) -> String {
    let [a, b] = violation.holders;
    if let Some(words) = &violation.words {
        return words.clone();
    }
    match violation.held {
        Some(held @ [[_, a_end], [b_begin, b_end]]) => {
            let [from, to] = overlap(held);
            let [a_end, b_begin, b_end, both] = [a_end, b_begin, b_end, to - from].map(|ns| Nanos(ns).precise());
            format!("t{a} held it from 0 to {a_end}, t{b} from {b_begin} to {b_end}: both for {both}")
        }
        None if a == b => format!("t{a} found that its count was lost"),
        None => format!("t{a} found t{b} inside together with it"),
    }
}

/// From when to when both held it, in ns as the holds are.
pub fn overlap(held: [[u64; 2]; 2]) -> [u64; 2] {
    let from = held[0][0].max(held[1][0]);
    [from, held[0][1].min(held[1][1]).max(from)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::histogram::Distribution;
    use crate::model::histogram::Quantiles;
    use crate::model::lock::{Figures, Invariant, LockSpec, Subject};
    use crate::report::lock::table::BAR;

    fn measured(threads: usize, repeats: &[f64], violations: u64) -> LockProgress {
        let quantiles =
            Quantiles { count: 7, p50: Nanos(41), p99: Nanos(1_210), max: Nanos(4_100_000), ..Quantiles::default() };
        let held: Vec<_> = (violations > 0).then_some([[0, 110], [30, 205]]).into_iter().collect();
        LockProgress {
            subject: Some(Subject {
                spec: LockSpec { threads, ..LockSpec::default() },
                version: "with a \"quote\", and a comma".to_owned(),
                nice: 5,
                left_free: None,
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
        let text = table(&[measured(1, &[40e6], 0), measured(2, &[10e6], 3)], None);
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[1].starts_with("std_mutex ") && lines[1].contains(&"█".repeat(BAR)), "{text}");
        assert!(lines[2].starts_with("          ") && lines[2].contains(" ████  "), "{text}");
        assert!(text.contains("std_mutex, 2 threads: mutual exclusion violated 3 times in 20 checks"), "{text}");
        assert!(text.contains("t0 held it from 0 to 110 ns, t3 from 30 ns to 205 ns: both for 80 ns"), "{text}");
        let width = lines[0].chars().count();
        assert!(lines[..3].iter().all(|line| line.chars().count() == width), "{text}");
    }

    #[test]
    fn a_row_without_acquisitions_says_so() {
        let mut idle = measured(1, &[], 0);
        assert!(!table(&[idle.clone()], None).contains("nothing was got"));
        idle.figures.per_thread = vec![0];
        assert!(table(&[idle], None).contains("std_mutex, 1 threads: nothing was got"));
    }

    #[test]
    fn the_table_is_no_wider_than_the_terminal() {
        let mut long = measured(256, &[40e6], 3);
        if let Some(subject) = &mut long.subject {
            subject.spec.lock = "pthread_rwlock_writer".to_owned();
        }
        let all = [measured(1, &[40e6], 0), long];
        for width in [80, 90, 100, 110, 120, 130, 200] {
            let text = table(&all, Some(width));
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}\n{text}");
            assert!(text.contains("max") && text.contains("violated"), "{width}\n{text}");
            assert_eq!(text.contains("switches/aq"), width >= 100, "{width}\n{text}");
        }
    }
}
