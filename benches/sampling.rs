//! What sampling costs: CPU time of one reading of the process table, next to
//! the least that any monitor pays that reads `stat` of every process.
//!
//! `cargo bench --bench sampling [PROCESSES] [THREADS]`

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Program, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::{pread, read};
use syncscope::backend::{Backend, Command, Options, Topics, Update};
use syncscope::model::{Nanos, Pid};
use syncscope::sys::proc_read::{Listing, Path as ProcPath};
use syncscope::sys::{clock, limits};

/// Readings measured of each kind, after [`WARM_UP`] others.
const READINGS: u32 = 20;
const WARM_UP: u32 = 3;
/// Longer than the shortest interval over which shares are measured.
const PAUSE: Duration = Duration::from_millis(150);

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse().ok());
    let (processes, threads): (u32, u32) = (numbers.next().unwrap_or(2_000), numbers.next().unwrap_or(1_000));
    limits::raise_nofile();
    let program = compile()?;
    let crowd = Crowd::start(&program, processes, 0)?;
    println!("{} processes here, CPU time of one reading, mean of {READINGS}:\n", list()?.len());
    let floor = minimal_loop()?;
    row("open, read, close of every stat", floor.opened, floor.opened);
    row("pread of every stat, kept open", floor.kept, floor.opened);
    let table = Topics { processes: true, ..Topics::default() };
    let waits = Topics { waits: true, ..table };
    measure("process table", table, floor.opened)?;
    measure("process table with waits", waits, floor.opened)?;
    measure("… with switches and I/O", Topics { switches: true, io: true, ..waits }, floor.opened)?;
    let many = Crowd::start(&program, 0, threads)?;
    println!("\nwith {threads} threads more:\n");
    measure("process table and threads", Topics { threads: true, ..table }, floor.opened)?;
    measure("process table, threads, waits", Topics { threads: true, ..waits }, floor.opened)?;
    drop((crowd, many));
    std::fs::remove_dir_all(program.parent().unwrap_or(&program))?;
    Ok(())
}

/// Prints one line: milliseconds, and the ratio to the minimal loop.
fn row(what: &str, cost: Nanos, floor: Nanos) {
    let ratio = cost.0 as f64 / floor.0 as f64;
    println!("{what:<34} {:>9.3} ms   {ratio:>5.2} × open, read, close", cost.0 as f64 / 1e6);
}

struct Floor {
    opened: Nanos,
    kept: Nanos,
}

/// What the kernel alone costs, in a loop without parsing.
fn minimal_loop() -> Result<Floor> {
    let root = syncscope::sys::procroot::ProcRoot::open(Path::new("/proc"))?;
    let open = |pid: Pid| -> rustix::io::Result<OwnedFd> {
        openat(root.directory(), ProcPath::process(pid).file("stat").as_c_str(), OFlags::RDONLY, Mode::empty())
    };
    let pids = list()?;
    let mut buffer = [0_u8; 4096];
    let began = clock::thread_cpu();
    for pid in (0..READINGS).flat_map(|_| &pids) {
        if let Ok(file) = open(*pid) {
            read(&file, &mut buffer)?;
        }
    }
    let opened = Nanos(clock::thread_cpu().since(began).0 / u64::from(READINGS));
    let files: Vec<OwnedFd> = pids.iter().filter_map(|pid| open(*pid).ok()).collect();
    let began = clock::thread_cpu();
    for file in (0..READINGS).flat_map(|_| &files) {
        // A process may have ended meanwhile.
        let _ = pread(file, &mut buffer, 0);
    }
    Ok(Floor { opened, kept: Nanos(clock::thread_cpu().since(began).0 / u64::from(READINGS)) })
}

/// Our own sampler, as a face uses it.
fn measure(what: &str, topics: Topics, floor: Nanos) -> Result<()> {
    let options = Options { proc_root: PathBuf::from("/proc"), refresh: Duration::from_hours(1) };
    let began = Instant::now();
    let mut backend = Backend::start(&options);
    backend.send(Command::Watch(topics));
    let (mut first, mut whole) = (None, None);
    while whole.is_none() {
        backend.bell().recv_timeout(Duration::from_secs(10))?;
        backend.poll(|update| {
            if let Update::Processes(table) = update {
                first.get_or_insert((began.elapsed(), table.took.0 as f64 / 1e6));
                whole = table.value.complete.then(|| (began.elapsed(), table.took));
            }
        });
    }
    let mut sum = Nanos::ZERO;
    for reading in 0..WARM_UP + READINGS {
        std::thread::sleep(PAUSE);
        let took = sample(&mut backend)?;
        if reading >= WARM_UP {
            sum += took;
        }
    }
    row(what, Nanos(sum.0 / u64::from(READINGS)), floor);
    if let (Some((first, early)), Some((whole, took))) = (first, whole) {
        let cpu = took.0 as f64 / 1e6;
        println!(
            "{:<34} first table after {first:.1?}, {early:.1} ms of CPU time; whole after {whole:.1?}, {cpu:.1} ms",
            ""
        );
    }
    Ok(())
}

fn sample(backend: &mut Backend) -> Result<Nanos> {
    backend.send(Command::SampleNow);
    loop {
        backend.bell().recv_timeout(Duration::from_secs(10))?;
        let mut took = None;
        backend.poll(|update| {
            if let Update::Processes(table) = update {
                took = Some(table.took);
            }
        });
        if let Some(took) = took {
            return Ok(took);
        }
    }
}

fn list() -> Result<Vec<Pid>> {
    let (root, mut pids) = (syncscope::sys::procroot::ProcRoot::open(Path::new("/proc"))?, Vec::new());
    Listing::default().read(root.directory().as_fd(), c".", &mut pids)?;
    Ok(pids)
}

fn compile() -> Result<PathBuf> {
    let directory = tempfile::tempdir()?.keep();
    let program = directory.join("crowd");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/crowd/crowd.c");
    let compiled = Program::new("cc").args(["-O1", "-pthread", "-o"]).arg(&program).arg(source).status()?;
    if compiled.success() { Ok(program) } else { Err("cc could not compile benches/crowd/crowd.c".into()) }
}

/// Sleepers, which end with this value.
struct Crowd(Child);

impl Crowd {
    fn start(program: &Path, processes: u32, threads: u32) -> Result<Self> {
        let mut child = Program::new(program)
            .args([processes.to_string(), threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().ok_or("no pipe")?;
        let crowd = Crowd(child);
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        if line == "ready\n" { Ok(crowd) } else { Err("the crowd could not be started".into()) }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // The end of its input ends it, and that ends its children.
        drop(self.0.stdin.take());
        drop(self.0.wait());
    }
}
