//! The lab's side of a run: judges the test, minds the worker, and publishes how
//! it stands.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::ast::Test;
use super::check::{Judged, conceivable_states, judge};
use super::jit::Architecture;
use super::models::MODELS;
use super::worker::{Demand, Job, Numbered, Report};
use super::{LitmusLab, harness, library, source};
use crate::backend::lab::worker::Worker;
use crate::backend::lab::{Session, Wish};
use crate::model::lab::{LabState, WorkerCost};
use crate::model::litmus::{Counts, LitmusProgress, LitmusSpec, LitmusTest, Outcome, Strategy, ThreadView};
use crate::model::{Fault, Nanos, sorting};
use crate::sys::clock;

/// How long the verdicts of a test may take before it runs without.
const JUDGEMENT: Duration = Duration::from_millis(500);
/// How long to listen to the worker before looking for commands again.
const LISTEN: Duration = Duration::from_millis(8);
/// The most states that are listed though nobody has seen them.
const MOST_STATES: usize = 256;

/// A test as a face shows it before it runs: source, verdicts, and every final
/// state worth a row, none of them seen yet.
///
/// # Errors
/// A fault that says what is wrong with the test.
pub fn preview(spec: &LitmusSpec) -> Result<LitmusProgress, Fault> {
    let run = Run::new(spec)?;
    Ok(run.progress(LabState::Idle))
}

/// Runs what `spec` asks for until the session wants something else.
pub(super) fn run(spec: &LitmusSpec, session: &mut Session<LitmusLab>) -> Result<(), Fault> {
    // The worker assembles while the models judge.
    let mut number = 1;
    let mut worker = Worker::start("litmus worker", &Job { number, spec: spec.clone() }, &[])?;
    let mut run = Run::new(spec)?;
    session.publish(run.progress(LabState::Starting));
    let mut finishing = false;
    loop {
        match session.wish() {
            Wish::Stop => return Ok(()),
            Wish::Change(changed) if changed.same_run(&run.spec) => {
                worker.tell(&Demand::Burst(changed.burst), &[])?;
                run.spec = Arc::new(changed);
            }
            Wish::Change(changed) => {
                let cost = run.cost;
                number += 1;
                worker.tell(&Demand::Run(Box::new(Job { number, spec: changed.clone() })), &[])?;
                run = Run::new(&changed)?;
                run.cost = cost;
                session.publish(run.progress(LabState::Starting));
            }
            Wish::GoOn => {}
        }
        // What comes of a run that was replaced meanwhile is of no interest.
        let report = worker.hear::<Numbered>(LISTEN)?.filter(|report| report.number == number);
        if let Some(Numbered { report, .. }) = report {
            let state = run.take(report)?;
            let done = state == LabState::Done;
            session.publish(run.progress(state));
            if done {
                return Ok(());
            }
        }
        if !finishing && run.is_over() {
            finishing = true;
            worker.tell(&Demand::Finish, &[])?;
        }
    }
}

impl LitmusSpec {
    /// Whether the other differs in nothing that begins the figures anew.
    fn same_run(&self, other: &LitmusSpec) -> bool {
        let (a, b) = (self, other);
        a.test == b.test && a.text == b.text && a.orders == b.orders && a.strategy == b.strategy
    }
}

/// A test that runs, as the lab sees it.
struct Run {
    spec: Arc<LitmusSpec>,
    test: Test,
    view: Arc<LitmusTest>,
    /// What is listed: by text, so that the list stays in one order.
    rows: BTreeMap<String, Outcome>,
    /// What each model allows.
    judged: Judged,
    counts: Counts,
    rate: f64,
    cost: WorkerCost,
    /// What should be known whatever the worker says.
    notes: Vec<String>,
    /// When the worker was ready.
    began: Option<Nanos>,
}

impl Run {
    fn new(spec: &LitmusSpec) -> Result<Self, Fault> {
        let test = library::load(spec)?;
        let judged = judge(&test, MODELS, JUDGEMENT);
        let (judged, undecided) = match judged {
            Ok(judged) => (judged, None),
            Err(why) => (Judged::default(), Some(format!("no verdicts: {why}"))),
        };
        let threads = (0..test.threads.len())
            .map(|thread| ThreadView { source: source::source(&test, thread), code: Vec::new() })
            .collect();
        let mut view = LitmusTest {
            name: test.name.clone(),
            headline: test.headline.clone(),
            comment: test.comment.clone(),
            condition: test.condition.text.clone(),
            threads,
            undecided,
            hardware: Architecture::host().ok().and_then(Architecture::model).map(str::to_owned),
            judgements: judged.judgements.clone(),
            strategy: spec.strategy,
            ..LitmusTest::default()
        };
        let not_perpetual = harness::not_perpetual(&test).filter(|_| spec.strategy == Strategy::Auto);
        let notes: Vec<String> = not_perpetual.map(|why| format!("not perpetual: {why}")).into_iter().collect();
        view.notes.clone_from(&notes);
        let mut run = Run {
            spec: Arc::new(spec.clone()),
            view: Arc::new(view),
            rows: BTreeMap::new(),
            judged,
            test,
            counts: Counts::default(),
            rate: 0.0,
            cost: WorkerCost::default(),
            notes,
            began: None,
        };
        run.list_states();
        Ok(run)
    }

    /// Lists what some model allows, and what satisfies the condition.
    fn list_states(&mut self) {
        let mut states = conceivable_states(&self.test, JUDGEMENT / 4);
        states.retain(|state| self.test.condition.proposition.holds(state));
        states.truncate(MOST_STATES);
        let mut allowed: Vec<&Vec<i32>> = self.judged.allowed.keys().collect();
        sorting::by(&mut allowed, Ord::cmp);
        states.extend(allowed.into_iter().take(MOST_STATES).cloned());
        for state in states {
            self.row(&state);
        }
    }

    fn row(&mut self, state: &[i32]) -> &mut Outcome {
        let text = self.test.state_text(state);
        self.rows.entry(text.clone()).or_insert_with(|| Outcome {
            state: text,
            target: self.test.condition.proposition.holds(state),
            allowed: self.judged.verdicts(state),
            ..Outcome::default()
        })
    }

    /// Takes in what the worker says, and tells where the lab stands then.
    fn take(&mut self, report: Report) -> Result<LabState, Fault> {
        match report {
            Report::Failed(fault) => Err(fault),
            Report::Ready { strategy, plan, cpus, notes, code } => {
                let view = Arc::make_mut(&mut self.view);
                (view.strategy, view.plan, view.cpus) = (strategy, plan, cpus);
                view.notes.clone_from(&self.notes);
                view.notes.extend(notes);
                for (thread, code) in view.threads.iter_mut().zip(code) {
                    thread.code = code;
                }
                self.began.get_or_insert_with(clock::monotonic);
                Ok(LabState::Running)
            }
            Report::Counted { counts, states, cpu_time, resting, last } => {
                self.cost = WorkerCost { processes: 1, cpu_time };
                self.count(counts, &states);
                Ok(if last {
                    LabState::Done
                } else if resting {
                    LabState::Resting
                } else {
                    LabState::Running
                })
            }
        }
    }

    fn count(&mut self, counts: Counts, states: &[(Vec<i32>, u64)]) {
        let seconds = counts.elapsed.since(self.counts.elapsed).as_secs_f64();
        let rate =
            |now: u64, before: u64| if seconds > 0.0 { now.saturating_sub(before) as f64 / seconds } else { 0.0 };
        self.rate = rate(counts.distinct, self.counts.distinct);
        self.counts = counts;
        for (state, count) in states {
            let row = self.row(state);
            row.rate = rate(*count, row.count);
            row.count = *count;
        }
    }

    fn is_over(&self) -> bool {
        let over = |began: Nanos, duration: Nanos| clock::monotonic().since(began) >= duration;
        self.began.zip(self.spec.duration).is_some_and(|(began, duration)| over(began, duration))
    }

    fn progress(&self, state: LabState) -> LitmusProgress {
        let hardware = self.view.hardware.as_ref();
        let model = hardware.and_then(|name| self.view.judgements.iter().position(|j| j.model == *name));
        let outside = |model: usize| {
            let alarming =
                self.rows.values().filter(move |row| row.count > 0 && row.allowed.get(model) == Some(&false));
            alarming.map(|row| format!("{} seen {} times", row.state, row.count)).collect()
        };
        LitmusProgress {
            state,
            cost: self.cost,
            spec: Some(self.spec.clone()),
            test: self.view.clone(),
            counts: self.counts,
            rate: self.rate,
            outcomes: self.rows.values().cloned().collect(),
            alarms: model.map(outside),
        }
    }
}
