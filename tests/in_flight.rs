//! Ends that are in flight in a message: nobody is called dead who may still be woken by
//! whoever receives them. What waits unseen in a queue counts for everybody on the machine,
//! so these tests have a program of their own, and run one at a time.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "waits/python.rs"]
mod python;
#[path = "waits/target.rs"]
#[expect(dead_code, reason = "other tests use more of it")]
mod target;

use std::sync::{Mutex, MutexGuard, PoisonError};

use self::python::{is_possible, is_told, python};

fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[test]
fn an_end_in_flight_may_be_received() {
    let _alone = alone();
    for (sent, dead) in [("w", false), ("other", true)] {
        let script = format!(
            "a, b = socket.socketpair()\nr, w = os.pipe()\n_, other = os.pipe()\n\
             socket.send_fds(a, [b'x'], [{sent}])\nchild(r, w, other, a.fileno())\nb.close()\nready()\nos.read(r, 1)"
        );
        is_told(&mut python(&script), "pipe_read", dead, "in flight");
    }
}

/// Of more than one message only the first can be looked at, of whatever process it is.
#[test]
fn an_end_in_flight_behind_another_may_be_received() {
    let _alone = alone();
    for (ends, dead) in [("[other], [w]", false), ("[other, _]", true)] {
        let script = format!(
            "a, b = socket.socketpair()\nr, w = os.pipe()\n_, other = os.pipe()\n\
             [socket.send_fds(a, [b'x'], fds) for fds in [{ends}]]\n\
             child(r, w, other, a.fileno())\na.close(); b.close()\nready()\nos.read(r, 1)"
        );
        is_told(&mut python(&script), "pipe_read", dead, "in flight");
    }
}

/// Of such sockets the kernel tells nothing but how many descriptors are in flight.
#[test]
fn an_end_in_flight_to_a_socket_of_another_network_namespace_may_be_received() {
    let _alone = alone();
    for (end, dead) in [("w", false), ("other", true)] {
        let script = format!(
            "there = ctypes.CDLL(None).unshare(0x40000000) == 0\nprint('yes' if there else 'no', flush=True)\n\
             a, b = socket.socketpair()\nr, w = os.pipe()\n_, other = os.pipe()\nsocket.send_fds(a, [b'x'], [{end}])\n\
             child(r, w, other, a.fileno())\na.close(); b.close()\nready()\nos.read(r, 1)"
        );
        let mut target = python(&script);
        if !is_possible(&mut target, "a network namespace of its own takes root") {
            return;
        }
        is_told(&mut target, "pipe_read", dead, "in flight");
    }
}

/// The socket itself is registered with a ring, and nobody has a descriptor of it.
#[test]
fn an_end_in_flight_to_a_socket_that_a_ring_alone_has_may_be_received() {
    let _alone = alone();
    for (sent, dead) in [("socket.send_fds(a, [b'x'], [w])", false), ("", true)] {
        let script = format!(
            "a, b = socket.socketpair()\nr, w = os.pipe()\nlibc = ctypes.CDLL(None)\n\
             ring = libc.syscall(425, 4, ctypes.create_string_buffer(120))\n\
             done = libc.syscall(427, ring, 2, (ctypes.c_int * 1)(b.fileno()), 1)\n\
             print('yes' if ring >= 0 and done == 0 else 'no', flush=True)\n{sent}\nif ring >= 0: child(r, w, a.fileno(), b.fileno())\n\
             if ring >= 0: os.close(ring)\na.close(); b.close()\nready()\nos.read(r, 1)"
        );
        let mut target = python(&script);
        if !is_possible(&mut target, "io_uring is not permitted here") {
            return;
        }
        is_told(&mut target, "pipe_read", dead, "in flight");
    }
}

/// It waits to be accepted, by a process that may do so, or by the one that waits for the end.
#[test]
fn an_end_in_flight_by_a_connection_that_nobody_has_accepted_may_be_received() {
    let _alone = alone();
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
