//! The ordering lab as JSON Lines, CSV and plain text.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Value, json};

use crate::backend::lab::litmus::harness::cost::Cost;
use crate::model::litmus::{Judgement, LitmusProgress, Observation, Outcome, Piece, SourceLine, Witness};
use crate::model::units::{grouped, si};

/// The columns of `litmus run --csv`.
pub const RUN_COLUMNS: [&str; 10] =
    ["test", "strategy", "seconds", "iterations", "frames", "state", "count", "target", "distinct_per_second", "alarm"];

/// Schema `syncscope.litmus.run/1`: how a run stands or ended.
pub fn run(progress: &LitmusProgress) -> Value {
    let (test, counts) = (&progress.test, &progress.counts);
    let states: Vec<Value> = progress.outcomes.iter().map(|outcome| state(progress, outcome)).collect();
    json!({
        "schema": "syncscope.litmus.run/1",
        "test": test.name,
        "condition": test.condition,
        "strategy": test.strategy.to_string(),
        "plan": test.plan,
        "cpus": test.cpus,
        "seconds": counts.elapsed.as_secs_f64(),
        "iterations": counts.iterations,
        "frames": counts.frames,
        "target": {
            "witnesses": counts.witnesses,
            "distinct": counts.distinct,
            "per_second": per_second(progress),
            "rate_below": progress.bound(),
        },
        "states": states,
        "alarms": progress.alarms,
        "undecided": test.undecided,
        "notes": test.notes,
        "worker_cpu_ns": progress.cost.cpu_time.0,
    })
}

fn state(progress: &LitmusProgress, outcome: &Outcome) -> Value {
    let mut value = json!({"state": outcome.state, "count": outcome.count, "target": outcome.target});
    for (judgement, allowed) in progress.test.judgements.iter().zip(&outcome.allowed) {
        value[&judgement.model] = json!(allowed);
    }
    value
}

/// Distinct witnesses in a second of wall time, counting included; `None`
/// before anything ran.
pub fn per_second(progress: &LitmusProgress) -> Option<f64> {
    let seconds = progress.counts.elapsed.as_secs_f64();
    (seconds > 0.0).then(|| progress.counts.distinct as f64 / seconds)
}

/// A row of [`RUN_COLUMNS`] for each state.
pub fn run_rows(progress: &LitmusProgress) -> Vec<Vec<String>> {
    let (test, counts) = (&progress.test, &progress.counts);
    let row = |outcome: &Outcome| {
        let alarm = progress.alarms.iter().flatten().any(|alarm| alarm.starts_with(&outcome.state));
        vec![
            test.name.clone(),
            test.strategy.to_string(),
            format!("{:.3}", counts.elapsed.as_secs_f64()),
            counts.iterations.to_string(),
            counts.frames.to_string(),
            outcome.state.clone(),
            outcome.count.to_string(),
            outcome.target.to_string(),
            per_second(progress).map_or(String::new(), |rate| format!("{rate:.0}")),
            alarm.to_string(),
        ]
    };
    progress.outcomes.iter().map(row).collect()
}

/// A finished run, to be read.
pub fn run_text(progress: &LitmusProgress) -> String {
    let (test, counts) = (&progress.test, &progress.counts);
    let mut out = format!("{}  {}\n", test.name, test.condition);
    let cpus: Vec<String> = test.cpus.iter().map(ToString::to_string).collect();
    let place = if cpus.is_empty() { "not pinned".to_owned() } else { format!("on CPU {}", cpus.join(", ")) };
    let _ = writeln!(
        out,
        "{}, {place}, {:.2} s, {} iterations, {} outcomes looked at",
        test.plan,
        counts.elapsed.as_secs_f64(),
        grouped(counts.iterations),
        grouped(counts.frames)
    );
    let _ = writeln!(out, "{}", witnesses(progress));
    out.push('\n');
    out.push_str(&table(progress));
    for note in test.notes.iter().chain(&test.undecided) {
        let _ = writeln!(out, "note: {note}");
    }
    for judgement in test.judgements.iter().filter(|judgement| judgement.race.is_some()) {
        let _ = writeln!(out, "{}: undefined, {}", judgement.model, race_text(judgement));
    }
    for alarm in progress.alarms.iter().flatten() {
        let hardware = test.hardware.as_deref().unwrap_or_default();
        let _ = writeln!(out, "ALARM: {alarm}, which the model of this hardware ({hardware}) forbids");
    }
    out
}

/// How often the condition was satisfied, in a sentence.
pub fn witnesses(progress: &LitmusProgress) -> String {
    let counts = &progress.counts;
    match progress.bound() {
        Some(bound) => format!("satisfied 0 times in {}: rate below {bound:.1e} at 95 %", grouped(counts.frames)),
        None => format!(
            "satisfied {} {}, {} distinct, {}/s",
            grouped(counts.witnesses),
            if counts.witnesses == 1 { "time" } else { "times" },
            grouped(counts.distinct),
            si(per_second(progress).unwrap_or(0.0))
        ),
    }
}

fn table(progress: &LitmusProgress) -> String {
    let wide = progress.outcomes.iter().map(|outcome| outcome.state.len()).max().unwrap_or(0).max(5);
    let mut out = format!("   {:wide$} {:>16}", "state", "seen");
    for judgement in &progress.test.judgements {
        let _ = write!(out, " {:>5}", judgement.model);
    }
    out.push('\n');
    for outcome in &progress.outcomes {
        let mark = if outcome.target { "*" } else { " " };
        let _ = write!(out, " {mark} {:wide$} {:>16}", outcome.state, grouped(outcome.count));
        for allowed in &outcome.allowed {
            let _ = write!(out, " {:>5}", if *allowed { "yes" } else { "no" });
        }
        out.push('\n');
    }
    out
}

/// Schema `syncscope.litmus.check/1`: what one model says about one test.
#[derive(Debug, Serialize)]
pub struct Check<'a> {
    schema: &'static str,
    file: &'a str,
    test: &'a str,
    model: &'a str,
    condition: &'a str,
    verdict: &'static str,
    observation: Observation,
    race: bool,
    race_pair: Option<[&'a String; 2]>,
    states: &'a [String],
    candidates: u64,
    consistent: u64,
    witness: Option<&'a Witness>,
    broken_axiom: Option<&'a String>,
    cycle: Option<&'a [(String, String)]>,
    took_ns: u64,
}

/// The fields of [`Check`].
pub fn check<'a>(file: &'a str, test: &'a str, condition: &'a str, judgement: &'a Judgement) -> Check<'a> {
    Check {
        schema: "syncscope.litmus.check/1",
        file,
        test,
        model: &judgement.model,
        condition,
        verdict: verdict(judgement),
        observation: judgement.observation,
        race: judgement.race.is_some(),
        race_pair: judgement.race.as_ref().map(|(a, b)| [a, b]),
        states: &judgement.states,
        candidates: judgement.candidates,
        consistent: judgement.consistent,
        witness: judgement.witness.as_ref(),
        broken_axiom: judgement.broken.as_ref().map(|broken| &broken.axiom),
        cycle: judgement.broken.as_ref().map(|broken| &broken.cycle[..]),
        took_ns: judgement.took.0,
    }
}

/// `Allowed` or `Forbidden`.
pub fn verdict(judgement: &Judgement) -> &'static str {
    if judgement.allowed { "Allowed" } else { "Forbidden" }
}

/// What the models say about a test, to be read.
pub fn check_text(test: &str, condition: &str, judgements: &[Judgement]) -> String {
    let mut out = format!("{test}  {condition}\n");
    for judgement in judgements {
        let verdict = if judgement.race.is_some() { "undefined" } else { verdict(judgement) };
        let _ = writeln!(
            out,
            "  {:4}  {verdict:9}  {:>3} states, {} of {} candidates",
            judgement.model,
            judgement.states.len(),
            judgement.consistent,
            judgement.candidates
        );
        if judgement.race.is_some() {
            let _ = writeln!(out, "        {}", race_text(judgement));
        }
        if let Some(broken) = &judgement.broken {
            let _ = writeln!(out, "        {}: {}", broken.axiom, broken.meaning);
            for (event, relation) in &broken.cycle {
                let _ = writeln!(out, "          {event}  ─{relation}→");
            }
        }
    }
    out
}

fn race_text(judgement: &Judgement) -> String {
    judgement.race.as_ref().map_or(String::new(), |(a, b)| format!("a data race between `{a}` and `{b}`"))
}

/// Schema `syncscope.litmus.cost/1`: what an operation costs.
pub fn cost(cost: &Cost) -> Value {
    json!({
        "schema": "syncscope.litmus.cost/1",
        "operation": cost.operation,
        "code": cost.code,
        "alone_ns": cost.alone_ns,
        "contended_ns": cost.contended_ns,
    })
}

/// The same, to be read.
pub fn cost_text(cost: &Cost) -> String {
    let contended = cost.contended_ns.map_or(String::new(), |ns| format!("{ns:.1} ns contended"));
    format!("{:28} {:8.1} ns {contended:>20}  {}", cost.operation, cost.alone_ns, cost.code)
}

/// A line of source as plain text.
pub fn source_line(line: &SourceLine) -> String {
    let mut out = "    ".repeat(line.indent);
    for piece in &line.pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Order { order, .. } => out.push_str(order.rust()),
        }
    }
    out
}
