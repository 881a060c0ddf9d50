//! Why a model forbids what a test asks for: the simplest example.

use std::time::{Duration, Instant};

use super::events::describe;
use crate::backend::lab::litmus::ast::Test;
use crate::backend::lab::litmus::axiom::Violation;
use crate::backend::lab::litmus::candidates::{Search, Visitor, enumerate};
use crate::backend::lab::litmus::execution::Execution;
use crate::backend::lab::litmus::models::Model;
use crate::model::litmus::{Broken, Judgement};

/// So long at most, and over so many candidates, an example of what is forbidden
/// is sought.
const EXPLAIN: Duration = Duration::from_millis(150);
const EXPLAINED: u32 = 256;

/// Tells for each model that forbids the condition by what, in the simplest
/// violation among candidates that satisfy it: coherent ones where there are any.
pub(super) fn explain(test: &Test, models: &[Model], judgements: &mut [Judgement], deadline: Instant) {
    for incoherent in [false, true] {
        let open = |judgement: &&mut Judgement| !judgement.allowed && judgement.broken.is_none();
        let (which, open): (Vec<Model>, Vec<&mut Judgement>) =
            models.iter().zip(judgements.iter_mut()).filter(|(_, judgement)| open(judgement)).unzip();
        if which.is_empty() {
            return;
        }
        let best = which.iter().map(|_| None).collect();
        let mut explainer = Explainer { test, models: which, best, left: EXPLAINED };
        let deadline = deadline.min(Instant::now() + EXPLAIN);
        enumerate(test, Search { deadline, incoherent, satisfying: true }, 1, &mut explainer);
        for (judgement, best) in open.into_iter().zip(explainer.best) {
            judgement.broken = best.map(|(violation, events)| Broken {
                axiom: violation.axiom.to_owned(),
                meaning: violation.meaning.to_owned(),
                cycle: events.into_iter().zip(violation.cycle.iter().map(|(_, name)| (*name).to_owned())).collect(),
            });
        }
    }
}

struct Explainer<'a> {
    test: &'a Test,
    models: Vec<Model>,
    /// For each model the simplest so far, with its events in words.
    best: Vec<Option<(Violation, Vec<String>)>>,
    left: u32,
}

impl Visitor for Explainer<'_> {
    fn wants(&mut self, state: &[i32], _alive: u32) -> bool {
        self.test.condition.proposition.holds(state)
    }

    fn visit(&mut self, x: &mut Execution, _state: &[i32], _alive: u32) -> bool {
        x.explain = true;
        for (model, best) in self.models.iter().zip(&mut self.best) {
            let Err(violation) = (model.consistent)(x) else { continue };
            // Among the shortest the last axiom says most: a candidate that
            // breaks coherence as well is the worse example.
            if best.as_ref().is_none_or(|(known, _)| rank(&violation) < rank(known)) {
                let events = violation.cycle.iter().map(|(event, _)| describe(self.test, x, *event)).collect();
                *best = Some((violation, events));
            }
        }
        x.explain = false;
        self.left -= 1;
        self.left > 0
    }
}

fn rank(violation: &Violation) -> (bool, usize) {
    let length = if violation.cycle.is_empty() { usize::MAX } else { violation.cycle.len() };
    (matches!(violation.axiom, "coherence" | "atomicity"), length)
}
