//! What a frame costs: each panel at 240 × 70, with 2,000 processes and with
//! what the labs and a supervised child really reported for [`GATHER`].
//!
//! A frame is drawn, compared with the one before and written, as the program
//! does it, but into a counter of bytes instead of a terminal. `same` is a frame
//! in which nothing has changed but the time; `new` is an update of the process
//! table and of the machine, with the frame that follows.
//!
//! ```text
//! cargo bench --bench frames [-- COLUMNS ROWS]
//! ```
#![expect(clippy::unwrap_used, reason = "a bench fails by panicking")]

use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};
use syncscope::backend::{Backend, ChildCommand, Command, Options, Topics, Update, program};
use syncscope::model::channel::IpcSpec;
use syncscope::model::child::ChildSpec;
use syncscope::model::graph::{Deadlock, GraphThread, ThreadId, Verdict, WaitGraph};
use syncscope::model::lab::LabCommand;
use syncscope::model::litmus::LitmusSpec;
use syncscope::model::lock::LockSpec;
use syncscope::model::process::{Process, ProcessTable, State};
use syncscope::model::wait::{Certainty, Holder, Wait, WaitKind};
use syncscope::model::{Nanos, Pid, Stamped};
use syncscope::sys::clock;
use syncscope::ui::app::{App, Settings};
use syncscope::ui::painter::Painter;
use syncscope::ui::panels::PANELS;

/// How long the backend works for what the panels show.
const GATHER: Duration = Duration::from_secs(3);
/// Threads of the lock lab, and the acquisitions for which it works longer, up to
/// this long.
const THREADS: usize = 64;
const ACQUISITIONS: u64 = 10_000_000;
const PATIENCE: Duration = Duration::from_secs(20);
const PROCESSES: usize = 2_000;
const FRAMES: usize = 300;
/// What the slowest panel's frame may take at p99.
const LIMIT: Nanos = Nanos::from_millis(4);

fn main() {
    let numbers: Vec<u16> = std::env::args().filter_map(|word| word.parse().ok()).collect();
    let (columns, rows) = (*numbers.first().unwrap_or(&240), *numbers.get(1).unwrap_or(&70));
    // The labs' workers are the program itself, not this bench.
    program::set(env!("CARGO_BIN_EXE_syncscope"));
    let updates = gather();
    println!("{columns} × {rows}, {PROCESSES} processes, {FRAMES} frames each; milliseconds of CPU time");
    println!("{:<12} {:>9} {:>9} {:>11} {:>9} {:>9} {:>11}", "", "same p50", "p99", "bytes", "new p50", "p99", "bytes");
    let mut slowest = Nanos::ZERO;
    for (index, panel) in PANELS.iter().enumerate() {
        let mut stage = Stage::new(index, columns, rows, &updates);
        let same = stage.measure(|_| Vec::new());
        let new = stage.measure(|n| refresh(&updates, n));
        slowest = slowest.max(same.p99).max(new.p99);
        println!("{:<12} {same} {new}", panel.name);
    }
    let verdict = if slowest <= LIMIT { "met" } else { "NOT MET" };
    println!("at most {LIMIT}: {verdict}");
}

/// What everything that can be shown reported last.
fn gather() -> Vec<Update> {
    let mut backend = Backend::start(&Options::default());
    let own = std::process::id().cast_signed();
    let all = Topics {
        system: true,
        processes: true,
        threads: true,
        waits: true,
        graph: true,
        switches: true,
        io: true,
        detail: Some(own),
        contention: None,
        child: None,
    };
    let spec = ChildSpec { program: "seq".into(), args: vec!["500".into()], ..ChildSpec::default() };
    for command in [
        Command::Watch(all),
        Command::Ipc(LabCommand::Run(IpcSpec::default())),
        Command::Locks(LabCommand::Run(LockSpec { threads: THREADS, ..LockSpec::default() })),
        Command::Litmus(LabCommand::Run(LitmusSpec::store_buffering())),
        Command::Child(ChildCommand::Spawn(Box::new(spec))),
    ] {
        backend.send(command);
    }
    let began = Instant::now();
    let mut latest: Vec<Update> = Vec::new();
    let enough = |latest: &[Update]| {
        let recorded = |update: &Update| match update {
            Update::Locks(progress) => progress.value.recording.recorded,
            _ => 0,
        };
        latest.iter().any(|update| recorded(update) >= ACQUISITIONS)
    };
    while backend.bell().recv_deadline(began + if enough(&latest) { GATHER } else { PATIENCE }).is_ok() {
        backend.poll(|update| {
            latest.retain(|other| std::mem::discriminant(other) != std::mem::discriminant(&update));
            latest.push(update);
        });
    }
    for update in &mut latest {
        match update {
            Update::Processes(table) => {
                let value = crowded(&table.value);
                *update = Update::Processes(Arc::new(Stamped { value, ..(**table).clone() }));
            }
            Update::Graph(graph) => {
                *update = Update::Graph(Arc::new(Stamped { value: tangled(), ..(**graph).clone() }));
            }
            _ => {}
        }
    }
    latest
}

/// The table with its processes repeated until there are [`PROCESSES`].
fn crowded(table: &ProcessTable) -> ProcessTable {
    let again = table.processes.iter().cycle().take(PROCESSES).enumerate();
    let processes = again.map(|(n, process)| Arc::new(Process { pid: n as Pid + 1, ..(**process).clone() })).collect();
    let mut tally = table.tally;
    tally.processes = PROCESSES as u32;
    ProcessTable { processes, threads: Vec::new(), tally, ..table.clone() }
}

/// A deadlock of 100 threads, and a chain for every other process.
fn tangled() -> WaitGraph {
    const RING: Pid = 100;
    let thread = |pid: Pid| {
        let to = if pid <= RING { pid % RING + 1 } else { (pid - 1).max(1) };
        let mut wait = Wait::new(WaitKind::PthreadMutex, format!("mutex [heap] +{pid:#x}"));
        wait.holders = vec![Holder { pid: to, tid: Some(to) }];
        wait.evidence = vec![format!("owner word = {to}"), "kind = 0x0 (normal)".to_owned()];
        wait.since = Some(Nanos(pid as u64));
        let waits = pid <= RING || pid % 2 == 0;
        GraphThread {
            id: ThreadId { pid, tid: pid },
            process: Arc::from("payments"),
            thread: Arc::from("worker"),
            state: State::Sleeping,
            wait: waits.then(|| Arc::new(wait)),
            verdict: match waits {
                true if pid <= RING => Verdict::Deadlocked,
                true => Verdict::Waiting,
                false => Verdict::Running,
            },
        }
    };
    let cycle: Vec<ThreadId> = (1..=RING).map(|pid| ThreadId { pid, tid: pid }).collect();
    let deadlock = Deadlock { cycle: cycle.clone(), stuck: cycle, certainty: Certainty::Certain };
    let threads = (1..=PROCESSES as Pid).map(thread).collect();
    WaitGraph { threads, deadlocks: vec![deadlock], ..WaitGraph::default() }
}

/// The process table and the machine once more, with other figures.
fn refresh(updates: &[Update], n: usize) -> Vec<Update> {
    let renew = |update: &Update| match update {
        Update::Processes(table) => {
            let mut table = (**table).clone();
            for process in table.value.processes.iter_mut().skip(n % 7).step_by(7) {
                let process = Arc::make_mut(process);
                process.cpu = Some((n % 100) as f32 / 100.0);
                process.cpu_time += Nanos::from_millis(10);
            }
            Some(Update::Processes(Arc::new(table)))
        }
        Update::System(_) | Update::Graph(_) => Some(update.clone()),
        _ => None,
    };
    updates.iter().filter_map(renew).collect()
}

/// Takes bytes and counts them.
#[derive(Clone, Default)]
struct Counter(Rc<Cell<usize>>);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Stage {
    app: App,
    screen: Terminal<Painter<Counter>>,
    written: Counter,
}

struct Cost {
    p50: Nanos,
    p99: Nanos,
    bytes: usize,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |d: Nanos| d.as_secs_f64() * 1e3;
        write!(f, "{:>9.3} {:>9.3} {:>11}", ms(self.p50), ms(self.p99), self.bytes)
    }
}

impl Stage {
    fn new(panel: usize, columns: u16, rows: u16, updates: &[Update]) -> Self {
        let mut app = App::new(Settings { panel, ..Settings::default() }).unwrap();
        for update in updates {
            app.on_update(update);
        }
        let viewport = Viewport::Fixed(Rect::new(0, 0, columns, rows));
        let written = Counter::default();
        let screen = Terminal::with_options(Painter::new(written.clone()), TerminalOptions { viewport }).unwrap();
        Stage { app, screen, written }
    }

    /// Takes in the updates that came, and draws a frame. Making the updates is the
    /// backend's work, and not counted.
    fn measure(&mut self, come: impl Fn(usize) -> Vec<Update>) -> Cost {
        let frame = |stage: &mut Stage| {
            stage.screen.draw(|frame| stage.app.draw(frame)).unwrap();
        };
        frame(self);
        let bytes = self.written.0.get();
        let mut times: Vec<Nanos> = (0..FRAMES)
            .map(|n| {
                let updates = come(n);
                let began = clock::thread_cpu();
                for update in &updates {
                    self.app.on_update(update);
                }
                frame(self);
                clock::thread_cpu().since(began)
            })
            .collect();
        times.sort_unstable();
        let bytes = (self.written.0.get() - bytes) / FRAMES;
        Cost { p50: times[FRAMES / 2], p99: times[FRAMES * 99 / 100], bytes }
    }
}
