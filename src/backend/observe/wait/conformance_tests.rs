//! What must hold of every decoder.

use std::collections::HashSet;

use rustix::io::Errno;

use super::fixture::{DATA, Machine, PID, TID};
use super::{Call, DECODERS, Facts, decode};
use crate::model::process::State;
use crate::model::wait::WaitKind;

#[test]
fn keys_are_unique_and_every_decoder_explains_itself() {
    let mut keys = HashSet::new();
    for decoder in DECODERS {
        let key = decoder.key();
        assert!(keys.insert(key), "{key} twice");
        assert!(key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{key}");
        assert!(!decoder.kinds().is_empty(), "{key}");
        let text = decoder.explain();
        assert!(text.len() > 120 && text.ends_with('.') && !text.contains("  "), "{key}: {text}");
    }
}

#[test]
fn the_last_takes_what_is_left() {
    assert_eq!(DECODERS.last().map(|decoder| decoder.key()), Some("other"));
}

/// Calls with arguments that mean nothing: unmapped addresses, closed
/// descriptors.
fn empty_calls() -> Vec<Call> {
    let numbers = (0..470).chain([999]);
    let call = |number| Call::parse(format!("{number} 0x0 0x0 0x0 0x0 0x0 0x0 0x8 0x8").as_bytes());
    numbers.filter_map(call).collect()
}

#[test]
fn nobody_answers_for_a_thread_that_runs_or_cannot_be_read() {
    let machine = Machine::new("202 0x0 0x0 0x0 0x0 0x0 0x0", "");
    for call in [Call::Running, Call::Unreadable(Errno::ACCESS)] {
        let facts = Facts { pid: PID, tid: TID, state: State::Sleeping, call: &call, wchan: "", since: None };
        for decoder in DECODERS {
            assert_eq!(decoder.decode(&facts, &mut machine.world()), None, "{} on {call:?}", decoder.key());
        }
    }
}

#[test]
fn states_that_do_not_wait_have_no_wait() {
    let call = Call::Outside;
    for state in [State::Running, State::Zombie, State::Dead, State::Idle, State::Parked] {
        let facts = Facts { pid: PID, tid: TID, state, call: &call, wchan: "do_wait", since: None };
        assert_eq!(decode(&facts, &mut Machine::new("0 0x0 0x0 0x0 0x0 0x0 0x0", "").world()), None);
    }
}

#[test]
fn a_kernel_thread_is_in_no_system_call() {
    let machine = Machine::new("202 0x0 0x0 0x0 0x0 0x0 0x0", "kswapd");
    let wait = machine.decode_call(&Call::parse(b"0 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0").unwrap()).unwrap();
    assert_eq!((wait.kind, &*wait.resource), (WaitKind::Other, "the kernel's own work (kswapd)"));
    assert_eq!(wait.certainty, crate::model::wait::Certainty::Derived);
}

#[test]
fn meaningless_arguments_name_no_holder() {
    let machine = Machine::new("202 0x0 0x0 0x0 0x0 0x0 0x0", "");
    for call in empty_calls() {
        let wait = machine.decode_call(&call).unwrap();
        assert!(wait.holders.is_empty() && !wait.orphaned, "{call:?}: {wait:?}");
    }
}

#[test]
fn decoders_answer_with_their_own_kinds_only() {
    let machine = Machine::new("202 0x0 0x0 0x0 0x0 0x0 0x0", "");
    for call in empty_calls() {
        let facts = Facts { pid: PID, tid: TID, state: State::Sleeping, call: &call, wchan: "", since: None };
        for decoder in DECODERS {
            if let Some(wait) = decoder.decode(&facts, &mut machine.world()) {
                assert!(decoder.kinds().contains(&wait.kind), "{}: {:?}", decoder.key(), wait.kind);
                assert!(!wait.resource.is_empty() && !wait.evidence.is_empty() || wait.kind == WaitKind::Other);
            }
        }
    }
}

#[test]
fn a_process_that_may_not_be_read_is_told_by_its_place_in_the_kernel() {
    let mut machine = Machine::new("202 0x0 0x0 0x0 0x0 0x0 0x0", "do_wait");
    let wait = machine.decode_call(&Call::Unreadable(Errno::ACCESS)).unwrap();
    assert_eq!((wait.kind, wait.holders.len(), wait.partial), (WaitKind::Waitpid, 0, true));
    assert!(wait.evidence.iter().any(|line| line.contains("CAP_SYS_PTRACE")), "{wait:?}");
    machine.wchan = "0";
    let wait = machine.decode_call(&Call::Unreadable(Errno::PERM)).unwrap();
    assert_eq!(wait.kind, WaitKind::Other);
}

#[test]
fn the_fixture_tells_a_plain_futex() {
    let machine = Machine::futex(0x80, 7, 0);
    machine.set_words(DATA, &[7]);
    let wait = machine.decode().unwrap();
    assert_eq!((wait.kind, wait.address), (WaitKind::Futex, Some(DATA)));
    assert!(wait.evidence.iter().any(|line| line.contains("the word holds 7")), "{wait:?}");
}
