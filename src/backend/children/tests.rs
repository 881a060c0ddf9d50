use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::*;
use crate::backend::Update;
use crate::backend::outlet::{Inlet, outlet};
use crate::model::Nanos;
use crate::model::child::{ChildId, ChildSpec, ChildState, ChildView, Children, Exit, StdinState, Stream};
use crate::model::launch::{Fate, Redirect, Restart};
use crate::model::life::{Happening, Relative, Target};

/// A supervisor and what it has told so far.
struct Bench {
    supervisor: Option<Supervisor>,
    inlet: Inlet,
    children: Children,
    done: Vec<String>,
    faults: Vec<String>,
}

impl Bench {
    fn new() -> Self {
        let (outlet, inlet) = outlet();
        let supervisor = Some(Supervisor::start(&outlet));
        Bench { supervisor, inlet, children: Children::default(), done: Vec::new(), faults: Vec::new() }
    }

    fn send(&self, command: ChildCommand) {
        self.supervisor.as_ref().unwrap().send(command);
    }

    fn spawn(&self, words: &[&str]) {
        self.send(ChildCommand::Spawn(Box::new(spec(words))));
    }

    /// Takes updates until `good`.
    fn until<T>(&mut self, what: &str, good: impl Fn(&Self) -> Option<T>) -> T {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            self.inlet.drain(|update| match update {
                Update::Children(sample) => self.children = sample.value.clone(),
                Update::Done(line) => self.done.push(line.to_string()),
                Update::Fault(fault) => self.faults.push(fault.to_string()),
                _ => {}
            });
            if let Some(found) = good(self) {
                return found;
            }
            let _ = self.inlet.bell().recv_timeout(Duration::from_millis(100));
            assert!(Instant::now() < deadline, "{what}: {:?} {:?} {:?}", self.children, self.done, self.faults);
        }
    }

    fn child(&self, id: ChildId) -> Option<&ChildView> {
        self.children.children.iter().find(|child| child.id == id).map(|child| &**child)
    }

    fn ended(&mut self, id: ChildId) -> (Exit, ChildView) {
        self.until("it ends", |bench| {
            let child = bench.child(id)?;
            match child.state {
                ChildState::Ended { exit, .. } => Some((exit, child.clone())),
                _ => None,
            }
        })
    }

    /// Its log once it ended and all is read.
    fn log(&mut self, id: ChildId, lines: usize) -> Vec<(Stream, String)> {
        self.ended(id);
        self.until("all is read", |bench| Some(lines_of(bench.child(id)?)).filter(|log| log.len() >= lines))
    }
}

fn spec(words: &[&str]) -> ChildSpec {
    let args = words[1..].iter().map(Into::into).collect();
    ChildSpec { program: words[0].into(), args, ..ChildSpec::default() }
}

fn lines_of(child: &ChildView) -> Vec<(Stream, String)> {
    child.log.iter().flat_map(|block| block.iter()).map(|line| (line.stream, line.text.to_string())).collect()
}

#[test]
fn output_exit_and_usage_come_back() {
    let mut bench = Bench::new();
    bench.spawn(&["sh", "-c", "echo out; echo err >&2; exit 3"]);
    let mut log = bench.log(1, 2);
    log.sort_by_key(|(stream, _)| *stream as u8);
    assert_eq!(log, [(Stream::Stdout, "out".to_owned()), (Stream::Stderr, "err".to_owned())]);
    let (exit, child) = bench.ended(1);
    assert_eq!(exit.code, Some(3));
    assert_eq!((child.stdout_bytes, child.stderr_bytes, child.pid), (4, 4, None));
    assert_eq!(&*child.command, "sh -c 'echo out; echo err >&2; exit 3'");
    let ChildState::Ended { usage, .. } = child.state else { unreachable!() };
    assert!(usage.wall.0 > 0 && usage.max_rss.0 > 0);
    bench.until("it is told", |bench| bench.done.iter().any(|line| line.contains(": exit 3 after ")).then_some(()));
}

#[test]
fn hostile_output_is_harmless() {
    let mut bench = Bench::new();
    bench.spawn(&["printf", "\\033[2J\\033[31mred\\033[0m\\n\\0nul\\377\\nline\\r\\n\\302\\2332J"]);
    let texts: Vec<String> = bench.log(1, 4).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["red", "\\x00nul\\xff", "line", "\\x9b2J"]);
}

#[test]
fn input_goes_to_the_child_and_its_end_too() {
    let mut bench = Bench::new();
    bench.spawn(&["cat"]);
    bench.send(ChildCommand::Write { id: 1, bytes: b"hello\n".to_vec() });
    bench.until("the echo", |bench| lines_of(bench.child(1)?).iter().any(|(_, text)| text == "hello").then_some(()));
    bench.send(ChildCommand::CloseStdin(1));
    assert_eq!(bench.ended(1).0.code, Some(0));
    bench.send(ChildCommand::Write { id: 1, bytes: b"more".to_vec() });
    bench.until("the refusal", |bench| bench.faults.iter().any(|f| f.contains("input is closed")).then_some(()));
}

#[test]
fn a_child_that_does_not_read_blocks_nobody() {
    let mut bench = Bench::new();
    bench.spawn(&["sleep", "1000"]);
    bench.send(ChildCommand::Write { id: 1, bytes: vec![b'x'; 300_000] });
    bench.until("it waits", |bench| match bench.child(1)?.stdin {
        StdinState::Open { queued } if queued > 200_000 => Some(()),
        _ => None,
    });
    bench.send(ChildCommand::Write { id: 1, bytes: vec![b'x'; 1_000_000] });
    bench.until("the bound", |bench| bench.faults.iter().any(|f| f.contains("does not read")).then_some(()));
    bench.spawn(&["true"]);
    assert_eq!(bench.ended(2).0.code, Some(0));
}

#[test]
fn signals_stops_and_continues_are_seen() {
    let mut bench = Bench::new();
    bench.spawn(&["sleep", "1000"]);
    bench.send(ChildCommand::Signal { id: 1, signal: libc::SIGSTOP, target: Target::Child });
    let stopped = ChildState::Stopped { signal: libc::SIGSTOP };
    bench.until("stopped", |bench| (bench.child(1)?.state == stopped).then_some(()));
    bench.send(ChildCommand::Signal { id: 1, signal: libc::SIGCONT, target: Target::Child });
    bench.until("running", |bench| (bench.child(1)?.state == ChildState::Running).then_some(()));
    bench.send(ChildCommand::Forget(1));
    bench.until("a refusal", |bench| bench.faults.iter().any(|f| f.contains("still runs")).then_some(()));
    bench.send(ChildCommand::Signal { id: 1, signal: libc::SIGUSR1, target: Target::Child });
    assert_eq!(bench.ended(1).0.signal, Some(libc::SIGUSR1));
    bench.send(ChildCommand::Signal { id: 1, signal: libc::SIGTERM, target: Target::Child });
    bench.until("a refusal", |bench| {
        bench.faults.iter().any(|f| f.contains("was not sent: it has ended")).then_some(())
    });
    bench.send(ChildCommand::Forget(1));
    bench.until("gone", |bench| bench.children.children.is_empty().then_some(()));
    let told = bench.done.iter().filter(|line| line.contains(" sent to ")).count();
    assert_eq!(told, 3, "{:?}", bench.done);
}

#[test]
fn what_cannot_start_says_why() {
    let mut bench = Bench::new();
    bench.spawn(&["no-such-program"]);
    bench.send(ChildCommand::Spawn(Box::new(ChildSpec { cwd: Some(PathBuf::from("/no/such")), ..spec(&["true"]) })));
    bench.until("both", |bench| (bench.faults.len() == 2).then_some(()));
    let std = "(std: ErrorKind::NotFound, raw_os_error() 2, a number of Linux's: others have other numbers)";
    assert_eq!(bench.faults[0], format!("spawn: no-such-program: not found in PATH (ENOENT) {std}"));
    let directory = format!("spawn: cannot enter /no/such: No such file or directory (ENOENT) {std}");
    assert_eq!(bench.faults[1], directory);
    bench.until("they are listed", |bench| (bench.children.children.len() == 2).then_some(()));
    assert!(bench.children.children.iter().all(|child| matches!(child.state, ChildState::NotStarted(_))));
}

#[test]
fn a_flood_is_bounded_and_every_line_counted() {
    let mut bench = Bench::new();
    let count = 400_000;
    bench.spawn(&["seq", &count.to_string()]);
    let (_, _) = bench.ended(1);
    let child = bench.until("the last line", |bench| {
        let child = bench.child(1)?;
        (lines_of(child).last()?.1 == count.to_string()).then(|| child.clone())
    });
    let kept = lines_of(&child);
    assert_eq!(kept.len() as u64 + child.dropped_lines, count);
    let cost: usize = kept.iter().map(|(_, text)| text.len() + output::PER_LINE).sum();
    assert!(cost <= output::PER_CHILD);
    assert_eq!(kept[0].1, (child.dropped_lines + 1).to_string(), "no line is missing in the middle");
}

#[test]
fn two_hundred_children_at_once() {
    let mut bench = Bench::new();
    for index in 0..200 {
        bench.spawn(&["sh", "-c", &format!("echo {index}; read line; echo $line")]);
    }
    bench.until("all have spoken", |bench| {
        let all = &bench.children.children;
        (all.len() == 200 && all.iter().all(|child| child.stdout_bytes > 0)).then_some(())
    });
    for id in 1..=200 {
        bench.send(ChildCommand::Write { id, bytes: format!("answer {id}\n").into_bytes() });
    }
    for id in 1..=200 {
        let log = bench.log(id, 2);
        assert_eq!(log[1].1, format!("answer {id}"));
    }
}

#[test]
fn dropping_ends_children_and_their_groups() {
    let mut bench = Bench::new();
    bench.spawn(&["sh", "-c", "trap '' TERM; sleep 1000 & echo $!; wait; wait"]);
    bench.spawn(&["sleep", "1000"]);
    bench.send(ChildCommand::Signal { id: 2, signal: libc::SIGSTOP, target: Target::Child });
    let (pids, grandchild) = bench.until("they run", |bench| {
        let grandchild: i32 = lines_of(bench.child(1)?).first()?.1.parse().ok()?;
        matches!(bench.child(2)?.state, ChildState::Stopped { .. }).then_some(())?;
        Some(([bench.child(1)?.pid?, bench.child(2)?.pid?], grandchild))
    });
    let begin = Instant::now();
    drop(bench.supervisor.take());
    assert!(begin.elapsed() < Duration::from_secs(5));
    for pid in pids.into_iter().chain([grandchild]) {
        let gone = || crate::sys::proc_tree::of(pid).is_none_or(|kin| kin.state == b'Z');
        while !gone() {
            assert!(begin.elapsed() < Duration::from_secs(10), "{pid} lives");
        }
    }
}

/// What happened to a child, without the times.
fn happenings(child: &ChildView) -> Vec<Happening> {
    child.course.moments.iter().map(|moment| moment.what).collect()
}

#[test]
fn the_course_of_a_life_is_told_in_order() {
    let mut bench = Bench::new();
    bench.spawn(&["sleep", "1000"]);
    let pid = bench.until("it runs", |bench| {
        let child = bench.child(1)?;
        happenings(child).contains(&Happening::Executed).then_some(child.pid?)
    });
    let signal = |signal| ChildCommand::Signal { id: 1, signal, target: Target::Child };
    bench.send(signal(libc::SIGSTOP));
    bench.until("stopped", |bench| matches!(bench.child(1)?.state, ChildState::Stopped { .. }).then_some(()));
    bench.send(signal(libc::SIGCONT));
    bench.until("running", |bench| (bench.child(1)?.state == ChildState::Running).then_some(()));
    bench.send(signal(libc::SIGKILL));
    let (exit, child) = bench.ended(1);
    let told = |signal| Happening::Signalled { signal, target: Target::Child };
    let expected = [
        Happening::Created { pid },
        Happening::Executed,
        told(libc::SIGSTOP),
        Happening::Stopped { signal: libc::SIGSTOP },
        told(libc::SIGCONT),
        Happening::Continued,
        told(libc::SIGKILL),
        Happening::Ended { exit },
        Happening::Reaped,
    ];
    assert_eq!(happenings(&child), expected);
    assert!(child.course.moments.is_sorted_by_key(|moment| moment.at));
    assert!(child.course.calls.last().unwrap().contains("sleep"), "{:?}", child.course.calls);
}

#[test]
fn who_does_not_end_when_asked_is_killed_with_its_tree() {
    let mut bench = Bench::new();
    let script = "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.05; done' & \
                  while :; do sleep 0.05; done";
    bench.spawn(&["sh", "-c", script]);
    let grandchild: i32 = bench.until("both run", |bench| lines_of(bench.child(1)?).first()?.1.parse().ok());
    let grace = Nanos::from_millis(200);
    bench.send(ChildCommand::End { id: 1, target: Target::Tree, grace });
    let (exit, child) = bench.ended(1);
    assert_eq!(exit.signal, Some(libc::SIGKILL));
    let at = |wanted: i32| {
        let is = |what| matches!(what, Happening::Signalled { signal, .. } if signal == wanted);
        child.course.moments.iter().find(|moment| is(moment.what)).unwrap().at
    };
    assert!(at(libc::SIGKILL).since(at(libc::SIGTERM)) >= grace, "not before its time");
    bench.until("the grandchild is gone", |_| {
        crate::sys::proc_tree::of(grandchild).is_none_or(|kin| kin.state == b'Z').then_some(())
    });
}

#[test]
fn orphans_and_zombies_are_named_and_reached_after_the_end() {
    let mut bench = Bench::new();
    bench.spawn(&["sh", "-c", "sh -c 'sleep 1000 & exit'; true & exec sleep 1000"]);
    let family = bench.until("both are seen", |bench| {
        let family = bench.child(1)?.course.family.clone();
        (family.iter().any(Relative::is_zombie) && family.iter().any(|one| one.orphan)).then_some(family)
    });
    let pid = bench.child(1).unwrap().pid.unwrap();
    let zombie = family.iter().find(|one| one.is_zombie()).unwrap();
    assert_eq!((zombie.parent, zombie.orphan), (pid, false));
    let orphan = family.iter().find(|one| one.orphan).unwrap().clone();
    assert_eq!((&*orphan.name, orphan.is_zombie()), ("sleep", false));
    assert_ne!(orphan.parent, pid);
    bench.send(ChildCommand::Signal { id: 1, signal: libc::SIGKILL, target: Target::Child });
    bench.ended(1);
    bench.send(ChildCommand::Signal { id: 1, signal: libc::SIGKILL, target: Target::Group });
    bench.until("the orphan is gone", |_| {
        crate::sys::proc_tree::of(orphan.pid).is_none_or(|kin| kin.state == b'Z').then_some(())
    });
    bench.until("nobody is left", |bench| bench.child(1)?.course.family.is_empty().then_some(()));
    bench.send(ChildCommand::Signal { id: 1, signal: libc::SIGTERM, target: Target::Tree });
    bench.until("the refusal", |bench| bench.faults.iter().any(|fault| fault.contains("has ended")).then_some(()));
}

#[test]
fn one_that_fails_is_started_again_until_it_is_called_off() {
    let mut bench = Bench::new();
    let spec = ChildSpec { restart: Restart::OnFailure, ..spec(&["sh", "-c", "echo run; exit 1"]) };
    bench.send(ChildCommand::Spawn(Box::new(spec)));
    bench.until("a second start", |bench| {
        let child = bench.child(1)?;
        (child.course.starts >= 2 && child.course.next_start.is_some()).then_some(())
    });
    bench.send(ChildCommand::End { id: 1, target: Target::Tree, grace: Nanos::from_secs(1) });
    let child = bench.until("called off", |bench| {
        let child = bench.child(1)?;
        (child.course.next_start.is_none() && matches!(child.state, ChildState::Ended { .. })).then(|| child.clone())
    });
    let runs = lines_of(&child).iter().filter(|(_, text)| text == "run").count();
    assert_eq!(runs, child.course.starts as usize, "one log for all of them");
    assert!(happenings(&child).contains(&Happening::Delayed { by: Nanos::from_millis(500) }));
    assert_eq!(bench.children.children.len(), 1);
}

#[test]
fn streams_go_to_files_and_terminals() {
    let mut bench = Bench::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out");
    std::fs::write(&path, "before\n").unwrap();
    let file = Redirect::File { path: path.clone(), append: true };
    let streams = [Redirect::Null, file, Redirect::Pipe];
    let spec_of = |streams, words: &[&str]| ChildCommand::Spawn(Box::new(ChildSpec { streams, ..spec(words) }));
    bench.send(spec_of(streams, &["sh", "-c", "echo out; echo err >&2; cat"]));
    let log = bench.log(1, 1);
    assert_eq!(log, [(Stream::Stderr, "err".to_owned())]);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "before\nout\n");
    let script = "test -t 0 && test -t 1 && test -t 2 && tty >/dev/tty; read line; echo got $line; cat; echo end";
    bench.send(spec_of([Redirect::Pty, Redirect::Pty, Redirect::Pty], &["sh", "-c", script]));
    bench.until("its terminal", |bench| {
        lines_of(bench.child(2)?).iter().any(|l| l.1.starts_with("/dev/pts/")).then_some(())
    });
    bench.send(ChildCommand::Write { id: 2, bytes: b"hello\n".to_vec() });
    bench.until("the answer", |bench| lines_of(bench.child(2)?).iter().any(|l| l.1 == "got hello").then_some(()));
    bench.send(ChildCommand::CloseStdin(2));
    assert_eq!(bench.ended(2).0.code, Some(0));
    bench.until("all is read", |bench| lines_of(bench.child(2)?).iter().any(|l| l.1 == "end").then_some(()));
    let missing = Redirect::File { path: directory.path().join("no/such"), append: false };
    bench.send(spec_of([Redirect::Null, missing, Redirect::Null], &["true"]));
    bench.until("the refusal", |bench| matches!(bench.child(3)?.state, ChildState::NotStarted(_)).then_some(()));
}

#[test]
fn one_that_shall_go_on_does() {
    let mut bench = Bench::new();
    let streams = [Redirect::Null, Redirect::Null, Redirect::Null];
    let kept = ChildSpec { fate: Fate::Keep, streams, ..spec(&["sleep", "1000"]) };
    bench.send(ChildCommand::Spawn(Box::new(kept)));
    bench.spawn(&["sleep", "1000"]);
    let [kept, ended] = bench.until("they run", |bench| Some([bench.child(1)?.pid?, bench.child(2)?.pid?]));
    let kept = crate::sys::pidfd::Pidfd::open(kept).unwrap();
    let ended = crate::sys::pidfd::Pidfd::open(ended).unwrap();
    drop(bench.supervisor.take());
    assert!(ended.ended(Some(Duration::ZERO)).unwrap());
    assert!(!kept.ended(Some(Duration::from_millis(700))).unwrap());
    crate::sys::reap::kill_and_wait(&kept);
}

/// Each makes a daemon: orphaned, in a session of its own, without its
/// environment. One is to end with us, one is not, and one has ended by itself.
#[test]
fn a_daemon_shares_the_fate_of_whom_it_descends_from() {
    let mut bench = Bench::new();
    let daemon = "(setsid env -i sleep 1000 </dev/null >/dev/null 2>&1 &)";
    let lives = format!("{daemon}; exec sleep 1000");
    for (fate, script) in [(Fate::End, lives.as_str()), (Fate::Keep, &lives), (Fate::End, daemon)] {
        let streams = [Redirect::Null, Redirect::Null, Redirect::Null];
        bench.send(ChildCommand::Spawn(Box::new(ChildSpec { streams, fate, ..spec(&["sh", "-c", script]) })));
    }
    bench.ended(3);
    let daemon_of = |bench: &Bench, id| {
        let child: &ChildView = bench.child(id)?;
        let is = |relative: &&Relative| relative.orphan && &*relative.name == "sleep";
        crate::sys::pidfd::Pidfd::open(child.course.family.iter().find(is)?.pid).ok()
    };
    let daemons = [1, 2, 3].map(|id| bench.until("its daemon is known", |bench| daemon_of(bench, id)));
    let kept = crate::sys::pidfd::Pidfd::open(bench.child(2).unwrap().pid.unwrap()).unwrap();
    drop(bench.supervisor.take());
    let lives = [&daemons[0], &daemons[1], &daemons[2]].map(|daemon| !daemon.ended(Some(Duration::ZERO)).unwrap());
    for stays in [&daemons[1], &daemons[2]] {
        let _ = stays.send(libc::SIGKILL);
    }
    crate::sys::reap::kill_and_wait(&kept);
    assert_eq!(lives, [false, true, true]);
}
