use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::tally::States;
use super::*;
use crate::backend::lab::litmus::parse::parse;

const CHUNK: usize = 64;

fn store_buffering(lanes: usize) -> Perpetual {
    let text = "C SB\n{}\nP0 (atomic_int* x, atomic_int* y) { atomic_store_explicit(x,1,memory_order_relaxed); \
        int r0 = atomic_load_explicit(y,memory_order_relaxed); }\n\
        P1 (atomic_int* x, atomic_int* y) { atomic_store_explicit(y,1,memory_order_relaxed); \
        int r0 = atomic_load_explicit(x,memory_order_relaxed); }\nexists (0:r0=0 /\\ 1:r0=0)";
    Perpetual::new(&parse("SB", text).unwrap(), Plan::perpetual(CHUNK, 1, lanes)).unwrap()
}

proptest! {
    /// Logs as two threads could have left them, and what they show by the
    /// definition: n has missed m's store, the earliest that it has missed,
    /// and m has missed n's.
    #[test]
    fn distinct_witnesses_are_those_of_the_definition(
        power in 0..7_u32,
        steps in prop::collection::vec((0..3_usize, 0..3_usize), CHUNK),
    ) {
        let lanes = 1 << power;
        let perpetual = store_buffering(lanes);
        let mut logs = [vec![0; CHUNK], vec![0; CHUNK]];
        for (thread, log) in logs.iter_mut().enumerate() {
            let mut seen = vec![0; lanes];
            for (n, value) in log.iter_mut().enumerate() {
                let step = if thread == 0 { steps[n].0 } else { steps[n].1 };
                seen[n % lanes] += step;
                *value = match seen[n % lanes] * lanes {
                    0 => 0,
                    some => (some - lanes + n % lanes + 1).min(CHUNK - lanes + n % lanes + 1),
                };
                perpetual.out[thread][n].store(*value as i32, Ordering::Relaxed);
            }
        }
        let mut distinct = BTreeSet::new();
        let mut witnesses = 0;
        for n in 0..CHUNK {
            let missed = (0..CHUNK).find(|m| m % lanes == n % lanes && logs[0][n] <= *m);
            if let Some(m) = missed.filter(|m| logs[1][*m] <= n) {
                distinct.insert(m);
                witnesses += 1;
            }
        }
        let ledgers = [0, 1].map(|_| Ledger { states: States::new(2), ..Ledger::default() });
        (0..2).for_each(|thread| perpetual.count(thread, &ledgers[thread]));
        let found = |of: fn(&Ledger) -> u64| ledgers.iter().map(of).sum::<u64>();
        prop_assert_eq!(found(|ledger| ledger.witnesses.get()), witnesses);
        // Where the two threads' shares meet one of each lane may be left out.
        let counted = found(|ledger| ledger.distinct.get());
        prop_assert!(counted <= distinct.len() as u64, "{} of {}", counted, distinct.len());
        prop_assert!(counted + lanes as u64 >= distinct.len() as u64, "{} of {}", counted, distinct.len());
    }
}
