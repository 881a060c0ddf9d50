//! The machine as a whole.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Bytes, Fault, Nanos};

/// Pressure stall information of one resource, `/proc/pressure/*`: the share
/// of time, in percent, in which some or all tasks waited for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Pressure {
    /// Some task stalled, average of 10 s.
    pub some10: f32,
    /// Some task stalled, average of 60 s.
    pub some60: f32,
    /// All tasks stalled at once, average of 10 s.
    pub full10: f32,
}

/// One reading of the machine.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SystemSample {
    /// Host name.
    pub host: Arc<str>,
    /// Kernel release.
    pub kernel: Arc<str>,
    /// Since boot.
    pub uptime: Nanos,
    /// Busy share of each CPU, 0 to 1.
    pub cpus: Vec<f32>,
    /// Busy share of all CPUs together, 0 to 1; `None` at the first reading.
    pub cpu: Option<f32>,
    /// Memory in all.
    pub memory_total: Bytes,
    /// Memory that is not available to a new program.
    pub memory_used: Bytes,
    /// Swap in all.
    pub swap_total: Bytes,
    /// Swap in use.
    pub swap_used: Bytes,
    /// Load averages of 1, 5 and 15 minutes.
    pub load: [f64; 3],
    /// CPU pressure; `None` where the kernel has no PSI.
    pub psi_cpu: Option<Pressure>,
    /// Memory pressure.
    pub psi_memory: Option<Pressure>,
    /// I/O pressure.
    pub psi_io: Option<Pressure>,
    /// What this program itself uses, as a share of one CPU: itself and its
    /// lab workers apart.
    pub own: OwnCost,
    /// What could not be read.
    pub faults: Vec<Fault>,
}

/// What the program costs the machine it watches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OwnCost {
    /// The program itself, as a share of one CPU.
    pub program: f32,
    /// Its lab workers, as a share of one CPU.
    pub workers: f32,
    /// Its resident memory.
    pub rss: Bytes,
}
