mod life;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::*;
use crate::backend::Update;
use crate::backend::outlet::{Inlet, outlet};
use crate::model::Nanos;
use crate::model::child::{ChildId, ChildSpec, ChildState, ChildView, Children, Keyboard, StdinState, Stream};
use crate::model::launch::{Attributes, Fate, Grouping, Redirect, Restart};
use crate::model::life::{Exit, Happening, Relative, Target, Unheard};

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

/// How a child in a terminal wants keys, until it is started again.
#[test]
fn a_child_in_a_terminal_says_how_it_wants_keys() {
    let mut bench = Bench::new();
    let script = "printf '\\033[?1h\\033[?2004h'; echo asked; read line; printf '\\033[?1l'; echo given up; cat";
    let streams = [Redirect::Pty, Redirect::Pty, Redirect::Pty];
    bench.send(ChildCommand::Spawn(Box::new(ChildSpec { streams, ..spec(&["sh", "-c", script]) })));
    let has = |bench: &Bench, text: &str| lines_of(bench.child(1)?).iter().any(|(_, line)| line == text).then_some(());
    bench.until("it asked", |bench| has(bench, "asked"));
    let asked = |bench: &Bench| bench.child(1).unwrap().keyboard;
    assert_eq!(asked(&bench), Keyboard { application_cursor: true, marked_paste: true });
    bench.send(ChildCommand::Write { id: 1, bytes: b"\n".to_vec() });
    bench.until("it gave up", |bench| has(bench, "given up"));
    assert_eq!(asked(&bench), Keyboard { application_cursor: false, marked_paste: true });
    // In a pipe nobody asks a terminal for anything.
    bench.spawn(&["printf", "\\033[?1h"]);
    bench.ended(2);
    bench.until("all is read", |bench| (bench.child(2)?.stdout_bytes > 0).then_some(()));
    assert_eq!(bench.child(2).unwrap().keyboard, Keyboard::default());
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
