//! What is kept of each process or thread, brought in line with those that there are.

use crate::model::Pid;

/// Brings rows, sorted by id, in line with the ids that there are now: drops
/// the others, adds the new. Allocates only to grow.
pub fn reconcile<R>(rows: &mut Vec<R>, ids: &[Pid], id_of: impl Fn(&R) -> Pid, mut new: impl FnMut(Pid) -> R) {
    let mut at = 0;
    rows.retain(|row| {
        at += ids[at..].iter().take_while(|id| **id < id_of(row)).count();
        ids.get(at) == Some(&id_of(row))
    });
    let known = rows.len();
    if known == ids.len() {
        return;
    }
    let mut at = 0;
    for &id in ids {
        if at < known && id_of(&rows[at]) == id {
            at += 1;
        } else {
            rows.push(new(id));
        }
    }
    rows.sort_unstable_by_key(id_of);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_follow_the_listing(
            before in proptest::collection::btree_set(1..60_i32, 0..40),
            now in proptest::collection::btree_set(1..60_i32, 0..40),
        ) {
            // The second field says which were kept.
            let mut rows: Vec<(Pid, bool)> = before.iter().map(|&id| (id, true)).collect();
            let ids: Vec<Pid> = now.iter().copied().collect();
            reconcile(&mut rows, &ids, |row| row.0, |id| (id, false));
            let expected: Vec<(Pid, bool)> = now.iter().map(|&id| (id, before.contains(&id))).collect();
            prop_assert_eq!(rows, expected);
        }
    }
}
