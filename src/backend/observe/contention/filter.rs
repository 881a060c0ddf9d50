//! The filter that the kernel applies before it writes a sample
//! (`Documentation/trace/events.rst`, "Event filtering"): the target's threads
//! only.
//!
//! A filter names numbers, and threads come and go. Numbers are given out in
//! ascending order, so whatever is above the newest number of the moment is let
//! through as well: a thread that is made later is seen from its first block on.
//! What else gets through is sorted out by who it is of.

use std::ffi::CString;
use std::fmt::Write;

use crate::model::Pid;

/// So many stretches of numbers are named; beyond, near ones are joined.
const STRETCHES: usize = 24;

/// A filter by the field `field`, for threads in ascending order; all above
/// `newest` pass.
pub(super) fn by_thread(field: &str, threads: &[Pid], newest: Pid) -> String {
    let mut stretches: Vec<(Pid, Pid)> = Vec::new();
    for &thread in threads.iter().filter(|&&thread| thread <= newest) {
        match stretches.last_mut() {
            Some((_, last)) if thread == *last + 1 => *last = thread,
            _ => stretches.push((thread, thread)),
        }
    }
    while stretches.len() > STRETCHES {
        // The narrowest gap lets the fewest others through.
        let gap = |at: &usize| stretches[at + 1].0 - stretches[*at].1;
        let Some(at) = (0..stretches.len() - 1).min_by_key(gap) else { break };
        stretches[at].1 = stretches[at + 1].1;
        stretches.remove(at + 1);
    }
    let mut filter = String::new();
    for (first, last) in stretches {
        // Writing to a String cannot fail.
        let _ = if first == last {
            write!(filter, "{field}=={first}||")
        } else {
            write!(filter, "({field}>={first}&&{field}<={last})||")
        };
    }
    let _ = write!(filter, "{field}>{newest}");
    filter
}

/// The filter for blocks: those that were wanted, of these threads if known.
pub(super) fn blocks(threads: Option<(&[Pid], Pid)>) -> CString {
    // TASK_INTERRUPTIBLE, in which every futex wait sleeps.
    let text = match threads {
        None => "prev_state==1".to_owned(),
        Some((threads, newest)) => format!("prev_state==1&&({})", by_thread("prev_pid", threads, newest)),
    };
    CString::new(text).unwrap_or_default()
}

/// The filter for wake-ups of these threads; `None` where all shall pass.
pub(super) fn wakes(threads: Option<(&[Pid], Pid)>) -> Option<CString> {
    let (threads, newest) = threads?;
    CString::new(by_thread("pid", threads, newest)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_one_stretch_and_the_future_passes() {
        let text = by_thread("pid", &[3, 7, 8, 9, 12, 40], 20);
        assert_eq!(text, "pid==3||(pid>=7&&pid<=9)||pid==12||pid>20");
        assert_eq!(blocks(Some((&[5], 9))).to_str(), Ok("prev_state==1&&(prev_pid==5||prev_pid>9)"));
        assert_eq!(blocks(None).to_str(), Ok("prev_state==1"));
        assert_eq!(wakes(None), None);
    }

    #[test]
    fn many_stretches_are_joined_at_their_narrowest_gaps() {
        let threads: Vec<Pid> = (0..200).map(|n| n * 10 + Pid::from(n % 2 == 0) * 5).collect();
        let text = by_thread("prev_pid", &threads, 5_000);
        assert!(text.len() < 2_000 && text.matches("||").count() == STRETCHES, "{text}");
        let passes = |thread: Pid| {
            text.split("||").any(|part| {
                let numbers: Vec<Pid> =
                    part.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
                match numbers[..] {
                    [only] if part.contains("==") => thread == only,
                    [first, last] => (first..=last).contains(&thread),
                    _ => false,
                }
            })
        };
        assert!(threads.iter().all(|&thread| passes(thread)));
    }
}
