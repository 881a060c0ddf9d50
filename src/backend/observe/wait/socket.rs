//! Sockets: waiting to receive, to send, for a connection, to be connected.
//!
//! What a socket is, the kernel says: Unix sockets and their peers by
//! `sock_diag(7)`, internet sockets by the tables of the target's own network
//! namespace. Where the other end of a connection is on this machine, whoever
//! has it open can end the wait.

use super::address::Address;
use super::descriptor::Target;
use super::peer::{Peer, Socket, holders_of, peer_of, socket};
use super::resource::of_socket;
use super::{Decoder, Facts, World, address};
use crate::model::wait::{Certainty, Wait, WaitKind};
use crate::sys::diag::{LISTENING, UnixSocket};

/// What a thread does with a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Receive,
    Send,
    Accept,
    Connect,
}

const CALLS: &[(i64, Act)] = &[
    (libc::SYS_read, Act::Receive),
    (libc::SYS_readv, Act::Receive),
    (libc::SYS_recvfrom, Act::Receive),
    (libc::SYS_recvmsg, Act::Receive),
    (libc::SYS_recvmmsg, Act::Receive),
    (libc::SYS_write, Act::Send),
    (libc::SYS_writev, Act::Send),
    (libc::SYS_sendto, Act::Send),
    (libc::SYS_sendmsg, Act::Send),
    (libc::SYS_sendmmsg, Act::Send),
    (libc::SYS_accept, Act::Accept),
    (libc::SYS_accept4, Act::Accept),
    (libc::SYS_connect, Act::Connect),
];

/// Parts of the names of the places where threads sleep for a socket: a call for one may also
/// have to wait for a page of memory, a lock of the kernel's, a security module.
const PLACES: [&str; 11] =
    ["wait_woken", "unix_", "sock_", "lock_sock", "skb_", "sk_wait", "sk_stream", "inet_", "tcp_", "udp", "tls_"];

/// A thread blocked on a Unix socket.
#[derive(Debug)]
pub(super) struct Unix;

/// A thread blocked on a TCP or UDP socket.
#[derive(Debug)]
pub(super) struct Inet;

impl Decoder for Unix {
    fn key(&self) -> &'static str {
        "unix_socket"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::UnixRecv, WaitKind::UnixSend, WaitKind::UnixAccept, WaitKind::UnixConnect]
    }

    fn explain(&self) -> &'static str {
        "The thread waits on a Unix socket (unix(7)): for data, for room to send, for a client, or for a server to take \
         its connection. It is recognised by the call and by the kernel listing the descriptor's socket among the Unix \
         sockets. Of a connected socket the kernel names the peer; every process that has the peer open can end the \
         wait. A connection that nobody has accepted yet waits at a listening socket: whoever has that open may accept \
         it. A socket that sends to whoever it likes, or of another network namespace, has no known peer."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let (act, fd, inode) = socket_call(facts, world)?;
        let found = socket(facts, world, inode)?;
        let Socket::Unix(socket) = found else { return None };
        let (kind, fits) = match act {
            Act::Receive => (WaitKind::UnixRecv, socket.state != LISTENING),
            Act::Send => (WaitKind::UnixSend, socket.state != LISTENING),
            Act::Accept => (WaitKind::UnixAccept, socket.state == LISTENING),
            Act::Connect => (WaitKind::UnixConnect, socket.state != LISTENING),
        };
        if !fits {
            return None;
        }
        let called = address::connects_to(facts, world).or_else(|| address::sends_to(facts, world));
        let named = match &called {
            Some(called) => format!("Unix socket → {}", called.words()),
            None if world.is_precise() => of_socket(world, &found),
            None => format!("Unix socket {inode}"),
        };
        let mut wait = Wait::new(kind, format!("{named} (fd {fd})"));
        wait.evidence.push(format!("fd {fd} is Unix socket {inode}"));
        set_timed(facts, world, act, fd, &mut wait);
        match act {
            Act::Send if called.is_some() => name_receiver(facts, world, (called.as_ref(), socket.kind), &mut wait),
            Act::Receive | Act::Send => name_peer(facts, world, &found, inode, &mut wait),
            Act::Accept => anybody(&mut wait, "any client may connect"),
            Act::Connect => name_server(facts, world, (called.as_ref(), socket.kind), &mut wait),
        }
        Some(wait)
    }
}

impl Decoder for Inet {
    fn key(&self) -> &'static str {
        "inet_socket"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::InetRecv, WaitKind::InetSend, WaitKind::InetAccept, WaitKind::InetConnect]
    }

    fn explain(&self) -> &'static str {
        "The thread waits on a TCP or UDP socket: for data, for room to send, for a client or for a connection to be \
         made. It is recognised by the call and by the kernel listing the descriptor's socket in the target's network \
         namespace. If the other end of a TCP connection is in the same namespace, whoever has it open is named, or \
         has the listening socket open at which it waits to be accepted; else it is on another machine, or in another \
         namespace, and cannot be followed."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let (act, fd, inode) = socket_call(facts, world)?;
        let found = socket(facts, world, inode)?;
        let Socket::Inet(socket) = found else { return None };
        let kind = match act {
            Act::Receive if !socket.listens() => WaitKind::InetRecv,
            Act::Send if !socket.listens() => WaitKind::InetSend,
            Act::Accept if socket.listens() => WaitKind::InetAccept,
            Act::Connect if !socket.listens() => WaitKind::InetConnect,
            _ => return None,
        };
        let mut wait = Wait::new(kind, format!("{socket} (fd {fd})"));
        wait.evidence.push(format!("fd {fd} is {} socket {inode}", if socket.tcp { "TCP" } else { "UDP" }));
        set_timed(facts, world, act, fd, &mut wait);
        match act {
            Act::Accept => anybody(&mut wait, "any client may connect"),
            Act::Receive if !socket.tcp && socket.remote.port == 0 => {
                anybody(&mut wait, "it is connected to nobody: anybody may send to it");
            }
            Act::Connect => {
                nobody(&mut wait, &format!("{} has not answered yet", socket.remote));
                wait.timed = true;
                wait.evidence.push("the kernel gives up after so many tries (tcp_syn_retries)".to_owned());
            }
            Act::Receive | Act::Send => name_peer(facts, world, &found, inode, &mut wait),
        }
        Some(wait)
    }
}

/// What the thread does with which socket.
fn socket_call(facts: &Facts<'_>, world: &World) -> Option<(Act, i32, u64)> {
    let call = facts.blocked()?;
    let is_socket = |fd: u64| match Target::of(facts, world, fd as i32) {
        Ok(Target::Socket(inode)) => Some((fd as i32, inode)),
        _ => None,
    };
    let (act, (fd, inode)) = match call.number {
        // The other side is a pipe or a file, whose own waits are elsewhere.
        libc::SYS_sendfile if sleeps_at_socket(facts) => (Act::Send, is_socket(call.args[0])?),
        libc::SYS_splice if sleeps_at_socket(facts) => match is_socket(call.args[0]) {
            Some(socket) => (Act::Receive, socket),
            None => (Act::Send, is_socket(call.args[2])?),
        },
        number => {
            let (_, act) = CALLS.iter().find(|(known, _)| *known == number)?;
            let here = facts.may_sleep_in(&PLACES);
            (*act, is_socket(call.args[0]).filter(|_| here)?)
        }
    };
    Some((act, fd, inode))
}

/// Whether the thread sleeps where those do who wait for a socket.
fn sleeps_at_socket(facts: &Facts<'_>) -> bool {
    let places = ["wait_woken", "sk_wait_data", "sk_stream_wait", "sock_alloc_send", "unix_stream_read"];
    facts.has_wchan() && facts.may_sleep_in(&places)
}

/// Names who could accept the connection: whoever has the socket open that listens at
/// the address of the call.
fn name_server(facts: &Facts<'_>, world: &mut World, (called, kind): (Option<&Address>, u8), wait: &mut Wait) {
    let server = called
        .and_then(|called| called.socket(facts, world, |socket| socket.state == LISTENING && socket.kind == kind));
    match server {
        Some(UnixSocket { inode, queue, .. }) => {
            let full = queue.map_or_else(String::new, |(now, most)| format!(": {now} wait to be accepted, of {most}"));
            wait.evidence.push(format!("the server is socket {inode}{full}"));
            holders_of(world, inode).name(facts, world, "the server's socket", wait);
        }
        None => nobody(wait, "the server's queue is full; which server it is cannot be told"),
    }
}

/// Names who could make room: whoever has the socket open that the call sends to.
fn name_receiver(facts: &Facts<'_>, world: &mut World, (called, kind): (Option<&Address>, u8), wait: &mut Wait) {
    // Elsewhere it waits for what it has sent before, to whomever, to be received.
    let is_full = facts.has_wchan() && facts.may_sleep_in(&["unix_wait_for_peer", "unix_dgram_sendmsg"]);
    match called.filter(|_| is_full).and_then(|called| called.socket(facts, world, |socket| socket.kind == kind)) {
        Some(UnixSocket { inode, .. }) => {
            wait.evidence.push(format!("it sends to socket {inode}, whose queue is full"));
            holders_of(world, inode).name(facts, world, "the receiver's socket", wait);
        }
        None => nobody(wait, "what it sends to is full; which socket that is cannot be told"),
    }
}

/// Whether the socket itself has a time-out for this (`SO_RCVTIMEO`, `SO_SNDTIMEO`), or for
/// its connection (`TCP_USER_TIMEOUT`), which no argument of the call tells.
fn set_timed(facts: &Facts<'_>, world: &World, act: Act, fd: i32, wait: &mut Wait) {
    let receives = matches!(act, Act::Receive | Act::Accept);
    if let Some(limit) = world.socket_limit(facts.pid, fd, Some(receives)) {
        wait.timed = true;
        let option = if receives { "SO_RCVTIMEO" } else { "SO_SNDTIMEO" };
        wait.evidence.push(format!("the socket's {option} or TCP_USER_TIMEOUT is {limit}"));
    }
}

/// Names who has the other end of the connection open, or who may accept it.
fn name_peer(facts: &Facts<'_>, world: &mut World, socket: &Socket, inode: u64, wait: &mut Wait) {
    let peer = match peer_of(facts, world, socket) {
        Ok(peer) => peer,
        Err(why) => return nobody(wait, why),
    };
    wait.evidence.push(match peer {
        Peer::Socket(peer) => format!("the kernel names its peer: socket {peer}"),
        Peer::WaitsAt(server) => format!("nobody has accepted it yet: it waits at socket {server}, which listens"),
    });
    if matches!(peer, Peer::WaitsAt(_)) {
        wait.resource = format!("{}, not yet accepted", wait.resource).into();
    }
    let (others, role) = peer.others(world);
    others.name(facts, world, role, wait);
    may_be_shut_down(facts, world, inode, wait);
}

/// Who has the waiter's own end open may shut it down (`shutdown(2)`), which ends the wait
/// too: another thread of the process, and another process.
fn may_be_shut_down(facts: &Facts<'_>, world: &mut World, inode: u64, wait: &mut Wait) {
    let all = world.may_shut_down(inode);
    let others: Vec<String> = all.iter().filter(|&&pid| pid != facts.pid).map(ToString::to_string).collect();
    if !others.is_empty() {
        let others = others.join(", ");
        wait.evidence.push(format!("of this end others have a descriptor too, and may shut it down: process {others}"));
    }
    wait.add_besides(all);
}

/// What a server waits for is clear, and that nobody in particular must do it.
fn anybody(wait: &mut Wait, who: &str) {
    nobody(wait, who);
    wait.certainty = Certainty::Derived;
}

fn nobody(wait: &mut Wait, why: &str) {
    wait.partial = true;
    wait.certainty = Certainty::Unknown;
    wait.evidence.push(why.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::Machine;
    use crate::model::wait::Holder;

    /// Thread 101 receives from fd 3, socket 7, connected within this table.
    fn machine(call: &str, table: &str) -> Machine {
        let machine = Machine::new(call, "wait_woken");
        machine.link("100/task/101/fd/3", "socket:[7]");
        machine.write("100/net/tcp", &format!("header\n{table}"));
        machine.process(200, &[200]);
        machine.link("200/fd/4", "socket:[8]");
        machine
    }

    const RECEIVE: &str = "45 0x3 0x0 0x0 0x0 0x0 0x0";
    const MINE: &str = "0: 0100007F:1538 0100007F:C350 01 0:0 0:0 0 0 0 7 1\n";
    const PEER: &str = "1: 0100007F:C350 0100007F:1538 01 0:0 0:0 0 0 0 8 1\n";

    #[test]
    fn the_peer_of_a_local_connection_is_named() {
        let wait = machine(RECEIVE, &format!("{MINE}{PEER}")).decode().unwrap();
        assert_eq!((wait.kind, &wait.holders[..]), (WaitKind::InetRecv, &[Holder { pid: 200, tid: None }][..]));
        assert_eq!(&*wait.resource, "TCP 127.0.0.1:5432 ↔ 127.0.0.1:50000 (fd 3)");
        assert!(!wait.partial);
    }

    #[test]
    fn a_file_that_is_sent_waits_for_the_socket_where_the_kernel_says_so() {
        let table = format!("{MINE}{PEER}");
        let send = "40 0x3 0x5 0x0 0x1000 0x0 0x0";
        assert_eq!(machine(send, &table).decode().unwrap().kind, WaitKind::InetSend);
        let reads = Machine { wchan: "folio_wait_bit_common", ..machine(send, &table) };
        assert_eq!(reads.decode().unwrap().kind, WaitKind::Other);
        for (arguments, kind) in [("0x3 0x0 0x6", WaitKind::InetRecv), ("0x6 0x0 0x3", WaitKind::InetSend)] {
            let wait = machine(&format!("275 {arguments} 0x0 0x1000 0x0"), &table).decode().unwrap();
            assert_eq!((wait.kind, wait.holders.len()), (kind, 1));
        }
    }

    #[test]
    fn a_peer_elsewhere_or_not_yet_accepted_is_unknown() {
        for table in [MINE.to_owned(), format!("{MINE}{}", PEER.replace(" 8 1", " 0 1"))] {
            let wait = machine(RECEIVE, &table).decode().unwrap();
            assert_eq!((wait.kind, wait.holders.len(), wait.certainty), (WaitKind::InetRecv, 0, Certainty::Unknown));
        }
    }

    #[test]
    fn whoever_receives_by_udp_from_anybody_waits_for_an_event() {
        let udp = |remote: &str| {
            let machine = machine(RECEIVE, "");
            machine.write("100/net/udp", &format!("header\n{}", MINE.replace("0100007F:C350", remote)));
            machine.decode().unwrap()
        };
        let wait = udp("00000000:0000");
        assert_eq!((wait.kind, wait.partial, wait.certainty), (WaitKind::InetRecv, true, Certainty::Derived));
        assert!(wait.evidence.iter().any(|line| line.contains("anybody may send")), "{wait:#?}");
        assert_eq!(udp("0100007F:C350").certainty, Certainty::Unknown, "its peer alone may");
    }

    #[test]
    fn what_the_socket_is_and_what_is_done_must_agree() {
        let listens = MINE.replace("C350 01", "0000 0A").replace(":1538 0100007F", ":1538 00000000");
        assert_eq!(
            machine(RECEIVE, &listens).decode().unwrap().kind,
            WaitKind::Other,
            "nobody receives from a listener"
        );
        let accept = machine("288 0x3 0x0 0x0 0x0 0x0 0x0", &listens).decode().unwrap();
        assert_eq!((accept.kind, accept.holders.len()), (WaitKind::InetAccept, 0));
        assert_eq!((accept.partial, accept.certainty), (true, Certainty::Derived));
        assert_eq!(machine("288 0x3 0x0 0x0 0x0 0x0 0x0", MINE).decode().unwrap().kind, WaitKind::Other);
        let elsewhere = |wchan| Machine { wchan, ..machine(RECEIVE, &format!("{MINE}{PEER}")) }.decode().unwrap().kind;
        assert_eq!(elsewhere("sk_wait_data"), WaitKind::InetRecv);
        assert_eq!(elsewhere("folio_wait_bit_common"), WaitKind::Other, "it waits for a page of memory");
        assert_eq!(elsewhere("seccomp_do_user_notification"), WaitKind::Other, "it has not begun");
        // A socket of a family that the kernel does not list.
        assert_eq!(machine(RECEIVE, PEER).decode().unwrap().kind, WaitKind::Other);
    }
}
