//! Connections that nobody has accepted yet: whoever has the listening socket may do so.

use crate::scripts::is_told;
use crate::target::sees_all;

/// A server of this kind, and its client, which does `ACT` with its connection `c`.
fn server(kind: &str) -> String {
    let unix = |kind: &str| {
        format!(
            "name = b'\\0syncscope.%d' % os.getpid()\nsocket_of = lambda: socket.socket(socket.AF_UNIX, socket.{kind})\n\
             s = socket_of(); s.bind(name); s.listen(5)\ndef client():\n    c = socket_of(); c.connect(name); ACT\n"
        )
    };
    let inet = |at: &str, more: &str, name: &str| {
        format!(
            "s = socket.create_server(('{at}', 0){more})\nname = ('{name}', s.getsockname()[1])\n\
             def client():\n    c = socket.create_connection(name); ACT\n"
        )
    };
    match kind {
        "stream" => unix("SOCK_STREAM"),
        "seqpacket" => unix("SOCK_SEQPACKET"),
        "tcp" => inet("127.0.0.1", "", "127.0.0.1"),
        "tcp6" => inet("::1", ", family=socket.AF_INET6", "::1"),
        "any" => inet("", "", "127.0.0.1"),
        _ => inet("::", ", family=socket.AF_INET6, dualstack_ipv6=True", "127.0.0.1"),
    }
}

const RECEIVES: &str = "c.recv(1)";
const POLLS: &str = "q = select.poll(); q.register(c, 1); q.poll()";
const SENDS: &str = "[c.send(b'x' * 1000) for _ in range(10 ** 9)]";
/// The server waits for its client without accepting.
const WAITS: &str = "p = child(client, s.fileno())\nready(p, p, os.getpid()); os.waitpid(p, 0)";

fn is_unix(kind: &str) -> bool {
    matches!(kind, "stream" | "seqpacket")
}

/// Kind and place of what a client does.
fn waits_in(kind: &str, act: &str) -> (&'static str, &'static str) {
    match (is_unix(kind), act) {
        (_, POLLS) => ("poll", "poll"),
        (true, SENDS) => ("unix_send", "sock_alloc_send_pskb"),
        (false, SENDS) => ("inet_send", "wait_woken"),
        (true, _) if kind == "stream" => ("unix_recv", "unix_stream"),
        (true, _) => ("unix_recv", "skb_wait_for_more"),
        (false, _) => ("inet_recv", "wait_woken"),
    }
}

fn told(kind: &str, act: &str, program: &str, verdict: &str) -> serde_json::Value {
    let script = format!("{}{program}", server(kind).replace("ACT", act));
    let (wait, place) = waits_in(kind, act);
    is_told(&script, place, (wait, verdict))
}

const KINDS: [&str; 6] = ["stream", "seqpacket", "tcp", "tcp6", "any", "dual"];

#[test]
fn a_client_waits_for_whoever_may_accept_it() {
    for kind in KINDS {
        for act in [RECEIVES, POLLS, SENDS] {
            let own = told(kind, act, WAITS, "deadlocked");
            let resource = own["wait"]["resource"].as_str().unwrap();
            assert_eq!(resource.ends_with(", not yet accepted"), act != POLLS, "{own:#}");
            assert!(own["wait"]["evidence"].to_string().contains("has the listening socket"), "{own:#}");
        }
        // It has inherited the listening socket itself.
        told(kind, RECEIVES, "p = child(client)\nready(p, p, os.getpid(), p); os.waitpid(p, 0)", "deadlocked");
    }
    told("tcp", "c.shutdown(socket.SHUT_WR); c.recv(1)", WAITS, "deadlocked");
}

/// The same, with a way out each.
#[test]
fn whoever_may_still_accept_keeps_a_client_from_being_dead() {
    let limit = "c.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack('ll', 1000, 0)); c.recv(1)";
    let third = "q = child(idle)\np = child(client, s.fileno())\nready(p, p, os.getpid(), q); os.waitpid(p, 0)";
    for kind in ["stream", "seqpacket", "tcp", "dual"] {
        told(kind, RECEIVES, "p = child(client, s.fileno())\nready(p, p, os.getpid()); idle()", "waiting");
        told(kind, RECEIVES, third, "waiting");
        if sees_all() {
            told(kind, limit, WAITS, "waiting");
        }
    }
}

#[test]
fn an_accepted_client_waits_for_its_peer_and_no_more_for_the_listener() {
    for kind in KINDS {
        let accepts = "q = child(idle)\np = child(client, s.fileno())\nk = s.accept()[0]\n\
            ready(p, p, os.getpid()); os.waitpid(p, 0)";
        let own = told(kind, RECEIVES, accepts, "deadlocked");
        assert!(!own["wait"]["resource"].as_str().unwrap().contains("accepted"), "{own:#}");
    }
}

/// Of two sockets that listen at one port the kernel chooses one: the one whose queue is not
/// empty is meant. If both have clients, nobody is named.
#[test]
fn of_several_listeners_only_the_one_that_is_meant_is_named() {
    let begin = "s = socket.create_server(('127.0.0.1', 0), reuse_port=True); name = s.getsockname()\n\
        t = socket.create_server(name, reuse_port=True)\n\
        def client():\n    c = socket.create_connection(name); c.recv(1)\n\
        has_clients = lambda one: select.select([one], [], [], 0)[0] != []\n";
    let one = "q = child(idle, s.fileno())\np = child(client, s.fileno(), t.fileno())\n\
        while not (has_clients(s) or has_clients(t)): time.sleep(0.01)\n\
        ready(p, p, os.getpid(), *([q] if has_clients(t) else [])); (idle if has_clients(t) else lambda: os.waitpid(p, 0))()";
    let script = format!("{begin}{one}");
    let (_target, own, expected) = crate::scripts::asked(&mut crate::scripts::python(&script), "wait_woken");
    let mut expected = expected;
    expected.sort_unstable();
    assert_eq!(crate::scripts::holders(&own), expected, "{own:#}");
    let both = "p = child(client, s.fileno(), t.fileno())\nmore = []\n\
        while not (has_clients(s) and has_clients(t)): more.append(socket.create_connection(name))\n\
        ready(p, p); os.waitpid(p, 0)";
    is_told(&format!("{begin}{both}"), "wait_woken", ("inet_recv", "unknown"));
}

#[test]
fn a_connection_that_is_not_answered_is_given_up_by_the_kernel() {
    let script = "s = socket.socket(); s.bind(('127.0.0.1', 0)); s.listen(0); name = s.getsockname()\n\
        k = socket.create_connection(name)\np = child(lambda: socket.socket().connect(name), s.fileno())\n\
        ready(p, p); os.waitpid(p, 0)";
    let own = is_told(script, "wait_woken", ("inet_connect", "waiting"));
    assert_eq!(own["wait"]["timed"], true, "{own:#}");
}

/// Whether it waits for one socket or for any of several.
#[test]
fn a_socket_is_told_by_its_addresses() {
    for kind in KINDS {
        let resource = |act: &str, rest: &str, (wait, place): (&str, &str), verdict: &str| {
            let begin = server(kind).replace("ACT", act);
            let script = format!("{begin}p = child(client, s.fileno())\nk = s.accept()[0]\n{rest}");
            let own = is_told(&script, place, (wait, verdict));
            own["wait"]["resource"].as_str().unwrap().to_owned()
        };
        let client = |act| {
            let waits = "ready(p, p, os.getpid()); os.waitpid(p, 0)";
            resource(act, waits, waits_in(kind, act), "deadlocked")
        };
        let listens = "q = select.poll(); q.register(k, 1); q.register(s, 1)\n\
            ready(os.getpid(), os.getpid(), p); q.poll()";
        let (one, any) = (client(RECEIVES), client(POLLS));
        let server = resource(RECEIVES, listens, ("poll", "poll"), "unknown");
        if is_unix(kind) {
            let there = "Unix socket → @syncscope.";
            assert!(one.starts_with(there) && any.starts_with(there), "{one} {any}");
            assert!(server.starts_with("Unix socket @syncscope."), "{server}");
        } else {
            assert!([&one, &any, &server].iter().all(|words| words.contains(" ↔ ")), "{one} {any} {server}");
        }
        assert!(server.contains(" listens (fd ") && !any.contains("listens"), "{server} {any}");
    }
}
