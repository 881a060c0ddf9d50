//! Judges a test: which final states a model allows, whether the program races,
//! and why the condition can be satisfied or cannot.

mod events;
mod explain;
mod states;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

pub use self::events::describe;
use self::events::witness;
use self::explain::explain;
pub use self::states::States;
use super::ast::{Proposition, Test};
use super::candidates::{Ended, Search, Visitor, enumerate};
use super::execution::Execution;
use super::models::Model;
use crate::model::Nanos;
use crate::model::litmus::{Judgement, Observation, Witness};
use crate::model::sorting;

/// What the models say about a test.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// What each says.
    pub judgements: Vec<Judgement>,
    /// Each final state that one of them allows, and which do: a bit each.
    pub allowed: States,
}

impl Judged {
    /// Which of the models allow a final state, in their order.
    pub fn verdicts(&self, state: &[i32]) -> Vec<bool> {
        let allow = self.allowed.get(state).copied().unwrap_or(0);
        (0..self.judgements.len()).map(|index| allow >> index & 1 == 1).collect()
    }
}

/// So many candidates are judged each for itself by every model.
const EXACT: u64 = 4096;
/// From so many candidates on it is tried whether the first reads of a candidate
/// forbid it already.
const NARROW: u64 = 256;
/// The most final states that are collected.
const MOST_STATES: usize = 1 << 20;
/// Judges `test` under each of `models`, 32 at most, in `time` at most.
///
/// # Errors
/// A sentence where there are too many executions for that.
pub fn judge(test: &Test, models: &[Model], time: Duration) -> Result<Judged, String> {
    let begin = Instant::now();
    let search = Search { deadline: begin + time, incoherent: false, satisfying: false };
    let mut bench = Bench {
        test,
        models,
        findings: models.iter().map(|_| Finding::default()).collect(),
        states: States::default(),
        weaker: models.iter().map(|model| weaker(models, model)).collect(),
        candidates: 0,
        conflict: false,
    };
    let all = (1_u32 << models.len()) - 1;
    match enumerate(test, search, all, &mut bench) {
        Ended::Complete => {}
        Ended::Enough => return Err(format!("there are more than {MOST_STATES} final states")),
        Ended::TooLarge(why) => return Err(why),
    }
    let Bench { findings, states, candidates, .. } = bench;
    let text = test.state_writer();
    let mut texts: Vec<(String, u32)> = states.iter().map(|(state, allow)| (text(state), *allow)).collect();
    sorting::by(&mut texts, Ord::cmp);
    let satisfying = states.iter().filter(|(state, _)| test.condition.proposition.holds(state));
    let satisfied: Vec<u32> = satisfying.map(|(_, allow)| *allow).collect();
    let mut judged = Judged::default();
    for (index, (model, finding)) in models.iter().zip(findings).enumerate() {
        let allows = |allow: u32| allow >> index & 1 == 1;
        let own = if index + 1 == models.len() {
            texts.drain(..).filter(|(_, allow)| allows(*allow)).map(|(text, _)| text).collect()
        } else {
            texts.iter().filter(|(_, allow)| allows(*allow)).map(|(text, _)| text.clone()).collect()
        };
        let satisfied = satisfied.iter().filter(|allow| allows(**allow)).count();
        let mut judgement = finding.judgement(model.name, own, satisfied);
        judgement.candidates = candidates;
        judged.judgements.push(judgement);
    }
    explain(test, models, &mut judged.judgements, search.deadline);
    for judgement in &mut judged.judgements {
        judgement.took = Nanos::from(begin.elapsed());
    }
    judged.allowed = states;
    Ok(judged)
}

/// What each model says of one final state: an execution that ends so, or what
/// forbids it; nothing where there are too many executions.
pub fn judge_state(test: &Test, state: &[i32], models: &[Model], time: Duration) -> Vec<Judgement> {
    let equals = state.iter().enumerate().map(|(index, value)| Proposition::Equals(index, *value));
    let all = equals.reduce(|all, one| Proposition::And(Box::new(all), Box::new(one)));
    let mut test = test.clone();
    test.condition.proposition = all.unwrap_or(Proposition::Constant(true));
    judge(&test, models, time).map(|judged| judged.judgements).unwrap_or_default()
}

/// All final states of all candidates, those included that every model forbids;
/// nothing where there are too many.
pub fn conceivable_states(test: &Test, time: Duration) -> Vec<Vec<i32>> {
    struct Collector(BTreeSet<Vec<i32>>);
    impl Visitor for Collector {
        fn wants(&mut self, state: &[i32], _alive: u32) -> bool {
            !self.0.contains(state)
        }
        fn visit(&mut self, _x: &mut Execution, state: &[i32], _alive: u32) -> bool {
            self.0.insert(state.to_vec());
            self.0.len() < MOST_STATES
        }
    }
    let mut states = Collector(BTreeSet::new());
    let search = Search { deadline: Instant::now() + time, incoherent: true, satisfying: false };
    let ended = enumerate(test, search, 1, &mut states);
    if ended == Ended::Complete { states.0.into_iter().collect() } else { Vec::new() }
}

/// The models at work.
///
/// In a large test not every candidate is judged by every model: one whose final
/// state a model allows already has nothing new to say, and one whose first reads
/// contradict a model is not completed for it.
struct Bench<'a> {
    test: &'a Test,
    models: &'a [Model],
    findings: Vec<Finding>,
    /// Each final state and which models allow it, a bit each.
    states: States,
    /// For each model those that allow whatever it does, a bit each.
    weaker: Vec<u32>,
    candidates: u64,
    /// Whether the candidates at hand could race.
    conflict: bool,
}

fn weaker(models: &[Model], stronger: &Model) -> u32 {
    let is_weaker = |model: &Model| stronger.stronger_than.contains(&model.name);
    models.iter().enumerate().filter(|(_, model)| is_weaker(model)).fold(0, |all, (index, _)| all | 1 << index)
}

impl Bench<'_> {
    /// The models of `alive` to whom this candidate may say something new.
    fn curious(&self, state: &[i32], alive: u32) -> u32 {
        let known = self.states.get(state).copied().unwrap_or(0);
        let mut curious = alive & !known;
        if self.conflict {
            for (index, (model, finding)) in self.models.iter().zip(&self.findings).enumerate() {
                if model.races.is_some() && finding.race.is_none() {
                    curious |= alive & 1 << index;
                }
            }
        }
        curious
    }
}

impl Visitor for Bench<'_> {
    fn begin(&mut self, x: &Execution) -> bool {
        self.conflict = x.conflict;
        true
    }

    fn narrow(&mut self, x: &Execution, alive: u32) -> u32 {
        if self.candidates < NARROW {
            return alive;
        }
        let mut narrowed = alive;
        for (index, (model, finding)) in self.models.iter().zip(&mut self.findings).enumerate() {
            let bit = 1 << index;
            if narrowed & bit != 0 && finding.is_worth_trying() {
                if (model.consistent)(x).is_ok() {
                    // Then those that are weaker need not be asked.
                    if narrowed & self.weaker[index] == narrowed & !bit {
                        break;
                    }
                    continue;
                }
                finding.cut += 1;
                narrowed &= !bit;
            }
        }
        narrowed
    }

    fn wants(&mut self, state: &[i32], alive: u32) -> bool {
        self.candidates < EXACT || self.curious(state, alive) != 0
    }

    fn visit(&mut self, x: &mut Execution, state: &[i32], alive: u32) -> bool {
        self.candidates += 1;
        let curious = if self.candidates <= EXACT { alive } else { self.curious(state, alive) };
        let (mut allow, mut implied) = (0, 0);
        for (index, (model, finding)) in self.models.iter().zip(&mut self.findings).enumerate() {
            let bit = 1 << index;
            if curious & bit != 0 && finding.look(self.test, *model, x, state, implied & bit != 0) {
                allow |= bit;
                implied |= self.weaker[index];
            }
        }
        if allow != 0 {
            match self.states.get_mut(state) {
                Some(known) => *known |= allow,
                None => {
                    self.states.insert(state.to_vec(), allow);
                }
            }
        }
        self.states.len() <= MOST_STATES
    }
}

/// What one model says, as it is found out.
#[derive(Default)]
struct Finding {
    consistent: u64,
    race: Option<(String, String)>,
    witness: Option<Witness>,
    /// How often it was asked about incomplete candidates, and how often it
    /// could tell that they were lost.
    tried: u64,
    cut: u64,
}

impl Finding {
    /// Where incomplete candidates are hardly ever lost they are tried seldom.
    fn is_worth_trying(&mut self) -> bool {
        self.tried += 1;
        self.tried < 64 || self.cut * 8 >= self.tried || self.tried.is_multiple_of(64)
    }

    /// Whether the model finds the candidate consistent, where that is not known
    /// already.
    fn look(&mut self, test: &Test, model: Model, x: &Execution, state: &[i32], known: bool) -> bool {
        if !known && (model.consistent)(x).is_err() {
            return false;
        }
        self.consistent += 1;
        if let Some(races) = model.races.filter(|_| x.conflict && self.race.is_none()) {
            let race = races(x).pairs().next();
            self.race = race.map(|(a, b)| (describe(test, x, a), describe(test, x, b)));
        }
        if self.witness.is_none() && test.condition.proposition.holds(state) {
            self.witness = Some(witness(test, model, x));
        }
        true
    }

    fn judgement(self, model: &str, states: Vec<String>, satisfying: usize) -> Judgement {
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

#[cfg(test)]
mod cases;
#[cfg(test)]
mod definition;
#[cfg(test)]
mod tests;
