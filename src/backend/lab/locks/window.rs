//! The recent stretch of time that the lanes show.

use super::contend::Seat;
use super::ring::Record;
use crate::model::Nanos;
use crate::model::lock::{Acquisition, Lanes};
use crate::sys::tsc::Scale;

/// The most acquisitions of all threads in one stretch.
const MOST: usize = 2_048;

/// What a thread did lately: its newest records, and whether there were older
/// ones that were left out.
#[derive(Debug, Default)]
struct Lately {
    records: Vec<Record>,
    more: bool,
}

/// The stretch of at most `span` ticks that ends at `end`, or, where nothing
/// has happened in it (the holder was preempted, or holds for long), around
/// the last event before. It begins later where a thread's records do not reach
/// back so far: what is shown is complete.
pub(super) fn lanes(seats: &[Seat], end: u64, span: u64, scale: Scale) -> Lanes {
    let each = (MOST / seats.len().max(1)).max(4);
    let threads: Vec<Lately> = seats.iter().map(|seat| lately(seat, each)).collect();
    let last = last_event(&threads, end);
    // A quarter of the stretch shows what came of it.
    let until = if last > 0 && end.saturating_sub(last) > span { last + span / 4 } else { end };
    Lanes { age: Nanos(scale.nanos(end - until)), ..cut(&threads, until, span, scale) }
}

/// The last stamp of any thread up to `end`; 0 where there is none.
fn last_event(threads: &[Lately], end: u64) -> u64 {
    let records = threads.iter().flat_map(|thread| &thread.records);
    records.flat_map(|r| [r.wanted, r.got, r.released]).filter(|stamp| *stamp <= end).max().unwrap_or(0)
}

fn lately(seat: &Seat, limit: usize) -> Lately {
    // The open one first: it may be completed meanwhile, but what is read
    // after it cannot be missing.
    let (number, open) = seat.ring.open();
    let mut records = Vec::with_capacity(limit + 1);
    let first = seat.ring.read(number.saturating_sub(limit as u64), usize::MAX, &mut records);
    records.truncate(number.saturating_sub(first) as usize);
    if open.wanted > 0 {
        records.push(open);
    }
    Lately { records, more: first > 0 }
}

fn cut(threads: &[Lately], end: u64, span: u64, scale: Scale) -> Lanes {
    let reach = threads.iter().filter(|thread| thread.more).filter_map(|thread| thread.records.first());
    let begin = reach.map(|record| record.wanted).max().unwrap_or(0).max(end.saturating_sub(span)).min(end);
    let at = |ticks: u64| scale.nanos(ticks.clamp(begin, end) - begin);
    let still = |ticks: u64| if ticks == 0 { end } else { ticks };
    let acquisition = |record: &Record| {
        let got = still(record.got).max(record.wanted);
        let released = if record.got == 0 { end } else { still(record.released).max(got) };
        (record.wanted < end && released > begin).then(|| Acquisition {
            wanted: at(record.wanted),
            got: at(got),
            released: at(released),
            shared: record.shared,
        })
    };
    Lanes {
        age: Nanos::ZERO,
        span: Nanos(scale.nanos(end - begin)),
        threads: threads.iter().map(|thread| thread.records.iter().filter_map(acquisition).collect()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(wanted: u64, got: u64, released: u64) -> Record {
        Record { wanted, got, released, shared: false }
    }

    fn shown(lanes: &Lanes, thread: usize) -> Vec<[u64; 3]> {
        lanes.threads[thread].iter().map(|a| [a.wanted, a.got, a.released]).collect()
    }

    #[test]
    fn records_are_cut_at_both_ends_and_open_ones_reach_the_end() {
        let threads = [
            Lately { records: vec![record(80, 90, 95), record(97, 99, 110), record(150, 160, 0)], more: false },
            Lately { records: vec![record(105, 110, 120), record(130, 0, 0)], more: false },
            Lately { records: vec![record(199, 201, 205), record(210, 0, 0)], more: false },
            Lately::default(),
        ];
        let lanes = cut(&threads, 200, 100, Scale::NANOSECONDS);
        assert_eq!(lanes.span, Nanos(100));
        assert_eq!(shown(&lanes, 0), [[0, 0, 10], [50, 60, 100]]);
        assert_eq!(shown(&lanes, 1), [[5, 10, 20], [30, 100, 100]]);
        assert_eq!(shown(&lanes, 2), [[99, 100, 100]]);
        assert!(lanes.threads[3].is_empty());
    }

    #[test]
    fn the_stretch_begins_where_every_thread_is_known() {
        let threads = [
            Lately { records: vec![record(150, 151, 152), record(160, 161, 162)], more: true },
            Lately { records: vec![record(120, 121, 155), record(170, 171, 172)], more: false },
        ];
        let lanes = cut(&threads, 200, 100, Scale::NANOSECONDS);
        assert_eq!(lanes.span, Nanos(50));
        assert_eq!(shown(&lanes, 1), [[0, 0, 5], [20, 21, 22]]);
    }

    #[test]
    fn the_last_event_is_found_whatever_kind_it_is() {
        let of = |record| [Lately { records: vec![record], more: false }];
        assert_eq!(last_event(&of(record(10, 20, 30)), 100), 30);
        assert_eq!(last_event(&of(record(10, 20, 0)), 100), 20);
        assert_eq!(last_event(&of(record(10, 0, 0)), 100), 10);
        assert_eq!(last_event(&of(record(10, 120, 130)), 100), 10, "what is later than the reading does not count");
        assert_eq!(last_event(&[Lately::default()], 100), 0);
        let later = [70, 110, 120, 130].map(|at| record(at, at + 1, at + 2)).to_vec();
        assert_eq!(last_event(&[Lately { records: later, more: false }], 100), 72, "nor what came after a closing");
    }

    #[test]
    fn a_thread_that_wants_or_holds_all_along_fills_its_lane() {
        let threads = [
            Lately { records: vec![record(10, 0, 0)], more: false },
            Lately { records: vec![record(5, 7, 0)], more: false },
        ];
        let lanes = cut(&threads, 200, 100, Scale::NANOSECONDS);
        assert_eq!(shown(&lanes, 0), [[0, 100, 100]]);
        assert_eq!(shown(&lanes, 1), [[0, 0, 100]]);
    }
}
