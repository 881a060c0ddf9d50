//! Ends that no descriptor shows: in flight in a message, registered with an `io_uring`;
//! and an epoll instance that another process may change. Nobody is called dead who may
//! still be woken by whoever has those.

use std::process::Command;

use serde_json::Value;

use crate::target::{Target, sees_all, settled};

/// A program that declares itself by a line, and waits then.
fn python(script: &str) -> Target {
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

/// Whether it is dead, and why not where it is not.
fn is_told(target: &mut Target, place: &str, dead: bool, why_not: &str) {
    let (found, evidence) = why(target, place);
    if sees_all() {
        assert_eq!((found, evidence.contains(why_not)), (dead, !dead), "{evidence}");
    } else {
        assert!(!found || dead, "{evidence}");
    }
}

#[test]
fn an_end_in_flight_may_be_received() {
    for (sent, dead) in [("w", false), ("other", true)] {
        let script = format!(
            "a, b = socket.socketpair()\nr, w = os.pipe()\n_, other = os.pipe()\n\
             socket.send_fds(a, [b'x'], [{sent}])\nchild(r, w, other, a.fileno())\nb.close()\nready()\nos.read(r, 1)"
        );
        is_told(&mut python(&script), "pipe_read", dead, "in flight");
    }
}

/// More than one message: only the first can be looked at. The sender has an end.
#[test]
fn an_end_in_flight_behind_another_may_be_received() {
    for (sender, dead) in [("a", false), ("c", true)] {
        let script = format!(
            "a, b = socket.socketpair()\nc, d = socket.socketpair()\nr, w = os.pipe()\n_, other = os.pipe()\n\
             socket.send_fds(a, [b'x'], [other])\nsocket.send_fds(a, [b'x'], [w])\n\
             child(r, w, other, a.fileno(), c.fileno(), d.fileno())\nb.close()\n\
             if '{sender}' == 'c': a.close()\nready()\nos.read(r, 1)"
        );
        is_told(&mut python(&script), "pipe_read", dead, "in flight");
    }
}

/// It waits to be accepted, by a process that may do so, or by the one that waits for the end.
#[test]
fn an_end_in_flight_by_a_connection_that_nobody_has_accepted_may_be_received() {
    for (server, dead) in [("child", false), ("", true)] {
        let script = format!(
            "r, w = os.pipe()\nl = socket.socket(socket.AF_UNIX); l.bind(f'\\0in flight {{os.getpid()}}'); l.listen()\n\
             c = socket.socket(socket.AF_UNIX); c.connect(l.getsockname()); socket.send_fds(c, [b'x'], [w])\n\
             if '{server}': child(r, w, c.fileno()); l.close()\nready()\nos.read(r, 1)"
        );
        let why_not = if dead { "it may yet end" } else { "by a connection that it accepts" };
        is_told(&mut python(&script), "pipe_read", dead, why_not);
    }
}

#[test]
fn an_end_that_is_registered_with_a_ring_is_open() {
    for (registered, dead) in [("w", false), ("other", true)] {
        let script = format!(
            "r, w = os.pipe()\n_, other = os.pipe()\nlibc = ctypes.CDLL(None)\n\
             ring = libc.syscall(425, 4, ctypes.create_string_buffer(120))\n\
             done = libc.syscall(427, ring, 2, (ctypes.c_int * 1)({registered}), 1)\n\
             print('yes' if ring >= 0 and done == 0 else 'no', flush=True)\nif ring >= 0: child(r, w, other)\n\
             if ring >= 0: os.close(ring)\nready()\nos.read(r, 1)"
        );
        let mut target = python(&script);
        if target.line() == "no" {
            eprintln!("not tested: io_uring is not permitted here");
            return;
        }
        is_told(&mut target, "pipe_read", dead, "io_uring");
    }
}

/// What a ring has been given goes on by itself, on files that are not registered with it
/// too: here a time-out of 1000 s.
#[test]
fn a_ring_with_work_under_way_may_do_what_its_process_does_not() {
    let polls = "p = select.poll(); p.register(r, select.POLLIN); p.poll()";
    let reads = "os.read(r, 1)";
    for (given, act, place) in
        [(1, reads, "pipe_read"), (0, reads, "pipe_read"), (1, polls, "poll"), (0, polls, "poll")]
    {
        let script = format!(
            "import mmap, struct\nlibc = ctypes.CDLL(None)\nparameters = ctypes.create_string_buffer(120)\n\
             ring = libc.syscall(425, 4, parameters)\nprint('yes' if ring >= 0 else 'no', flush=True)\n\
             if ring < 0: sys.exit()\n\
             tail, = struct.unpack_from('I', parameters, 44)\narray, = struct.unpack_from('I', parameters, 64)\n\
             queue = mmap.mmap(ring, array + 16)\nentries = mmap.mmap(ring, 256, offset=0x10000000)\n\
             limit = ctypes.create_string_buffer(struct.pack('qq', 1000, 0))\n\
             at = ctypes.addressof(limit)\n\
             entries[:40] = struct.pack('<BBHiQQIIQ', 11, 0, 0, -1, 0, at, 1, 0, 0)\n\
             queue[tail:tail + 4] = struct.pack('I', {given})\n\
             if {given} and libc.syscall(426, ring, 1, 0, 0, 0, 0) != 1: sys.exit('not taken')\n\
             r, w = os.pipe()\nready()\n{act}"
        );
        let mut target = python(&script);
        if target.line() == "no" {
            eprintln!("not tested: io_uring is not permitted here");
            return;
        }
        is_told(&mut target, place, given == 0, "work under way");
    }
}

/// Of any signal that is not ignored: the limit that a program has set itself.
#[test]
fn a_timer_of_its_own_may_end_the_wait_for_a_file_lock() {
    for (caught, dead) in [("lambda *_: None", false), ("signal.SIG_DFL", false), ("signal.SIG_IGN", true)] {
        let script = format!(
            "import fcntl, struct, tempfile\nlibc = ctypes.CDLL(None)\n\
             signal.signal(signal.SIGRTMIN, {caught})\n\
             event = ctypes.create_string_buffer(struct.pack('qii48x', 0, signal.SIGRTMIN, 0))\n\
             timer = ctypes.c_void_p()\n\
             until = ctypes.create_string_buffer(struct.pack('4q', 0, 0, 1000, 0))\n\
             if libc.timer_create(1, event, ctypes.byref(timer)) or libc.timer_settime(timer, 0, until, None):\n    \
             sys.exit('no timer')\n\
             file = tempfile.NamedTemporaryFile()\nother = open(file.name)\n\
             fcntl.flock(file, fcntl.LOCK_EX)\nready()\nfcntl.flock(other, fcntl.LOCK_EX)"
        );
        is_told(&mut python(&script), "locks_lock_inode_wait", dead, "timer");
    }
}

#[test]
fn another_process_may_change_what_an_epoll_watches() {
    for (close, dead) in [("r, w", false), ("r, w, e.fileno()", true)] {
        let script = format!(
            "r, w = os.pipe()\ne = select.epoll()\ne.register(r, select.EPOLLIN)\nchild({close})\nready()\ne.poll()"
        );
        is_told(&mut python(&script), "poll", dead, "may change what it watches");
    }
}

/// Python's own handler of `SIGINT` ends no deadlock of a pipe whose both ends both have.
#[test]
fn two_that_receive_from_each_other_are_dead_though_python_catches_interrupts() {
    let script = "signal.signal(signal.SIGINT, signal.default_int_handler)\n\
        a, b = socket.socketpair()\nif os.fork() == 0: b.recv(1)\nready()\na.recv(1)";
    if !sees_all() {
        return;
    }
    let mut target = python(script);
    let pid: i32 = target.line().parse().unwrap();
    settled(pid, pid, "unix_stream_read_generic");
    let output =
        Command::new(env!("CARGO_BIN_EXE_syncscope")).args(["why", "--json", &pid.to_string()]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let cycle = answer["deadlocks"][0]["cycle"].as_array().unwrap_or_else(|| panic!("{answer:#}"));
    assert_eq!(cycle.len(), 2, "{answer:#}");
}
