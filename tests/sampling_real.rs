//! The sampler on the real /proc, with children of the test's own.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "here the tree is the kernel's")]
mod proc_tree;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use proc_tree::{PROCESSES, Watcher, process};
use syncscope::backend::{Command as Order, Topics};
use syncscope::model::process::State;
use syncscope::model::{Nanos, Pid};

const OFTEN: Duration = Duration::from_millis(50);

/// A child that ends with its test.
struct Owned(Child);

impl Owned {
    fn pid(&self) -> Pid {
        self.0.id() as Pid
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn shell(script: &str) -> Owned {
    Owned(Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap())
}

#[test]
fn a_child_appears_execs_ends_and_is_reaped() {
    let mut watcher = Watcher::start(Path::new("/proc"), OFTEN, PROCESSES);
    watcher.until("a table", |table| table.value.complete);
    let mut child = shell("read line; exec sleep 60");
    let pid = child.pid();
    let table = watcher.until("the child", |table| {
        process(table, pid).is_some_and(|p| &*p.name == "sh" && p.state == State::Sleeping && p.cmdline.len() == 3)
    });
    let born = process(&table, pid).unwrap();
    assert_eq!(born.ppid, std::process::id() as Pid);
    assert_eq!(born.uid, rustix::process::geteuid().as_raw());
    assert_eq!((born.threads, born.kernel), (1, false));
    assert!(born.rss.0 > 0 && born.virt >= born.rss);
    let started = born.started;
    child.0.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let table = watcher.until("the exec", |table| {
        process(table, pid).is_some_and(|p| &*p.name == "sleep" && p.command() == "sleep 60")
    });
    assert_eq!(process(&table, pid).unwrap().started, started, "it is the same process");
    child.0.kill().unwrap();
    let table = watcher.until("the zombie", |table| process(table, pid).is_some_and(|p| p.state == State::Zombie));
    assert!(table.value.tally.zombies >= 1 && process(&table, pid).unwrap().cmdline.is_empty());
    child.0.wait().unwrap();
    let table = watcher.until("its end", |table| process(table, pid).is_none());
    assert!(table.value.processes.is_sorted_by_key(|p| p.pid));
}

#[test]
fn a_busy_child_uses_a_cpu_and_a_sleeping_one_none() {
    let (busy, idle) = (shell("while :; do :; done"), shell("read line"));
    let mut watcher = Watcher::start(Path::new("/proc"), Duration::from_millis(500), PROCESSES);
    let (busy, idle) = (busy, idle);
    let first = watcher.until("both", |table| {
        let settled = process(table, idle.pid()).is_some_and(|p| p.state == State::Sleeping && p.cpu == Some(0.0));
        settled && process(table, busy.pid()).is_some_and(|p| p.cpu.is_some_and(|cpu| cpu > 0.05))
    });
    let second = watcher.until("one more", |table| table.seq > first.seq);
    let of = |table: &_, pid| process(table, pid).unwrap().clone();
    // Whatever else the machine does: the share is the CPU time by the clock.
    let (before, after) = (of(&first, busy.pid()), of(&second, busy.pid()));
    let used = after.cpu_time.since(before.cpu_time).as_secs_f64();
    let share = f64::from(after.cpu.unwrap()) * second.at.since(first.at).as_secs_f64();
    assert!((share - used).abs() < 0.3 * used + 0.02, "{share} s by share, {used} s by the clock");
    assert!(Arc::ptr_eq(second.value.process(idle.pid()).unwrap(), first.value.process(idle.pid()).unwrap()));
}

#[test]
fn names_set_by_the_process_are_shown_as_they_are() {
    let mut child = shell("printf 'a b)\\\\\\n\\033' > /proc/$$/comm; echo ready; read line");
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let mut watcher = Watcher::start(Path::new("/proc"), OFTEN, PROCESSES);
    let pid = child.pid();
    let table = watcher.until("the child", |table| table.value.complete && process(table, pid).is_some());
    assert_eq!(&*process(&table, pid).unwrap().name, "a b)\\\\n\\x1b");
}

#[test]
fn blocked_children_say_where() {
    let child = shell("read line");
    let mut watcher = Watcher::start(Path::new("/proc"), OFTEN, Topics { waits: true, switches: true, ..PROCESSES });
    let pid = child.pid();
    let table = watcher.until("the child in read", |table| {
        process(table, pid)
            .is_some_and(|p| p.call.as_ref().is_some_and(|call| call.name == "read" && call.args[0] == 0))
    });
    let blocked = process(&table, pid).unwrap();
    assert_eq!((blocked.state, blocked.switches.is_some()), (State::Sleeping, true));
    assert!(blocked.wchan.as_ref().is_none_or(|wchan| wchan.contains("pipe")), "{:?}", blocked.wchan);
    let since = blocked.wait.as_ref().and_then(|wait| wait.since);
    assert!(since.is_none_or(|since| since <= table.at && table.at.since(since) < Nanos::from_secs(60)));
}

#[test]
fn a_holder_that_ends_is_forgotten_while_the_waiter_sleeps() {
    let (reader, writer) = std::io::pipe().unwrap();
    let holder = || Owned(Command::new("sleep").arg("60").stdout(writer.try_clone().unwrap()).spawn().unwrap());
    let (stays, mut ends) = (holder(), holder());
    let waiter = Owned(Command::new("cat").stdin(reader).spawn().unwrap());
    drop(writer);
    let mut watcher = Watcher::start(Path::new("/proc"), OFTEN, Topics { waits: true, ..PROCESSES });
    let holders_are = |table: &_, expected: &[Pid]| {
        let wait = process(table, waiter.pid()).and_then(|waiter| waiter.wait.as_ref());
        wait.is_some_and(|wait| wait.holders.iter().map(|holder| holder.pid).eq(expected.iter().copied()))
    };
    let (first, second) = (stays.pid().min(ends.pid()), stays.pid().max(ends.pid()));
    let both = watcher.until("both holders", |table| holders_are(table, &[first, second]));
    ends.0.kill().unwrap();
    ends.0.wait().unwrap();
    let one = watcher.until("one holder", |table| holders_are(table, &[stays.pid()]));
    let since = |table: &_| process(table, waiter.pid()).unwrap().wait.as_ref().unwrap().since;
    assert_eq!(since(&both), since(&one), "it is the same wait");
}

#[test]
fn own_threads_are_listed_with_their_names() {
    let (stop, wait) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::Builder::new().name("lazy one".to_owned()).spawn(move || wait.recv()).unwrap();
    let mut watcher = Watcher::start(Path::new("/proc"), OFTEN, Topics { threads: true, ..PROCESSES });
    let own = std::process::id() as Pid;
    let table = watcher.until("the thread", |table| {
        table.value.threads_of(own).iter().any(|thread| &*thread.name == "lazy one" && thread.state == State::Sleeping)
    });
    let threads = table.value.threads_of(own);
    assert!(threads.is_sorted_by_key(|thread| thread.tid) && threads.iter().all(|thread| thread.pid == own));
    assert_eq!(threads[0].tid, own);
    assert!(table.value.processes.iter().all(|p| p.threads > 1 || table.value.threads_of(p.pid).is_empty()));
    stop.send(()).unwrap();
    thread.join().unwrap().unwrap();
    watcher.until("its end", |table| table.value.threads_of(own).iter().all(|thread| &*thread.name != "lazy one"));
    watcher.backend.send(Order::Watch(PROCESSES));
    watcher.until("no threads", |table| table.value.threads.is_empty());
}
