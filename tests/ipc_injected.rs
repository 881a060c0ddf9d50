//! What somebody else does to a channel while it is measured must be noticed
//! and named: a flipped byte, a message that is taken away, a side that stands
//! still for a moment or for good, a program that wants the same CPU, limits.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs::{File, OpenOptions, read_dir, read_link, read_to_string};
use std::io::Read;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Gid, Pid, Uid, setgid, setuid};
use serde_json::Value;

/// Each test measures, and the others would be in its way.
static ALONE: parking_lot::Mutex<()> = parking_lot::Mutex::new(());

fn ipc(words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
    command.arg("ipc").args(words.split(' ')).arg("--json");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// A run with one transport between two workers that are at work.
struct Run {
    child: Child,
    /// Sender and receiver.
    workers: [i32; 2],
}

impl Run {
    fn start(words: &str) -> Self {
        let child = ipc(words).spawn().unwrap();
        let workers = wait_until("two workers are at work", || {
            let workers: Vec<i32> = children(child.id()).into_iter().filter(|pid| is_worker(*pid)).collect();
            let busy = workers.iter().map(|pid| cpu_ticks(*pid)).sum::<u64>() > 4;
            // The answering side is started first.
            (busy && workers.len() == 2).then(|| [workers[1], workers[0]])
        });
        Run { child, workers }
    }

    fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    fn point(mut self) -> Value {
        self.child.wait().unwrap();
        let mut said = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        serde_json::from_str(said.lines().next().unwrap()).unwrap()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn children(pid: u32) -> Vec<i32> {
    let mut found = Vec::new();
    for task in read_dir(format!("/proc/{pid}/task")).unwrap().flatten() {
        let list = read_to_string(task.path().join("children")).unwrap_or_default();
        found.extend(list.split_whitespace().map(|pid| pid.parse::<i32>().unwrap()));
    }
    found.sort_unstable();
    found
}

fn is_worker(pid: i32) -> bool {
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.ends_with(b"worker\0")
}

fn cpu_ticks(pid: i32) -> u64 {
    let stat = read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    fields.get(11..13).map_or(0, |f| f.iter().filter_map(|t| t.parse::<u64>().ok()).sum())
}

/// The descriptors of a process whose target begins with this.
fn descriptors(pid: i32, target: &str) -> Vec<PathBuf> {
    let all = read_dir(format!("/proc/{pid}/fd")).unwrap().flatten().map(|entry| entry.path());
    all.filter(|path| read_link(path).is_ok_and(|link| link.to_string_lossy().starts_with(target))).collect()
}

fn has_two_cpus() -> bool {
    syncscope::sys::affinity::allowed().unwrap().len() > 1
}

#[test]
fn a_flipped_byte_is_found() {
    let _alone = ALONE.lock();
    let mut run = Run::start(
        "--transport memfd_ring --wait spin-park --payload scanned --mode throughput --size 4096 --seconds 2 --repeat 1 \
         --placement unpinned",
    );
    let memory = descriptors(run.workers[1], "/memfd:syncscope-ring").remove(0);
    let memory = OpenOptions::new().read(true).write(true).open(memory).unwrap();
    // The bytes of the first ring, behind its page of indices.
    let mut at = 4096;
    while !run.is_over() {
        let mut byte = [0];
        memory.read_exact_at(&mut byte, at).unwrap();
        memory.write_all_at(&[byte[0] ^ 0x40], at).unwrap();
        at = 4096 + (at * 7919 + 13) % (200 << 10);
    }
    let point = run.point();
    assert!(point["corrupt"].as_u64().unwrap() > 0, "{point}");
    assert!(point["throughput"].is_null() && point["flags"].to_string().contains("corrupt"), "{point}");
}

#[test]
fn a_message_that_is_taken_away_is_counted_and_nobody_waits_for_it() {
    let _alone = ALONE.lock();
    let mut run = Run::start(
        "--transport pipe --payload scanned --mode throughput --size 64 --seconds 2 --repeat 1 --placement unpinned",
    );
    // What is lost while it warms up counts as little as what is not.
    wait_until("it sends many at a time", || (cpu_ticks(run.workers[0]) > 30).then_some(()));
    let reads = |path: &PathBuf| {
        let info = path.to_string_lossy().replace("/fd/", "/fdinfo/");
        let text = read_to_string(info).unwrap();
        let flags = text.lines().find_map(|line| line.strip_prefix("flags:")).unwrap();
        i32::from_str_radix(flags.trim(), 8).unwrap() & libc::O_ACCMODE == libc::O_RDONLY
    };
    let pipe = descriptors(run.workers[1], "pipe:").into_iter().find(reads).unwrap();
    let mut stolen: File = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(pipe).unwrap();
    let mut taken = 0;
    while !run.is_over() {
        taken += u64::from(stolen.read_exact(&mut [0; 64]).is_ok());
        std::thread::sleep(Duration::from_millis(30));
    }
    let point = run.point();
    let lost = point["lost"].as_u64().unwrap();
    assert!(lost > 0 && lost <= taken, "{taken} taken: {point}");
    assert_eq!((&point["corrupt"], &point["skipped"]), (&0.into(), &Value::Null), "{point}");
    assert!(point["throughput"].is_null() && point["flags"].to_string().contains("lost"), "{point}");
}

#[test]
fn a_side_that_stands_still_for_a_moment_is_noticed() {
    let _alone = ALONE.lock();
    for (mode, side) in [("throughput", 0), ("throughput", 1), ("latency", 0), ("latency", 1)] {
        let mut run = Run::start(&format!(
            "--transport unix_stream --mode {mode} --size 64 --seconds 2 --repeat 1 --placement unpinned"
        ));
        let pid = Pid::from_raw(run.workers[side]);
        // Again and again: what happens while it warms up is not told.
        while !run.is_over() {
            let _ = kill(pid, Signal::SIGSTOP);
            std::thread::sleep(Duration::from_millis(10));
            let _ = kill(pid, Signal::SIGCONT);
            std::thread::sleep(Duration::from_millis(200));
        }
        let point = run.point();
        assert!(point["flags"].to_string().contains("stalled for "), "{mode} {side}: {point}");
    }
}

/// Reported within a second on a machine that has nothing else to do.
#[test]
fn a_side_that_hangs_is_named_long_before_the_end() {
    let _alone = ALONE.lock();
    for (side, signal) in [(0, Signal::SIGSTOP), (1, Signal::SIGSTOP), (1, Signal::SIGKILL)] {
        let run = Run::start("--transport unix_stream --mode throughput --size 64 --seconds 60 --repeat 1");
        let pid = run.workers[side];
        kill(Pid::from_raw(pid), signal).unwrap();
        let begin = Instant::now();
        let point = run.point();
        let took = begin.elapsed();
        println!("{signal} of side {side} reported after {took:?}");
        let why = point["skipped"].as_str().unwrap();
        assert!(why.contains(&pid.to_string()), "{why}");
        assert!(why.contains("hangs: it is stopped") || why.contains("SIGKILL"), "{why}");
        assert!(took < Duration::from_secs(4), "{took:?}");
    }
}

#[test]
fn a_program_on_the_same_cpu_is_named() {
    let _alone = ALONE.lock();
    if !has_two_cpus() {
        println!("not tested: one CPU");
        return;
    }
    for placement in ["cross-cpu", "same-cpu"] {
        let run = Run::start(&format!(
            "--transport pipe --mode throughput --size 4096 --seconds 2 --repeat 2 --placement {placement}"
        ));
        let cpu = syncscope::sys::affinity::allowed().unwrap()[0];
        let mut hog = Command::new("sh");
        hog.args(["-c", "while :; do :; done"]);
        // SAFETY: one system call between fork and exec.
        unsafe { hog.pre_exec(move || syncscope::sys::affinity::bind(&[cpu])) };
        let mut hog = hog.spawn().unwrap();
        let point = run.point();
        hog.kill().unwrap();
        hog.wait().unwrap();
        assert!(point["flags"].to_string().contains("CPU shared with "), "{placement}: {point}");
    }
}

/// As an ordinary user, with limits that are soon reached; needs root to
/// become one.
#[test]
fn limits_are_named_to_an_ordinary_user() {
    let _alone = ALONE.lock();
    if !Uid::effective().is_root() {
        println!("not tested: not root");
        return;
    }
    let skipped = |words: &str| {
        let mut command = ipc(words);
        // SAFETY: system calls only between fork and exec.
        unsafe {
            command.pre_exec(|| {
                setrlimit(Resource::RLIMIT_MSGQUEUE, 2000, 2000)?;
                setgid(Gid::from_raw(65_534))?;
                Ok(setuid(Uid::from_raw(65_534))?)
            });
        }
        let output = match command.env("TMPDIR", "/tmp").output() {
            Ok(output) => output,
            Err(error) => {
                // Its folder may be closed to others.
                println!("not tested: {error}");
                return None;
            }
        };
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(2), "nothing was measured: {text}");
        let point: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert!(point["throughput"].is_null() && point["round_trip_ns"].is_null());
        Some(point["skipped"].as_str().unwrap().to_owned())
    };
    let cases = [
        ("--transport posix_mq --size 4096", "RLIMIT_MSGQUEUE"),
        ("--transport pipe --size 64 --buffer 64M", "fs.pipe-max-size"),
        ("--transport fifo --size 64 --buffer 64M", "fs.pipe-max-size"),
        ("--transport unix_stream --size 64 --buffer 1G", "net.core.wmem_max"),
        ("--transport tcp4 --size 64 --buffer 1G", "net.core.wmem_max"),
        ("--transport udp4 --size 70000", "length field"),
        ("--transport sysv_mq --size 64 --buffer 1G", "kernel.msgmnb"),
        ("--transport sysv_mq --size 10000", "kernel.msgmax"),
        ("--transport memfd_ring --size 64 --buffer 1G", "above the limit"),
        ("--transport pipe --size 64 --placement cross-cpu-awake", "/dev/cpu_dma_latency"),
        ("--transport signal --size 64", "queued signal"),
    ];
    for (words, limit) in cases {
        let placement = if words.contains("--placement") { "" } else { " --placement unpinned" };
        let Some(why) = skipped(&format!("{words} --seconds 0.02 --mode throughput{placement}")) else { return };
        // One CPU is a reason of its own.
        assert!(why.contains(limit) || why.contains("two CPUs"), "{words}: {why}");
    }
}
