//! However the program goes, its children go with it, and whatever it has given
//! a name: SIGKILL at random moments, then no process that bears the run's mark
//! may live, and no FIFO, socket, file, queue or segment be left.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::ffi::{CStr, CString};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Between two looks at what is left.
const LOOK: Duration = Duration::from_millis(20);
const MARK: &str = "SYNCSCOPE_JANITOR_TEST";
/// So many programs run, and are killed, at one time.
const LANES: u32 = 8;
/// How many random moments, in each lane.
const KILLS: u32 = 21;
/// How many of them while channels that have names are made.
const NAME_KILLS: u32 = 15;

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
        std::thread::sleep(LOOK);
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

/// Does the same on several threads at one time; each is told its number.
fn in_lanes(work: impl Fn(u32) + Sync) {
    std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES)
            .map(|lane| {
                scope.spawn({
                    let work = &work;
                    move || work(lane)
                })
            })
            .collect();
        for lane in lanes {
            lane.join().unwrap();
        }
    });
}

#[test]
fn no_descendant_outlives_a_killed_program() {
    in_lanes(|lane| {
        // How long a start takes here and now, with as many at once as later,
        // so that the moments fall within it.
        let begin = Instant::now();
        assert!(start("calibration", &["run", "--no-ui", "--", "true"]).wait().unwrap().success());
        let whole = begin.elapsed();
        // A second, where a start takes its usual few hundredths: on a machine
        // that is busy with other things all takes longer alike.
        let patience = Duration::from_secs(1).max(whole * 20);
        let mut pauses = Pauses((u64::from(std::process::id()) << 8) + u64::from(lane));
        let commands: [&[&str]; 7] = [
            &["run", "--no-ui", "--", "sleep", "1000"],
            &["run", "--no-ui", "--", "sh", "-c", "sleep 1000 & sleep 1000 & sh -c 'sleep 1000; :'; :"],
            &["run", "--no-ui", "--", "sh", "-c", "trap '' TERM; while :; do sleep 0.01; done"],
            // Workers that start and leave others, and end by themselves when
            // the program does.
            &["run", "--experiment", "all"],
            &["lock", "--experiment", "all"],
            &["ipc", "--failure", "all"],
            &["ipc", "--transport", "all", "--size", "64", "--seconds", "0.05", "--repeat", "1"],
        ];
        for kill in 0..KILLS {
            let mark = format!("{}-{lane}-{kill}", std::process::id());
            let which = kill as usize % commands.len();
            // Half of them about the moment of spawning, half anywhere.
            let below = match (kill / 7 % 2, which) {
                (0, _) => whole.mul_f64(1.5),
                (_, ..3) => whole * 5,
                _ => whole * 50,
            };
            kill_after(&mark, commands[which], pauses.next(below), patience);
        }
    });
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
/// shared memory and queues, and System V objects of this thread's namespaces.
fn names(temporary: &Path, queues: &Path) -> Vec<String> {
    let files = |directory: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(directory).unwrap().flatten();
        entries.map(|entry| entry.path().display().to_string()).collect()
    };
    let mut found = [files(temporary), files(queues), files(Path::new(MEMORY))].concat();
    for kind in ["msg", "shm", "sem"] {
        let table = std::fs::read_to_string(format!("/proc/sysvipc/{kind}")).unwrap_or_default();
        found.extend(table.lines().skip(1).map(|row| format!("{kind} {}", row.split_whitespace().next().unwrap())));
    }
    found
}

/// Where POSIX shared memory has its names.
const MEMORY: &str = "/dev/shm";

fn mount(kind: &CStr, target: &Path, flags: libc::c_ulong) -> std::io::Result<()> {
    let target = CString::new(target.as_os_str().as_encoded_bytes()).unwrap();
    // SAFETY: C strings; no data.
    match unsafe { libc::mount(kind.as_ptr(), target.as_ptr(), kind.as_ptr(), flags, std::ptr::null()) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// Gives this thread, and what it starts, System V objects, queues and shared
/// memory of their own; the queues are seen in the directory `queues`.
fn own_names(queues: &Path) -> std::io::Result<()> {
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWIPC | nix::sched::CloneFlags::CLONE_NEWNS)?;
    mount(c"none", Path::new("/"), libc::MS_REC | libc::MS_PRIVATE)?;
    mount(c"tmpfs", Path::new(MEMORY), 0)?;
    mount(c"mqueue", queues, 0)
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

/// In namespaces of its own, so that other programs' objects are not taken for
/// leftovers; needs root.
#[test]
fn no_name_outlives_a_killed_program() {
    let seen = AtomicUsize::new(0);
    let can = AtomicBool::new(true);
    in_lanes(|lane| {
        let (temporary, queues) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        match own_names(queues.path()) {
            Ok(()) => {
                seen.fetch_add(kill_while_names_are_made(lane, temporary.path(), queues.path()), Ordering::Relaxed);
            }
            Err(error) => {
                println!("not tested: cannot have namespaces: {error}");
                can.store(false, Ordering::Relaxed);
            }
        }
        // The mount goes with the thread; the directory would be busy before.
        let path = CString::new(queues.path().as_os_str().as_encoded_bytes()).unwrap();
        // SAFETY: a C string.
        unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) };
    });
    let seen = seen.into_inner();
    assert!(!can.into_inner() || seen > 0, "some of the moments were such that there was something to remove");
}

/// Returns how often there was something to remove.
fn kill_while_names_are_made(lane: u32, temporary: &Path, queues: &Path) -> usize {
    let named = "fifo,unix_stream_path,unix_datagram_path,unix_seqpacket_path,posix_mq,sysv_mq,shm_ring,file_ring,sysv_ring,ipc_channel";
    let common = ["ipc", "--placement", "unpinned", "--seconds", "0.001", "--repeat", "1", "--mode", "latency"];
    // Messages that no queue can carry: channels are made, and given up at
    // once.
    let often = vec!["16M"; 100].join(",");
    let runs = [
        ["--transport", named, "--size", "1"],
        ["--transport", "sysv_mq,unix_datagram_path,unix_seqpacket_path", "--size", &often],
    ];
    let start = |mark: &str, run: usize, private: bool| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncscope"));
        command.args(common).args(runs[run]).env(MARK, mark).env("TMPDIR", temporary);
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
    let none = Vec::<String>::new();
    assert_eq!(names(temporary, queues), none, "nothing is left of a run that ends");
    let queue = format!("syncscope-{}", std::process::id());
    let name = syncscope::sys::names::Name::PosixQueue(format!("/{queue}").into());
    let _held = syncscope::sys::mq::make(&format!("/{queue}"), 1, 8).unwrap();
    assert_eq!(names(temporary, queues), [queues.join(&queue).display().to_string()], "queues are seen");
    name.remove().unwrap();
    let mut pauses = Pauses((u64::from(std::process::id()) << 9) + u64::from(lane));
    let mut seen = 0;
    for kill in 0..NAME_KILLS {
        let mark = format!("{}-names-{lane}-{kill}", std::process::id());
        let run = kill as usize % 2;
        let mut program = start(&mark, run, kill % 4 == 3);
        std::thread::sleep(pauses.next(whole[run]));
        program.kill().unwrap();
        program.wait().unwrap();
        seen += usize::from(!names(temporary, queues).is_empty());
        let begin = Instant::now();
        let patience = Duration::from_secs(1).max(whole[run]);
        loop {
            let (named, late) = (names(temporary, queues), begin.elapsed() >= patience);
            // The processes are the dearer ones to look for.
            let left = if named.is_empty() || late { marked(&mark) } else { HashSet::new() };
            if left.is_empty() && named.is_empty() {
                break;
            }
            assert!(!late, "killed in run {run}, {patience:?} later: {left:?} {named:?}");
            std::thread::sleep(LOOK);
        }
    }
    seen
}

/// Names, for this test started once more as a program that supervises, the
/// mark that its children bear.
const SUPERVISES: &str = "SYNCSCOPE_JANITOR_TEST_SUPERVISES";

/// Killed while it supervises one that is to end with it and one that is not.
#[test]
fn a_killed_program_s_children_end_save_those_that_are_to_go_on() {
    if std::env::var_os(SUPERVISES).is_some() {
        return supervise();
    }
    let mark = format!("{}-fates", std::process::id());
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "a_killed_program_s_children_end_save_those_that_are_to_go_on"]);
    command.env(SUPERVISES, "").env(MARK, &mark).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut program = command.spawn().unwrap();
    let sleeper = |seconds: &str| {
        let line = format!("sleep\0{seconds}\0");
        let is = |pid: &i32| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|words| words == line.as_bytes());
        marked(&mark).into_iter().find(is)
    };
    let wait_until = |what: &str, good: &dyn Fn() -> bool| {
        let begin = Instant::now();
        while !good() {
            assert!(begin.elapsed() < Duration::from_secs(20), "never: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    wait_until("both run", &|| sleeper("1001").is_some() && sleeper("1002").is_some());
    program.kill().unwrap();
    program.wait().unwrap();
    let kept = sleeper("1002").unwrap();
    // The janitor is the last to go.
    wait_until("all but one are gone", &|| marked(&mark) == HashSet::from([kept]));
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(kept), nix::sys::signal::Signal::SIGKILL);
}

fn supervise() {
    use syncscope::backend::children::Supervisor;
    use syncscope::backend::{ChildCommand, outlet, program};
    use syncscope::model::child::ChildSpec;
    use syncscope::model::launch::{Fate, Redirect};

    program::set(env!("CARGO_BIN_EXE_syncscope"));
    let (outlet, _inlet) = outlet::outlet();
    let supervisor = Supervisor::start(&outlet);
    for (seconds, fate) in [("1001", Fate::End), ("1002", Fate::Keep)] {
        let (program, args) = ("sleep".into(), vec![seconds.into()]);
        let streams = [Redirect::Null, Redirect::Null, Redirect::Null];
        let spec = ChildSpec { program, args, fate, streams, ..ChildSpec::default() };
        supervisor.send(ChildCommand::Spawn(Box::new(spec)));
    }
    std::thread::sleep(Duration::from_mins(1));
}
