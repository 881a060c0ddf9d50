//! Waits that somebody may end who holds nothing of it, or that nobody can: another thread
//! that sleeps, a child that ends, a timer, the kernel.

use std::process::Command;

use crate::scripts::{asked, holders, is_told};
use crate::target::{Target, build, sees_all, settled};

/// What the second thread of a program sleeps in: what only its own process ends, if anybody;
/// what may end in another way; and what ends by itself.
const WITHIN: [&str; 11] =
    ["cond", "sem", "barrier", "join", "mutex", "rwlock_read", "rwlock_write", "pause", "sigsuspend", "poll", "select"];
const WITHOUT: [&str; 11] = [
    "cond_shared",
    "sem_shared",
    "sem_handler",
    "sem_vm",
    "pause_handler",
    "poll_handler",
    "sigwait",
    "signalfd",
    "eventfd",
    "eventfd_shared",
    "poll_eventfd",
];
const TIMED: [&str; 4] = ["cond_timed", "sem_timed", "sleep", "mutex_of_another"];

fn within(arguments: &[&str], verdict: &str) {
    let mut command = Command::new(build("within.c", &["-pthread", "-O2"]));
    let (_target, own, expected) = asked(command.args(arguments), "unix_stream");
    assert_eq!((&own["wait"]["kind"], holders(&own)), (&"unix_recv".into(), expected), "{arguments:?}: {own:#}");
    let dead = matches!(verdict, "stuck" | "deadlocked");
    if sees_all() {
        assert_eq!((&own["verdict"], &own["dead"]), (&verdict.into(), &dead.into()), "{arguments:?}: {own:#}");
        // Whoever may act is named, in words, or the handler is.
        let evidence = own["wait"]["evidence"].to_string();
        let itself = format!("it may yet end: thread {}", own["tid"]);
        assert!(!evidence.contains(&itself), "{arguments:?}: {own:#}");
        let said = evidence.contains("it may yet end: ") || evidence.contains("catches SIGTERM: a handler may");
        assert_eq!(said, !dead, "{arguments:?}: {own:#}");
    } else {
        assert!(own["dead"] == false || dead, "{arguments:?}: {own:#}");
    }
}

/// A thread reads from one of two processes that wait for each other; another thread of its
/// process might shut the connection down, and sleeps.
#[test]
fn a_thread_that_only_its_own_process_can_wake_ends_no_wait() {
    for kind in WITHIN {
        within(&[kind, "apart"], "stuck");
    }
    for kind in WITHOUT.iter().chain(&TIMED) {
        within(&[kind, "apart"], "unknown");
    }
    within(&["eventfd_of_another", "apart"], "unknown");
}

/// A parent waits for the end of a child one of whose threads waits for the parent.
#[test]
fn a_process_does_not_end_by_a_thread_that_only_it_can_wake() {
    for kind in WITHIN {
        within(&[kind], "deadlocked");
    }
    for kind in WITHOUT {
        within(&[kind], "unknown");
    }
    // Whoever else has the eventfd sleeps for a time only.
    for kind in TIMED.iter().chain(&["eventfd_of_another"]) {
        within(&[kind], "waiting");
    }
}

/// Two processes wait for each other; the first does `DO` before. Another child of it sleeps
/// for a while and then ends.
const LOOP: &str = "a, b = socket.socketpair(); c, d = os.pipe()
DO
q = child(ACT, a.fileno(), b.fileno())
p = child(lambda: b.recv(1), a.fileno())
b.close(); ready(os.getpid(), os.getpid(), p); a.recv(1)";

#[test]
fn the_end_of_another_child_interrupts_whoever_catches_it() {
    let catches = LOOP.replace("DO", "signal.signal(signal.SIGCHLD, lambda *_: None)");
    is_told(&catches.replace("ACT", "idle"), "unix_stream", ("unix_recv", "unknown"));
    is_told(&LOOP.replace("DO", "").replace("ACT", "idle"), "unix_stream", ("unix_recv", "deadlocked"));
    // It ends no more than the others.
    let waits_too = "lambda: (signal.signal(signal.SIGCHLD, signal.SIG_DFL), os.read(c, 1))";
    is_told(&catches.replace("ACT", waits_too), "unix_stream", ("unix_recv", "deadlocked"));
}

/// A shell takes note of the end of another child, and reads on.
#[test]
fn a_shell_reads_on_though_another_child_ends() {
    let folder = tempfile::tempdir().unwrap();
    for (act, verdict) in [("flock 8", "deadlocked"), ("sleep 1000", "waiting")] {
        let script = format!(
            "exec 5>&1; sleep 1000 & exec 7<>lock; flock 7\n\
             x=$(exec 7>&- 8<>lock; exec sh -c \"echo $$ $$ \\$\\$ >&5; exec {act}\")"
        );
        let mut command = Command::new("bash");
        let (_target, own, expected) = asked(command.args(["-c", &script]).current_dir(folder.path()), "pipe_read");
        assert_eq!((&own["wait"]["kind"], holders(&own)), (&"pipe_read".into(), expected), "{own:#}");
        assert!(own["verdict"] == verdict || !sees_all() && verdict == "deadlocked", "{own:#}");
    }
}

#[test]
fn a_timer_that_would_end_the_process_ends_the_loop() {
    let timer = "t, event = ctypes.c_void_p(), ctypes.create_string_buffer(64)\n\
        struct.pack_into('Qii', event, 0, 0, signal.SIGNAL, 0)\n\
        assert ctypes.CDLL(None).timer_create(1, event, ctypes.byref(t)) == 0";
    for (signal, verdict) in [("SIGALRM", "unknown"), ("SIGWINCH", "deadlocked")] {
        let script = LOOP.replace("DO", &timer.replace("SIGNAL", signal)).replace("ACT", "idle");
        let own = is_told(&script, "unix_stream", ("unix_recv", verdict));
        // It is looked for only where the loop would be called dead otherwise.
        let said = own["wait"]["evidence"].to_string().contains("timer_create");
        assert!(said == (verdict == "unknown") || !sees_all(), "{own:#}");
    }
}

#[test]
fn a_connection_that_the_kernel_gives_up_ends_the_loop() {
    let begin = "s = socket.create_server(('127.0.0.1', 0))\na = socket.create_connection(s.getsockname())\n\
        b = s.accept()[0]; s.close()\n\
        OPTION\ndef fills():\n    b.close()\n    while True: a.send(b'x' * 100000)\n\
        def polls():\n    a.setblocking(False)\n    try: fills()\n    except BlockingIOError: pass\n    \
        q = select.poll(); q.register(a, select.POLLOUT); q.poll()\n\
        p = child(ACT); a.close(); ready(p, p, os.getpid()); os.waitpid(p, 0)";
    let option = "a.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000000)";
    for (act, kind, verdict) in [("fills", "inet_send", "waiting"), ("polls", "poll", "unknown")] {
        let place = if kind == "poll" { "poll" } else { "wait_woken" };
        let script = begin.replace("ACT", act);
        is_told(&script.replace("OPTION", ""), place, (kind, "deadlocked"));
        if sees_all() {
            is_told(&script.replace("OPTION", option), place, (kind, verdict));
        }
    }
}

/// A thread that ends for a pidfd of its own is named itself, not a process of its number.
#[test]
fn a_pidfd_may_stand_for_a_thread() {
    let script = "r, w = os.pipe(); PIDFD_THREAD = os.O_EXCL\n\
        def act():\n    \
        t = threading.Thread(target=lambda: (os.write(w, b'%d' % threading.get_native_id()), idle()))\n    \
        t.start(); t.join()\n\
        p = child(act)\nfd = ctypes.CDLL(None).syscall(434, int(os.read(r, 10)), PIDFD_THREAD)\n\
        if fd < 0: fd = os.pidfd_open(p)\n\
        q = select.poll(); q.register(fd, 1); ready(os.getpid(), os.getpid(), p); q.poll()";
    let own = is_told(script, "poll", ("poll", "waiting"));
    let holder = &own["wait"]["holders"][0];
    // Before Linux 6.9 only processes have them.
    assert!(holder["tid"].is_null() || holder["tid"] != holder["pid"], "{own:#}");
}

/// What a person ends a program with, or has it read its settings anew by, is none.
#[test]
fn a_signal_that_programs_agree_on_ends_a_loop() {
    let told = |signal: &str, verdict: &str| {
        let catches = format!("signal.signal(signal.{signal}, lambda *_: None)");
        let script = LOOP.replace("DO", &catches).replace("ACT", "idle");
        is_told(&script, "unix_stream", ("unix_recv", verdict));
    };
    for signal in ["SIGUSR1", "SIGUSR2", "SIGIO", "SIGURG", "SIGRTMIN", "SIGRTMAX"] {
        told(signal, "unknown");
    }
    for signal in ["SIGTERM", "SIGHUP", "SIGWINCH"] {
        told(signal, "deadlocked");
    }
}

/// Who keeps both ends open of what has a name waits for others to open it: a FIFO, and a
/// pseudo-terminal.
#[test]
fn whoever_keeps_a_named_channel_open_waits_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fifo");
    let begin = format!(
        "path = '{}'\nhas = os.path.exists(path) or os.mkfifo(path)\n\
         both = lambda: os.open(path, os.O_RDWR)\n\
         def apart():\n    r = os.open(path, os.O_RDONLY | os.O_NONBLOCK); w = os.open(path, os.O_WRONLY)\n    \
         os.set_blocking(r, True); return r, w\n\
         here = os.getpid(); ready(here, here, here)\n",
        path.display()
    );
    let polls = "q = select.poll(); q.register(both(), 1); q.poll()";
    for (act, place, kind) in [
        ("r, w = apart(); os.read(r, 1)", "pipe_read", "pipe_read"),
        ("os.read(both(), 1)", "pipe_read", "pipe_read"),
        ("r, w = apart(); fill(w)", "pipe_write", "pipe_write"),
        (polls, "poll", "poll"),
    ] {
        is_told(&format!("{begin}{act}"), place, (kind, "unknown"));
    }
    // Nobody finds it any more.
    let unlinked = "r, w = apart(); os.unlink(path); os.read(r, 1)";
    is_told(&format!("{begin}{unlinked}"), "pipe_read", ("pipe_read", "deadlocked"));
    let terminal = "m, s = pty.openpty(); here = os.getpid(); ready(here, here, here); ";
    is_told(&format!("{terminal}os.read(m, 1)"), "wait_woken", ("tty_read", "unknown"));
    is_told(&format!("{terminal}q = select.poll(); q.register(m, 1); q.poll()"), "poll", ("poll", "unknown"));
}

/// So does one that ends a child, or the wait for a file lock.
#[test]
fn a_signal_that_programs_agree_on_ends_other_waits_too() {
    for (signal, verdict) in [("SIGUSR2", "unknown"), ("SIGTERM", "deadlocked")] {
        let catches = format!("signal.signal(signal.{signal}, lambda *_: None)\n");
        let parent = "r, w = os.pipe()\np = child(lambda: os.read(r, 1), w)\n\
            ready(os.getpid(), os.getpid(), p); os.waitpid(p, 0)";
        is_told(&format!("{catches}{parent}"), "do_wait", ("waitpid", verdict));
        let lock = "import fcntl, tempfile\nf = tempfile.NamedTemporaryFile(); g = open(f.name)\n\
            fcntl.flock(f, fcntl.LOCK_EX); here = os.getpid(); ready(here, here, here); fcntl.flock(g, fcntl.LOCK_EX)";
        is_told(&format!("{catches}{lock}"), "lock", ("flock", verdict));
    }
}

/// A parent waits for a child that reads from it. One that stops the child ends that wait, if
/// the parent asks for that too; so may another child, if it joins the group that is waited for.
#[test]
fn a_stop_or_a_new_member_of_the_group_ends_the_wait_for_a_child() {
    let told = |before: &str, wait: &str, verdict: &str, reason: &str| {
        let script = format!(
            "{before}\nr, w = os.pipe()\np = child(lambda: os.read(r, 1), w); os.setpgid(p, p)\n\
             ready(os.getpid(), os.getpid(), p); {wait}"
        );
        let own = is_told(&script, "do_wait", ("waitpid", verdict));
        let said = own["wait"]["evidence"].to_string().contains(reason);
        assert!(said == (verdict == "unknown") || !sees_all(), "{script}: {own:#}");
    };
    for wait in ["os.waitpid(p, os.WUNTRACED)", "os.waitid(os.P_PID, p, os.WEXITED | os.WSTOPPED)"] {
        told("", wait, "unknown", "whoever stops the child ends it");
    }
    for wait in ["os.waitpid(p, 0)", "os.waitid(os.P_PID, p, os.WEXITED)"] {
        told("", wait, "deadlocked", "whoever stops the child ends it");
    }
    let reason = "it may yet end: ";
    told("", "os.waitpid(-p, 0)", "deadlocked", reason);
    told("child(idle)", "os.waitpid(-p, 0)", "unknown", reason);
    told("child(idle)", "os.waitpid(p, 0)", "deadlocked", reason);
}

/// A parent waits for any child, of which there is one, that waits for the parent; `BELOW`,
/// the child has made another.
const ANY: &str = "r, w = os.pipe()
def reads(): BELOW; os.read(r, 1)
p = child(reads, w)
ready(os.getpid(), os.getpid(), p); WAIT";

/// A process that has asked for orphans gets them, and nobody is told whether it has.
#[test]
fn whoever_is_below_a_child_may_come_to_its_parents_parent() {
    let told = |below: &str, wait: &str, verdict: &str| {
        let own = is_told(&ANY.replace("BELOW", below).replace("WAIT", wait), "do_wait", ("waitpid", verdict));
        let said = own["wait"]["evidence"].to_string().contains("PR_SET_CHILD_SUBREAPER");
        assert!(said == (verdict == "unknown") || !sees_all(), "{own:#}");
    };
    told("0", "os.wait()", "deadlocked");
    told("child(idle, r)", "os.wait()", "unknown");
    told("child(idle, r)", "os.waitpid(p, 0)", "deadlocked");
}

/// A child whose end is told by no signal is waited for only where that is asked for; until it
/// starts another program.
#[test]
fn a_child_of_clone_does_not_count_as_others_do() {
    let told = |act: &str, flags: &str, holders: &str, verdict: &str| {
        let script = format!(
            "r, w = os.pipe()\np = child(lambda: os.read(r, 1), w)\n\
             if (q := ctypes.CDLL(None).syscall({}, 0, 0, 0, 0, 0)) == 0: os.close(w); {act}\n\
             while has(q, w): time.sleep(0.001)\n\
             ready(os.getpid(), os.getpid(), {holders}); ctypes.CDLL(None).wait4(-1, None, {flags}, None)",
            libc::SYS_clone
        );
        is_told(&script, "do_wait", ("waitpid", verdict));
    };
    told("os.read(r, 1)", "0", "p", "deadlocked");
    told("idle()", "0", "p", "unknown");
    told("idle()", "0x40000000", "p, q", "waiting");
    told("idle()", "0x80000000 - (1 << 32)", "q", "waiting");
}

/// The first thread of a child that fork(2) made has what its copy had locked.
#[test]
fn what_was_locked_at_a_fork_is_let_go_of_by_the_copy_of_whoever_held_it() {
    for (act, verdict) in [("sleep", "unknown"), ("pause", "stuck")] {
        let mut target = Target::program("forked.c", &["-pthread"], &[act]);
        let [child, waiter] = target.numbers().map(|number| number as i32);
        settled(child, waiter, "futex");
        settled(child, child, act);
        let own = thread_of(child, waiter);
        assert_eq!((&own["wait"]["kind"], &own["verdict"]), (&"pthread_mutex".into(), &verdict.into()), "{own:#}");
        let output = Command::new(env!("CARGO_BIN_EXE_syncscope")).args(["why", &child.to_string()]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.contains("will never be released"), act == "pause", "{text}");
    }
}

/// A POSIX lock belongs to a table of descriptors, whoever of those that have it took it.
#[test]
fn whoever_shares_the_table_of_descriptors_may_let_go_of_a_record_lock() {
    for (table, verdict) in [("shared", "waiting"), ("copy", "deadlocked")] {
        let mut target = Target::program("shared_table.c", &[], &[table]);
        let [first, second, third] = target.numbers().map(|number| number as i32);
        settled(first, first, "setlk");
        settled(second, second, "pipe_read");
        settled(third, third, "sleep");
        let own = thread_of(first, first);
        let holders: Vec<_> = own["wait"]["holders"].as_array().unwrap().iter().map(|holder| &holder["pid"]).collect();
        let is_third = |holder: &&serde_json::Value| **holder == third;
        if sees_all() {
            assert_eq!(
                (&own["verdict"], holders.iter().any(is_third)),
                (&verdict.into(), table == "shared"),
                "{own:#}"
            );
        }
        assert!(holders.iter().any(|holder| **holder == second), "{own:#}");
    }
}

/// A program that never names the function cancels nobody.
#[test]
fn a_thread_that_another_may_cancel_is_not_dead() {
    for (cancels, verdict) in [("-DCANCELS", "unknown"), ("-O2", "deadlocked")] {
        let mut target = Target::program("cancelled.c", &["-pthread", cancels], &[]);
        let [joins, wants] = target.numbers().map(|number| number as i32);
        settled(target.pid(), joins, "futex");
        settled(target.pid(), wants, "futex");
        settled(target.pid(), target.pid(), "sleep");
        let own = thread_of(target.pid(), joins);
        assert_eq!((&own["wait"]["kind"], &own["verdict"]), (&"thread_join".into(), &verdict.into()), "{own:#}");
        assert_eq!(own["wait"]["evidence"].to_string().contains("pthread_cancel"), verdict == "unknown", "{own:#}");
    }
}

/// Out of a call for a lock no handler returns; but one may jump.
#[test]
fn a_thread_that_a_handler_may_take_out_of_its_call_is_not_dead() {
    for (options, verdict) in
        [(&["-DJUMPS", "-O0"], "unknown"), (&["-DJUMPS", "-O2"], "unknown"), (&["-pthread", "-O2"], "deadlocked")]
    {
        let mut target = Target::program("jumped.c", options, &[]);
        let [pid] = target.numbers().map(|number| number as i32);
        settled(pid, pid, "futex");
        let own = thread_of(pid, pid);
        assert_eq!((&own["wait"]["kind"], &own["verdict"]), (&"pthread_mutex".into(), &verdict.into()), "{own:#}");
    }
}

/// What the call says is not yet done: whoever answers for a filter lets it begin, or not.
#[test]
fn a_call_that_a_filter_holds_back_is_no_sleep() {
    let mut target = Target::program("held_back.c", &["-pthread"], &[]);
    let [pid, holder, _] = target.numbers().map(|number| number as i32);
    if pid == 0 {
        return eprintln!("skipped: no filter with a supervisor is to be had here");
    }
    settled(pid, holder, "seccomp");
    settled(pid, pid, "futex");
    let own = thread_of(pid, holder);
    assert_eq!((&own["wait"]["kind"], &own["verdict"]), (&"futex".into(), &"waiting".into()), "{own:#}");
}

/// What is told of a thread of this process.
fn thread_of(pid: i32, tid: i32) -> serde_json::Value {
    let output =
        Command::new(env!("CARGO_BIN_EXE_syncscope")).args(["why", "--json", &pid.to_string()]).output().unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    answer["threads"].as_array().unwrap().iter().find(|thread| thread["tid"] == tid).unwrap().clone()
}
