//! What has gone wrong among threads that contend, by name: starvation, convoy,
//! a monopoly, a priority inversion.

use serde::Serialize;

use super::{Figures, PriorityInversion};

/// Something that a person should be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// Its name in the field.
    pub name: &'static str,
    /// What it was seen by.
    pub seen: String,
}

/// Fewer acquisitions of all threads say nothing.
const ENOUGH: u64 = 1_000;
/// A thread that gets less of the mean starves.
const STARVED: f64 = 0.05;
/// A thread that gets more of everything has it for itself.
const MONOPOLY: f64 = 0.9;
/// From so many voluntary switches for each acquisition on, and so few
/// acquisitions in a row by one thread, the threads march in a convoy.
const CONVOY: (f64, f64) = (0.5, 0.2);

/// What can be told from the figures, worst first.
pub fn diagnose(figures: &Figures) -> Vec<Diagnosis> {
    let inverted = figures.inverted.iter().map(PriorityInversion::diagnosis);
    let threads = figures.per_thread.len();
    let all = figures.acquisitions();
    // Where nothing is handed on, nobody can be kept from it.
    if threads < 2 || all < ENOUGH || figures.handoffs.is_none() {
        return inverted.collect();
    }
    inverted.chain([starvation(figures), monopoly(figures), convoy(figures)].into_iter().flatten()).collect()
}

fn starvation(figures: &Figures) -> Option<Diagnosis> {
    let mean = figures.acquisitions() as f64 / figures.per_thread.len() as f64;
    let of = |(thread, &got): (usize, &u64)| (got as f64 / mean, thread);
    let (share, thread) = figures.per_thread.iter().enumerate().map(of).min_by(|a, b| a.0.total_cmp(&b.0))?;
    let waits = figures.longest.filter(|longest| longest.still && longest.thread == thread);
    let still =
        waits.map_or_else(String::new, |longest| format!(", and has waited {} by now", longest.waited.precise()));
    (share < STARVED).then(|| Diagnosis {
        name: "starvation",
        seen: format!("t{thread} got {:.1} % of what a thread gets on average{still}", share * 100.0),
    })
}

fn monopoly(figures: &Figures) -> Option<Diagnosis> {
    let all = figures.acquisitions() as f64;
    let (thread, &most) = figures.per_thread.iter().enumerate().max_by_key(|(_, got)| **got)?;
    let share = most as f64 / all;
    (share > MONOPOLY)
        .then(|| Diagnosis { name: "monopoly", seen: format!("t{thread} got it {:.0} % of the time", share * 100.0) })
}

fn convoy(figures: &Figures) -> Option<Diagnosis> {
    let [voluntary, _] = figures.switches_per_acquisition()?;
    let handoffs = figures.handoffs.as_ref()?;
    let all: u64 = handoffs.iter().flatten().sum();
    let again: u64 = handoffs.iter().enumerate().map(|(thread, to)| to[thread]).sum();
    let in_a_row = again as f64 / all.max(1) as f64;
    (voluntary > CONVOY.0 && in_a_row < CONVOY.1).then(|| Diagnosis {
        name: "convoy",
        seen: format!(
            "{voluntary:.2} context switches for each acquisition, and it changes hands {:.0} % of the time",
            (1.0 - in_a_row) * 100.0
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Nanos;
    use crate::model::lock::{LongestWait, Switches};

    fn figures(per_thread: &[u64], voluntary: u64, handoffs: Option<Vec<Vec<u64>>>) -> Figures {
        let switches = Switches { voluntary, involuntary: 0 };
        let handoffs = handoffs.or_else(|| Some(vec![vec![0; per_thread.len()]; per_thread.len()]));
        Figures { per_thread: per_thread.to_vec(), switches, handoffs, ..Figures::default() }
    }

    fn names(figures: &Figures) -> Vec<&'static str> {
        diagnose(figures).into_iter().map(|diagnosis| diagnosis.name).collect()
    }

    #[test]
    fn fair_shares_are_well_and_few_say_nothing() {
        assert!(names(&figures(&[1_000, 900, 1_100], 0, None)).is_empty());
        assert!(names(&figures(&[10, 0], 0, None)).is_empty());
        assert!(names(&figures(&[10_000], 10_000, Some(vec![vec![0]]))).is_empty(), "alone one cannot starve");
    }

    #[test]
    fn a_thread_that_gets_nearly_nothing_starves() {
        let mut starving = figures(&[5_000, 5_000, 100], 0, None);
        assert_eq!(names(&starving), ["starvation"]);
        starving.longest = Some(LongestWait { thread: 2, waited: Nanos::from_secs(2), still: true });
        let seen = diagnose(&starving).remove(0).seen;
        assert!(seen.starts_with("t2 got 3.0 %") && seen.contains("has waited 2.00 s"), "{seen}");
        assert_eq!(names(&figures(&[50_000, 10], 0, None)), ["starvation", "monopoly"]);
    }

    #[test]
    fn a_switch_for_each_hand_off_is_a_convoy() {
        let turns = Some(vec![vec![10, 990], vec![990, 10]]);
        assert_eq!(names(&figures(&[1_000, 1_000], 1_900, turns.clone())), ["convoy"]);
        assert!(names(&figures(&[1_000, 1_000], 100, turns)).is_empty(), "a spin lock hands over without");
        let barging = Some(vec![vec![900, 100], vec![100, 900]]);
        assert!(names(&figures(&[1_000, 1_000], 1_900, barging)).is_empty());
    }
}
