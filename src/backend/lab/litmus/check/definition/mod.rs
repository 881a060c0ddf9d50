//! The checker beside a second one, written as plainly as the definitions read:
//! a read-modify-write is one event, every value is guessed, every order of the
//! writes and every writer of a read is tried, and an axiom is a loop.

mod axioms;
mod programs;
mod traces;

use std::collections::BTreeSet;

use proptest::prelude::*;

use self::axioms::{consistent, matrix};
use self::programs::{NAMES, Ord, Step, program, text};
use self::traces::{Ev, Trace, traces};
use super::*;
use crate::backend::lab::litmus::models::MODELS;
use crate::backend::lab::litmus::parse::parse;

/// The final states of each model, and the races.
fn by_definition(program: &[Vec<Step>]) -> ([BTreeSet<Vec<i32>>; 4], [bool; 2]) {
    let mut found: ([BTreeSet<Vec<i32>>; 4], [bool; 2]) = Default::default();
    let all: Vec<Vec<Trace>> = program
        .iter()
        .enumerate()
        .map(|(thread, steps)| {
            let mut out = Vec::new();
            traces(thread, steps, &Trace::default(), None, &[], &mut out);
            out
        })
        .collect();
    let mut chosen = vec![0; all.len()];
    loop {
        combination(&all.iter().zip(&chosen).map(|(t, c)| &t[*c]).collect::<Vec<_>>(), &mut found);
        let Some(digit) = (0..all.len()).find(|t| chosen[*t] + 1 < all[*t].len()) else { return found };
        chosen[digit] += 1;
        chosen[..digit].fill(0);
    }
}

fn combination(traces: &[&Trace], found: &mut ([BTreeSet<Vec<i32>>; 4], [bool; 2])) {
    let initial = |location| Ev {
        thread: usize::MAX,
        location,
        read: None,
        write: Some(0),
        order: Ord::Na,
        fence: false,
        carries: false,
        data: None,
        ctrl: Vec::new(),
    };
    let mut events: Vec<Ev> = (0..NAMES.len()).map(initial).collect();
    let mut starts = Vec::new();
    for trace in traces {
        starts.push(events.len());
        events.extend(trace.events.iter().cloned());
    }
    let n = events.len();
    let reads: Vec<usize> = (0..n).filter(|a| events[*a].read.is_some()).collect();
    let writers = |read: usize| -> Vec<usize> {
        let fits = |w: &usize| {
            *w != read && events[*w].location == events[read].location && events[*w].write == events[read].read
        };
        (0..n).filter(fits).collect()
    };
    let choices: Vec<Vec<usize>> = reads.iter().map(|read| writers(*read)).collect();
    if choices.iter().any(Vec::is_empty) {
        return;
    }
    let orders: Vec<Vec<Vec<usize>>> = (0..NAMES.len())
        .map(|x| {
            let writes: Vec<_> =
                (NAMES.len()..n).filter(|a| events[*a].write.is_some() && events[*a].location == x).collect();
            permutations(&writes)
                .into_iter()
                .map(|mut order| {
                    order.insert(0, x);
                    order
                })
                .collect()
        })
        .collect();
    for (order_x, order_y) in orders[0].iter().flat_map(|x| orders[1].iter().map(move |y| (x, y))) {
        let before = |order: &[usize], a: usize, b: usize| {
            let at = |e: usize| order.iter().position(|o| *o == e);
            at(a).zip(at(b)).is_some_and(|(a, b)| a < b)
        };
        let mo = matrix(n, |a, b| before(order_x, a, b) || before(order_y, a, b));
        let mut picked = vec![0; reads.len()];
        loop {
            let rf = matrix(n, |a, b| {
                reads.iter().zip(&choices).zip(&picked).any(|((read, choice), pick)| *read == b && choice[*pick] == a)
            });
            let (fine, races) = consistent(&events, &starts, &rf, &mo);
            let mut state: Vec<i32> = traces.iter().flat_map(|trace| trace.registers.iter().copied()).collect();
            for order in [order_x, order_y] {
                state.push(events[order[order.len() - 1]].write.unwrap_or(0));
            }
            for (model, fine) in fine.iter().enumerate() {
                if *fine {
                    found.0[model].insert(state.clone());
                }
            }
            found.1[0] |= races[0];
            found.1[1] |= races[1];
            let Some(digit) = (0..picked.len()).find(|r| picked[*r] + 1 < choices[*r].len()) else { break };
            picked[digit] += 1;
            picked[..digit].fill(0);
        }
    }
}

fn permutations(left: &[usize]) -> Vec<Vec<usize>> {
    if left.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (index, first) in left.iter().enumerate() {
        let mut rest = left.to_vec();
        rest.remove(index);
        for mut order in permutations(&rest) {
            order.insert(0, *first);
            all.push(order);
        }
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn states_and_races_are_those_of_the_definitions(program in program()) {
        let text = text(&program);
        let test = parse("t", &text).unwrap();
        let judged = judge(&test, MODELS, Duration::from_mins(1)).unwrap();
        let (states, races) = by_definition(&program);
        for (index, model) in MODELS.iter().enumerate() {
            let own = judged.allowed.iter().filter(|(_, allowed)| **allowed >> index & 1 == 1).map(|(state, _)| state.clone());
            prop_assert_eq!(own.collect::<BTreeSet<_>>(), states[index].clone(), "{} of\n{}", model.name, text);
        }
        let found = [judged.judgements[2].race.is_some(), judged.judgements[3].race.is_some()];
        prop_assert_eq!(found, races, "races of\n{}", text);
    }
}
