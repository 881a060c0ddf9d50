//! Channels without room: full ones, messages that are too large, and datagrams
//! that nobody waits for.

use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};

use rustix::io::{Errno, write};

use super::{Finding, Notes, fault};
use crate::backend::janitor::{Name, register_name};
use crate::backend::lab::ipc::link::GoOn;
use crate::backend::lab::ipc::pipe::set_nonblocking;
use crate::backend::lab::ipc::private;
use crate::backend::lab::ipc::sysv_mq::{limit, under_key};
use crate::model::Fault;
use crate::sys::mq;
use crate::sys::socket::received;
use crate::sys::sysv::{self, Envelope};

/// Sends until the kernel refuses; how often it worked, and the refusal.
fn until_refused(mut send: impl FnMut() -> Result<(), Errno>) -> (usize, Errno) {
    let mut sent = 0;
    loop {
        match send() {
            Ok(()) => sent += 1,
            Err(Errno::INTR) => {}
            Err(error) => return (sent, error),
        }
    }
}

/// A POSIX queue; its name is gone when it returns.
fn posix_queue(depth: usize, size: usize) -> Result<OwnedFd, Fault> {
    let name = format!("/{}", private::name());
    let _guard = register_name(Name::PosixQueue(name.clone().into()))?;
    mq::make(&name, depth, size).map_err(fault("cannot make a POSIX queue"))
}

pub(super) fn full_queue(_: GoOn<'_>) -> Result<Finding, Fault> {
    let mut notes = Notes::new();
    let chunk = [7; 1024];
    let (_reader, writer) = io::pipe().map_err(fault("cannot make a pipe"))?;
    set_nonblocking(writer.as_fd()).map_err(fault("fcntl"))?;
    let (sent, error) = until_refused(|| write(&writer, &chunk).map(drop));
    notes.add(format!("pipe: {sent} writes of 1024 bytes, then {error}"), error == Errno::AGAIN);
    let (a, _b) = UnixStream::pair().map_err(fault("cannot make a socket pair"))?;
    a.set_nonblocking(true).map_err(fault("fcntl"))?;
    let (sent, error) = until_refused(|| write(&a, &chunk).map(drop));
    notes.add(format!("Unix stream: {sent} writes of 1024 bytes, then {error}"), error == Errno::AGAIN);
    let queue = posix_queue(10, 1024)?;
    set_nonblocking(queue.as_fd()).map_err(fault("fcntl"))?;
    let (sent, error) = until_refused(|| mq::send(queue.as_fd(), &chunk));
    let exact = error == Errno::AGAIN && sent == 10;
    notes.add(format!("POSIX queue of 10 messages: {sent} messages, then {error}"), exact);
    let (queue, _name) = under_key(Name::SysvQueueKey, sysv::make_queue, fault("cannot make a System V queue"))?;
    let mut envelope = Envelope::new(chunk.len());
    let (sent, error) = until_refused(|| envelope.send(queue, &chunk, false));
    let (_, bytes) = sysv::queue_fill(queue).map_err(fault("msgctl"))?;
    let exact = error == Errno::AGAIN && sent as u64 == bytes / 1024;
    notes.add(format!("System V queue of {bytes} bytes: {sent} messages of 1024 bytes, then {error}"), exact);
    Ok(notes.end(
        "A writer that may not wait gets EAGAIN from a full channel, and what it wanted to send is still its own: it \
         must keep it, drop it, or wait with poll. A writer that may wait would sleep.",
    ))
}

pub(super) fn too_large(_: GoOn<'_>) -> Result<Finding, Fault> {
    let mut notes = Notes::new();
    let large = vec![7; 16 << 20];
    let (a, _b) = UnixDatagram::pair().map_err(fault("cannot make a socket pair"))?;
    let error = refusal(a.send(&large));
    notes.add(format!("Unix datagram of 16 MiB: {error}"), error == Errno::MSGSIZE);
    let socket = UdpSocket::bind("127.0.0.1:0").map_err(fault("cannot bind a socket"))?;
    let own = socket.local_addr().map_err(fault("getsockname"))?;
    let error = refusal(socket.send_to(&large[..65_508], own));
    notes.add(format!("UDP datagram of 65508 bytes: {error}"), error == Errno::MSGSIZE);
    let works = socket.send_to(&large[..65_507], own).is_ok();
    notes.add(format!("UDP datagram of 65507 bytes: {}", if works { "sent" } else { "refused" }), works);
    let queue = posix_queue(2, 1024)?;
    let error = mq::send(queue.as_fd(), &large[..1025]).err();
    notes.add(format!("POSIX queue for 1024 bytes, 1025 sent: {}", said(error)), error == Some(Errno::MSGSIZE));
    let most = limit("msgmax").unwrap_or(8192);
    let (queue, _name) = under_key(Name::SysvQueueKey, sysv::make_queue, fault("cannot make a System V queue"))?;
    let error = Envelope::new(most + 1).send(queue, &vec![7; most + 1], false).err();
    notes.add(
        format!("System V queue, kernel.msgmax {most}, {} sent: {}", most + 1, said(error)),
        error == Some(Errno::INVAL),
    );
    Ok(notes.end(
        "What keeps message boundaries refuses a message that it cannot hold whole, at once and with nothing sent: \
         EMSGSIZE, of System V queues EINVAL. A stream has no such limit: it takes the bytes piece by piece.",
    ))
}

fn refusal(sent: io::Result<usize>) -> Errno {
    sent.err().and_then(|error| Errno::from_io_error(&error)).unwrap_or(Errno::CANCELED)
}

fn said(error: Option<Errno>) -> String {
    error.map_or("sent".to_owned(), |error| error.to_string())
}

pub(super) fn datagram_loss(_: GoOn<'_>) -> Result<Finding, Fault> {
    const MESSAGES: usize = 5000;
    let mut notes = Notes::new();
    let receiver = UdpSocket::bind("127.0.0.1:0").map_err(fault("cannot bind a socket"))?;
    let sender = UdpSocket::bind("127.0.0.1:0").map_err(fault("cannot bind a socket"))?;
    let to = receiver.local_addr().map_err(fault("getsockname"))?;
    sender.connect(to).map_err(fault("connect"))?;
    let message = [7; 1024];
    let refused = (0..MESSAGES).filter(|_| sender.send(&message).is_err()).count();
    notes.add(format!("{MESSAGES} datagrams of 1024 bytes sent, {refused} refused"), refused == 0);
    let memory = received(receiver.as_fd()).map_err(fault("SO_MEMINFO"))?;
    receiver.set_nonblocking(true).map_err(fault("fcntl"))?;
    let mut buffer = [0; 2048];
    let mut arrived = 0;
    while receiver.recv(&mut buffer).is_ok() {
        arrived += 1;
    }
    let drops = memory.drops as usize;
    notes.add(
        format!("{arrived} arrived, {drops} were dropped at a buffer of {} bytes", memory.limit),
        arrived + drops == MESSAGES && drops > 0,
    );
    Ok(notes.end(
        "UDP has no back-pressure: what finds the receiver's buffer full is dropped, and every send succeeds all the \
         same. Only the receiver's kernel counts it; a protocol above must number its messages to notice.",
    ))
}
