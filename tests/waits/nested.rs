//! Instances of epoll that watch one another, or are watched by poll and select, and what
//! may change in them meanwhile.

use crate::scripts::{is_told, python};
use crate::target::sees_all;

/// A pipe whose write end this process has; a child waits for the read end through as many
/// instances as are made.
const BEGIN: &str = "r, w = os.pipe()
KEPT = []
def nest(count, fd=r):
    for _ in range(count):
        epoll = select.epoll()
        epoll.register(fd, select.EPOLLIN)
        KEPT.append(epoll)
        fd = epoll.fileno()
def polls(fd):
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    poll.poll()
def waits(make, act=lambda: KEPT[-1].poll()):
    make()
    os.close(w)
    act()
";

fn nested(act: &str, kind: &str, verdict: &str) -> serde_json::Value {
    let place = if kind == "epoll" { "epoll" } else { "poll" };
    is_told(&format!("{BEGIN}{act}"), place, (kind, verdict))
}

/// The parent does nothing but wait for the child.
const PARENT: &str = "os.close(r); ready(p, p, os.getpid()); os.waitpid(p, 0)";

#[test]
fn an_instance_is_followed_to_what_it_watches_as_deep_as_the_kernel_permits() {
    for depth in 1..=4 {
        let child = format!("p = child(lambda: waits(lambda: nest({depth})))");
        nested(&format!("{child}\n{PARENT}"), "epoll", "deadlocked");
        let runs = "os.close(r); ready(p, p, os.getpid()); idle()";
        nested(&format!("{child}\n{runs}"), "epoll", "waiting");
    }
    let polls = "p = child(lambda: waits(lambda: nest(2), lambda: polls(KEPT[-1].fileno())))";
    nested(&format!("{polls}\n{PARENT}"), "poll", "deadlocked");
    let selects = "p = child(lambda: waits(lambda: nest(1), lambda: select.select([KEPT[0].fileno()], [], [])))";
    nested(&format!("{selects}\n{PARENT}"), "select", "deadlocked");
}

#[test]
fn whoever_can_make_anything_ready_within_is_a_way_out() {
    let third = "a, b = socket.socketpair()\nq = child(idle, w, a.fileno())\n\
        def make(): nest(1); nest(1, a.fileno()); KEPT[1].register(KEPT[0].fileno(), 1)\n\
        p = child(lambda: waits(make), b.fileno())\na.close(); b.close()\n\
        os.close(r); ready(p, p, os.getpid(), q); os.waitpid(p, 0)";
    nested(third, "epoll", "waiting");
    let eventfd = "p = child(lambda: waits(lambda: (nest(2), KEPT[0].register(os.eventfd(0), 1))))";
    nested(&format!("{eventfd}\n{PARENT}"), "epoll", "unknown");
}

/// Nothing is awaited of what was registered to be told once and has been: the child itself
/// has that pipe's write end.
#[test]
fn what_has_been_told_once_is_not_awaited_any_more() {
    let child = "def make():\n    nest(1); c, d = os.pipe(); os.write(d, b'x')\n    \
        KEPT[0].register(c, 1 | select.EPOLLONESHOT); KEPT[0].poll()\np = child(lambda: waits(make))";
    nested(&format!("{child}\n{PARENT}"), "epoll", "deadlocked");
}

#[test]
fn an_instance_that_its_number_does_not_stand_for_any_more_is_not_followed() {
    let closes = "copy = os.dup(KEPT[0].fileno()); nest(1, KEPT[0].fileno()); ";
    let closed = "KEPT[0].close()";
    let replaced = "c, d = os.pipe(); other = select.epoll(); other.register(c, 1); \
        os.dup2(other.fileno(), KEPT[0].fileno())";
    for how in [closed, replaced] {
        let child = format!("def make(): nest(1); {closes}{how}\np = child(lambda: waits(make))");
        let own = nested(&format!("{child}\nos.close(r); ready(p, p); os.waitpid(p, 0)"), "epoll", "waiting");
        assert_eq!(own["dead"], false, "{own:#}");
    }
}

#[test]
fn whoever_else_has_an_instance_may_change_it() {
    let shared = "nest(1)\nq = child(ACT, w)\np = child(lambda: waits(lambda: nest(1, KEPT[0].fileno())))\n\
        KEPT[0].close(); os.close(r); ready(p, p, os.getpid()); os.waitpid(p, 0)";
    let own = nested(&shared.replace("ACT", "idle"), "epoll", "unknown");
    assert!(!sees_all() || own["wait"]["evidence"].to_string().contains("open too, and may change"), "{own:#}");
    // Only the one that waits for the child has it too.
    let parent = "nest(1)\np = child(lambda: waits(lambda: nest(1, KEPT[0].fileno())))";
    nested(&format!("{parent}\n{PARENT}"), "epoll", "deadlocked");
    for (act, verdict) in [("idle", "waiting"), ("threading.Semaphore(0).acquire", "deadlocked")] {
        let threads = format!("p = child(lambda: waits(lambda: (nest(2), threading.Thread(target={act}).start())))");
        nested(&format!("{threads}\n{PARENT}"), "epoll", verdict);
    }
}

#[test]
fn the_script_of_these_tests_does_wait() {
    assert!(python(BEGIN).output().unwrap().status.success());
}
