//! Looks for the plan that shows most: each is tried for a moment, and the one
//! with the highest rate of distinct witnesses runs on. Where none has a witness
//! the one that looks at most outcomes does.
//!
//! Another guest on the host, or two threads that fall into step, can make the
//! best way a poor one later. So its rate is looked at now and then, and where it
//! fell behind what another way has shown that one runs on.

use std::time::{Duration, Instant};

use super::plan::Plan;
use super::tally::Tally;
use super::{Runner, has_cpus};
use crate::backend::lab::litmus::ast::Test;
use crate::model::Fault;
use crate::model::litmus::{Counts, Strategy};
use crate::model::units::si;

/// How long a plan is tried.
const TRIAL: Duration = Duration::from_millis(45);
/// How often the rate of the chosen plan is looked at.
const WINDOW: Duration = Duration::from_millis(400);
/// Below such a part of what another plan has shown it is given up.
const POOR: f64 = 0.7;

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
    /// What the chosen plan had counted when its rate was looked at last.
    mark: Counts,
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
        Ok(Trials {
            test,
            runner,
            waiting,
            tried,
            before,
            began: Instant::now(),
            mark: Counts::default(),
            searching,
            note: None,
        })
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

    /// Goes on with the next plan where the current one had its time, or has
    /// become poor. Whether it did.
    ///
    /// # Errors
    /// As [`Runner::start`].
    pub fn step(&mut self) -> Result<bool, Fault> {
        let time = if self.searching { TRIAL } else { WINDOW };
        if self.began.elapsed() < time {
            return Ok(false);
        }
        let better = if self.searching { None } else { self.better() };
        if !self.searching && better.is_none() {
            return Ok(false);
        }
        if let Some(runner) = self.runner.take() {
            let plan = runner.plan();
            let tally = runner.finish();
            if self.searching {
                self.tried.push(Trial::of(plan, tally.counts, Counts::default()));
            }
            self.before.merge(tally);
        }
        let next = better.or_else(|| self.waiting.pop()).or_else(|| self.best_or_turned());
        let Some(next) = next else { return Ok(false) };
        let runner = Runner::start_plan(&self.test, next)?;
        runner.run();
        self.runner = Some(runner);
        (self.began, self.mark) = (Instant::now(), Counts::default());
        Ok(true)
    }

    /// Looks at the rate of the chosen plan; a plan that has shown more than it
    /// does now, if there is one.
    fn better(&mut self) -> Option<Plan> {
        self.began = Instant::now();
        let runner = self.runner.as_ref()?;
        let (plan, counts) = (runner.plan(), runner.tally().counts);
        let now = Trial::of(plan, counts, self.mark);
        self.mark = counts;
        let known = self.tried.iter_mut().find(|trial| trial.plan == plan)?;
        *known = now;
        let best = self.tried.iter().max_by(Trial::order).copied()?;
        if best.plan == plan || now.distinct >= POOR * best.distinct {
            return None;
        }
        self.note = Some(format!("tried {} ways; this one has shown most of late", self.tried.len()));
        Some(best.plan)
    }

    /// The best plan, or that with the CPUs moved on, which is tried last.
    fn best_or_turned(&mut self) -> Option<Plan> {
        let best = self.tried.iter().max_by(Trial::order).copied()?;
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

impl Trial {
    /// How a plan did between two counts.
    fn of(plan: Plan, now: Counts, before: Counts) -> Self {
        let seconds = now.elapsed.since(before.elapsed).as_secs_f64().max(1e-3);
        let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
        Trial { plan, distinct: rate(now.distinct, before.distinct), frames: rate(now.frames, before.frames) }
    }

    fn order(a: &&Trial, b: &&Trial) -> std::cmp::Ordering {
        a.distinct.total_cmp(&b.distinct).then(a.frames.total_cmp(&b.frames))
    }
}
