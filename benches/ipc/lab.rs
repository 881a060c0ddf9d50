//! One figure of the lab's own, and how two of them stand to each other.

use std::time::Duration;

use syncscope::backend::lab::ipc::sweep::{Event, Sweep};
use syncscope::backend::lab::ipc::transport;
use syncscope::model::channel::{IpcPoint, Mode, Payload, Placement, Spread, Waiting};
use syncscope::model::units::si;

/// What to measure; the payload is not touched, as nobody touches a minimal
/// loop's.
#[derive(Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) key: &'a str,
    pub(crate) mode: Mode,
    pub(crate) size: usize,
    pub(crate) buffer: Option<u64>,
    pub(crate) wait: Option<Waiting>,
    pub(crate) seconds: f64,
}

/// Both processes on one CPU where `--same-cpu` is said: then no wake-up of a CPU
/// that sleeps is in the figures, which differs more from turn to turn than
/// what is compared.
pub(crate) fn placement() -> Placement {
    if std::env::args().any(|word| word == "--same-cpu") { Placement::SameCpu } else { Placement::CrossCpu }
}

/// Measures it once.
pub(crate) fn measure(asked: Asked<'_>) -> IpcPoint {
    let sweep = Sweep {
        transports: vec![transport(asked.key).unwrap()],
        modes: vec![asked.mode],
        sizes: vec![asked.size],
        buffers: vec![asked.buffer],
        placement: placement(),
        wait: asked.wait,
        payload: Payload::Untouched,
        time: Duration::from_secs_f64(asked.seconds),
        repeats: 1,
        rate: None,
    };
    let mut found = None;
    sweep.run(&mut || true, &mut |event| {
        if let Event::Point(point) = event {
            found = Some(*point);
        }
    });
    let point = found.unwrap();
    assert!(point.skipped.is_none(), "{}: {:?}", asked.key, point.skipped);
    point
}

/// Messages a second, or the median round trip in nanoseconds.
pub(crate) fn figure(point: &IpcPoint) -> f64 {
    let rate = point.throughput.map(|throughput| throughput.messages_per_s.median);
    rate.or(point.round_trip_p50_ns.map(|p50| p50.median)).unwrap()
}

/// The same of one measurement.
pub(crate) fn lab(asked: Asked<'_>) -> f64 {
    figure(&measure(asked))
}

/// The spread of the ratios, turn by turn.
pub(crate) fn ratio(ours: &[f64], theirs: &[f64]) -> Spread {
    Spread::of(ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect()).unwrap()
}

/// `0.98 (0.93 … 1.04)`.
pub(crate) fn show(spread: Spread) -> String {
    format!("{:.2} ({:.2} … {:.2})", spread.median, spread.min, spread.max)
}

/// The median with its unit.
pub(crate) fn middle(values: &[f64], unit: &str) -> String {
    format!("{}{unit}", si(Spread::of(values.to_vec()).unwrap().median))
}
