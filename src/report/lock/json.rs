//! A measurement as one line of JSON, schema `syncscope.lock/1`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Spread;
use crate::backend::lab::locks::{Family, find};
use crate::model::histogram::Quantiles;
use crate::model::lock::{
    Deadlocked, Diagnosis, Invariant, Inversion, LockOrder, LockProgress, Several, Trace, Violation, WaitSteps,
    diagnose,
};
use crate::model::sorting;

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
    trace: Trace,
    clock: &'a str,
    trace_cost_ns: Option<u64>,
    recorded: u64,
    dropped: u64,
    nice: i32,
    diagnoses: Vec<Diagnosis>,
    /// The counts that only some primitives have, by name.
    #[serde(flatten)]
    own: BTreeMap<&'a str, u64>,
    pin: String,
    priorities: Vec<String>,
    left_free: Option<usize>,
    several: Option<Several>,
    /// The order in which several locks are taken, and what came of it.
    lock_order: Option<OrderRow<'a>>,
    /// The steps of waits on a condition variable.
    wait_steps: &'a Option<WaitSteps>,
}

#[derive(Serialize)]
struct OrderRow<'a> {
    pairs: u64,
    inversion: Option<InversionRow<'a>>,
    deadlock: Option<DeadlockRow<'a>>,
}

#[derive(Serialize)]
struct InversionRow<'a> {
    #[serde(flatten)]
    inversion: &'a Inversion,
    text: String,
}

#[derive(Serialize)]
struct DeadlockRow<'a> {
    #[serde(flatten)]
    deadlock: &'a Deadlocked,
    text: String,
}

fn order(order: &LockOrder) -> OrderRow<'_> {
    let inversion = order.inversion.as_ref().map(|inversion| InversionRow { inversion, text: inversion.words() });
    let deadlock = order.deadlock.as_ref().map(|deadlock| DeadlockRow { deadlock, text: deadlock.words() });
    OrderRow { pairs: order.pairs, inversion, deadlock }
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
        own: sorting::map(figures.own.iter().map(|own| (&*own.name, own.count))),
        pin: subject.spec.schedule.pinning.to_string(),
        priorities: subject.spec.schedule.priorities.iter().map(ToString::to_string).collect(),
        left_free: subject.left_free,
        several: subject.spec.several,
        lock_order: progress.order.as_ref().map(order),
        wait_steps: &progress.steps,
    };
    serde_json::to_string(&row).ok()
}

fn invariant(invariant: &Invariant) -> InvariantRow<'_> {
    InvariantRow { name: &invariant.name, checked: invariant.checked, violations: invariant.violations }
}
