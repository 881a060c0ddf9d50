//! The crate ipc-channel, which Servo is built on.
//!
//! Its channels can only be made by their own bootstrap: one side serves a
//! name once, the other connects to it and hands over the ends.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;

use ::ipc_channel::IpcError;
use ::ipc_channel::ipc::{IpcBytesReceiver, IpcBytesSender, IpcOneShotServer, IpcSender, bytes_channel};

use super::datagram::cut;
use super::eventfd::Unseen;
use super::peer::Lifeline;
use super::private::Directory;
use super::protocol::Side;
use super::{About, Duty, End, Ends, Family, Receiver, Sender, Setup, Sizes, Transport};
use crate::model::Fault;
use crate::model::channel::Waiting;

static ABOUT: About = About {
    key: "ipc_channel",
    name: "ipc-channel",
    family: Family::Messages,
    model: "A queue of messages with the interface of mpsc, over Unix seqpacket sockets; a message larger than the \
            socket's buffer is cut up and sent through a socket of its own. Here its channel of plain bytes: nothing \
            is serialised, but each message is received into memory allocated for it.",
    guarantees: &[
        "messages arrive once, in order, whole, at any size",
        "ends of channels and shared memory can be sent through it",
    ],
    failures: &[
        "the receiver is gone: EPIPE or ECONNRESET on sending",
        "all senders are gone: receiving says that it is disconnected",
        "its buffer is the socket's, and cannot be changed",
    ],
    loses: false,
    waits: &[Waiting::Block],
};

/// The transport.
#[derive(Debug)]
pub struct IpcChannel;

/// What the answering side is handed: what it receives from and sends into.
type Handed = (IpcBytesReceiver, IpcBytesSender);

impl Transport for IpcChannel {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        if setup.buffer.is_some() {
            return Err(Fault::new(ABOUT.key, "it has no buffer whose size can be chosen"));
        }
        let (a, b) = Lifeline::pair().map_err(|e| Fault::new(ABOUT.key, format!("cannot make a socket pair: {e}")))?;
        let (directory, name) = Directory::make(ABOUT.key)?.into_parts();
        let end = |socket| End { directory: Some(directory.clone()), ..End::of([socket]) };
        Ok(Ends {
            asker: end(a),
            answerer: end(b),
            buffer: wmem_default()?,
            sizes: Sizes::ANY,
            names: vec![name],
            gauge: Box::new(Unseen),
        })
    }

    fn attach(&self, end: End, _setup: &Setup, duty: Duty) -> io::Result<()> {
        let [socket] = end.take()?;
        let socket = UnixStream::from(socket);
        let (sender, receiver) = match duty.side {
            Side::Asker => ask(&socket)?,
            Side::Answerer => serve(&socket)?,
        };
        duty.serve(Bytes(sender), Bytes(receiver))
    }
}

/// Serves a name once and says it to the other side.
fn serve(mut socket: &UnixStream) -> io::Result<(IpcBytesSender, IpcBytesReceiver)> {
    let (server, name) = IpcOneShotServer::<Handed>::new()?;
    socket.write_all(name.as_bytes())?;
    socket.shutdown(std::net::Shutdown::Write)?;
    let (_, (receiver, sender)) = server.accept().map_err(other)?;
    Ok((sender, receiver))
}

/// Connects to that name and hands over the other side's ends.
fn ask(mut socket: &UnixStream) -> io::Result<(IpcBytesSender, IpcBytesReceiver)> {
    let mut name = String::new();
    socket.read_to_string(&mut name)?;
    let bootstrap = IpcSender::<Handed>::connect(name)?;
    let (there, arrived) = bytes_channel()?;
    let (back, returned) = bytes_channel()?;
    bootstrap.send((arrived, back)).map_err(other)?;
    Ok((there, returned))
}

fn other(error: IpcError) -> io::Error {
    match error {
        IpcError::Io(error) => error,
        IpcError::Disconnected => io::ErrorKind::UnexpectedEof.into(),
        IpcError::SerializationError(error) => io::Error::other(error.to_string()),
    }
}

/// What a socket's buffer is when nobody sets it: socket(7).
fn wmem_default() -> Result<u64, Fault> {
    const PATH: &str = "/proc/sys/net/core/wmem_default";
    let text = std::fs::read_to_string(PATH).map_err(|e| Fault::new(ABOUT.key, format!("cannot read {PATH}: {e}")))?;
    text.trim().parse().map_err(|_| Fault::new(ABOUT.key, format!("{PATH} has no number")))
}

/// An end for plain bytes.
#[derive(Debug)]
struct Bytes<E>(E);

impl Sender for Bytes<IpcBytesSender> {
    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.0.send(message)
    }
}

impl Receiver for Bytes<IpcBytesReceiver> {
    #[inline]
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()> {
        let got = self.0.recv().map_err(other)?;
        if got.len() != message.len() {
            return Err(cut());
        }
        message.copy_from_slice(&got);
        Ok(())
    }
}
