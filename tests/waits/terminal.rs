//! Pseudo-terminals: who is at the other end, and when nobody there can ever act; and
//! sockets that somebody else may shut down.

use std::process::Command;

use serde_json::Value;

use crate::target::{Target, sees_all, settled};

/// What the scripts have in common. Each declares the thread that is looked at, its place
/// in the kernel by its own call, and who has the other end.
const BEGIN: &str = "import os, pty, select, signal, socket, sys, termios, threading, time, tty
signal.signal(signal.SIGINT, signal.SIG_DFL)
def child(act, *close):
    pid = os.fork()
    if pid == 0:
        [os.close(fd) for fd in close]
        act()
        os._exit(0)
    return pid
def fill(fd):
    while True: os.write(fd, b'x' * 1000)
def ready(*of):
    print(*of, flush=True)
idle = lambda: time.sleep(1000)
";

/// The answer about the first process that the script declares, once it sleeps at this
/// place; and those that it declares as holders.
fn asked(script: &str, place: &str) -> (Target, Value, Vec<i64>) {
    let mut target = Target::start(Command::new("python3").args(["-c", &format!("{BEGIN}{script}")]));
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

fn holders(thread: &Value) -> Vec<i64> {
    let all = thread["wait"]["holders"].as_array().unwrap().iter();
    let mut pids: Vec<i64> = all.map(|holder| holder["pid"].as_i64().unwrap()).collect();
    pids.sort_unstable();
    pids
}

/// Asks until the verdict is this, as the rest of the program comes to its place.
fn is_told(script: &str, place: &str, (kind, verdict): (&str, &str)) -> Value {
    let (_target, own, mut expected) = asked(script, place);
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

#[test]
fn either_end_waits_for_whoever_has_the_other() {
    let cases = [
        ("p = child(lambda: os.read(s, 1), m); os.close(s); ready(p, p, os.getpid()); idle()", "tty_read"),
        ("p = child(lambda: fill(s), m); os.close(s); ready(p, p, os.getpid()); idle()", "tty_write"),
        ("p = child(idle, m); os.close(s); ready(os.getpid(), os.getpid(), p); os.read(m, 1)", "tty_read"),
        ("tty.setraw(s); p = child(idle, m); os.close(s); ready(os.getpid(), os.getpid(), p); fill(m)", "tty_write"),
    ];
    for (script, kind) in cases {
        let own = is_told(&format!("m, s = pty.openpty()\n{script}"), "wait_woken", (kind, "waiting"));
        assert_eq!(own["wait"]["certainty"], if sees_all() { "certain" } else { "derived" });
        let names_master = own["wait"]["resource"].as_str().unwrap().starts_with("the master of /dev/pts/");
        assert_eq!(names_master, script.contains("(m"), "{own:#}");
    }
}

#[test]
fn a_parent_that_waits_for_its_child_without_reading_is_a_deadlock() {
    let cases = [
        "m, s = pty.openpty()\np = child(lambda: fill(s), m); os.close(s); ready(p, p, os.getpid()); os.waitpid(p, 0)",
        "p, m = pty.fork()\nif p == 0: fill(1)\nready(p, p, os.getpid()); os.waitpid(p, 0)",
        "m, s = pty.openpty()\np = child(lambda: fill(s), m); ready(p, p, os.getpid()); os.waitpid(p, 0)",
    ];
    for script in cases {
        is_told(script, "wait_woken", ("tty_write", "deadlocked"));
    }
    let reads = "m, s = pty.openpty()\np = child(lambda: os.read(s, 1), m)\nos.close(s)\n\
        q = select.poll(); q.register(m, select.POLLIN); ready(p, p, os.getpid()); q.poll()";
    is_told(reads, "wait_woken", ("tty_read", "deadlocked"));
}

/// The same loop, with a way out each.
#[test]
fn whoever_may_still_act_at_a_terminal_keeps_it_from_being_dead() {
    let third = "m, s = pty.openpty()\nd = child(idle, s)\np = child(lambda: os.read(s, 1), m)\nos.close(s)\n\
        ready(p, p, os.getpid(), d); os.waitpid(p, 0)";
    is_told(third, "wait_woken", ("tty_read", "waiting"));
    let timed = "m, s = pty.openpty()\nt = termios.tcgetattr(s); t[3] &= ~termios.ICANON\n\
        t[6][termios.VMIN], t[6][termios.VTIME] = 0, 250\ntermios.tcsetattr(s, 0, t)\n\
        p = child(lambda: os.read(s, 1), m)\nos.close(s); ready(p, p, os.getpid()); os.waitpid(p, 0)";
    is_told(timed, "wait_woken", ("tty_read", "waiting"));
    // The leader of the session sleeps for a while: its end hangs the terminal up.
    let leads = "r, w = os.pipe()\nl, m = pty.fork()\n\
        if l == 0: os.write(w, b'%d' % child(lambda: fill(1))); os.close(w); idle()\n\
        p = int(os.read(r, 9)); os.close(w); ready(p, p, os.getpid())\nos.read(r, 1)";
    let own = is_told(leads, "wait_woken", ("tty_write", "unknown"));
    assert!(own["wait"]["evidence"].to_string().contains("hang it up"), "{own:#}");
    is_told(&leads.replace("idle()", "os.wait()"), "wait_woken", ("tty_write", "deadlocked"));
    let flies = "m, s = pty.openpty()\nx, y = socket.socketpair(); socket.send_fds(x, [b'x'], [m])\n\
        child(idle, m, s, x.fileno())\np = child(lambda: os.read(s, 1), m, x.fileno(), y.fileno())\n\
        x.close(); y.close(); os.close(s); ready(p, p, os.getpid()); os.waitpid(p, 0)";
    is_told(flies, "wait_woken", ("tty_read", "unknown"));
    let tty = "p, m = pty.fork()\nif p == 0: t = os.open('/dev/tty', 2); os.closerange(0, t); os.read(t, 1)\n\
        ready(p, p, os.getpid()); os.waitpid(p, 0)";
    is_told(tty, "wait_woken", ("tty_read", "unknown"));
}

/// Two processes that wait for each other, and one that waits for the first. Who has that
/// one's own end of the connection may shut it down.
#[test]
fn whoever_may_shut_a_socket_down_keeps_its_reader_from_being_dead() {
    let begin = "a, b = PAIR; c, d = socket.socketpair()\n\
        q = child(lambda: c.recv(1), a.fileno(), d.fileno())\n\
        r = child(lambda: d.recv(1), a.fileno(), b.fileno(), c.fileno())\n\
        [one.close() for one in (b, c, d)]\n\
        def waits(): ready(os.getpid(), threading.get_native_id(), q); ACT\n";
    let tcp = "(lambda s: (lambda c: (c, s.accept()[0], s.close())[:2])(socket.create_connection(s.getsockname())))\
        (socket.create_server(('127.0.0.1', 0)))";
    let polls = "(lambda p: (p.register(a, 1), p.poll()))(select.poll())";
    let cases = [
        ("socket.socketpair()", "a.recv(1)", "unix_stream", "unix_recv"),
        (tcp, "a.recv(1)", "wait_woken", "inet_recv"),
        ("socket.socketpair()", polls, "poll", "poll"),
    ];
    for (pair, act, place, kind) in cases {
        let begin = begin.replace("PAIR", pair).replace("ACT", act);
        let thread_runs = format!("{begin}threading.Thread(target=waits).start(); idle()");
        is_told(&thread_runs, place, (kind, "unknown"));
        let process_runs = format!("{begin}child(idle); waits()");
        is_told(&process_runs, place, (kind, "unknown"));
        let alone = format!("{begin}waits()");
        is_stuck(&alone, place, kind);
        let others_wait_too = format!("{begin}child(lambda: a.recv(1)); waits()");
        is_stuck(&others_wait_too, place, kind);
    }
}

/// Whether the thread is said to be stuck behind the loop of the two others.
fn is_stuck(script: &str, place: &str, kind: &str) {
    let (_target, own, expected) = asked(script, place);
    assert_eq!((&own["wait"]["kind"], holders(&own)), (&kind.into(), expected), "{script}: {own:#}");
    if sees_all() {
        assert_eq!((&own["verdict"], &own["dead"]), (&"stuck".into(), &true.into()), "{script}: {own:#}");
    }
}
