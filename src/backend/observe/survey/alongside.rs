//! Many readings of the same make, by two threads at one time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, scope};

use nix::sched::{CloneFlags, unshare};

/// From so many readings on it pays to start another thread that reads with us.
const MANY: usize = 512;
/// So many are taken at once: one of the two may hardly get a CPU.
const SOME: usize = 32;

/// What `each` makes of all these, in their order. What it keeps from one to the next is
/// `own`, or something new of the kind on each of two threads.
pub(super) fn for_each<T: Sync, S: Default, R: Send>(
    all: &[T],
    own: &mut S,
    each: impl Fn(&mut S, &T) -> R + Sync,
) -> Vec<R> {
    if all.len() < MANY {
        return all.iter().map(|one| each(own, one)).collect();
    }
    let (next, done) = (AtomicUsize::new(0), Mutex::new(Vec::with_capacity(all.len() / SOME + 1)));
    on_two_threads(&|| {
        let mut own = S::default();
        loop {
            let from = next.fetch_add(SOME, Ordering::Relaxed);
            let Some(some) = all.get(from..).filter(|some| !some.is_empty()) else { break };
            let made: Vec<R> = some.iter().take(SOME).map(|one| each(&mut own, one)).collect();
            done.lock().unwrap_or_else(PoisonError::into_inner).push((from, made));
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(from, _)| *from);
    done.into_iter().flat_map(|(_, made)| made).collect()
}

/// Where there is no second thread to be had, this one does it all.
#[inline(never)]
fn on_two_threads(work: &(dyn Fn() + Sync)) {
    let reader = || {
        // With descriptors of its own it need not wait for the other at their table.
        let _ = unshare(CloneFlags::CLONE_FILES);
        work();
    };
    scope(|scope| {
        let _ = Builder::new().name("reader".to_owned()).spawn_scoped(scope, reader);
        work();
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_done_once_and_in_order_whether_few_or_many() {
        for count in [0, 1, SOME, MANY - 1, MANY, MANY + 1, MANY * 3 + SOME / 2] {
            let all: Vec<usize> = (0..count).collect();
            let calls = AtomicUsize::new(0);
            let mut kept = 0_usize;
            let made = for_each(&all, &mut kept, |kept, one| {
                calls.fetch_add(1, Ordering::Relaxed);
                *kept += 1;
                one * 2
            });
            assert_eq!(made, all.iter().map(|one| one * 2).collect::<Vec<_>>());
            assert_eq!(calls.into_inner(), count);
            assert_eq!(kept, if count < MANY { count } else { 0 });
        }
    }
}
