//! What the IPC lab's figures are worth, section by section:
//!
//! ```text
//! loops   each kernel transport beside a minimal loop of the same calls
//! ring    the shared ring beside a minimal C ring and rtrb's in-process ring,
//!         and its round trip beside what a cache line takes
//! park    spinning, then parking, beside a pipe; CPU time when nothing is sent
//! tuned   1 MiB messages with larger buffers beside the default ones
//! panel   the lab with the dashboard open beside the lab alone
//!
//! cargo bench --bench ipc [-- SECTION… [--seconds S] [--rounds R] [--only KEY,…]
//!                          [--sizes BYTES,…] [--same-cpu]]
//! ```
//!
//! Everything compared takes turns within one run, and what is printed is the
//! median of the ratios of the turns: what the machine does meanwhile meets
//! both.
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

mod lab;
mod loops;
mod memory;
mod panel;
#[path = "../pty/mod.rs"]
#[expect(dead_code, reason = "other benches use more of it")]
mod pty;
mod remote;
mod tuned;

/// What the command line says.
pub(crate) struct Options {
    /// Measuring time of one turn.
    pub(crate) seconds: f64,
    pub(crate) rounds: u32,
    /// These transports only, where not empty.
    pub(crate) only: Vec<String>,
    /// These sizes only, where not empty.
    pub(crate) sizes: Vec<usize>,
}

impl Options {
    fn wants(&self, size: usize) -> bool {
        self.sizes.is_empty() || self.sizes.contains(&size)
    }
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let value = |name: &str| words.iter().position(|word| word == name).map(|at| words[at + 1].clone());
    let options = Options {
        seconds: value("--seconds").map_or(0.2, |text| text.parse().unwrap()),
        rounds: value("--rounds").map_or(9, |text| text.parse().unwrap()),
        only: value("--only").map_or(Vec::new(), |text| text.split(',').map(str::to_owned).collect()),
        sizes: value("--sizes").map_or(Vec::new(), |text| text.split(',').map(|size| size.parse().unwrap()).collect()),
    };
    syncscope::backend::program::set(env!("CARGO_BIN_EXE_syncscope"));
    let sections = [
        ("loops", loops::run as fn(&Options)),
        ("ring", memory::ring),
        ("park", memory::park),
        ("tuned", tuned::run),
        ("panel", panel::run),
    ];
    let named = sections.iter().any(|(name, _)| words.iter().any(|word| word == name));
    for (name, section) in sections {
        if !named || words.iter().any(|word| word == name) {
            println!("\n{name}");
            section(&options);
        }
    }
}
