//! A Python program under test, and what is said of it.

use std::process::Command;

use serde_json::Value;

use crate::target::{Target, sees_all, settled};

/// A program that declares itself by a line, and waits then.
pub(crate) fn python(script: &str) -> Target {
    // Who has ends to close has closed them before the test goes on.
    let begin = "import ctypes, os, select, signal, socket, sys, time\n\
        def ready():\n    print(os.getpid(), flush=True)\n\
        def child(*close):\n    pid = os.fork()\n    if pid == 0:\n        [os.close(fd) for fd in close]\n        \
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)\n        signal.pause()\n    \
        while 'pause' not in open(f'/proc/{pid}/wchan').read(): time.sleep(0.001)\n\
        signal.signal(signal.SIGINT, signal.SIG_DFL)\n";
    Target::start(Command::new("python3").args(["-c", &format!("{begin}{script}")]))
}

/// What is said of a program that sleeps at this place in the kernel.
fn why(target: &mut Target, place: &str) -> (bool, String) {
    let pid: i32 = target.line().parse().unwrap();
    settled(pid, pid, place);
    let output =
        Command::new(env!("CARGO_BIN_EXE_syncscope")).args(["why", "--json", &pid.to_string()]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let evidence = answer["threads"][0]["wait"]["evidence"].to_string();
    (!answer["deadlocks"].as_array().unwrap().is_empty(), evidence)
}

/// Whether the program says `yes` first: what it needs is to be had here.
pub(crate) fn is_possible(target: &mut Target, what_not: &str) -> bool {
    let is_possible = target.line() == "yes";
    if !is_possible {
        println!("skipped: {what_not}");
    }
    is_possible
}

/// Whether it is dead, and why not where it is not.
pub(crate) fn is_told(target: &mut Target, place: &str, dead: bool, why_not: &str) {
    let (found, evidence) = why(target, place);
    if sees_all() {
        assert_eq!((found, evidence.contains(why_not)), (dead, !dead), "{evidence}");
    } else {
        assert!(!found || dead, "{evidence}");
    }
}
