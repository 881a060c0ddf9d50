//! Waits in the kernel for any of several, and for what nobody holds: real
//! processes, decoded and compared with what they declare.

use std::process::Command;

use syncscope::model::wait::{Certainty, Holder, Wait, WaitKind};

use crate::target::{Target, build, wait_until};

/// The program in this state, in a directory of its own: it, the waiter and the
/// other.
fn start(kind: &str) -> (Target, i32, i32, tempfile::TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(build("kernel_waits.c", &["-pthread", "-O2"]));
    let mut target = Target::start(command.arg(kind).current_dir(directory.path()));
    let [waiter, other] = target.numbers();
    (target, waiter as i32, other as i32, directory)
}

fn wait_of(kind: &str, expected: WaitKind) -> (Wait, i32) {
    let (mut target, waiter, other, _directory) = start(kind);
    if kind.contains("table") {
        target.line();
    }
    (wait_until(waiter, waiter, |wait| wait.kind == expected), other)
}

fn process(pid: i32) -> Holder {
    Holder { pid, tid: None }
}

/// Whether somebody may act who is seen by nobody, root included: that others'
/// descriptors may not be read is so for every ordinary user.
fn is_partial(wait: &Wait) -> bool {
    let forbidden = |fact: &String| fact.starts_with("the descriptors of ") && fact.contains(" may not be read");
    wait.partial && !wait.evidence.iter().any(forbidden)
}

#[test]
fn whoever_has_the_other_end_ends_a_wait_for_any() {
    for (call, kind) in [("poll", WaitKind::Poll), ("select", WaitKind::Select), ("epoll", WaitKind::Epoll)] {
        for what in ["pipe", "pipe_write", "fifo", "socketpair", "tcp"] {
            let (wait, other) = wait_of(&format!("{call}_{what}"), kind);
            assert_eq!(wait.holders, [process(other)], "{call} {what} {wait:#?}");
            assert_eq!(
                (is_partial(&wait), wait.timed, wait.certainty),
                (false, false, Certainty::Derived),
                "{wait:#?}"
            );
        }
    }
    assert!(wait_of("poll_pipe_timed", WaitKind::Poll).0.timed);
}

#[test]
fn a_wait_for_any_that_somebody_unseen_can_end_is_partial() {
    let (wait, other) = wait_of("poll_pipe_eventfd", WaitKind::Poll);
    assert_eq!((&wait.holders[..], wait.partial), (&[process(other)][..], true), "{wait:#?}");
    let (wait, other) = wait_of("poll_pipe_catches", WaitKind::Poll);
    assert_eq!((&wait.holders[..], wait.partial), (&[process(other)][..], true), "{wait:#?}");
}

#[test]
fn a_pipe_of_its_own_is_for_its_signal_handler() {
    for (kind, expected) in [("read", WaitKind::PipeRead), ("poll", WaitKind::Poll)] {
        let (wait, own) = wait_of(&format!("{kind}_pipe_own"), expected);
        assert_eq!((&wait.holders[..], is_partial(&wait)), (&[process(own)][..], false), "{wait:#?}");
        let (wait, own) = wait_of(&format!("{kind}_pipe_own_handler"), expected);
        assert_eq!((&wait.holders[..], wait.partial), (&[process(own)][..], true), "{wait:#?}");
    }
}

#[test]
fn an_end_in_a_thread_with_its_own_descriptors_is_found() {
    for kind in ["read_pipe_table", "read_pipe_leader"] {
        let (mut target, waiter, other, _directory) = start(kind);
        if kind.contains("table") {
            target.line();
        }
        let is_it = |wait: &Wait| wait.kind == WaitKind::PipeRead && wait.holders == [process(other)];
        let gone = || std::fs::read_dir(format!("/proc/{other}/fd")).map_or(0, Iterator::count) == 0;
        let wait = wait_until(waiter, waiter, |wait| is_it(wait) && (kind != "read_pipe_leader" || gone()));
        assert!(!is_partial(&wait), "{kind} {wait:#?}");
    }
}

#[test]
fn a_time_out_of_the_socket_itself_is_seen() {
    for what in ["socketpair", "tcp"] {
        let kind = if what == "tcp" { WaitKind::InetRecv } else { WaitKind::UnixRecv };
        let (wait, other) = wait_of(&format!("recv_{what}_timed"), kind);
        assert!(wait.timed && wait.holders == [process(other)], "{wait:#?}");
        let (wait, _) = wait_of(&format!("recv_{what}"), kind);
        assert!(!wait.timed, "{wait:#?}");
    }
}

#[test]
fn a_vfork_parent_waits_for_the_child_that_has_its_memory() {
    let (wait, other) = wait_of("vfork", WaitKind::Vfork);
    assert_eq!((&wait.holders[..], wait.partial, wait.certainty), (&[process(other)][..], false, Certainty::Certain));
}

/// A killed program leaves its System V objects behind: they have no owner.
fn remove(kind: &str, wait: &Wait) {
    let number = |word: &&str| *word != "1" && word.bytes().all(|byte| byte.is_ascii_digit());
    let id = wait.resource.split(' ').find(number).unwrap_or("1");
    assert!(Command::new("ipcrm").args([kind, id]).status().unwrap().success(), "{wait:#?}");
}

#[test]
fn queues_and_semaphores_name_nobody_but_who_has_them_open() {
    let (wait, other) = wait_of("sem", WaitKind::SysvSem);
    assert!(wait.holders.is_empty() && wait.partial && !wait.timed, "{wait:#?} {other}");
    assert!(wait.resource.starts_with("semaphore 1 of set ") && wait.resource.ends_with("at least 1"), "{wait:#?}");
    remove("-s", &wait);
    let (wait, _) = wait_of("msg", WaitKind::SysvMsg);
    remove("-q", &wait);
    assert!(wait.holders.is_empty() && wait.partial, "{wait:#?}");
    let (wait, other) = wait_of("mq", WaitKind::PosixMq);
    assert_eq!((&wait.holders[..], wait.partial), (&[process(other)][..], true), "{wait:#?}");
    assert!(wait.resource.contains("/kernel_waits."), "{wait:#?}");
}

#[test]
fn a_lease_names_its_holder_and_ends_by_itself() {
    let (wait, other) = wait_of("lease", WaitKind::Lease);
    assert_eq!((&wait.holders[..], wait.timed), (&[process(other)][..], true), "{wait:#?}");
}

#[test]
fn a_server_whose_queue_is_full_is_named() {
    for kind in ["connect", "connect_abstract"] {
        let (wait, other) = wait_of(kind, WaitKind::UnixConnect);
        assert_eq!((&wait.holders[..], is_partial(&wait)), (&[process(other)][..], false), "{kind} {wait:#?}");
    }
}

#[test]
fn a_receiver_whose_queue_is_full_is_named_and_only_then() {
    for kind in ["send", "send_abstract"] {
        let (wait, other) = wait_of(kind, WaitKind::UnixSend);
        assert_eq!((&wait.holders[..], is_partial(&wait)), (&[process(other)][..], false), "{kind} {wait:#?}");
    }
    let (wait, _) = wait_of("send_own", WaitKind::UnixSend);
    assert!(wait.holders.is_empty() && wait.partial, "{wait:#?}");
}

#[test]
fn timers_watches_and_moments_end_as_they_say() {
    let (wait, _) = wait_of("timerfd_set", WaitKind::Other);
    assert!(wait.timed && wait.resource.starts_with("the timer to expire: timerfd"), "{wait:#?}");
    assert!(!wait_of("timerfd", WaitKind::Other).0.timed);
    let (wait, _) = wait_of("inotify", WaitKind::Other);
    assert!(wait.resource.starts_with("a watched file to change: inotify") && !wait.timed, "{wait:#?}");
    let (wait, _) = wait_of("until", WaitKind::Sleep);
    assert!(wait.resource.ends_with(" s from now"), "{wait:#?}");
}
