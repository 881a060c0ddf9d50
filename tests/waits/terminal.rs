//! Pseudo-terminals: who is at the other end, and when nobody there can ever act; and
//! sockets that somebody else may shut down.

use crate::scripts::{is_stuck, is_told};
use crate::target::sees_all;

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
