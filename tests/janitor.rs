//! However the program goes, its children go with it, and whatever it has given
//! a name: SIGKILL at random moments, then no process that bears the run's mark
//! may live, and no FIFO, socket, file, queue or segment be left.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const MARK: &str = "SYNCSCOPE_JANITOR_TEST";
/// How many random moments.
const KILLS: u32 = 80;
/// How many of them while channels that have names are made.
const NAME_KILLS: u32 = 120;

/// Processes whose environment holds the mark, the janitor among them; zombies
/// have no environment.
fn marked(mark: &str) -> HashSet<i32> {
    let needle = format!("{MARK}={mark}\0");
    let bears = |path: &Path| {
        let environ = std::fs::read(path.join("environ")).unwrap_or_default();
        environ.windows(needle.len()).any(|window| window == needle.as_bytes())
    };
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries.filter(|entry| bears(&entry.path())).filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn is_janitor(pid: i32) -> bool {
    let words = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    words.ends_with(b"worker\0--janitor\0")
}

fn start(mark: &str, words: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
    command.args(words).env(MARK, mark).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Kills the program after a while, and asserts that soon nothing of it is left.
fn kill_after(mark: &str, words: &[&str], pause: Duration, patience: Duration) {
    let mut program = start(mark, words);
    std::thread::sleep(pause);
    program.kill().unwrap();
    program.wait().unwrap();
    let begin = Instant::now();
    loop {
        let mut left = marked(mark);
        if left.is_empty() {
            return;
        }
        // The janitor goes when its work is done.
        if begin.elapsed() < patience * 10 {
            left.retain(|pid| !is_janitor(*pid));
        }
        if begin.elapsed() > patience && !left.is_empty() {
            let names: Vec<_> = left.iter().map(|pid| std::fs::read(format!("/proc/{pid}/cmdline"))).collect();
            for pid in &left {
                let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid), nix::sys::signal::Signal::SIGKILL);
            }
            panic!("killed after {pause:?}, {patience:?} later these live: {left:?} {names:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A sequence of pauses that is the same every time.
struct Pauses(u64);

impl Pauses {
    fn next(&mut self, below: Duration) -> Duration {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        below.mul_f64((self.0 >> 11) as f64 / (1u64 << 53) as f64)
    }
}

#[test]
fn no_descendant_outlives_a_killed_program() {
    // How long a start takes here, so that the moments fall within it.
    let begin = Instant::now();
    assert!(start("calibration", &["run", "--no-ui", "--", "true"]).wait().unwrap().success());
    let whole = begin.elapsed();
    // A second, where a start takes its usual few hundredths: on a machine that
    // is busy with other things all takes longer alike.
    let patience = Duration::from_secs(1).max(whole * 20);
    let mut pauses = Pauses(std::process::id().into());
    let commands: [&[&str]; 3] = [
        &["run", "--no-ui", "--", "sleep", "1000"],
        &["run", "--no-ui", "--", "sh", "-c", "sleep 1000 & sleep 1000 & sh -c 'sleep 1000; :'; :"],
        &["run", "--no-ui", "--", "sh", "-c", "trap '' TERM; while :; do sleep 0.01; done"],
    ];
    for kill in 0..KILLS {
        let mark = format!("{}-{kill}", std::process::id());
        // Half of them about the moment of spawning, half anywhere.
        let below = if kill % 2 == 0 { whole.mul_f64(1.5) } else { whole * 5 };
        kill_after(&mark, commands[kill as usize % commands.len()], pauses.next(below), patience);
    }
}

#[test]
fn a_normal_end_leaves_no_janitor() {
    let mark = format!("{}-normal", std::process::id());
    assert!(start(&mark, &["run", "--no-ui", "--", "true"]).wait().unwrap().success());
    let begin = Instant::now();
    while !marked(&mark).is_empty() {
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", marked(&mark));
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What has a name somewhere: files in the directory for temporary ones, POSIX
/// shared memory and queues, and System V objects of this IPC namespace.
fn names(temporary: &Path) -> Vec<String> {
    let files = |directory: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.path().display().to_string()).collect()
    };
    let mut found = files(temporary);
    found.extend(files(Path::new("/dev/shm")).into_iter().filter(|name| name.contains("/syncscope-")));
    for kind in ["msg", "shm", "sem"] {
        let table = std::fs::read_to_string(format!("/proc/sysvipc/{kind}")).unwrap_or_default();
        found.extend(table.lines().skip(1).map(|row| format!("{kind} {}", row.split_whitespace().next().unwrap())));
    }
    // The queues of an IPC namespace are seen where its file system is mounted.
    let look = "mount -t mqueue mqueue \"$0\" && ls \"$0\"";
    let mounted = tempfile::tempdir().unwrap();
    let list = Command::new("unshare").args(["--mount", "sh", "-c", look]).arg(mounted.path()).output();
    let list = list.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    found.extend(list.lines().map(|name| format!("queue {name}")));
    found
}

/// Takes from a process that starts what it needs for a namespace.
fn without_namespace() -> std::io::Result<()> {
    // CAP_SYS_ADMIN, capability.h
    const SYS_ADMIN: libc::c_ulong = 21;
    // SAFETY: changes the calling process's own bounding set only.
    match unsafe { libc::prctl(libc::PR_CAPBSET_DROP, SYS_ADMIN, 0, 0, 0) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// In an IPC namespace of its own, so that other programs' objects are not
/// taken for leftovers; needs root.
#[test]
fn no_name_outlives_a_killed_program() {
    if let Err(error) = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWIPC) {
        println!("not tested: cannot have an IPC namespace: {error}");
        return;
    }
    let named = "fifo,unix_stream_path,unix_datagram_path,unix_seqpacket_path,posix_mq,sysv_mq,shm_ring,file_ring,sysv_ring,ipc_channel";
    let common = ["ipc", "--placement", "unpinned", "--seconds", "0.001", "--repeat", "1", "--mode", "latency"];
    // Messages that no queue can carry: channels are made, and given up at
    // once.
    let often = vec!["16M"; 300].join(",");
    let runs = [
        ["--transport", named, "--size", "1,2,3,4,5,6,7,8"],
        ["--transport", "sysv_mq,unix_datagram_path,unix_seqpacket_path", "--size", &often],
    ];
    let temporary = tempfile::tempdir().unwrap();
    let start = |mark: &str, run: usize, private: bool| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
        command.args(common).args(runs[run]).env(MARK, mark).env("TMPDIR", temporary.path());
        if !private {
            // Without this no IPC namespace: the names are among all others.
            // SAFETY: one system call between fork and exec.
            unsafe { command.pre_exec(without_namespace) };
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let whole = [0, 1].map(|run| {
        let begin = Instant::now();
        // The second run measures nothing, and says so by its code.
        assert_eq!(start("calibration", run, false).wait().unwrap().code(), Some(if run == 0 { 0 } else { 2 }));
        begin.elapsed()
    });
    assert_eq!(names(temporary.path()), Vec::<String>::new(), "nothing is left of a run that ends");
    let queue = format!("/syncscope-{}", std::process::id());
    let _held = syncscope::sys::mq::make(&queue, 1, 8).unwrap();
    assert_eq!(names(temporary.path()), [format!("queue {}", &queue[1..])], "queues are seen");
    syncscope::sys::names::Name::PosixQueue(queue.into()).remove().unwrap();
    let mut pauses = Pauses(u64::from(std::process::id()) << 7);
    let mut seen = 0;
    for kill in 0..NAME_KILLS {
        let mark = format!("{}-names-{kill}", std::process::id());
        let run = kill as usize % 2;
        let mut program = start(&mark, run, kill % 4 == 3);
        std::thread::sleep(pauses.next(whole[run]));
        program.kill().unwrap();
        program.wait().unwrap();
        seen += usize::from(std::fs::read_to_string("/proc/sysvipc/msg").unwrap().lines().count() > 1);
        let begin = Instant::now();
        let patience = Duration::from_secs(1).max(whole[run]);
        loop {
            let (left, named) = (marked(&mark), names(temporary.path()));
            if left.is_empty() && named.is_empty() {
                break;
            }
            assert!(begin.elapsed() < patience, "killed in run {run}, {patience:?} later: {left:?} {named:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    assert!(seen > 0, "some of the moments were such that there was something to remove");
}
