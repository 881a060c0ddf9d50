//! Judges a test: which final states a model allows, whether the program races,
//! and why the condition can be satisfied or cannot.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::{Duration, Instant};

use super::ast::Test;
use super::axiom::Violation;
use super::candidates::{Ended, Search, enumerate};
use super::execution::{Execution, Kind};
use super::models::Model;
use super::relation::Relation;
use crate::model::Nanos;
use crate::model::litmus::{Broken, Judgement, Observation, Order, Witness};

/// What the models say about a test.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// What each says.
    pub judgements: Vec<Judgement>,
    /// Each final state that one of them allows, and which do.
    pub allowed: BTreeMap<Vec<i32>, Vec<bool>>,
}

/// Judges `test` under each of `models`, in `time` at most.
///
/// # Errors
/// A sentence where there are too many executions for that.
pub fn judge(test: &Test, models: &[Model], time: Duration) -> Result<Judged, String> {
    let begin = Instant::now();
    let search = Search { deadline: begin + time, incoherent: false };
    let mut findings: Vec<Finding> = models.iter().map(|_| Finding::default()).collect();
    let mut candidates = 0;
    let ended = enumerate(test, search, &mut |x, state| {
        candidates += 1;
        for (model, finding) in models.iter().zip(&mut findings) {
            finding.look(test, *model, x, state);
        }
        true
    });
    if let Ended::TooLarge(why) = ended {
        return Err(why);
    }
    let mut judged = Judged::default();
    for (index, (model, finding)) in models.iter().zip(findings).enumerate() {
        for state in &finding.states {
            judged.allowed.entry(state.clone()).or_insert_with(|| vec![false; models.len()])[index] = true;
        }
        let mut judgement = finding.judgement(test, model.name);
        judgement.candidates = candidates;
        if !judgement.allowed {
            judgement.broken = why_forbidden(test, *model, search.deadline);
        }
        judgement.took = Nanos::from(begin.elapsed());
        judged.judgements.push(judgement);
    }
    Ok(judged)
}

/// All final states of all candidates, those included that every model forbids;
/// nothing where there are too many.
pub fn conceivable_states(test: &Test, time: Duration) -> Vec<Vec<i32>> {
    let mut states = BTreeSet::new();
    let search = Search { deadline: Instant::now() + time, incoherent: true };
    let ended = enumerate(test, search, &mut |_, state| {
        if !states.contains(state) {
            states.insert(state.to_vec());
        }
        true
    });
    if ended == Ended::Complete { states.into_iter().collect() } else { Vec::new() }
}

/// What one model says, as it is found out.
#[derive(Default)]
struct Finding {
    states: HashSet<Vec<i32>>,
    consistent: u64,
    race: Option<(String, String)>,
    witness: Option<Witness>,
}

impl Finding {
    fn look(&mut self, test: &Test, model: Model, x: &Execution, state: &[i32]) {
        if (model.consistent)(x).is_err() {
            return;
        }
        self.consistent += 1;
        if self.race.is_none() {
            let race = (model.races)(x).pairs().next();
            self.race = race.map(|(a, b)| (describe(test, x, a), describe(test, x, b)));
        }
        if self.witness.is_none() && test.condition.proposition.holds(state) {
            self.witness = Some(witness(test, x));
        }
        if !self.states.contains(state) {
            self.states.insert(state.to_vec());
        }
    }

    fn judgement(self, test: &Test, model: &str) -> Judgement {
        let satisfying = self.states.iter().filter(|state| test.condition.proposition.holds(state)).count();
        let mut states: Vec<String> = self.states.iter().map(|state| test.state_text(state)).collect();
        states.sort();
        Judgement {
            model: model.to_owned(),
            allowed: satisfying > 0,
            observation: match satisfying {
                0 => Observation::Never,
                some if some < states.len() => Observation::Sometimes,
                _ => Observation::Always,
            },
            race: self.race,
            states,
            consistent: self.consistent,
            witness: self.witness,
            ..Judgement::default()
        }
    }
}

/// The simplest violation among the candidates that satisfy the condition.
fn why_forbidden(test: &Test, model: Model, deadline: Instant) -> Option<Broken> {
    let mut best: Option<(Violation, Vec<String>)> = None;
    let search = Search { deadline, incoherent: true };
    enumerate(test, search, &mut |x, state| {
        if !test.condition.proposition.holds(state) {
            return true;
        }
        x.explain = true;
        if let Err(violation) = (model.consistent)(x) {
            let length =
                |violation: &Violation| if violation.cycle.is_empty() { usize::MAX } else { violation.cycle.len() };
            // Among the shortest the last axiom says most: a candidate that
            // breaks coherence as well is the worse example.
            if best.as_ref().is_none_or(|(known, _)| rank(&violation, length(&violation)) < rank(known, length(known)))
            {
                let events = violation.cycle.iter().map(|(event, _)| describe(test, x, *event)).collect();
                best = Some((violation, events));
            }
        }
        x.explain = false;
        true
    });
    best.map(|(violation, events)| Broken {
        axiom: violation.axiom.to_owned(),
        meaning: violation.meaning.to_owned(),
        cycle: events.into_iter().zip(violation.cycle.iter().map(|(_, name)| (*name).to_owned())).collect(),
    })
}

fn rank(violation: &Violation, length: usize) -> (bool, usize) {
    (matches!(violation.axiom, "coherence" | "atomicity"), length)
}

fn witness(test: &Test, x: &Execution) -> Witness {
    let events = (0..x.size()).map(|event| describe(test, x, event)).collect();
    let mut edges = Vec::new();
    let mut add = |name: &str, relation: &Relation| {
        edges.extend(relation.pairs().map(|(a, b)| (name.to_owned(), a, b)));
    };
    add("sb", &next_only(&x.sb));
    add("rf", &x.rf);
    add("mo", &next_only(&x.mo));
    add("rb", &x.rb);
    Witness { events, edges }
}

/// A transitive relation without the pairs that follow from others.
fn next_only(relation: &Relation) -> Relation {
    relation - relation.then(relation)
}

/// An event in words: `P0: y.load(Relaxed) = 1`.
pub fn describe(test: &Test, x: &Execution, event: usize) -> String {
    let e = &x.events[event];
    let name = test.locations.get(e.location.0).map_or("", |place| place.name.as_str());
    let Some(thread) = e.thread else { return format!("initially {name} = {}", e.value) };
    let access = match (e.kind, e.order) {
        (Kind::Fence, order) => format!("fence({order})"),
        (Kind::Read, Order::Plain) => format!("*{name} read as {}", e.value),
        (Kind::Write, Order::Plain) => format!("*{name} = {}", e.value),
        (Kind::Read, order) => format!("{name}.load({order}) = {}", e.value),
        (Kind::Write, order) => format!("{name}.store({}, {order})", e.value),
    };
    format!("P{thread}: {access}")
}

#[cfg(test)]
mod tests;
