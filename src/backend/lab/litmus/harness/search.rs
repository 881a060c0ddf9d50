//! Looks for the plan that shows most: each is tried for a moment, and the one
//! with the highest rate of distinct witnesses runs on. Where none has a witness
//! the one that looks at most outcomes does.

use std::time::{Duration, Instant};

use super::plan::Plan;
use super::tally::Tally;
use super::{Runner, has_cpus};
use crate::backend::lab::litmus::ast::Test;
use crate::model::Fault;
use crate::model::litmus::Strategy;
use crate::model::units::si;

/// How long a plan is tried.
const TRIAL: Duration = Duration::from_millis(45);

/// A test that runs while the best way to run it is sought, and afterwards.
#[derive(Debug)]
pub struct Trials {
    test: Test,
    runner: Option<Runner>,
    waiting: Vec<Plan>,
    tried: Vec<Trial>,
    /// What was counted by plans that run no longer.
    before: Tally,
    began: Instant,
    searching: bool,
    note: Option<String>,
}

#[derive(Clone, Copy, Debug)]
struct Trial {
    plan: Plan,
    /// Distinct witnesses, and outcomes looked at, in a second.
    distinct: f64,
    frames: f64,
}

impl Trials {
    /// Begins with the strategy's first plan, at rest; others are tried where
    /// `search` says so.
    ///
    /// # Errors
    /// As [`Runner::start`].
    pub fn start(test: Test, strategy: Strategy, search: bool) -> Result<Self, Fault> {
        let cpus = has_cpus(&test);
        let first = Plan::first(&test, strategy, cpus)?;
        let mut waiting = if search { first.others(&test, strategy, cpus) } else { Vec::new() };
        waiting.reverse();
        let searching = !waiting.is_empty();
        let runner = Some(Runner::start_plan(&test, first)?);
        let (tried, before) = (Vec::new(), Tally::default());
        Ok(Trials { test, runner, waiting, tried, before, began: Instant::now(), searching, note: None })
    }

    /// What runs; nothing where the last plan could not be started.
    pub fn runner(&self) -> Option<&Runner> {
        self.runner.as_ref()
    }

    /// What was chosen and from how many, once that is known.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// How many plans have not been tried yet.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Whether plans are still tried.
    pub fn is_searching(&self) -> bool {
        self.searching
    }

    /// What was counted so far, by all plans together.
    pub fn tally(&self) -> Tally {
        let mut tally = self.before.clone();
        if let Some(runner) = &self.runner {
            tally.merge(runner.tally());
        }
        tally
    }

    /// Ends the run and gives what was counted.
    pub fn finish(mut self) -> Tally {
        if let Some(runner) = self.runner.take() {
            self.before.merge(runner.finish());
        }
        self.before
    }

    /// Goes on with the next plan where the current one had its time. Whether
    /// it did.
    ///
    /// # Errors
    /// As [`Runner::start`].
    pub fn step(&mut self) -> Result<bool, Fault> {
        if !self.searching || self.began.elapsed() < TRIAL {
            return Ok(false);
        }
        if let Some(runner) = self.runner.take() {
            let plan = runner.plan();
            let tally = runner.finish();
            let seconds = tally.counts.elapsed.as_secs_f64().max(1e-3);
            let rate = |count: u64| count as f64 / seconds;
            self.tried.push(Trial { plan, distinct: rate(tally.counts.distinct), frames: rate(tally.counts.frames) });
            self.before.merge(tally);
        }
        let Some(next) = self.waiting.pop().or_else(|| self.best_or_turned()) else { return Ok(false) };
        let runner = Runner::start_plan(&self.test, next)?;
        runner.run();
        self.runner = Some(runner);
        self.began = Instant::now();
        Ok(true)
    }

    /// The best plan, or that with the CPUs moved on, which is tried last.
    fn best_or_turned(&mut self) -> Option<Plan> {
        let order = |a: &&Trial, b: &&Trial| a.distinct.total_cmp(&b.distinct).then(a.frames.total_cmp(&b.frames));
        let best = self.tried.iter().max_by(order).copied()?;
        let turned = best.plan.turned();
        if has_cpus(&self.test) && self.tried.iter().all(|trial| trial.plan.turn == 0) {
            return Some(turned);
        }
        self.searching = false;
        let (count, pace) = (self.tried.len(), format!("{}/s", si(best.distinct)));
        let shown = if best.distinct > 0.0 { format!("{pace} distinct witnesses") } else { "no witness".to_owned() };
        self.note = Some(format!("tried {count} ways; this one showed most: {shown}"));
        Some(best.plan)
    }
}
