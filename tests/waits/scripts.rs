//! Scripts that get processes into known states, and what is told of them.

use std::process::Command;

use serde_json::Value;

use crate::target::{Target, sees_all, settled};

/// What the scripts have in common. Each declares the thread that is looked at, its place
/// in the kernel by its own call, and who has the other end.
const BEGIN: &str = "import ctypes, os, pty, select, signal, socket, struct, sys, termios, threading, time, tty
signal.signal(signal.SIGINT, signal.SIG_DFL)
def child(act, *close):
    pid = os.fork()
    if pid == 0:
        [os.close(fd) for fd in close]
        act()
        os._exit(0)
    while any(has(pid, fd) for fd in close): time.sleep(0.001)
    return pid
def has(pid, fd):
    try: return os.readlink(f'/proc/{pid}/fd/{fd}') == os.readlink(f'/proc/self/fd/{fd}')
    except OSError: return False
def fill(fd):
    while True: os.write(fd, b'x' * 1000)
def ready(*of):
    print(*of, flush=True)
idle = lambda: time.sleep(1000)
def ends_with_us(fork=pty.fork):
    pid, master = fork()
    if pid == 0: ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    return pid, master
pty.fork = ends_with_us
";

/// A script that runs.
pub(crate) fn python(script: &str) -> Command {
    let mut command = Command::new("python3");
    command.args(["-c", &format!("{BEGIN}{script}")]);
    command
}

/// The answer about the first process that a program declares, once it sleeps at this
/// place; and those that it declares as holders.
pub(crate) fn asked(command: &mut Command, place: &str) -> (Target, Value, Vec<i64>) {
    let mut target = Target::start(command);
    let line = target.line();
    let numbers: Vec<i64> = line.split_ascii_whitespace().map(|field| field.parse().unwrap()).collect();
    let (pid, tid) = (numbers[0] as i32, numbers[1] as i32);
    settled(pid, tid, place);
    // Of a loop every part has to be at its place.
    if let Some(&last) = numbers.get(2).filter(|&&other| other != i64::from(pid)) {
        settled(last as i32, last as i32, "");
    }
    let output =
        Command::new(env!("CARGO_BIN_EXE_syncscope")).args(["why", "--json", &pid.to_string()]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let threads = answer["threads"].as_array().unwrap();
    let own = threads.iter().find(|thread| thread["tid"] == tid).unwrap();
    let mut stuck = answer["deadlocks"].as_array().unwrap().iter().flat_map(|dead| dead["stuck"].as_array().unwrap());
    let dead = stuck.any(|thread| thread["tid"] == tid);
    let mut own = own.clone();
    own["dead"] = dead.into();
    (target, own, numbers[2..].to_vec())
}

pub(crate) fn holders(thread: &Value) -> Vec<i64> {
    let all = thread["wait"]["holders"].as_array().unwrap().iter();
    let mut pids: Vec<i64> = all.map(|holder| holder["pid"].as_i64().unwrap()).collect();
    pids.sort_unstable();
    pids
}

/// Asks until the verdict is this, as the rest of the program comes to its place.
pub(crate) fn is_told(script: &str, place: &str, (kind, verdict): (&str, &str)) -> Value {
    let (_target, own, mut expected) = asked(&mut python(script), place);
    expected.sort_unstable();
    assert_eq!(own["wait"]["kind"], kind, "{own:#}");
    assert_eq!(holders(&own), expected, "{script}: {own:#}");
    if sees_all() {
        assert_eq!(own["verdict"], verdict, "{script}: {own:#}");
        assert_eq!(own["dead"], verdict == "deadlocked", "{script}: {own:#}");
    } else {
        assert!(own["dead"] == false || verdict == "deadlocked", "{script}: {own:#}");
    }
    own
}

/// Whether the thread is said to be stuck behind the loop of the two others.
pub(crate) fn is_stuck(script: &str, place: &str, kind: &str) {
    let (_target, own, expected) = asked(&mut python(script), place);
    assert_eq!((&own["wait"]["kind"], holders(&own)), (&kind.into(), expected), "{script}: {own:#}");
    if sees_all() {
        assert_eq!((&own["verdict"], &own["dead"]), (&"stuck".into(), &true.into()), "{script}: {own:#}");
    }
}
