//! Round trips with the panel open beside those of the lab alone: the panel's
//! figures are read off its screen.

use std::process::Command;
use std::time::{Duration, Instant};

use syncscope::model::channel::{Mode, Spread};

use super::Options;
use super::lab::{Asked, measure};
use super::pty::Pty;

/// What the panel starts with, by key and by the name on the screen.
const SHOWN: [(&str, &str); 3] = [("pipe", "pipe"), ("unix_stream", "Unix stream"), ("memfd_ring", "shared ring")];
const SIZE: usize = 4096;

/// For each transport and percentile: both medians and both spreads.
pub(crate) fn run(options: &Options) {
    let mut alone: [[Vec<f64>; 2]; 3] = Default::default();
    let mut open: [[Vec<f64>; 2]; 3] = Default::default();
    for _ in 0..options.rounds {
        for ((key, _), found) in SHOWN.iter().zip(&mut alone) {
            let mode = Mode::Latency;
            let point = measure(Asked { key, mode, size: SIZE, buffer: None, wait: None, seconds: options.seconds });
            let trips = point.round_trip_ns.unwrap();
            found[0].push(trips.p50.0 as f64);
            found[1].push(trips.p99.0 as f64);
        }
        for (row, found) in on_the_screen(options.seconds).into_iter().zip(&mut open) {
            found[0].push(row[0]);
            found[1].push(row[1]);
        }
    }
    println!("{:<14} {:<4} {:>32} {:>32}", "4 KiB", "", "alone, µs", "panel open, µs");
    for (((key, _), alone), open) in SHOWN.iter().zip(&alone).zip(&open) {
        for (name, (alone, open)) in ["p50", "p99"].iter().zip(alone.iter().zip(open)) {
            let (alone, open) = (Spread::of(alone.clone()).unwrap(), Spread::of(open.clone()).unwrap());
            let show = |s: Spread| format!("{:.2} ({:.2} … {:.2})", s.median / 1e3, s.min / 1e3, s.max / 1e3);
            let within = (alone.min..=alone.max).contains(&open.median);
            let verdict = if within { "within the spread" } else { "beyond it" };
            println!("{key:<14} {name:<4} {:>32} {:>32}  {verdict}", show(alone), show(open));
        }
    }
}

/// p50 and p99 of each, after every transport has asked for about so long.
fn on_the_screen(seconds: f64) -> [[f64; 2]; 3] {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
    command.args(["--panel", "ipc", "--labs", "off"]);
    let pty = Pty::start(&mut command, 160, 50).unwrap();
    wait_for(&pty, "Transports");
    pty.send("s").unwrap();
    // Round trips have two fifths of the time, which three transports share.
    std::thread::sleep(Duration::from_secs_f64(1.0 + seconds * 7.5));
    pty.send("s").unwrap();
    wait_for(&pty, "stopped");
    SHOWN.map(|(_, name)| figures(&pty, name))
}

fn wait_for(pty: &Pty, text: &str) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !pty.text().contains(text) {
        assert!(Instant::now() < deadline, "the screen never says {text}:\n{}", pty.text());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Reads `pipe  p50 45.8 µs  p99 91.6 µs` off the screen.
fn figures(pty: &Pty, name: &str) -> [f64; 2] {
    let text = pty.text();
    let row = text.lines().find_map(|line| {
        let at = line.find(&format!("{name:<12}  p50 "))?;
        Some(line[at + name.len()..].to_owned())
    });
    let row = row.unwrap_or_else(|| panic!("no figures of {name} on the screen:\n{text}"));
    ["p50", "p99"].map(|percentile| {
        let mut words = row.split(percentile).nth(1).unwrap().split_whitespace();
        let value: f64 = words.next().unwrap().parse().unwrap();
        value
            * match words.next().unwrap() {
                "ns" => 1.0,
                "µs" => 1e3,
                "ms" => 1e6,
                other => panic!("{other} in {row}"),
            }
    })
}
