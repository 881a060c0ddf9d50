//! Waits in the kernel: pipes, children, file locks, sleep, poll.

use std::process::Command;

use syncscope::model::wait::{Certainty, Holder, WaitKind};

use crate::target::{Target, wait_until};

fn shell(script: &str) -> Target {
    Target::start(Command::new("bash").args(["-c", script]))
}

fn children(pid: i32) -> Vec<i32> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    text.split_ascii_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

#[test]
fn a_pipeline_waits_for_its_writer() {
    let mut shell = shell("sleep 1000 | cat & echo $!; wait");
    let cat: i32 = shell.line().parse().unwrap();
    let wait = wait_until(cat, cat, |wait| wait.kind == WaitKind::PipeRead && wait.holders.len() == 1);
    let sleep = children(shell.pid()).into_iter().find(|pid| *pid != cat).unwrap();
    assert_eq!(wait.holders[0].pid, sleep, "{wait:#?}");
    assert_eq!(wait.holders[0].tid, None);
    let wait = wait_until(sleep, sleep, |wait| wait.kind == WaitKind::Sleep);
    assert!(wait.timed && wait.resource.contains("sleep of 1000 s"), "{wait:#?}");
}

#[test]
fn a_full_pipe_waits_for_its_reader() {
    let mut shell = shell("yes | sleep 1000 & echo $!; wait");
    let sleep: i32 = shell.line().parse().unwrap();
    let yes = || children(shell.pid()).into_iter().find(|pid| *pid != sleep).unwrap();
    let wait = wait_until(yes(), yes(), |wait| wait.kind == WaitKind::PipeWrite && !wait.holders.is_empty());
    assert_eq!(wait.holders.iter().map(|holder| holder.pid).collect::<Vec<_>>(), [sleep], "{wait:#?}");
}

#[test]
fn a_shell_waits_for_its_child() {
    let shell = shell("sleep 1000; true");
    let wait = wait_until(shell.pid(), shell.pid(), |wait| wait.kind == WaitKind::Waitpid && !wait.holders.is_empty());
    assert_eq!(wait.holders.iter().map(|holder| holder.pid).collect::<Vec<_>>(), children(shell.pid()));
    assert_eq!(wait.certainty, Certainty::Certain);
}

#[test]
fn a_file_lock_names_who_still_has_the_open_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.lock");
    let file = file.to_str().unwrap();
    // The process that takes the lock ends at once; its child keeps the file.
    let script = format!("exec 9>{file}; flock 9; sleep 1000 & echo $!; exec flock 8 8>{file}");
    let mut shell = shell(&format!("({script}) & wait"));
    let keeper: i32 = shell.line().parse().unwrap();
    let waiter = children(shell.pid())[0];
    let wait = wait_until(waiter, waiter, |wait| wait.kind == WaitKind::Flock && !wait.holders.is_empty());
    let holders: Vec<i32> = wait.holders.iter().map(|holder| holder.pid).collect();
    // The waiter itself inherited fd 9 as well: both have that open file.
    assert!(holders.contains(&keeper) && holders.contains(&waiter) && holders.len() == 2, "{wait:#?}");
    assert!(wait.resource.contains("x.lock"), "{wait:#?}");
}

#[test]
fn a_poll_names_its_descriptors() {
    let script = "import select\np = select.poll()\np.register(0, select.POLLIN)\nprint(1, flush=True)\np.poll()";
    let mut python = Target::start(Command::new("python3").args(["-c", script]));
    python.line();
    let wait = python.wait_of(python.pid(), WaitKind::Poll);
    assert!(wait.resource.starts_with("pipe ") && wait.resource.ends_with("(fd 0)"), "{wait:#?}");
    assert!(!wait.timed);
    // This very test has the other end.
    assert!(wait.holders.iter().any(|holder| holder.pid == std::process::id() as i32), "{wait:#?}");
}

#[test]
fn a_stopped_process_waits_for_its_signal() {
    let target = Target::start(Command::new("sleep").arg("1000"));
    target.wait_of(target.pid(), WaitKind::Sleep);
    let pid = nix::unistd::Pid::from_raw(target.pid());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    target.wait_of(target.pid(), WaitKind::Signal);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).unwrap();
    // It goes on sleeping, by way of restart_syscall.
    target.wait_of(target.pid(), WaitKind::Sleep);
}

#[test]
fn what_the_kernel_names_at_once_is_named() {
    let scripts = [
        ("import signal; signal.pause()", WaitKind::Signal, false),
        ("import signal; signal.signal(signal.SIGHUP, print); signal.pause()", WaitKind::Signal, true),
        ("import signal; signal.sigwait([signal.SIGUSR1])", WaitKind::Signal, true),
        ("import os; e = os.eventfd(0); os.read(e, 8)", WaitKind::Eventfd, true),
        ("import os, select; select.select([os.eventfd(0)], [], [])", WaitKind::Select, true),
        ("import select; select.select([], [], [])", WaitKind::Select, false),
        ("import os, select; e = select.epoll(); e.register(os.eventfd(0), 1); e.poll()", WaitKind::Epoll, true),
        ("import select; select.epoll().poll()", WaitKind::Epoll, true),
        ("import os; os.mkfifo('f'); open('f')", WaitKind::FifoOpen, true),
    ];
    for (script, kind, partial) in scripts {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("python3");
        let python = Target::start(command.args(["-c", script]).current_dir(directory.path()));
        let wait = python.wait_of(python.pid(), kind);
        assert!(wait.holders.is_empty() && !wait.orphaned, "{wait:#?}");
        assert_eq!(wait.partial, partial, "{script}: {wait:#?}");
        if kind == WaitKind::FifoOpen {
            assert_eq!(&*wait.resource, "a writer of FIFO f");
        }
    }
}

#[test]
fn an_eventfd_names_the_other_processes_that_have_it() {
    let script = "import os; own = os.eventfd(0); e = os.eventfd(0)
if os.fork() == 0: os.close(own); print(os.getpid(), flush=True); os.read(0, 1)
os.read(NAME, 8)";
    for (name, is_shared) in [("e", true), ("own", false)] {
        let mut python = Target::start(Command::new("python3").args(["-c", &script.replace("NAME", name)]));
        let child: i32 = python.line().trim().parse().unwrap();
        let wait = python.wait_of(python.pid(), WaitKind::Eventfd);
        let holders: Vec<i32> = wait.holders.iter().map(|holder| holder.pid).collect();
        assert_eq!(holders, if is_shared { vec![child] } else { vec![] }, "{wait:#?}");
        assert!(wait.partial, "the kernel may have it: {wait:#?}");
    }
}

#[test]
fn a_connection_on_this_machine_names_its_peer() {
    let pair = "import socket, os; a, b = socket.socketpair()
if os.fork() == 0:
    a.close(); print(os.getpid(), flush=True); b.recv(1)
b.close(); os.read(0, 1)";
    let full = pair.replace("b.recv(1)", "b.sendall(b'x' * (1 << 24))");
    let datagram = pair.replace("socketpair()", "socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)");
    let tcp = "import socket, os; s = socket.create_server(('127.0.0.1', 0))
if os.fork() == 0:
    c = socket.create_connection(s.getsockname()); s.close(); print(os.getpid(), flush=True); c.recv(1)
a, _ = s.accept(); os.read(0, 1)";
    let stuffed = tcp.replace("c.recv(1)", "c.sendall(b'x' * (1 << 26))");
    let six = tcp
        .replace(
            "create_server(('127.0.0.1', 0))",
            "create_server(('', 0), family=socket.AF_INET6, dualstack_ipv6=True)",
        )
        .replace("s.getsockname()", "('127.0.0.1', s.getsockname()[1])");
    let scripts = [
        (pair.to_owned(), WaitKind::UnixRecv),
        (full, WaitKind::UnixSend),
        (datagram, WaitKind::UnixRecv),
        (tcp.to_owned(), WaitKind::InetRecv),
        (stuffed, WaitKind::InetSend),
        (six, WaitKind::InetRecv),
    ];
    for (script, kind) in scripts {
        let mut python = Target::start(Command::new("python3").args(["-c", &script]));
        let child: i32 = python.line().parse().unwrap();
        let wait = wait_until(child, child, |wait| wait.kind == kind && !wait.holders.is_empty());
        assert_eq!(wait.holders.iter().map(|holder| holder.pid).collect::<Vec<_>>(), [python.pid()], "{wait:#?}");
    }
}

#[test]
fn a_third_holder_of_a_socket_end_is_named_too() {
    let script = "import socket, os; a, b = socket.socketpair()
keeper = os.fork()
if keeper == 0:
    b.close(); os.read(0, 1)
reader = os.fork()
if reader == 0:
    a.close(); b.recv(1)
b.close(); print(keeper, reader, flush=True); os.read(0, 1)";
    let mut python = Target::start(Command::new("python3").args(["-c", script]));
    let [keeper, reader] = python.numbers();
    let wait =
        wait_until(reader as i32, reader as i32, |wait| wait.kind == WaitKind::UnixRecv && wait.holders.len() == 2);
    let mut holders: Vec<i32> = wait.holders.iter().map(|holder| holder.pid).collect();
    holders.sort_unstable();
    let mut expected = [python.pid(), keeper as i32];
    expected.sort_unstable();
    assert_eq!(holders, expected, "{wait:#?}");
}

#[test]
fn a_server_waits_for_anybody() {
    let unix = "import socket, sys; s = socket.socket(socket.AF_UNIX); s.bind('s'); s.listen(); s.accept()";
    let tcp = "import socket; socket.create_server(('127.0.0.1', 0)).accept()";
    for (script, kind) in [(unix, WaitKind::UnixAccept), (tcp, WaitKind::InetAccept)] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("python3");
        let python = Target::start(command.args(["-c", script]).current_dir(directory.path()));
        let wait = python.wait_of(python.pid(), kind);
        assert!(wait.holders.is_empty() && wait.partial, "{wait:#?}");
    }
}

#[test]
fn a_hidden_writer_is_unknown_not_dead() {
    // The only write end is in flight inside a socket message.
    let script = "import socket, os, array; a, b = socket.socketpair(); r, w = os.pipe()
socket.send_fds(a, [b'x'], [w]); os.close(w); print(1, flush=True); os.read(r, 1)";
    let mut python = Target::start(Command::new("python3").args(["-c", script]));
    python.line();
    let wait = python.wait_of(python.pid(), WaitKind::PipeRead);
    assert!(wait.holders.is_empty() && wait.partial && !wait.orphaned, "{wait:#?}");
    assert_eq!(wait.certainty, Certainty::Unknown);
}

#[test]
fn locks_on_ranges_name_who_holds_them() {
    let script = "import fcntl, os, sys
f = open('x', 'w+')
SET, KIND = (fcntl.F_SETLKW, 'posix') if sys.argv[1] == 'posix' else (38, 'ofd')
import struct
lock = lambda start: struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, start, 10, 0)
fcntl.fcntl(f, SET, lock(100))
child = os.fork()
if child == 0:
    other = open('x', 'r+')
    fcntl.fcntl(other, SET, lock(105))
print(child, flush=True)
os.read(0, 1)";
    for_both_kinds(script, |kind, parent, child| {
        let wait = wait_until(child, child, |wait| wait.kind == kind && !wait.holders.is_empty());
        let mut holders: Vec<i32> = wait.holders.iter().map(|holder| holder.pid).collect();
        holders.sort_unstable();
        // The child inherited the open file that holds the OFD lock.
        let mut expected = if kind == WaitKind::PosixLock { vec![parent] } else { vec![parent, child] };
        expected.sort_unstable();
        assert_eq!(holders, expected, "{wait:#?}");
    });
}

#[test]
fn a_lock_that_the_asker_has_itself_is_not_in_its_way() {
    let script = "import fcntl, os, sys, struct
SET = fcntl.F_SETLKW if sys.argv[1] == 'posix' else 38
lock = lambda kind: struct.pack('hhqqi4x', kind, 0, 0, 10, 0)
f = open('x', 'w+')
fcntl.fcntl(f, SET, lock(fcntl.F_RDLCK))
child = os.fork()
if child == 0:
    f.close()
    other = open('x', 'r+')
    fcntl.fcntl(other, SET, lock(fcntl.F_RDLCK))
    fcntl.fcntl(other, SET, lock(fcntl.F_WRLCK))
print(child, flush=True)
os.read(0, 1)";
    for_both_kinds(script, |kind, parent, child| {
        let wait = wait_until(child, child, |wait| wait.kind == kind);
        assert_eq!(wait.holders, [Holder { pid: parent, tid: None }], "{wait:#?}");
    });
}

/// Runs a script in Python with either kind of record lock, and hands over its process
/// and that of its child, which it tells.
fn for_both_kinds(script: &str, told: impl Fn(WaitKind, i32, i32)) {
    for (name, kind) in [("posix", WaitKind::PosixLock), ("ofd", WaitKind::OfdLock)] {
        let directory = tempfile::tempdir().unwrap();
        let mut command = Command::new("python3");
        let mut python = Target::start(command.args(["-c", script, name]).current_dir(directory.path()));
        let child: i32 = python.line().parse().unwrap();
        told(kind, python.pid(), child);
    }
}

#[test]
fn what_no_decoder_knows_is_told_as_the_call_it_is() {
    // The answer of a netlink socket that nobody was asked for.
    let script = "import socket
s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0); s.bind((0, 0)); s.recv(1)";
    let python = Target::start(Command::new("python3").args(["-c", script]));
    let wait = python.wait_until(python.pid(), |wait| wait.resource.starts_with("recvfrom(socket "));
    assert_eq!((wait.kind, wait.certainty), (WaitKind::Other, Certainty::Unknown));
}
