//! Messages of 1 MiB with larger buffers beside the default ones, and the same
//! with minimal loops: what a larger buffer is worth on this machine.

use syncscope::model::channel::Mode;

use super::Options;
use super::lab::{Asked, lab, middle, ratio, show};
use super::loops::minimal;

const SIZE: usize = 1 << 20;

/// Both buffers in turns, and both loops.
pub(crate) fn run(options: &Options) {
    println!("{:<12} {:>8} {:>8} {:>10} {:>10}  ratio", "1 MiB", "buffer", "loop", "tuned", "default");
    for (key, buffer) in [("unix_stream", 4_u64 << 20), ("pipe", 1 << 20)] {
        let ask =
            |buffer| Asked { key, mode: Mode::Throughput, size: SIZE, buffer, wait: None, seconds: options.seconds };
        // Tuned and default, of the lab and of the minimal loop.
        let mut figures = [const { Vec::new() }; 4];
        for _ in 0..options.rounds {
            for (place, buffer) in [Some(buffer), None].into_iter().enumerate() {
                let rate = lab(ask(buffer));
                figures[place].push(rate * SIZE as f64);
                let count = ((rate * options.seconds) as u64).max(16);
                figures[2 + place].push(minimal(ask(buffer), count) * SIZE as f64);
            }
        }
        for (name, [tuned, plain]) in ["lab", "minimal"].into_iter().zip(figures.as_chunks::<2>().0) {
            let (with, without) = (middle(tuned, "B/s"), middle(plain, "B/s"));
            let share = show(ratio(tuned, plain));
            println!("{key:<12} {:>7}M {name:>8} {with:>10} {without:>10}  {share}", buffer >> 20);
        }
    }
}
