//! Wait-for graphs as the backend would publish them: a deadlock, chains, what
//! is not seen, what is inferred.

use std::sync::Arc;

use syncscope::backend::Update;
use syncscope::model::graph::{Deadlock, GraphThread, Scanned, ThreadId, Verdict, WaitGraph};
use syncscope::model::process::State;
use syncscope::model::wait::{Certainty, Holder, Mode, Wait, WaitKind};
use syncscope::model::{Nanos, Pid, Stamped};

/// A wait that began at second `since`.
pub(crate) fn wait(kind: WaitKind, resource: &str, holders: &[Holder], since: u64) -> Wait {
    let mut wait = Wait::new(kind, resource);
    (wait.holders, wait.since) = (holders.to_vec(), Some(Nanos::from_secs(since)));
    wait
}

/// Held by a thread.
pub(crate) fn by_thread(pid: Pid, tid: Pid) -> Holder {
    Holder { pid, tid: Some(tid) }
}

/// Held by a process.
pub(crate) fn by(pid: Pid) -> Holder {
    Holder { pid, tid: None }
}

/// A thread of a graph.
pub(crate) fn thread(
    (pid, process): (Pid, &str),
    (tid, name): (Pid, &str),
    wait: Option<Wait>,
    verdict: Verdict,
) -> GraphThread {
    let state = if verdict == Verdict::Running { State::Running } else { State::Sleeping };
    let (process, thread) = (Arc::from(process), Arc::from(name));
    GraphThread { id: ThreadId { pid, tid }, process, thread, state, wait: wait.map(Arc::new), verdict }
}

/// A process of one thread.
pub(crate) fn process(pid: Pid, name: &str, wait: Option<Wait>, verdict: Verdict) -> GraphThread {
    thread((pid, name), (pid, name), wait, verdict)
}

/// The update of a graph of these.
pub(crate) fn graph(mut threads: Vec<GraphThread>, deadlocks: Vec<Deadlock>) -> Update {
    threads.sort_by_key(|thread| thread.id);
    let scanned = Scanned { processes: 82, threads: 109 };
    let value = WaitGraph { threads, deadlocks, scanned, ..WaitGraph::default() };
    Update::Graph(Arc::new(Stamped { at: Nanos::from_secs(5_000), took: Nanos(1_000), seq: 1, value }))
}

fn mutex(holder: Pid, offset: &str) -> Wait {
    let mut wait = wait(WaitKind::PthreadMutex, &format!("mutex [heap] +{offset}"), &[by_thread(4_121, holder)], 4_808);
    wait.address = Some(0x55d0_0000_a040);
    wait.evidence = vec![format!("owner word = {holder} at 0x55d00000a048"), "kind = 0 (normal)".to_owned()];
    wait
}

/// Two workers of `payments` that wait for each other, and the main thread that
/// waits for one of them.
pub(crate) fn deadlock() -> (Vec<GraphThread>, Deadlock) {
    let of = (4_121, "payments");
    let join = wait(WaitKind::ThreadJoin, "thread 4130", &[by_thread(4_121, 4_130)], 4_700);
    let threads = vec![
        thread(of, (4_121, "payments"), Some(join), Verdict::Stuck),
        thread(of, (4_130, "worker-2"), Some(mutex(4_133, "0x2a0")), Verdict::Deadlocked),
        thread(of, (4_133, "worker-5"), Some(mutex(4_130, "0x2c8")), Verdict::Deadlocked),
    ];
    let id = |tid| ThreadId { pid: 4_121, tid };
    let cycle = vec![id(4_130), id(4_133)];
    (threads, Deadlock { cycle, stuck: vec![id(4_121), id(4_130), id(4_133)], certainty: Certainty::Certain })
}

/// A pipeline that is full, a file lock, a poll of several, and twelve readers
/// that wait alike.
pub(crate) fn chains() -> Vec<GraphThread> {
    let mut lock = wait(WaitKind::Flock, "/var/lib/pgsql/base.lock", &[by(790)], 4_158);
    lock.evidence = vec!["/proc/locks: 12: -> FLOCK ADVISORY WRITE 811".to_owned()];
    let dump = wait(WaitKind::PipeWrite, "pipe 51200 (fd 1)", &[by(792)], 4_990);
    let either = wait(WaitKind::Poll, "pipe 7 (fd 4) or socket 9 (fd 5)", &[by(5_121), by(900)], 4_400);
    let mut threads = vec![
        process(790, "pg_dump", Some(dump), Verdict::Waiting),
        process(792, "gzip", None, Verdict::Running),
        process(811, "postgres", Some(lock), Verdict::Waiting),
        process(900, "backend", None, Verdict::Running),
        process(
            5_120,
            "tar",
            Some(wait(WaitKind::PipeWrite, "pipe 48213 (fd 1)", &[by(5_121)], 4_992)),
            Verdict::Waiting,
        ),
        process(5_121, "gzip", None, Verdict::Running),
        process(5_200, "proxy", Some(either), Verdict::Waiting),
        process(6_000, "bash", None, Verdict::Running),
    ];
    threads.extend((1..=12).map(|n| {
        let resource = format!("pipe {} (fd 0)", 60_000 + n);
        process(6_000 + n, "cat", Some(wait(WaitKind::PipeRead, &resource, &[by(6_000)], 4_970)), Verdict::Waiting)
    }));
    threads
}

/// An end that nobody visibly has, and one that somebody unseen may have too.
pub(crate) fn unknown() -> Vec<GraphThread> {
    let mut hidden = wait(WaitKind::PipeRead, "pipe 777 (fd 0)", &[], 4_000);
    (hidden.partial, hidden.certainty) = (true, Certainty::Unknown);
    hidden.evidence = vec!["no process that may be read has the other end open".to_owned()];
    let mut shared = wait(WaitKind::UnixRecv, "unix socket 31337", &[by(871)], 4_460);
    shared.partial = true;
    let orphan = {
        let mut wait = wait(WaitKind::PthreadMutex, "mutex [heap] +0x10", &[], 100);
        wait.orphaned = true;
        wait
    };
    vec![
        process(860, "reader", Some(hidden), Verdict::Unknown),
        process(870, "psql", Some(shared), Verdict::Unknown),
        process(
            871,
            "server",
            Some(wait(WaitKind::UnixRecv, "unix socket 31338", &[by(870)], 4_461)),
            Verdict::Unknown,
        ),
        process(880, "forked", Some(orphan), Verdict::Stuck),
    ]
}

/// A Rust mutex, which stores no owner, and a reader-writer lock with readers.
pub(crate) fn inferred() -> Vec<GraphThread> {
    let of = (300, "server");
    let mut mutex = wait(WaitKind::RustMutex, "Mutex [heap] +0x40", &[by_thread(300, 302)], 4_999);
    mutex.certainty = Certainty::Inferred;
    mutex.evidence = vec!["a guard of this lock lies on the stack of thread 302".to_owned()];
    let mut write =
        wait(WaitKind::RustRwlockWrite, "RwLock [heap] +0x80", &[by_thread(300, 303), by_thread(300, 304)], 4_998);
    (write.certainty, write.mode, write.timed) = (Certainty::Inferred, Mode::All, true);
    vec![
        thread(of, (301, "acceptor"), Some(mutex), Verdict::Waiting),
        thread(of, (302, "writer"), Some(write), Verdict::Waiting),
        thread(of, (303, "reader-0"), None, Verdict::Running),
        thread(of, (304, "reader-1"), None, Verdict::Running),
    ]
}
