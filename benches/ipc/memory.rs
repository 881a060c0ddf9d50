//! Shared memory: the ring beside a minimal C ring and rtrb's, its round trip
//! beside what a cache line takes, and what spinning before parking gains and
//! costs.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use syncscope::backend::lab::ipc::placement::Seats;
use syncscope::backend::lab::ipc::sweep::Sweep;
use syncscope::backend::lab::ipc::transport;
use syncscope::backend::lab::worker;
use syncscope::model::channel::{Mode, Payload, Placement, Waiting};
use syncscope::model::units::Bytes;

use super::Options;
use super::lab::{Asked, figure, lab, measure, middle, ratio, show};

const SIZES: [usize; 8] = [64, 256, 1 << 10, 4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20];
/// What the lab's own ring has where nobody asks for another.
const CAPACITY: u64 = 256 << 10;

/// So many bytes tell how fast a ring is, about.
const BRIEF: u64 = 16 << 20;

fn asked(key: &str, mode: Mode, size: usize, seconds: f64) -> Asked<'_> {
    Asked { key, mode, size, buffer: Some(CAPACITY), wait: Some(Waiting::Spin), seconds }
}

/// Copies of all sizes, then round trips.
pub(crate) fn ring(options: &Options) {
    let minimal = build();
    println!(
        "{:<8} {:>9} {:>9} {:>9} {:>9}  {:<20} {:<20} to rtrb",
        "copy", "lab", "C ring", "numbered", "rtrb", "to the C ring", "to one that numbers"
    );
    for size in SIZES.into_iter().filter(|size| options.wants(*size)) {
        let mut figures = [const { Vec::new() }; 4];
        for _ in 0..options.rounds {
            let ours = lab(asked("memfd_ring", Mode::Throughput, size, options.seconds));
            figures[0].push(ours);
            for (mode, figures) in ["one-way", "numbered"].into_iter().zip(&mut figures[1..3]) {
                // As long as the lab, by its own pace.
                let pace = c_ring(&minimal, mode, size, BRIEF / size as u64);
                figures.push(c_ring(&minimal, mode, size, (pace * options.seconds) as u64));
            }
            figures[3].push(lab(asked("rtrb", Mode::Throughput, size, options.seconds)));
        }
        let [ours, others @ ..] = &figures;
        let rate = |of: &[f64]| middle(&of.iter().map(|rate| rate * size as f64).collect::<Vec<_>>(), "B/s");
        let [c, numbered, rtrb] = others.each_ref().map(|other| (rate(other), show(ratio(ours, other))));
        println!(
            "{:<8} {:>9} {:>9} {:>9} {:>9}  {:<20} {:<20} {}",
            Bytes(size as u64).short(),
            rate(ours),
            c.0,
            numbered.0,
            rtrb.0,
            c.1,
            numbered.1,
            rtrb.1
        );
    }
    let (mut ours, mut line, mut c) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let point = measure(asked("memfd_ring", Mode::Latency, 64, options.seconds));
        let Some(one_way) = point.core_to_core_ns else { continue };
        ours.push(figure(&point));
        line.push(2.0 * one_way.median);
        c.push(c_ring(&minimal, "ping-pong", 64, 200_000));
    }
    println!(
        "round trip of 64 B: {}, beside {} there and back core to core: {}; a C ring {}",
        middle(&ours, " ns"),
        middle(&line, " ns"),
        show(ratio(&ours, &line)),
        middle(&c, " ns"),
    );
}

/// What the C ring beside this file says.
fn c_ring(program: &PathBuf, mode: &str, size: usize, count: u64) -> f64 {
    let seats = Seats::take(Placement::CrossCpu).unwrap();
    let numbers = [seats.asker[0] as u64, seats.answerer[0] as u64, size as u64, count.max(100), CAPACITY];
    let output = Command::new(program).arg(mode).args(numbers.map(|number| number.to_string())).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().unwrap()
}

fn build() -> PathBuf {
    let source = format!("{}/benches/ipc/ring.c", env!("CARGO_MANIFEST_DIR"));
    let binary = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-ipc-ring");
    assert!(Command::new("cc").args(["-O2", "-o"]).arg(&binary).arg(source).status().unwrap().success());
    binary
}

/// A closed loop across two CPUs that have nothing else to do; then a ring in
/// which a message comes every second only.
pub(crate) fn park(options: &Options) {
    let ask = |key, wait| Asked { key, mode: Mode::Latency, size: 64, buffer: None, wait, seconds: options.seconds };
    let (mut ring, mut pipe) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        ring.push(lab(ask("memfd_ring", Some(Waiting::SpinPark))));
        pipe.push(lab(ask("pipe", None)));
    }
    println!(
        "round trip of 64 B: ring, spin-park {}, pipe {}: {} x lower",
        middle(&ring, " ns"),
        middle(&pipe, " ns"),
        show(ratio(&pipe, &ring)),
    );
    println!("CPU time of both sides while a message is sent each second: {:.2} % of a CPU", idle() * 100.0);
}

/// What both workers use in the last seconds of a slow open loop.
fn idle() -> f64 {
    let sweep = Sweep {
        transports: vec![transport("memfd_ring").unwrap()],
        modes: vec![Mode::Latency],
        sizes: vec![64],
        buffers: vec![None],
        placement: Placement::CrossCpu,
        wait: Some(Waiting::SpinPark),
        payload: Payload::Untouched,
        time: Duration::from_secs(8),
        repeats: 1,
        rate: Some(1.0),
    };
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let mut seen = Vec::new();
            while !over.load(Ordering::Relaxed) {
                seen.push((Instant::now(), worker::cpu_of_all()));
                std::thread::sleep(Duration::from_millis(100));
            }
            seen
        });
        sweep.run(&mut || true, &mut |_| {});
        over.store(true, Ordering::Relaxed);
        let seen = watching.join().unwrap();
        // The second half is the open loop; its very end is the workers'.
        let (last, first) = (seen[seen.len() - 4], seen[seen.len() - 24]);
        (last.1 - first.1).as_secs_f64() / (last.0 - first.0).as_secs_f64()
    })
}
