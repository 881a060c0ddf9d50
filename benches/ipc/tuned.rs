//! Messages of 1 MiB with larger buffers beside the default ones.

use syncscope::model::channel::Mode;

use super::Options;
use super::lab::{Asked, lab, middle, ratio, show};

const SIZE: usize = 1 << 20;

/// Both buffers in turns.
pub(crate) fn run(options: &Options) {
    println!("{:<12} {:>8} {:>10} {:>10}  ratio", "1 MiB", "buffer", "tuned", "default");
    for (key, buffer) in [("unix_stream", 4_u64 << 20), ("pipe", 1 << 20)] {
        let ask =
            |buffer| Asked { key, mode: Mode::Throughput, size: SIZE, buffer, wait: None, seconds: options.seconds };
        let (mut tuned, mut plain) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            tuned.push(lab(ask(Some(buffer))) * SIZE as f64);
            plain.push(lab(ask(None)) * SIZE as f64);
        }
        let (with, without) = (middle(&tuned, "B/s"), middle(&plain, "B/s"));
        println!("{key:<12} {:>7}M {with:>10} {without:>10}  {}", buffer >> 20, show(ratio(&tuned, &plain)));
    }
}
