//! What the README says about the ordering lab.
//!
//! 1. Checking: the library over and over until 589 tests are judged under RC11,
//!    by the program itself, started once; and generated tests of four threads
//!    with four accesses each, at most three stores to a location, under all
//!    models.
//! 2. Running: the rate of distinct witnesses of store buffering, of R, and of
//!    store buffering with one fence, found by `auto`; and the controls, which
//!    must show nothing.
//! 3. From a file to its first counts.
//!
//! `cargo bench --bench litmus`; the process is also its own worker.

use std::fmt::Write as _;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use syncscope::backend::Update;
use syncscope::backend::lab::litmus::check::judge;
use syncscope::backend::lab::litmus::models::MODELS;
use syncscope::backend::lab::litmus::parse::parse;
use syncscope::backend::lab::litmus::{LitmusLab, library};
use syncscope::backend::lab::run_headless;
use syncscope::model::Nanos;
use syncscope::model::litmus::{LitmusProgress, LitmusSpec};

/// So many tests the reference simulator was timed with.
const TESTS: usize = 589;
const ROUNDS: usize = 11;

fn main() -> ExitCode {
    if matches!(std::env::args().nth(1).as_deref(), Some("worker" | "litmus")) {
        return syncscope::cli::main();
    }
    checking();
    large();
    running();
    first_counts();
    ExitCode::SUCCESS
}

/// The median of some durations.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn checking() {
    let Ok(own) = std::env::current_exe() else { return };
    let names = library::TESTS.iter().map(|(name, _)| *name).cycle().take(TESTS);
    let names: Vec<&str> = names.collect();
    let times = (0..ROUNDS).map(|_| {
        let begin = Instant::now();
        let mut command = Command::new(&own);
        command.args(["litmus", "check", "--model", "rc11", "--json"]).args(&names).stdout(Stdio::null());
        let done = command.status().is_ok_and(|status| status.success());
        if done { begin.elapsed() } else { Duration::MAX }
    });
    println!("{TESTS} tests under RC11, start included: {:.0?}", median(times.collect()));
}

/// Accesses of four threads: `W` or `R` and the location.
const LARGE: [(&str, [&str; 4]); 4] = [
    ("2 locations, mixed", ["WxWyRxRy", "WxRyWyRx", "RxRyWxRy", "RyRxRxWy"]),
    ("2 locations, two writers", ["WxWxWxRy", "WyWyWyRx", "RxRyRxRy", "RyRxRyRx"]),
    ("3 locations", ["WxWyWzRx", "WyWzWxRy", "WzWxWyRz", "RxRyRzRx"]),
    ("4 locations", ["WxWyRzRw", "WzWwRxRy", "WxWzRyRw", "WyWwRxRz"]),
];

fn large() {
    for (name, threads) in LARGE {
        for (store, load) in [("relaxed", "relaxed"), ("release", "acquire"), ("seq_cst", "seq_cst")] {
            let text = large_text(&threads, store, load);
            let Ok(test) = parse("large", &text) else { continue };
            let times = (0..3).map(|_| {
                let begin = Instant::now();
                let judged = judge(&test, MODELS, Duration::from_mins(1));
                if judged.is_ok() { begin.elapsed() } else { Duration::MAX }
            });
            println!("4 threads of 4 accesses, {name}, {store}/{load}, all models: {:.0?}", median(times.collect()));
        }
    }
}

fn large_text(threads: &[&str; 4], store: &str, load: &str) -> String {
    let mut text = "C large\n{}\n".to_owned();
    let mut condition = Vec::new();
    let mut value = 0;
    for (number, accesses) in threads.iter().enumerate() {
        let _ = writeln!(text, "P{number} (atomic_int* x, atomic_int* y, atomic_int* z, atomic_int* w) {{");
        for (index, access) in accesses.as_bytes().chunks(2).enumerate() {
            let at = char::from(access[1]);
            if access[0] == b'W' {
                value += 1;
                let _ = writeln!(text, "  atomic_store_explicit({at}, {value}, memory_order_{store});");
            } else {
                let _ = writeln!(text, "  int r{index} = atomic_load_explicit({at}, memory_order_{load});");
                condition.push(format!("{number}:r{index}=0"));
            }
        }
        text += "}\n";
    }
    text + &format!("exists ({})\n", condition.join(" /\\ "))
}

/// Runs a test of the library, and hands every report to `each`.
fn run(spec: LitmusSpec, mut each: impl FnMut(&LitmusProgress)) -> Option<LitmusProgress> {
    let (commands, inbox) = unbounded();
    let (updates, reports) = unbounded();
    let lab = std::thread::spawn(move || run_headless::<LitmusLab>(spec, inbox, updates));
    let mut last = None;
    for update in reports {
        if let Update::Litmus(progress) = update {
            each(&progress.value);
            last = Some(progress.value.clone());
        }
    }
    drop(commands);
    lab.join().ok().and_then(Result::ok).and(last)
}

fn running() {
    for (name, seconds) in [
        ("SB-relaxed", 3),
        ("R-relaxed", 3),
        ("SB-one-fence", 3),
        ("SB-fences", 3),
        ("MP-relaxed", 3),
        ("LB-relaxed", 3),
        ("CoRR-relaxed", 3),
    ] {
        let spec = LitmusSpec { duration: Some(Nanos::from_secs(seconds)), ..LitmusSpec::named(name) };
        let Some(done) = run(spec, |_| {}) else { continue };
        let counts = done.counts;
        let rate = counts.distinct as f64 / counts.elapsed.as_secs_f64();
        println!(
            "{name}: {rate:.0} distinct witnesses/s, {} in {} outcomes, {} iterations/s; {}",
            counts.witnesses,
            counts.frames,
            (counts.iterations as f64 / counts.elapsed.as_secs_f64()) as u64,
            done.test.plan
        );
    }
}

fn first_counts() {
    let text = library::text("SB-relaxed").map(str::to_owned).ok();
    let times = (0..ROUNDS).filter_map(|_| {
        let spec = LitmusSpec {
            text: text.clone(),
            duration: Some(Nanos::from_millis(120)),
            ..LitmusSpec::named("SB-relaxed")
        };
        let (begin, mut first) = (Instant::now(), None);
        run(spec, |progress| {
            if progress.counts.frames > 0 {
                first.get_or_insert_with(|| begin.elapsed());
            }
        });
        first
    });
    println!("from a test's text to its first counts, worker started: {:.0?}", median(times.collect()));
}
