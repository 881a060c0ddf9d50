//! Many readings of the same make, by two threads at one time.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{Builder, scope};

use nix::sched::{CloneFlags, unshare};

/// From so many readings on it pays to start another thread that reads with us.
const MANY: usize = 512;
/// So many are taken at once: one of the two may hardly get a CPU.
const SOME: usize = 64;

/// What `each` makes of all these, in their order. What it keeps from one to the next is
/// `own`, or something new of the kind where two threads read.
pub(super) fn for_each<T: Sync, S: Default, R: Send>(
    all: &[T],
    own: &mut S,
    each: impl Fn(&mut S, &T) -> R + Sync,
) -> Vec<R> {
    if all.len() < MANY {
        return all.iter().map(|one| each(own, one)).collect();
    }
    let made: Vec<Mutex<Option<R>>> = all.iter().map(|_| Mutex::new(None)).collect();
    by_two_threads(all.len(), &|some| {
        let mut own = S::default();
        for at in some {
            *made[at].lock().unwrap_or_else(PoisonError::into_inner) = Some(each(&mut own, &all[at]));
        }
    });
    made.into_iter().filter_map(|made| made.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()
}

/// Has all the numbers below `count` done, some at a time. Where there is no second thread to
/// be had, this one does them all.
#[inline(never)]
fn by_two_threads(count: usize, work: &(dyn Fn(Range<usize>) + Sync)) {
    let next = AtomicUsize::new(0);
    let take = || {
        loop {
            let from = next.fetch_add(SOME, Ordering::Relaxed);
            if from >= count {
                break;
            }
            work(from..count.min(from + SOME));
        }
    };
    let reader = || {
        // With descriptors of its own it need not wait for the other at their table.
        let _ = unshare(CloneFlags::CLONE_FILES);
        take();
    };
    scope(|scope| {
        let _ = Builder::new().name("reader".to_owned()).spawn_scoped(scope, reader);
        take();
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
