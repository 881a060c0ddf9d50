//! What was observed of a process's contention: JSON, and text for people.
//!
//! ```text
//! payments 4121: 3.0 s of every block and wake-up, 41,230 waits, 0 events lost
//!
//! address         kind          waits     per s    waited      p50       p99       max  threads
//! 0x55d0c8a21040  mutex        41,002   13.7k/s    2.31 s  41.2 µs   1.20 ms   8.10 ms        4
//!                 mutex in HOT (.bss of /srv/payments +0x40)
//!                 waited    worker-2 4130  1.20 s, worker-5 4133  1.11 s
//!                 woken by  worker-5 4133  20,500, worker-2 4130  20,502
//!                 from      41,002  __lll_lock_wait ← pthread_mutex_lock ← transfer (main.c:42) ← worker
//! ```

use std::fmt::Write;

use serde::Serialize;
use serde_json::json;

use crate::model::contention::{ContendedLock, Contention, Source};
use crate::model::histogram::Quantiles;
use crate::model::units::{grouped, si};
use crate::model::wait::{Certainty, WaitKind};
use crate::model::{Nanos, Pid};
use crate::report::fold::fold;

#[derive(Serialize)]
struct Report<'a> {
    schema: &'static str,
    pid: Pid,
    process: &'a str,
    seconds: f64,
    total: bool,
    ended: bool,
    threads: usize,
    lost_events: u64,
    source: Source,
    waits: u64,
    other_blocks: Option<u64>,
    notes: Vec<String>,
    locks: Vec<Lock<'a>>,
}

#[derive(Serialize)]
struct Lock<'a> {
    address: String,
    kind: WaitKind,
    resource: &'a str,
    certainty: Certainty,
    shared: bool,
    waits: u64,
    waiting: u64,
    wait_ns: Option<&'a Quantiles>,
    waited_ns: Nanos,
    unproven_wakes: Option<u64>,
    waiters: Vec<serde_json::Value>,
    wakers: Vec<serde_json::Value>,
    pairs: Vec<serde_json::Value>,
    stacks: Vec<serde_json::Value>,
}

/// One line of JSON.
pub fn json(contention: &Contention) -> String {
    let timed = contention.source == Source::SchedEvents;
    let lock = |lock: &'_ ContendedLock| -> serde_json::Value {
        let each = Lock {
            address: format!("{:#x}", lock.address),
            kind: lock.kind,
            resource: &lock.resource,
            certainty: lock.certainty,
            shared: lock.shared,
            waits: lock.waits,
            waiting: lock.waiting,
            wait_ns: lock.wait.as_ref().map(|wait| &wait.quantiles),
            waited_ns: lock.waited,
            unproven_wakes: timed.then_some(lock.unproven),
            waiters: lock
                .waiters
                .iter()
                .map(|w| json!({"tid": w.tid, "thread": w.name, "waits": w.waits, "wait_ns": w.waited}))
                .collect(),
            wakers: lock
                .wakers
                .iter()
                .map(|w| json!({"pid": w.pid, "tid": w.tid, "thread": w.name, "wakes": w.wakes}))
                .collect(),
            pairs: lock.pairs.iter().map(|p| json!({"waker": p.waker, "woken": p.woken, "wakes": p.wakes})).collect(),
            stacks: lock.stacks.iter().map(|s| json!({"frames": s.frames, "waits": s.waits})).collect(),
        };
        json!(each)
    };
    let locks: Vec<serde_json::Value> = contention.locks.iter().map(lock).collect();
    let report = Report {
        schema: "syncscope.contention/1",
        pid: contention.pid,
        process: &contention.process,
        seconds: contention.observed.as_secs_f64(),
        total: contention.total,
        ended: contention.ended,
        threads: contention.threads,
        lost_events: contention.lost,
        source: contention.source,
        waits: contention.waits,
        other_blocks: timed.then_some(contention.other_blocks),
        notes: contention.notes.iter().map(ToString::to_string).collect(),
        locks: Vec::new(),
    };
    let mut value = json!(report);
    value["locks"] = locks.into();
    value.to_string()
}

/// So many locks, and so many of each of their lists, are told in text.
const LOCKS: usize = 12;
const ROWS: usize = 3;
/// So many frames of a stack.
const FRAMES: usize = 8;
const INDENT: &str = "                ";

/// Which columns the table has.
#[derive(Clone, Copy, Debug)]
struct Columns {
    /// Waits a second, and how many threads waited.
    all: bool,
    width: usize,
}

impl Columns {
    fn of(width: Option<usize>) -> Self {
        let width = width.unwrap_or(usize::MAX);
        Columns { all: width >= WIDE, width }
    }

    fn line(self, out: &mut String, [address, kind, waits, rate, waited, p50, p99, max, threads]: [&str; 9]) {
        // Writing to a String cannot fail.
        let _ = write!(out, "{address:<14}  {kind:<13} {waits:>10}");
        if self.all {
            let _ = write!(out, " {rate:>8}");
        }
        let _ = write!(out, " {waited:>9} {p50:>9} {p99:>9} {max:>9}");
        if self.all {
            let _ = write!(out, " {threads:>8}");
        }
        out.push('\n');
    }
}

/// The table with all columns.
const WIDE: usize = 98;

/// Text for people, in lines of at most `width` columns where that is known.
pub fn text(contention: &Contention, width: Option<usize>) -> String {
    let mut out = String::new();
    let columns = Columns::of(width);
    head(&mut out, contention, columns);
    if contention.locks.is_empty() {
        out.push_str("\nnone of its threads waited for a futex\n");
    } else {
        out.push('\n');
        columns.line(&mut out, ["address", "kind", "waits", "per s", "waited", "p50", "p99", "max", "threads"]);
    }
    for lock in contention.locks.iter().take(LOCKS) {
        row(&mut out, lock, contention.observed, columns);
    }
    if contention.locks.len() > LOCKS {
        let _ = writeln!(out, "{INDENT}… and {} more", contention.locks.len() - LOCKS);
    }
    for note in &contention.notes {
        fold(&mut out, &format!("note: {note}"), (0, 6), columns.width);
    }
    out
}

fn head(out: &mut String, contention: &Contention, columns: Columns) {
    let Contention { pid, process, observed, source, waits, lost, .. } = contention;
    let seen = match source {
        Source::SchedEvents => {
            format!("of every block and wake-up, {} waits, {} events lost", grouped(*waits), grouped(*lost))
        }
        Source::Sampling => format!("by sampling, {} waits seen", grouped(*waits)),
    };
    let ended = if contention.ended { "; it has ended" } else { "" };
    fold(out, &format!("{process} {pid}: {} {seen}{ended}", observed.precise()), (0, 2), columns.width);
}

fn row(out: &mut String, lock: &ContendedLock, observed: Nanos, columns: Columns) {
    let quantiles = lock.wait.as_ref().map(|wait| &wait.quantiles).filter(|quantiles| quantiles.count > 0);
    let of = |pick: fn(&Quantiles) -> Nanos| quantiles.map_or_else(|| "–".to_owned(), |q| pick(q).precise());
    let cells = [
        format!("{:#x}", lock.address),
        lock.kind.words().to_owned(),
        grouped(lock.waits),
        si(lock.waits as f64 / observed.as_secs_f64().max(0.001)),
        lock.waited.precise(),
        of(|q| q.p50),
        of(|q| q.p99),
        of(|q| q.max),
        lock.waiters.len().to_string(),
    ];
    columns.line(out, cells.each_ref().map(String::as_str));
    let mut below = |text: &str, hanging| fold(out, text, (INDENT.len(), hanging), columns.width);
    let shared = if lock.shared { ", shared between processes" } else { "" };
    below(&format!("{}{shared}", lock.resource), 2);
    let mut labelled = |label: &str, text: &str| below(&format!("{label:<9} {text}"), 10);
    if lock.waiting > 0 {
        let word = if lock.waiting == 1 { "thread waits" } else { "threads wait" };
        labelled("now", &format!("{} {word} for it", lock.waiting));
    }
    let waiter = |w: &crate::model::contention::Waiter| format!("{} {}  {}", w.name, w.tid, w.waited.precise());
    let waker = |w: &crate::model::contention::Waker| format!("{} {}  {}", w.name, w.tid, grouped(w.wakes));
    let waiters = list(&lock.waiters.iter().map(waiter).collect::<Vec<_>>());
    let wakers = list(&lock.wakers.iter().map(waker).collect::<Vec<_>>());
    for (label, told) in [("waited", waiters), ("woken by", wakers)] {
        if let Some(told) = told {
            labelled(label, &told);
        }
    }
    if lock.unproven > 0 {
        labelled("", &format!("{} ended by time-out, signal or unseen", grouped(lock.unproven)));
    }
    for (index, stack) in lock.stacks.iter().take(ROWS).enumerate() {
        let frames: Vec<&str> = stack.frames.iter().take(FRAMES).map(AsRef::as_ref).collect();
        let label = if index == 0 { "from" } else { "" };
        labelled(label, &format!("{:>7}  {}", grouped(stack.waits), frames.join(" ← ")));
    }
}

fn list(all: &[String]) -> Option<String> {
    let more = if all.len() > ROWS { format!(", and {} more", all.len() - ROWS) } else { String::new() };
    let told: Vec<&str> = all.iter().take(ROWS).map(String::as_str).collect();
    (!all.is_empty()).then(|| format!("{}{more}", told.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Fault;
    use crate::model::contention::{Pair, Stack, Waiter, Waker};
    use crate::model::histogram::Distribution;

    fn observed(source: Source) -> Contention {
        let quantiles = Quantiles { count: 9, p50: Nanos(41_200), max: Nanos(8_100_000), ..Quantiles::default() };
        let lock = ContendedLock {
            address: 0x55d0_c8a2_1040,
            kind: WaitKind::PthreadMutex,
            resource: "mutex in HOT (.bss of /srv/payments +0x40)".into(),
            certainty: Certainty::Certain,
            shared: false,
            waits: 10,
            waiting: 1,
            waited: Nanos::from_millis(1_200),
            wait: (source == Source::SchedEvents).then(|| Distribution { quantiles, ..Distribution::default() }),
            unproven: 2,
            waiters: vec![Waiter { tid: 7, name: "w-1".into(), waits: 10, waited: Nanos::from_millis(1_200) }],
            wakers: vec![Waker { pid: 5, tid: 8, name: "w-2".into(), wakes: 8 }],
            pairs: vec![Pair { waker: 8, woken: 7, wakes: 8 }],
            stacks: vec![Stack { frames: vec!["lock".into(), "main (x.c:3)".into()], waits: 10 }],
        };
        Contention {
            pid: 5,
            process: "payments".into(),
            observed: Nanos::from_secs(2),
            total: true,
            source,
            waits: 10,
            notes: vec![Fault::new("sampling", "so and so")],
            locks: vec![lock],
            ..Contention::default()
        }
    }

    #[test]
    fn json_has_the_fields_of_the_contract() {
        let value: serde_json::Value = serde_json::from_str(&json(&observed(Source::SchedEvents))).unwrap();
        assert_eq!(value["schema"], "syncscope.contention/1");
        assert_eq!((&value["pid"], &value["seconds"], &value["lost_events"]), (&json!(5), &json!(2.0), &json!(0)));
        assert_eq!(value["source"], "sched_events");
        let lock = &value["locks"][0];
        assert_eq!((&lock["address"], &lock["kind"]), (&json!("0x55d0c8a21040"), &json!("pthread_mutex")));
        assert_eq!((&lock["waits"], &lock["wait_ns"]["p50"]), (&json!(10), &json!(41_200)));
        assert_eq!(lock["waiters"], json!([{"tid": 7, "thread": "w-1", "waits": 10, "wait_ns": 1_200_000_000}]));
        assert_eq!(lock["wakers"][0]["wakes"], 8);
        assert_eq!(lock["stacks"], json!([{"frames": ["lock", "main (x.c:3)"], "waits": 10}]));
    }

    #[test]
    fn what_sampling_cannot_see_is_null() {
        let value: serde_json::Value = serde_json::from_str(&json(&observed(Source::Sampling))).unwrap();
        assert_eq!(value["source"], "sampling");
        assert!(value["other_blocks"].is_null() && value["locks"][0]["wait_ns"].is_null());
        assert!(value["locks"][0]["unproven_wakes"].is_null());
        assert_eq!(value["notes"], json!(["sampling: so and so"]));
    }

    #[test]
    fn the_text_says_who_waited_for_what_and_where() {
        let text = text(&observed(Source::SchedEvents), None);
        for part in [
            "payments 5: 2.00 s of every block and wake-up, 10 waits, 0 events lost",
            "mutex in HOT (.bss of /srv/payments +0x40)",
            "now       1 thread waits for it",
            "w-1 7  1.20 s",
            "w-2 8  8",
            "2 ended by time-out",
            "lock ← main (x.c:3)",
            "note: sampling: so and so",
        ] {
            assert!(text.contains(part), "{part}:\n{text}");
        }
        assert!(super::text(&Contention::default(), None).contains("none of its threads waited"));
    }

    #[test]
    fn the_text_is_no_wider_than_the_terminal() {
        let mut observed = observed(Source::SchedEvents);
        observed.locks[0].stacks[0].frames = vec!["a_function_with_a_long_name (its_file.c:30)".into(); 6];
        for (width, all) in [(80, false), (97, false), (98, true), (200, true)] {
            let text = text(&observed, Some(width));
            assert!(text.lines().all(|line| line.chars().count() <= width), "{width}\n{text}");
            assert_eq!(text.contains("per s"), all, "{width}\n{text}");
        }
    }
}
