//! What no descriptor shows: ends registered with an `io_uring`, and what it does by itself;
//! a timer that sends a signal; an epoll instance that another process may change. Nobody is
//! called dead who may still be woken by any of these.

use std::process::Command;

use serde_json::Value;

use crate::python::{is_possible, is_told, python};
use crate::target::{sees_all, settled};

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
        if !is_possible(&mut target, "io_uring is not permitted here") {
            return;
        }
        is_told(&mut target, "pipe_read", dead, "io_uring");
    }
}

/// What a ring has been given goes on by itself, on files that are not registered with it
/// too: here a time-out of 1000 s.
#[test]
fn a_ring_with_work_under_way_may_do_what_its_process_does_not() {
    let locks = "import fcntl, tempfile; file = tempfile.NamedTemporaryFile(); other = open(file.name); \
        fcntl.flock(file, fcntl.LOCK_EX); fcntl.flock(other, fcntl.LOCK_EX)";
    let polls = "p = select.poll(); p.register(r, select.POLLIN); p.poll()";
    let reads = "os.read(r, 1)";
    let acts = [(reads, "pipe_read"), (polls, "poll"), (locks, "locks_lock_inode_wait")];
    for (given, (act, place)) in acts.iter().flat_map(|act| [(1, *act), (0, *act)]) {
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
        if !is_possible(&mut target, "io_uring is not permitted here") {
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
