//! What starting a child costs: through the janitor, by std's `Command` bare,
//! and by `Command` with a `pre_exec`, at growing sizes of this program.
//! Interleaved, so that a busy machine touches all alike; medians and ratios.
//!
//! Then what reading costs: bytes for each second of the supervisor's thread.
//! And a crowd: 1,000 children that write 100 KB/s each, while one talks to
//! another; how long an answer takes, and what memory grows by. The same in the
//! dashboard, where keys move the selection.
//!
//! `cargo bench --bench spawn`, or with `costs`, `reading`, `crowd` or `panel`
//! behind `--` for one of them

#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

#[path = "pty/eye.rs"]
mod eye;
#[expect(dead_code, reason = "other benches use more of it")]
mod pty;

use std::cell::Cell;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use eye::Eye;
use pty::Pty;
use syncscope::backend::children::Supervisor;
use syncscope::backend::outlet::{Inlet, outlet};
use syncscope::backend::{ChildCommand, Update, janitor, program};
use syncscope::model::Stamped;
use syncscope::model::child::{ChildSpec, ChildState, ChildView, Children};
use syncscope::sys::spawn::{self, Spawn};
use syncscope::sys::{heap, reap};

const ROUNDS: usize = 400;
/// So many times for what is far dearer.
const FORKS: usize = 40;
const SIZES_MB: [usize; 3] = [0, 64, 512];

/// What a child of the crowd writes each tenth of a second.
const PORTION: usize = 10_000;
const CROWD: usize = 1_000;
const READ: u64 = 1 << 30;
const FILE: usize = 64 << 20;
const WRITER: &str = "--write-portions";

fn main() {
    if std::env::args().any(|arg| arg == WRITER) {
        return write_portions();
    }
    // As the dashboard does.
    heap::keep_small();
    program::set(env!("CARGO_BIN_EXE_syncscope"));
    let wanted = |name: &str| {
        let named: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
        named.is_empty() || named.iter().any(|arg| arg == name)
    };
    if wanted("costs") {
        costs();
    }
    if wanted("reading") {
        reading();
    }
    if wanted("crowd") {
        crowd();
    }
    if wanted("panel") {
        panel();
    }
}

/// Lines, at a steady pace, until nobody reads them.
fn write_portions() {
    let portion = b"a line of the crowd, such as a log has them\n".repeat(PORTION / 44);
    let mut out = std::io::stdout();
    while std::io::Write::write_all(&mut out, &portion).is_ok() {
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The children as they were told of last.
struct Watch {
    supervisor: Supervisor,
    inlet: Inlet,
    last: Option<Arc<Stamped<Children>>>,
}

impl Watch {
    fn new() -> Self {
        let (outlet, inlet) = outlet();
        Watch { supervisor: Supervisor::start(&outlet), inlet, last: None }
    }

    fn spawn(&self, program: &str, args: &[&str]) {
        let args = args.iter().map(Into::into).collect();
        let spec = ChildSpec { program: program.into(), args, ..ChildSpec::default() };
        self.supervisor.send(ChildCommand::Spawn(Box::new(spec)));
    }

    fn until(&mut self, good: impl Fn(&Children) -> bool) {
        loop {
            self.inlet.drain(|update| {
                if let Update::Children(children) = update {
                    self.last = Some(children);
                }
            });
            if self.last.as_ref().is_some_and(|last| good(&last.value)) {
                return;
            }
            let _ = self.inlet.bell().recv_timeout(Duration::from_secs(1));
        }
    }
}

/// CPU time of the supervisor's thread, in seconds.
fn supervisor_cpu() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let ours = tasks.filter(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|c| c == "children\n"));
    let spent = |task: std::fs::DirEntry| {
        let line = std::fs::read_to_string(task.path().join("schedstat")).unwrap();
        line.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e9
    };
    ours.map(spent).sum()
}

fn reading() {
    let mut watch = Watch::new();
    // From a file, so that whoever writes is faster than we are: one who is slower
    // wakes us for each piece.
    let file = std::env::temp_dir().join(format!("syncscope-bench-{}", std::process::id()));
    for (what, pattern) in [
        ("lines of 80", format!("{}\n", "x".repeat(79))),
        ("no line end", "\0".to_owned()),
        ("colours", format!("\x1b[1;32mok\x1b[0m {}\n", "x".repeat(66))),
        ("a progress bar", format!("\x1b[32m{}\x1b[0m\r", "=".repeat(60))),
    ] {
        let content: Vec<u8> = pattern.bytes().cycle().take(FILE).collect();
        std::fs::write(&file, content).unwrap();
        let files = vec![file.to_str().unwrap(); READ as usize / FILE];
        let (begin, cpu) = (Instant::now(), supervisor_cpu());
        watch.spawn("cat", &files);
        let ended = |child: &Arc<ChildView>| match &child.state {
            ChildState::Ended { exit, .. } => exit.code == Some(0) || panic!("{what}: {exit:?}"),
            _ => false,
        };
        watch.until(|all| all.children.last().is_some_and(|c| ended(c) && c.stdout_bytes >= READ));
        let (wall, cpu) = (begin.elapsed().as_secs_f64(), supervisor_cpu() - cpu);
        let gb = READ as f64 / 1e9;
        println!("reading, {what}: {:.2} GB for each CPU second, {:.2} GB/s by the wall", gb / cpu, gb / wall);
        watch.supervisor.send(ChildCommand::Forget(watch.last.as_ref().unwrap().value.children.last().unwrap().id));
        watch.until(|all| all.children.is_empty());
    }
    std::fs::remove_file(file).unwrap();
}

fn resident(process: &str) -> f64 {
    let statm = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap();
    statm.split(' ').nth(1).unwrap().parse::<f64>().unwrap() * 4096.0 / 1e6
}

fn crowd() {
    let mut watch = Watch::new();
    let before = resident("self");
    watch.spawn("cat", &[]);
    watch.supervisor.send(ChildCommand::Read(Some(1)));
    let own = std::env::current_exe().unwrap();
    (0..CROWD).for_each(|_| watch.spawn(own.to_str().unwrap(), &[WRITER]));
    watch.until(|all| all.children.len() > CROWD && all.children[1..].iter().all(|c| c.stdout_bytes > 0));
    let written = |watch: &Watch| -> u64 {
        watch.last.as_ref().unwrap().value.children.iter().map(|child| child.stdout_bytes).sum()
    };
    let (begin, bytes, cpu) = (Instant::now(), written(&watch), supervisor_cpu());
    let mut answers = Vec::new();
    let mut said = 0;
    while begin.elapsed() < Duration::from_secs(15) {
        let asked = Instant::now();
        said += 2;
        watch.supervisor.send(ChildCommand::Write { id: 1, bytes: b"?\n".to_vec() });
        watch.until(|all| all.children[0].log.iter().map(|block| block.len() as u64).sum::<u64>() >= said / 2);
        answers.push(asked.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(Duration::from_millis(50));
    }
    let wall = begin.elapsed().as_secs_f64();
    let rate = (written(&watch) - bytes) as f64 / wall / 1e6;
    answers.sort_by(f64::total_cmp);
    let at = |share: f64| answers[(answers.len() as f64 * share) as usize];
    println!(
        "crowd: {CROWD} children, {rate:.0} MB/s in all; an answer to what one is told after {:.0} ms (p50), {:.0} ms \
         (p99) of {}; {:.0} MB more resident; the supervisor used {:.0} % of a CPU",
        at(0.5),
        at(0.99),
        answers.len(),
        resident("self") - before,
        (supervisor_cpu() - cpu) / wall * 100.0
    );
}

/// Keys that move the selection among the crowd, in the dashboard.
fn panel() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
    command.args(["run", "--labs", "off", "--"]).arg(std::env::current_exe().unwrap()).arg(WRITER);
    let terminal = Pty::start(&mut command, COLUMNS, ROWS).unwrap();
    let mut eye = Eye::on(&terminal, COLUMNS, ROWS);
    eye.until(|screen| screen.contents().contains("1 of 1 alive"));
    std::thread::sleep(Duration::from_secs(2));
    let process = terminal.child.id().to_string();
    let before = resident(&process);
    for gathered in (10..=CROWD).step_by(10) {
        terminal.send(&"R".repeat(if gathered == 10 { 9 } else { 10 })).unwrap();
        eye.until(|screen| screen.contents().contains(&format!("{gathered} of {gathered} alive")));
    }
    std::thread::sleep(Duration::from_secs(5));
    let (mut waits, mut most): (Vec<f64>, f64) = (Vec::new(), 0.0);
    for n in 0..300 {
        std::thread::sleep(Duration::from_millis(20 + (n * 7) % 30));
        let row = eye.selected(IN_LIST);
        let asked = Instant::now();
        terminal.send(if n % 2 == 0 { "\x1b[B" } else { "\x1b[A" }).unwrap();
        let seen = eye.until_other(row, IN_LIST);
        waits.push(seen.saturating_duration_since(asked).as_secs_f64() * 1e3);
        most = most.max(resident(&process) - before);
    }
    waits.sort_by(f64::total_cmp);
    let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize];
    println!(
        "panel: {CROWD} children; key to paint {:.1} ms (p50), {:.1} ms (p95), {:.1} ms (p99), {:.1} ms at most; \
         {most:.0} MB more resident",
        at(0.5),
        at(0.95),
        at(0.99),
        at(1.0)
    );
    terminal.send("q").unwrap();
    std::thread::sleep(Duration::from_secs(3));
}

const COLUMNS: u16 = 120;
const ROWS: u16 = 40;
/// A column of the list of children.
const IN_LIST: u16 = 20;

fn costs() {
    let janitor = janitor::ensure().unwrap();
    let base = || {
        let mut child = command().spawn().unwrap();
        end(move || child.wait().unwrap())
    };
    let bare = base;
    let forked = || {
        let mut command = command();
        // SAFETY: does nothing.
        unsafe { command.pre_exec(|| Ok(())) };
        let mut child = command.spawn().unwrap();
        end(move || child.wait().unwrap())
    };
    let request = Spawn { program: b"/bin/true", stdio: [spawn::Stdio::Null; 3], ..Spawn::default() };
    let ours = || {
        let child = janitor.spawn(&request, janitor::Role::User).unwrap();
        end(move || reap::wait(&*child.pidfd).unwrap())
    };
    let alone = || {
        let child = spawn::spawn(&request).unwrap();
        end(move || reap::wait(&child.pidfd).unwrap())
    };
    println!(
        "{:>9} {:>14} {:>22} {:>22} {:>22} | {:>14} {:>22} {:>22}",
        "resident",
        "Command",
        "with the janitor",
        "without",
        "pre_exec",
        "with pipes",
        "by another thread",
        "the supervisor"
    );
    let piped = || {
        let mut child = with_pipes().spawn().unwrap();
        end(move || child.wait().unwrap())
    };
    let deputy = Deputy::new();
    let handed = || deputy.spawn();
    let office = Office::new();
    let supervised = || office.spawn();
    for size in SIZES_MB {
        let ballast = vec![1u8; size << 20];
        let ways: [&dyn Fn() -> Box<dyn FnOnce()>; 6] = [&bare, &ours, &alone, &piped, &handed, &supervised];
        let [bare, ours, alone, piped, handed, supervised] = measure(ways, ROUNDS);
        // Apart: after a fork our own pages are the child's, too, and whoever
        // comes next pays for every one that is written to.
        let [beside, forked] = measure([&base, &forked], FORKS);
        let ratio =
            |(call, all): (f64, f64), to: (f64, f64)| format!("{call:.0} µs {:.2}× {:.2}×", call / to.0, all / to.1);
        println!(
            "{size:>6} MB {:>4.0} … {:>4.0} µs {:>22} {:>22} {:>22} | {:>4.0} … {:>4.0} µs {:>22} {:>22}",
            bare.0,
            bare.1,
            ratio(ours, bare),
            ratio(alone, bare),
            ratio(forked, beside),
            piped.0,
            piped.1,
            ratio(handed, piped),
            ratio(supervised, piped)
        );
        drop(ballast);
    }
    println!(
        "medians of {ROUNDS}, and of {FORKS} for pre_exec; the first figure and ratio is of the call alone, the second until the child is reaped; with pipes \
         all three streams are connected; by another thread `Command` is asked through a channel, and the face is \
         told of start and end through another, as the supervisor does"
    );
}

/// `Command` where the thread that wants a child is not the one that starts it:
/// the ways between two threads are in its time as they are in the supervisor's.
struct Deputy {
    orders: Sender<()>,
    told: Receiver<()>,
}

impl Deputy {
    fn new() -> Rc<Self> {
        let ((orders, inbox), (tell, told)) = (unbounded(), unbounded());
        std::thread::spawn(move || {
            for () in inbox {
                let mut child = with_pipes().spawn().unwrap();
                tell.send(()).unwrap();
                child.wait().unwrap();
                tell.send(()).unwrap();
            }
        });
        Rc::new(Deputy { orders, told })
    }

    fn spawn(self: &Rc<Self>) -> Box<dyn FnOnce()> {
        self.orders.send(()).unwrap();
        self.told.recv().unwrap();
        let deputy = self.clone();
        end(move || deputy.told.recv().unwrap())
    }
}

/// The supervisor as a face has it.
struct Office {
    supervisor: Supervisor,
    inlet: Inlet,
    /// What it said was done: each child's start and end.
    done: Cell<u64>,
    spawned: Cell<u64>,
}

impl Office {
    fn new() -> Rc<Self> {
        let (outlet, inlet) = outlet();
        Rc::new(Office {
            supervisor: Supervisor::start(&outlet),
            inlet,
            done: Cell::default(),
            spawned: Cell::default(),
        })
    }

    fn spawn(self: &Rc<Self>) -> Box<dyn FnOnce()> {
        let spec = ChildSpec { program: "/bin/true".into(), ..ChildSpec::default() };
        self.supervisor.send(ChildCommand::Spawn(Box::new(spec)));
        self.spawned.set(self.spawned.get() + 1);
        let id = self.spawned.get();
        self.until(2 * id - 1);
        let office = self.clone();
        end(move || {
            office.until(2 * id);
            office.supervisor.send(ChildCommand::Forget(id));
        })
    }

    fn until(&self, done: u64) {
        while self.done.get() < done {
            self.inlet.drain(|update| {
                let one = matches!(update, Update::Done(_));
                self.done.set(self.done.get() + u64::from(one));
            });
            if self.done.get() < done {
                let _ = self.inlet.bell().recv_timeout(Duration::from_secs(1));
            }
        }
    }
}

/// What is left to do: to reap the child.
fn end<T>(reap: impl FnOnce() -> T + 'static) -> Box<dyn FnOnce()> {
    Box::new(move || {
        reap();
    })
}

fn command() -> Command {
    let mut command = Command::new("/bin/true");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn with_pipes() -> Command {
    let mut command = Command::new("/bin/true");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Medians in microseconds: of the call, and until the child is reaped.
fn measure<const N: usize>(ways: [&dyn Fn() -> Box<dyn FnOnce()>; N], rounds: usize) -> [(f64, f64); N] {
    let mut times: [(Vec<f64>, Vec<f64>); N] = std::array::from_fn(|_| (Vec::new(), Vec::new()));
    for round in 0..rounds {
        for turn in 0..N {
            // Nobody always goes first.
            let way = (turn + round) % N;
            let begin = Instant::now();
            let reap = ways[way]();
            times[way].0.push(begin.elapsed().as_secs_f64() * 1e6);
            reap();
            times[way].1.push(begin.elapsed().as_secs_f64() * 1e6);
        }
    }
    let median = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    times.map(|(call, all)| (median(call), median(all)))
}
