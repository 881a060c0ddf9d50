//! What this program costs beside htop, btop and bottom.
//!
//! Each monitor runs for itself in a pseudo-terminal of 200 × 60, refreshing
//! once a second; the monitors take turns, and the turns are repeated. CPU time
//! is that of all processes of the monitor's session, from their CPU clocks,
//! over [`WINDOW`] after [`WARM_UP`]. Its first full frame is there when nine
//! tenths of the rows hold text that hold some once it has settled.
//!
//! ```text
//! cargo bench --bench monitors [-- --turns N] [--scene a|b|c|o] [--others N] [--program FILE]
//! ```
//!
//! Whoever else works on the machine disturbs the figures: a monitor's cost
//! depends on how much of what it shows changes. As root, `unshare --pid --fork
//! --mount-proc --kill-child` before the command shows all monitors the same
//! quiet machine, which `--others` fills with so many sleeping processes.
//!
//! Peers that are not installed are left out, and the output says so.

mod cost;
mod crowd;
#[expect(dead_code, reason = "other benches use more of it")]
mod pty;

use std::io::{Error, Result};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crowd::Crowd;
use pty::{Pty, rows_in_use};

const COLUMNS: u16 = 200;
const ROWS: u16 = 60;
/// From the start until the figures begin.
const WARM_UP: Duration = Duration::from_secs(4);
/// How long they are taken: so many refreshes.
const WINDOW: Duration = Duration::from_secs(20);

/// A monitor and how it is made to do what is compared.
struct Monitor {
    name: &'static str,
    program: PathBuf,
    arguments: &'static [&'static str],
    /// Typed once it stands.
    keys: &'static str,
    /// The scenes it takes part in.
    scenes: &'static str,
}

/// What else runs meanwhile.
struct Scene {
    key: char,
    words: &'static str,
    processes: u32,
    threads: u32,
}

const SCENES: [Scene; 4] = [
    Scene { key: 'a', words: "the machine as it is", processes: 0, threads: 0 },
    Scene { key: 'b', words: "and 2,000 sleeping processes", processes: 2_000, threads: 0 },
    Scene { key: 'c', words: "and one with 1,000 threads more", processes: 2_000, threads: 1_000 },
    Scene { key: 'o', words: "the overview and its labs on the machine as it is", processes: 0, threads: 0 },
];

/// One turn of one monitor.
#[derive(Clone, Copy)]
struct Figures {
    cpu: f64,
    resident: f64,
    bytes: f64,
    first: f64,
    full: f64,
}

/// What must hold: a figure of ours, in relation to another's or by itself.
struct Claim {
    scene: char,
    ours: &'static str,
    figure: fn(&Figures) -> f64,
    words: &'static str,
    peer: Option<&'static str>,
    limit: f64,
}

const PLAIN: &str = "syncscope, no waits";
const WAITS: &str = "syncscope";
const THREADS: &str = "syncscope, threads";
const OVERVIEW: &str = "syncscope, labs on";
const RESTING: &str = "syncscope, labs off";

const CLAIMS: &[Claim] = &[
    Claim { scene: 'a', ours: WAITS, figure: |f| f.cpu, words: "CPU", peer: Some("htop"), limit: 1.0 },
    Claim { scene: 'b', ours: PLAIN, figure: |f| f.cpu, words: "CPU", peer: Some("btop"), limit: 0.45 },
    Claim { scene: 'b', ours: WAITS, figure: |f| f.cpu, words: "CPU", peer: Some("btop"), limit: 0.75 },
    Claim { scene: 'c', ours: THREADS, figure: |f| f.cpu, words: "CPU", peer: Some("htop"), limit: 0.33 },
    Claim { scene: 'a', ours: WAITS, figure: |f| f.bytes, words: "bytes a refresh", peer: None, limit: 300.0 },
    Claim { scene: 'a', ours: WAITS, figure: |f| f.full, words: "ms to the first full frame", peer: None, limit: 20.0 },
    Claim { scene: 'b', ours: WAITS, figure: |f| f.full, words: "ms to the first full frame", peer: None, limit: 50.0 },
    Claim { scene: 'b', ours: WAITS, figure: |f| f.resident, words: "MB resident", peer: None, limit: 12.0 },
    Claim { scene: 'o', ours: OVERVIEW, figure: |f| f.cpu * 5.0, words: "% of a CPU", peer: None, limit: 10.0 },
];

fn main() -> Result<()> {
    let options = Options::parse();
    let home = home()?;
    let monitors = monitors(&options.program);
    describe(&options);
    for scene in SCENES.iter().filter(|scene| options.scene.is_none_or(|key| key == scene.key)) {
        let taking_part: Vec<&Monitor> = monitors.iter().filter(|m| m.scenes.contains(scene.key)).collect();
        let mut turns = vec![Vec::new(); taking_part.len()];
        let (resting, threads) = (scene.processes + options.others, scene.threads);
        let crowd = (resting + threads > 0).then(|| Crowd::gather(resting, threads));
        let crowd = crowd.transpose()?;
        for _ in 0..options.turns {
            for (monitor, figures) in taking_part.iter().zip(&mut turns) {
                figures.push(turn(monitor, &home)?);
            }
        }
        let processes = processes();
        drop(crowd);
        let results: Vec<(&str, Figures)> =
            taking_part.iter().map(|m| m.name).zip(turns.iter().map(|t| median(t))).collect();
        report(scene, processes, &results);
    }
    Ok(())
}

/// What the command line says.
struct Options {
    turns: usize,
    /// How many sleeping processes there are in every scene.
    others: u32,
    scene: Option<char>,
    program: PathBuf,
}

impl Options {
    fn parse() -> Self {
        let words: Vec<String> = std::env::args().collect();
        let after = |name: &str| words.iter().position(|w| w == name).and_then(|at| words.get(at + 1));
        Options {
            turns: after("--turns").and_then(|n| n.parse().ok()).unwrap_or(3),
            others: after("--others").and_then(|n| n.parse().ok()).unwrap_or(0),
            scene: after("--scene").and_then(|key| key.chars().next()),
            program: after("--program").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_syncscope")), PathBuf::from),
        }
    }
}

/// A home directory in which no monitor finds settings of anybody's: their
/// defaults, and a refresh each second.
fn home() -> Result<PathBuf> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("monitors-home");
    std::fs::create_dir_all(home.join(".config/btop"))?;
    std::fs::write(home.join(".config/btop/btop.conf"), "update_ms = 1000\n")?;
    Ok(home)
}

fn monitors(ours: &Path) -> Vec<Monitor> {
    const OURS: &[&str] = &["--panel", "processes", "--labs", "off"];
    const LABS: &[&str] = &["--panel", "overview", "--labs", "on"];
    const NO_LABS: &[&str] = &["--panel", "overview", "--labs", "off"];
    let syncscope = |name, arguments, keys, scenes| Monitor { name, program: ours.to_owned(), arguments, keys, scenes };
    let mut monitors = vec![
        syncscope(PLAIN, OURS, "w", "ab"),
        syncscope(WAITS, OURS, "", "abc"),
        syncscope(THREADS, OURS, "H", "c"),
        syncscope(OVERVIEW, LABS, "", "o"),
        syncscope(RESTING, NO_LABS, "", "o"),
    ];
    let peers: [(&'static str, &str, &'static [&'static str]); 3] =
        [("htop", "htop", &["--delay=10"]), ("btop", "btop", &["--utf-force"]), ("bottom", "btm", &["--rate", "1000"])];
    for (name, file, arguments) in peers {
        match find(file) {
            Some(program) => monitors.push(Monitor { name, program, arguments, keys: "", scenes: "abc" }),
            None => println!("left out: {name}, for there is no `{file}` in PATH"),
        }
    }
    monitors
}

fn find(file: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(file)).find(|program| program.is_file())
}

fn turn(monitor: &Monitor, home: &Path) -> Result<Figures> {
    let mut command = Command::new(&monitor.program);
    command.args(monitor.arguments).env("HOME", home).env("XDG_CONFIG_HOME", home.join(".config"));
    let terminal = Pty::start(&mut command, COLUMNS, ROWS)?;
    let pid = terminal.child.id().cast_signed();
    if terminal.piece(0, WARM_UP).is_none() {
        return Err(Error::other(format!("{} shows nothing", monitor.name)));
    }
    std::thread::sleep(WARM_UP / 4);
    terminal.send(monitor.keys)?;
    std::thread::sleep(WARM_UP * 3 / 4);
    let settled = terminal.rows_in_use();
    let (cpu, bytes) = (cost::cpu(pid), written(&terminal));
    std::thread::sleep(WINDOW);
    let (cpu, bytes) = (cost::cpu(pid).since(cpu), written(&terminal) - bytes);
    let resident = cost::resident(pid);
    let at = |is: &dyn Fn(usize) -> bool| {
        let first = terminal.first(|screen| is(rows_in_use(screen)));
        first.map_or(f64::NAN, |after| after.as_secs_f64() * 1e3)
    };
    Ok(Figures {
        cpu: cpu.as_secs_f64(),
        resident: resident as f64 / 1e6,
        bytes: bytes as f64 / WINDOW.as_secs_f64(),
        first: at(&|rows| rows > 0),
        full: at(&|rows| rows * 10 >= settled * 9),
    })
}

/// The bytes written so far.
fn written(terminal: &Pty) -> usize {
    (0..).map_while(|index| terminal.piece(index, Duration::ZERO)).map(|(_, bytes)| bytes.len()).sum()
}

fn median(turns: &[Figures]) -> Figures {
    let of = |figure: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = turns.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    Figures {
        cpu: of(|f| f.cpu),
        resident: of(|f| f.resident),
        bytes: of(|f| f.bytes),
        first: of(|f| f.first),
        full: of(|f| f.full),
    }
}

fn describe(options: &Options) {
    let line = |file: &str, key: &str| {
        let content = std::fs::read_to_string(file).unwrap_or_default();
        let line = content.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default();
        line.trim_matches([' ', '\t', ':']).to_owned()
    };
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    let size = std::fs::metadata(&options.program).map_or(0, |file| file.len());
    println!("{}, {cpus} CPUs, Linux {}", line("/proc/cpuinfo", "model name"), line("/proc/sys/kernel/osrelease", ""));
    println!("{} × {} characters, medians of {} turns of {WINDOW:?}", COLUMNS, ROWS, options.turns);
    println!("the program has {:.2} MB", size as f64 / 1e6);
}

/// How many processes there are.
fn processes() -> usize {
    let entries = std::fs::read_dir("/proc").map(Iterator::flatten);
    let is_pid = |name: &std::ffi::OsStr| name.to_str().is_some_and(|n| n.parse::<u32>().is_ok());
    entries.map_or(0, |entries| entries.filter(|entry| is_pid(&entry.file_name())).count())
}

fn report(scene: &Scene, processes: usize, results: &[(&str, Figures)]) {
    println!("\n({}) {}: {processes} processes", scene.key, scene.words);
    println!(
        "{:<22} {:>9} {:>11} {:>14} {:>13} {:>13}",
        "", "CPU s", "resident MB", "bytes/refresh", "first text ms", "full frame ms"
    );
    for (name, f) in results {
        let Figures { cpu, resident, bytes, first, full } = f;
        println!("{name:<22} {cpu:>9.3} {resident:>11.1} {bytes:>14.0} {first:>13.1} {full:>13.1}");
    }
    let figures = |name: &str| results.iter().find(|(n, _)| *n == name).map(|(_, f)| f);
    for claim in CLAIMS.iter().filter(|claim| claim.scene == scene.key) {
        let Some(ours) = figures(claim.ours).map(claim.figure) else { continue };
        let (value, unit) = match claim.peer {
            None => (ours, String::new()),
            Some(peer) => match figures(peer).map(claim.figure) {
                Some(theirs) => (ours / theirs, format!(" × {peer}'s")),
                None => continue,
            },
        };
        let verdict = if value <= claim.limit { "met" } else { "NOT MET" };
        println!("  {}: {} {value:.2}{unit}, at most {:.2}: {verdict}", claim.ours, claim.words, claim.limit);
    }
}
