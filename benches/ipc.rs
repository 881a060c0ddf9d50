//! What the lab's loops cost beside a minimal loop of the same calls.
//!
//! For each kernel transport and size, in turns: the lab's own measurement
//! (payload untouched, as the minimal loop's is), and between two processes
//! nothing but `write` and `read` of libc. Both are pinned alike, warmed up,
//! and repeated; what is printed is the ratio of the medians with both spreads.
//!
//! ```text
//! cargo bench --bench ipc [-- SECONDS ROUNDS]
//! ```
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::hint::black_box;
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::{read, write};
use syncscope::backend::lab::ipc::placement::Seats;
use syncscope::backend::lab::ipc::sweep::{Event, Sweep};
use syncscope::backend::lab::ipc::transport;
use syncscope::model::channel::{Mode, Payload, Placement, Spread};
use syncscope::model::units::si;
use syncscope::sys::affinity;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    if args.first().is_some_and(|arg| arg == "minimal") {
        return peer(&args[1..]);
    }
    syncscope::backend::program::set(env!("CARGO_BIN_EXE_syncscope"));
    let seconds = args.first().map_or(0.25, |arg| arg.parse().unwrap());
    let rounds = args.get(1).map_or(9, |arg| arg.parse().unwrap());
    println!("{:<12} {:<10} {:>7}  {:>26}  {:>26}  {:>7}", "transport", "what", "size", "lab", "minimal loop", "ratio");
    for key in ["pipe", "unix_stream"] {
        for mode in [Mode::Throughput, Mode::Latency] {
            for size in [64, 4096, 65_536] {
                compare(key, mode, size, seconds, rounds);
            }
        }
    }
}

/// The ratio is lab to minimal of messages a second, or of round-trip p50.
fn compare(key: &str, mode: Mode, size: usize, seconds: f64, rounds: u32) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let figure = lab(key, mode, size, seconds);
        let rate = if mode == Mode::Throughput { figure } else { 1e9 / figure };
        theirs.push(minimal(key, mode, size, ((rate * seconds) as u64).max(16)));
        ours.push(figure);
    }
    let (ours, theirs) = (Spread::of(ours).unwrap(), Spread::of(theirs).unwrap());
    let unit = if mode == Mode::Throughput { "/s" } else { " ns" };
    let show = |s: Spread| format!("{}{unit} ({} … {})", si(s.median), si(s.min), si(s.max));
    println!(
        "{key:<12} {mode:<10} {size:>7}  {:>26}  {:>26}  {:>7.3}",
        show(ours),
        show(theirs),
        ours.median / theirs.median
    );
}

fn lab(key: &str, mode: Mode, size: usize, seconds: f64) -> f64 {
    let sweep = Sweep {
        transports: vec![transport(key).unwrap()],
        modes: vec![mode],
        sizes: vec![size],
        buffers: vec![None],
        placement: Placement::CrossCpu,
        wait: None,
        payload: Payload::Untouched,
        time: Duration::from_secs_f64(seconds),
        repeats: 1,
        rate: None,
    };
    let mut figure = None;
    sweep.run(&mut || true, &mut |event| {
        if let Event::Point(point) = event {
            assert!(point.skipped.is_none(), "{:?}", point.skipped);
            figure = point.throughput.map(|t| t.messages_per_s.median).or(point.round_trip_p50_ns.map(|p| p.median));
        }
    });
    figure.unwrap()
}

/// Messages a second at the receiver, or the median round trip in ns.
fn minimal(key: &str, mode: Mode, size: usize, count: u64) -> f64 {
    let seats = Seats::take(Placement::CrossCpu).unwrap();
    let (out, back, mut peer) = start_peer(key, mode, size, count, seats.answerer[0]);
    // The peer may be on its CPU; this process goes to its own and back.
    let before = affinity::allowed().unwrap();
    affinity::bind(&seats.asker).unwrap();
    let message = vec![1; size];
    let mut answer = vec![0; size];
    let figure = if mode == Mode::Throughput {
        for _ in 0..count + count / 5 {
            write_all(&out, &message);
        }
        let mut nanos = [0; 8];
        read_all(&back, &mut nanos);
        (count - 1) as f64 * 1e9 / u64::from_le_bytes(nanos) as f64
    } else {
        let mut trips = Vec::with_capacity(count as usize);
        for i in 0..count + count / 5 {
            let start = Instant::now();
            write_all(&out, &message);
            read_all(&back, &mut answer);
            let trip = start.elapsed();
            if i >= count / 5 {
                trips.push(trip.as_nanos() as u64);
            }
        }
        trips.sort_unstable();
        trips[trips.len() / 2] as f64
    };
    affinity::bind(&before).unwrap();
    assert!(peer.wait().unwrap().success());
    figure
}

fn start_peer(key: &str, mode: Mode, size: usize, count: u64, cpu: usize) -> (OwnedFd, OwnedFd, Child) {
    let (theirs_in, theirs_out, out, back): (OwnedFd, OwnedFd, OwnedFd, OwnedFd) = if key == "pipe" {
        let (there_out, there_in) = std::io::pipe().unwrap();
        let (back_out, back_in) = std::io::pipe().unwrap();
        (there_out.into(), back_in.into(), there_in.into(), back_out.into())
    } else {
        let (a, b) = std::os::unix::net::UnixStream::pair().unwrap();
        (b.try_clone().unwrap().into(), b.into(), a.try_clone().unwrap().into(), a.into())
    };
    let numbers = [size as u64, count, cpu as u64].map(|n| n.to_string());
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["minimal", mode.name()])
        .args(numbers)
        .stdin(Stdio::from(theirs_in))
        .stdout(Stdio::from(theirs_out))
        .spawn()
        .unwrap();
    (out, back, child)
}

/// The other process: reads standard input, writes standard output.
fn peer(args: &[String]) {
    let [size, count, cpu] = [1, 2, 3].map(|i: usize| args[i].parse::<u64>().unwrap());
    affinity::bind(&[cpu as usize]).unwrap();
    let mut message = vec![0; size as usize];
    let (inward, out) = (std::io::stdin(), std::io::stdout());
    if args[0] == "latency" {
        for _ in 0..count + count / 5 {
            read_all(&inward, &mut message);
            write_all(&out, &message);
        }
        return;
    }
    for _ in 0..=count / 5 {
        read_all(&inward, &mut message);
    }
    let start = Instant::now();
    for _ in 1..count {
        read_all(&inward, &mut message);
    }
    let nanos = start.elapsed().as_nanos() as u64;
    black_box(&message);
    write_all(&out, &nanos.to_le_bytes());
}

fn write_all(fd: impl AsFd, message: &[u8]) {
    let mut sent = 0;
    while sent < message.len() {
        sent += write(&fd, &message[sent..]).unwrap();
    }
}

fn read_all(fd: impl AsFd, message: &mut [u8]) {
    let mut filled = 0;
    while filled < message.len() {
        let got = read(&fd, &mut message[filled..]).unwrap();
        assert!(got > 0, "the writer is gone");
        filled += got;
    }
}
