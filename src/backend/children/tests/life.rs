//! The course of a life and its end: of a child, and of all that descends from it.

use super::*;

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
    let told = |signal| Happening::Signalled { signal, target: Target::Child, unheard: None };
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

/// Whether we were started to ignore it, and so are our children.
fn is_ignored_here(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap().trim();
    u64::from_str_radix(mask, 16).unwrap() >> (signal - 1) & 1 == 1
}

/// Of each signal what it was, to whom, and why it did nothing.
fn signalled(child: &ChildView) -> Vec<(i32, Target, Option<Unheard>)> {
    let of = |what| match what {
        Happening::Signalled { signal, target, unheard } => Some((signal, target, unheard)),
        _ => None,
    };
    happenings(child).into_iter().filter_map(of).collect()
}

/// A child leads a session unless it was asked otherwise: no shell is there that
/// would let it go on again.
#[test]
fn a_signal_that_does_nothing_is_told_with_why() {
    let mut bench = Bench::new();
    bench.spawn(&["sh", "-c", "trap '' USR1; trap 'echo caught' USR2; echo ready; while :; do sleep 0.02; done"]);
    bench.until("it is ready", |bench| lines_of(bench.child(1)?).first().cloned());
    let (ignored, orphaned) = (Some(Unheard::Ignored), Some(Unheard::Orphaned));
    let stop = |signal| (signal, Target::Child, if is_ignored_here(signal) { ignored } else { orphaned });
    let of_group = if is_ignored_here(libc::SIGTSTP) { None } else { orphaned };
    let expected = [
        stop(libc::SIGTSTP),
        stop(libc::SIGTTIN),
        stop(libc::SIGTTOU),
        (libc::SIGURG, Target::Child, Some(Unheard::ByDefault)),
        (libc::SIGUSR1, Target::Child, ignored),
        (libc::SIGUSR1, Target::Group, None),
        (libc::SIGTSTP, Target::Group, of_group),
        (libc::SIGTSTP, Target::Tree, None),
        (libc::SIGUSR2, Target::Child, None),
    ];
    for (signal, target, _) in expected {
        bench.send(ChildCommand::Signal { id: 1, signal, target });
    }
    bench.until("it caught one", |bench| lines_of(bench.child(1)?).get(1).cloned());
    let child = bench.child(1).unwrap();
    assert_eq!((&child.state, signalled(child)), (&ChildState::Running, expected.to_vec()));
}

#[test]
fn a_stop_from_the_keyboard_stops_who_has_a_shell_in_its_session() {
    let mut bench = Bench::new();
    let attributes = Attributes { grouping: Grouping::Group, ..Attributes::default() };
    let spec = ChildSpec { program: "sleep".into(), args: vec!["1000".into()], attributes, ..ChildSpec::default() };
    bench.send(ChildCommand::Spawn(Box::new(spec)));
    bench.until("it runs", |bench| happenings(bench.child(1)?).contains(&Happening::Executed).then_some(()));
    let stops = [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU];
    for signal in stops.into_iter().filter(|signal| !is_ignored_here(*signal)) {
        bench.send(ChildCommand::Signal { id: 1, signal, target: Target::Child });
        let stopped = ChildState::Stopped { signal };
        bench.until("stopped", |bench| (bench.child(1)?.state == stopped).then_some(()));
        bench.send(ChildCommand::Signal { id: 1, signal: libc::SIGCONT, target: Target::Child });
        bench.until("running", |bench| (bench.child(1)?.state == ChildState::Running).then_some(()));
    }
    assert!(signalled(bench.child(1).unwrap()).iter().all(|(.., unheard)| unheard.is_none()));
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
        // It is a shell still until it has become its program.
        let is_orphan = |one: &Relative| one.orphan && &*one.name == "sleep";
        (family.iter().any(Relative::is_zombie) && family.iter().any(is_orphan)).then_some(family)
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

/// Those of real time too, which the C library has no names for.
#[test]
fn every_signal_reaches_a_whole_group() {
    let mut bench = Bench::new();
    for (id, signal) in [(1, libc::SIGUSR1), (2, libc::SIGRTMIN() + 3)] {
        bench.spawn(&["sh", "-c", "sleep 1000 & echo $!; wait"]);
        let other: i32 = bench.until("both run", |bench| lines_of(bench.child(id)?).first()?.1.parse().ok());
        bench.send(ChildCommand::Signal { id, signal, target: Target::Group });
        assert_eq!(bench.ended(id).0.signal, Some(signal));
        bench.until("the other is gone", |_| {
            crate::sys::proc_tree::of(other).is_none_or(|kin| kin.state == b'Z').then_some(())
        });
    }
}

#[test]
fn the_calls_of_what_did_not_start_are_told() {
    let mut bench = Bench::new();
    let cwd = Some(PathBuf::from("/no such directory"));
    bench.send(ChildCommand::Spawn(Box::new(ChildSpec { cwd, ..spec(&["true"]) })));
    let calls = bench.until("it did not", |bench| {
        let child = bench.child(1)?;
        matches!(child.state, ChildState::NotStarted(_)).then(|| child.course.calls.clone())
    });
    let (first, last) = (calls.first().unwrap(), calls.last().unwrap());
    assert!(first.starts_with("clone") && &**last == "chdir() = No such file or directory (ENOENT)", "{calls:?}");
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
