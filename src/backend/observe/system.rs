//! The machine as a whole: CPUs, memory, load, pressure, and what this program
//! itself costs.
//!
//! ```text
//! sysinfo                  /proc/stat, /proc/meminfo, /proc/loadavg, uname(2)
//! /proc/pressure/{cpu,memory,io}                     PSI, see below
//! CLOCK_PROCESS_CPUTIME_ID, /proc/self/statm         this program
//! backend::lab::worker                               its workers
//!
//! some avg10=0.12 avg60=0.05 avg300=0.01 total=48213     one or more tasks stall
//! full avg10=0.00 avg60=0.00 avg300=0.00 total=1200      all tasks stall at once
//! ```
//!
//! PSI: `Documentation/accounting/psi.rst` of the kernel. sysinfo knows only
//! the running machine; a tree made by a test can bring its own pressure.

use std::sync::Arc;

use rustix::io::Errno;
use sysinfo::{CpuRefreshKind, MemoryRefreshKind, System};

use crate::backend::lab::worker;
use crate::model::system::{OwnCost, Pressure, SystemSample};
use crate::model::text::visible_arc;
use crate::model::{Bytes, Fault, Nanos};
use crate::sys::clock;
use crate::sys::procroot::ProcRoot;

/// Takes one reading after another of the machine.
#[derive(Debug)]
pub struct SystemSampler {
    root: Arc<ProcRoot>,
    machine: Option<System>,
    host: Arc<str>,
    kernel: Arc<str>,
    own: OwnSampler,
    buffer: Vec<u8>,
    seen_before: bool,
}

impl SystemSampler {
    /// A sampler that has read nothing yet.
    pub fn new(root: Arc<ProcRoot>) -> Self {
        SystemSampler {
            root,
            machine: System::new().ok(),
            host: visible_arc(System::host_name().unwrap_or_default().as_bytes()),
            kernel: visible_arc(System::kernel_version().unwrap_or_default().as_bytes()),
            own: OwnSampler::default(),
            buffer: Vec::new(),
            seen_before: false,
        }
    }

    /// Reads everything once. Shares of CPU time are those since the reading
    /// before; readings closer than 200 ms repeat the shares of the CPUs.
    pub fn sample(&mut self) -> SystemSample {
        let mut sample = SystemSample {
            host: self.host.clone(),
            kernel: self.kernel.clone(),
            uptime: clock::boottime(),
            own: self.own.sample(),
            ..SystemSample::default()
        };
        match own_rss(&mut self.buffer) {
            Some(rss) => sample.own.rss = rss,
            None => sample.faults.push(Fault::new("/proc/self/statm", "this program's own memory could not be read")),
        }
        self.machine(&mut sample);
        self.pressures(&mut sample);
        self.seen_before = true;
        sample
    }

    fn machine(&mut self, sample: &mut SystemSample) {
        match System::load_average() {
            Ok(load) => sample.load = [load.one, load.five, load.fifteen],
            Err(error) => sample.faults.push(Fault::new("/proc/loadavg", error.to_string())),
        }
        let Some(machine) = &mut self.machine else {
            sample.faults.push(Fault::new("sysinfo", "does not know this system"));
            return;
        };
        machine.refresh_cpu_specifics(CpuRefreshKind::nothing().with_usage());
        machine.refresh_memory_specifics(MemoryRefreshKind::everything());
        if machine.cpus().is_empty() {
            sample.faults.push(Fault::new("/proc/stat", "no CPU could be read"));
        } else if self.seen_before {
            sample.cpu = Some(machine.global_cpu_usage() / 100.0);
            sample.cpus.extend(machine.cpus().iter().map(|cpu| cpu.usage() / 100.0));
        }
        if machine.total_memory() == 0 {
            sample.faults.push(Fault::new("/proc/meminfo", "no memory figures could be read"));
        }
        sample.memory_total = Bytes(machine.total_memory());
        sample.memory_used = Bytes(machine.total_memory().saturating_sub(machine.available_memory()));
        sample.swap_total = Bytes(machine.total_swap());
        sample.swap_used = Bytes(machine.total_swap().saturating_sub(machine.free_swap()));
    }

    fn pressures(&mut self, sample: &mut SystemSample) {
        let mut absent = 0;
        let mut read = |resource: &'static str, faults: &mut Vec<Fault>| {
            match self.root.read_into(resource, &mut self.buffer) {
                Ok(()) => {
                    let pressure = parse_pressure(&self.buffer);
                    if pressure.is_none() {
                        faults
                            .push(Fault::new(self.root.path().join(resource).display().to_string(), "has no averages"));
                    }
                    return pressure;
                }
                Err(Errno::NOENT | Errno::NOTDIR | Errno::OPNOTSUPP) => absent += 1,
                Err(errno) => {
                    let path = self.root.path().join(resource).display().to_string();
                    faults.push(Fault::new(path, std::io::Error::from(errno).to_string()));
                }
            }
            None
        };
        sample.psi_cpu = read("pressure/cpu", &mut sample.faults);
        sample.psi_memory = read("pressure/memory", &mut sample.faults);
        sample.psi_io = read("pressure/io", &mut sample.faults);
        if absent > 0 {
            let path = self.root.path().join("pressure").display().to_string();
            let fault = Fault::new(path, "this kernel reports no pressure stall information");
            sample.faults.push(fault.hint("it needs CONFIG_PSI, and psi=1 at boot where that is off by default"));
        }
    }
}

/// `None` where there is no `some` line.
fn parse_pressure(text: &[u8]) -> Option<Pressure> {
    let text = str::from_utf8(text).ok()?;
    let field = |line: &str, key: &str| -> Option<f32> {
        let (_, value) = line.split_ascii_whitespace().filter_map(|f| f.split_once('=')).find(|(k, _)| *k == key)?;
        value.parse().ok()
    };
    let some = text.lines().find(|line| line.starts_with("some "))?;
    // Kernels before 5.13 have no such line for the CPU.
    let full = text.lines().find(|line| line.starts_with("full "));
    Some(Pressure {
        some10: field(some, "avg10")?,
        some60: field(some, "avg60")?,
        full10: full.and_then(|line| field(line, "avg10")).unwrap_or(0.0),
    })
}

/// Over less time a share says more about the moment than about the program:
/// a panel that opens is sampled at once, between two readings a second apart.
const SHORTEST_SHARE: Nanos = Nanos(200_000_000);

/// What the program itself used between two readings.
#[derive(Debug, Default)]
struct OwnSampler {
    before: Option<(Nanos, Nanos, Nanos)>,
    last: OwnCost,
}

impl OwnSampler {
    /// All but the resident memory.
    fn sample(&mut self) -> OwnCost {
        self.share((clock::monotonic(), clock::process_cpu(), worker::cpu_of_all()))
    }

    /// The shares since the reading before, those of then where it is too near.
    fn share(&mut self, now: (Nanos, Nanos, Nanos)) -> OwnCost {
        let Some(before) = self.before else {
            self.before = Some(now);
            return OwnCost::default();
        };
        let wall = now.0.since(before.0);
        if wall >= SHORTEST_SHARE {
            self.before = Some(now);
            self.last.program = now.1.since(before.1).0 as f32 / wall.0 as f32;
            self.last.workers = now.2.since(before.2).0 as f32 / wall.0 as f32;
        }
        self.last
    }
}

fn own_rss(buffer: &mut Vec<u8>) -> Option<Bytes> {
    buffer.clear();
    let mut file = std::fs::File::open("/proc/self/statm").ok()?;
    std::io::Read::read_to_end(&mut file, buffer).ok()?;
    let pages: u64 = str::from_utf8(buffer).ok()?.split(' ').nth(1)?.parse().ok()?;
    Some(Bytes(pages * rustix::param::page_size() as u64))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::{Duration, Instant};

    use super::*;

    fn sampler(root: &Path) -> SystemSampler {
        SystemSampler::new(Arc::new(ProcRoot::open(root).unwrap()))
    }

    #[test]
    fn this_machine_has_cpus_and_memory_and_we_cost_something() {
        let mut sampler = sampler(Path::new("/proc"));
        let first = sampler.sample();
        assert!(first.cpu.is_none() && first.cpus.is_empty(), "a share needs two readings");
        assert!(first.uptime > Nanos::ZERO);
        assert!(first.memory_total > first.memory_used && first.memory_used > Bytes(0));
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(250) {
            std::hint::spin_loop();
        }
        let second = sampler.sample();
        let cpus = std::thread::available_parallelism().unwrap().get();
        assert!(second.cpus.len() >= cpus, "{} of {cpus}", second.cpus.len());
        assert!(second.cpu.is_some_and(|share| share > 0.0 && share <= 1.0), "{:?}", second.cpu);
        assert!(second.own.program > 0.0, "this test has been busy");
        assert!(second.own.rss > Bytes(1 << 20));
    }

    #[test]
    fn a_reading_soon_after_another_repeats_its_shares() {
        let at = |ms: u64, program: u64, workers: u64| (Nanos(ms * 1_000_000), Nanos(program), Nanos(workers));
        let mut own = OwnSampler::default();
        assert_eq!(own.share(at(0, 0, 0)), OwnCost::default());
        let first = own.share(at(1000, 10_000_000, 40_000_000));
        assert!((first.program - 0.01).abs() < 1e-6 && (first.workers - 0.04).abs() < 1e-6, "{first:?}");
        // 9 ms of work within 10 ms are no 90 % of anything.
        assert_eq!(own.share(at(1010, 19_000_000, 40_000_000)), first);
        let third = own.share(at(2000, 20_000_000, 40_000_000));
        assert!((third.program - 0.01).abs() < 1e-6 && third.workers.abs() < 1e-6, "{third:?}");
    }

    #[test]
    fn pressure_is_read_from_the_given_tree() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join("pressure")).unwrap();
        let write = |name, text| std::fs::write(tree.path().join("pressure").join(name), text).unwrap();
        write("cpu", "some avg10=1.50 avg60=2.25 avg300=0.00 total=48213\n");
        write("io", "some avg10=0.10 avg60=0.20 avg300=0.30 total=1\nfull avg10=0.05 avg60=0.00 avg300=0.00 total=0\n");
        write("memory", "no figures");
        let sample = sampler(tree.path()).sample();
        assert_eq!(sample.psi_cpu, Some(Pressure { some10: 1.5, some60: 2.25, full10: 0.0 }));
        assert_eq!(sample.psi_io, Some(Pressure { some10: 0.1, some60: 0.2, full10: 0.05 }));
        assert_eq!(sample.psi_memory, None);
        assert_eq!(sample.faults.len(), 1, "{:?}", sample.faults);
        assert!(sample.faults[0].source.ends_with("pressure/memory"));
    }

    #[test]
    fn a_kernel_without_pressure_is_one_fault_with_a_way_out() {
        let tree = tempfile::tempdir().unwrap();
        let sample = sampler(tree.path()).sample();
        assert_eq!((sample.psi_cpu, sample.psi_memory, sample.psi_io), (None, None, None));
        assert_eq!(sample.faults.len(), 1, "{:?}", sample.faults);
        assert!(sample.faults[0].hint.as_ref().unwrap().contains("CONFIG_PSI"));
    }
}
