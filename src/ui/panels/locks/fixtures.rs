//! Progresses of the lock lab to draw.

use crate::model::histogram::{Distribution, Quantiles};
use crate::model::lab::{LabState, WorkerCost};
use crate::model::lock::{
    Curve, CurvePoint, Deadlocked, Figures, Invariant, Inversion, Lanes, LockOrder, LockProgress, LockSpec,
    LongestWait, Order, Recording, Several, Stuck, Subject, Sweep, Switches, Taken, Trace, Violation, WaitSteps,
};
use crate::model::{Bytes, Fault, Nanos};

pub(super) fn distribution(first: u32, counts: &[u64], p50: u64, p99: u64, max: u64) -> Distribution {
    let quantiles = Quantiles {
        count: counts.iter().sum(),
        mean: Nanos(p50),
        p50: Nanos(p50),
        p90: Nanos(p50 * 2),
        p99: Nanos(p99),
        p999: Nanos(p99 * 3),
        max: Nanos(max),
    };
    Distribution { quantiles, first, counts: counts.to_vec() }
}

/// `threads` threads that take turns, 40 ns each.
pub(super) fn lanes(threads: u64) -> Lanes {
    let turn = |thread: u64, round: u64| {
        let got = (round * threads + thread) * 40;
        [got.saturating_sub(60), got, got + 40].into()
    };
    let rounds = 800 / (40 * threads).max(1) + 1;
    let span = rounds * threads * 40;
    Lanes {
        age: Nanos::ZERO,
        span: Nanos(span),
        threads: (0..threads).map(|t| (0..rounds).map(|r| turn(t, r)).collect()).collect(),
    }
}

pub(super) fn running(threads: usize) -> LockProgress {
    let invariant = |name: &'static str, formula: &'static str, checked| Invariant {
        name: name.into(),
        formula: formula.into(),
        how: "so".into(),
        checked,
        violations: 0,
    };
    LockProgress {
        state: LabState::Running,
        cost: WorkerCost { processes: 1, cpu_time: Nanos::from_secs(6) },
        subject: Some(Subject {
            spec: LockSpec { threads, ..LockSpec::default() },
            version: "Rust 1.95 or later, futex".to_owned(),
            nice: 5,
            left_free: None,
        }),
        figures: Figures {
            measured: Nanos::from_millis(3_200),
            per_thread: (0..threads as u64).map(|t| 9_600_000 + t * 100_000).collect(),
            recent: (0..threads).map(|t| 3.0e6 + t as f64 * 4e4).collect(),
            repeats: Vec::new(),
            wait: Some(distribution(20, &[4, 900, 3_000, 700, 90, 9, 3, 1, 0, 1], 41, 1_210, 4_100_000)),
            held: Some(distribution(28, &[80, 9_000, 300, 2], 201, 260, 3_000_000)),
            longest: Some(LongestWait { thread: 2, waited: Nanos(4_100_000), still: false }),
            handoffs: Some(
                (0..threads).map(|f| (0..threads).map(|t| if f == t { 4 } else { 90 + t as u64 }).collect()).collect(),
            ),
            switches: Switches { voluntary: 12_000, involuntary: 40 },
            futex_calls: None,
            own: Vec::new(),
            inverted: None,
        },
        recording: Recording {
            clock: "invariant TSC".into(),
            cost: Some(Nanos(31)),
            recorded: 39_000_000,
            dropped: 38_100_000,
            memory: Bytes(1 << 20),
            uncounted: None,
        },
        invariants: vec![
            invariant("mutual exclusion", "∀ t₁,t₂,τ  holds(t₁,M,τ) ∧ holds(t₂,M,τ) ⇒ t₁ = t₂", 41_220_113),
            invariant("mutual exclusion in time", "∀ i≠j  [gotᵢ, releasedᵢ) ∩ [gotⱼ, releasedⱼ) = ∅", 900_113),
        ],
        violations: Vec::new(),
        lanes: Some(lanes(threads as u64)),
        order: None,
        steps: None,
        curve: None,
    }
}

pub(super) fn violated() -> LockProgress {
    let mut progress = running(2);
    progress.subject.as_mut().unwrap().spec.lock = "broken_flag".to_owned();
    progress.invariants[1].violations = 212;
    progress.violations = vec![Violation {
        invariant: "mutual exclusion in time".into(),
        holders: [0, 1],
        held: Some([[0, 110], [30, 205]]),
        words: None,
    }];
    progress
}

pub(super) fn unrecorded() -> LockProgress {
    let mut progress = running(4);
    progress.subject.as_mut().unwrap().spec.setting.trace = Trace::Off;
    (progress.lanes, progress.recording.cost) = (None, None);
    let figures = &mut progress.figures;
    (figures.wait, figures.held, figures.handoffs, figures.longest) = (None, None, None, None);
    progress.invariants.truncate(1);
    progress
}

pub(super) fn failed() -> LockProgress {
    let fault = Fault::new("lock worker", "worker 812 ended early: killed by signal 9");
    LockProgress { state: LabState::Failed(fault), ..LockProgress::default() }
}

pub(super) fn deadlocked() -> LockProgress {
    let mut progress = running(4);
    let spec = &mut progress.subject.as_mut().unwrap().spec;
    spec.lock = "pthread".to_owned();
    spec.several = Some(Several { locks: 3, take: 2, order: Order::Random });
    let stuck = |thread, wants, holder| Stuck { thread, wants, holder };
    let taken = |held, taken, thread| Taken { held, taken, thread };
    let chain = [
        "contender 0: deadlocked, waits for mutex 0x7f12a4000c80, held by contender 2 (certain)",
        "contender 2: deadlocked, waits for mutex 0x7f12a4000c00, held by contender 0 (certain)",
        "deadlock: contender 0 → contender 2",
    ];
    progress.order = Some(LockOrder {
        pairs: 6,
        inversion: Some(Inversion { circle: vec![taken(0, 1, 0), taken(1, 0, 0)], rehearsed: true }),
        deadlock: Some(Deadlocked {
            circle: vec![stuck(0, 1, 2), stuck(2, 0, 0)],
            behind: vec![stuck(1, 0, 0), stuck(3, 1, 2)],
            chain: chain.map(str::to_owned).to_vec(),
        }),
    });
    progress.lanes.as_mut().unwrap().threads = vec![vec![[0, 320, 320].into()]; 4];
    progress
}

pub(super) fn waiting() -> LockProgress {
    let mut progress = running(4);
    progress.subject.as_mut().unwrap().spec.lock = "condvar_all".to_owned();
    (progress.figures.handoffs, progress.figures.held) = (None, None);
    progress.steps = Some(WaitSteps {
        passed: [912_000, 912_000, 911_996, 911_998, 911_998],
        recent: [41_200.0, 41_200.0, 0.0, 41_190.0, 41_190.0],
        asleep: vec![1, 3],
        on_their_way: 1,
        spurious: 81_200,
        timeouts: 2,
        lost: 0,
    });
    progress
}

pub(super) fn swept(points: usize) -> LockProgress {
    let mut progress = running(4);
    let locks = vec!["std_mutex".to_owned(), "ticket".to_owned()];
    let sweep = Sweep { locks, threads: vec![1, 2, 4, 8] };
    let point = |(index, (lock, threads)): (usize, (&str, usize))| {
        let fault = (index == 5).then(|| Fault::new("lock worker", "worker 812 ended early: killed by SIGKILL"));
        let rate = 40e6 / (threads as f64).sqrt() / if lock == "ticket" { threads as f64 } else { 1.0 };
        let rates = if fault.is_some() { Vec::new() } else { vec![rate * 0.9, rate, rate * 1.1] };
        CurvePoint { lock: lock.to_owned(), threads, rates, jain: Some(1.0), fault }
    };
    let points = sweep.points().enumerate().take(points).map(point).collect();
    progress.curve = Some(Curve { sweep, points });
    progress
}
