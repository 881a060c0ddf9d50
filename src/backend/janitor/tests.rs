use std::ffi::OsString;
use std::io::Read;
use std::os::fd::AsFd;
use std::time::Duration;

use super::*;

fn sleeper(role: Role) -> Child {
    let args = [OsString::from("1000")];
    let request = Spawn { program: b"sleep", args: &args, ..Spawn::default() };
    ensure().unwrap().spawn(&request, role).unwrap()
}

#[test]
fn a_guard_removes_the_name_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fifo");
    let guard = register_name(Name::Path(path.clone())).unwrap();
    std::fs::write(&path, "x").unwrap();
    assert!(JANITOR.get().unwrap().state.lock().names.contains(guard.name()));
    drop(guard);
    assert!(!path.exists());
    assert!(!JANITOR.get().unwrap().state.lock().names.contains(&Name::Path(path)));
}

/// What the janitor does at the end is seen by giving one of our own the end
/// of its stream.
#[test]
fn at_the_end_children_end_and_names_go() {
    let (ours, theirs) = PacketSocket::pair().unwrap();
    let args = program::janitor_args();
    let nudge = eventfd(0, EventfdFlags::CLOEXEC).unwrap();
    let stdio = [Stdio::Fd(theirs.as_fd()), Stdio::Null, Stdio::Fd(nudge.as_fd())];
    let janitor = spawn(&Spawn { program: program::file(), args: &args, stdio, ..Spawn::default() }).unwrap();
    drop(theirs);
    let directory = tempfile::tempdir().unwrap();
    let inner = directory.path().join("private");
    std::fs::create_dir(&inner).unwrap();
    std::fs::write(inner.join("socket"), "").unwrap();
    let (kept, gone) = (directory.path().join("kept"), directory.path().join("gone"));
    std::fs::write(&kept, "").unwrap();
    std::fs::write(&gone, "").unwrap();
    for (kind, name) in [(b'n', Name::Directory(inner.clone())), (b'n', Name::Path(gone.clone()))] {
        ours.send(&[&[kind], name.to_bytes().as_slice()].concat(), None).unwrap();
    }
    for kind in [b'n', b'g'] {
        ours.send(&[&[kind], Name::Path(kept.clone()).to_bytes().as_slice()].concat(), None).unwrap();
    }
    // One that ends on SIGTERM, one that does not and has a child of its own
    // in another session, one worker.
    let stubborn =
        [OsString::from("-c"), "trap '' TERM; setsid sleep 1000 & echo ready; while :; do sleep 1; done".into()];
    let (mut reader, writer) = io::pipe().unwrap();
    let start = |program: &[u8], args: &[OsString], message: &[u8]| {
        let stdio = [Stdio::Null, Stdio::Fd(writer.as_fd()), Stdio::Null];
        let register = Some(Register { socket: ours.as_fd(), message });
        spawn(&Spawn { program, args, stdio, register, group: Group::Own, ..Spawn::default() }).unwrap()
    };
    let sleep = [OsString::from("1000")];
    let children = [start(b"sleep", &sleep, b"u"), start(b"sh", &stubborn, b"u"), start(b"sleep", &sleep, b"w")];
    let mut ready = [0; 6];
    reader.read_exact(&mut ready).unwrap();
    drop(ours);
    let signals = children.map(|child| {
        assert!(child.pidfd.ended(Some(Duration::from_mins(1))).unwrap(), "{} lives", child.pid);
        reap::wait(&child.pidfd).unwrap().0.signal.unwrap()
    });
    assert_eq!(signals, [libc::SIGTERM, libc::SIGKILL, libc::SIGKILL]);
    assert_eq!(reap::wait(&janitor.pidfd).unwrap().0.code, Some(0));
    // The pipe's end: the stubborn one's own child is gone too.
    drop(writer);
    assert_eq!(reader.read(&mut ready).unwrap(), 0);
    assert!(!inner.exists() && !gone.exists() && kept.exists());
}

#[test]
fn a_janitor_that_was_killed_has_a_successor_that_knows_all() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("name");
    let _guard = register_name(Name::Path(path)).unwrap();
    let first = sleeper(Role::Worker);
    let janitor = ensure().unwrap();
    let killed = {
        let state = janitor.state.lock();
        state.process.pidfd.send(libc::SIGKILL).unwrap();
        state.process.pidfd.ended(None).unwrap();
        state.process.pid
    };
    let second = sleeper(Role::Worker);
    assert_ne!(pid(), Some(killed));
    for child in [&first, &second] {
        let told = &janitor.state.lock().children;
        assert!(told.iter().any(|told| told.pidfd.as_ptr() == Arc::as_ptr(&child.pidfd)));
    }
    for child in [first, second] {
        reap::kill_and_wait(&child.pidfd);
    }
}

#[test]
fn many_children_at_once_do_not_fill_the_socket() {
    let request = Spawn { program: b"true", stdio: [Stdio::Null; 3], ..Spawn::default() };
    let janitor = ensure().unwrap();
    let children: Vec<Child> = (0..600).map(|_| janitor.spawn(&request, Role::User).unwrap()).collect();
    assert!(children.iter().all(|child| reap::wait(&*child.pidfd).unwrap().0.code == Some(0)));
}
