//! UDP over the loopback interface: udp(7).
//!
//! Nothing waits for a receiver that is slow: what finds its buffer full is
//! lost. So the receiver here counts what came, and hears over the lifeline
//! that the sender has sent its last.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::sockopt::{
    set_socket_recv_buffer_size, set_socket_send_buffer_size, socket_recv_buffer_size, socket_send_buffer_size,
};
use rustix::net::{RecvFlags, SendFlags, SocketType, bind, connect, getsockname, recv, send};

use super::datagram::cut;
use super::peer::{Lifeline, Watch};
use super::pipe::set_nonblocking;
use super::tcp::{check, socket_of, unavailable};
use super::{About, Duty, End, Ends, Family, Gauge, Receiver, Sender, Setup, Sizes, Transport};
use crate::model::Fault;
use crate::model::channel::{Fill, Measure, Waiting};
use crate::sys::socket::received;

macro_rules! about {
    ($key:literal, $name:literal) => {
        About {
            key: $key,
            name: $name,
            family: Family::Messages,
            model: "A bounded queue of whole messages in front of each socket, and nobody who waits: a message that \
                    finds the receiver's buffer full is dropped, and neither side is told.",
            guarantees: &[
                "a message arrives whole or not at all",
                "over loopback messages keep their order",
                "the same code works between machines, and to several receivers at once",
            ],
            failures: &[
                "the receiver is slow: messages are lost, without an error (SO_MEMINFO counts the drops)",
                "the receiver is gone: ECONNREFUSED on a later send, if the socket is connected",
                "the sender is gone: nothing tells the receiver, which waits for ever",
                "a message longer than 65,507 bytes (IPv4): EMSGSIZE",
            ],
            loses: true,
            waits: &[Waiting::Block, Waiting::Spin],
        }
    };
}

/// The transport, over one version of the Internet Protocol.
#[derive(Debug)]
pub struct Udp {
    about: &'static About,
    host: IpAddr,
}

/// Over IPv4.
pub static V4: Udp = Udp { about: &about!("udp4", "UDP, IPv4"), host: IpAddr::V4(Ipv4Addr::LOCALHOST) };
/// Over IPv6.
pub static V6: Udp = Udp { about: &about!("udp6", "UDP, IPv6"), host: IpAddr::V6(Ipv6Addr::LOCALHOST) };

impl Transport for Udp {
    fn about(&self) -> &'static About {
        self.about
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        let key = self.about.key;
        let (asker, answerer) = self.connected(setup.buffer).map_err(|error| unavailable(key, self.host, &error))?;
        let fault = |error: io::Error| Fault::new(key, format!("cannot make two sockets: {error}"));
        let send = socket_send_buffer_size(&asker).map_err(|e| fault(e.into()))? as u64;
        let receive = socket_recv_buffer_size(&answerer).map_err(|e| fault(e.into()))? as u64;
        if let Some(bytes) = setup.buffer {
            check(key, bytes, send, "net.core.wmem_max")?;
            check(key, bytes, receive, "net.core.rmem_max")?;
        }
        let (a, b) = Lifeline::pair().map_err(fault)?;
        let watched = answerer.try_clone().map_err(fault)?;
        // The length field has 16 bits; over IPv4 it counts both headers.
        let most = if self.host.is_ipv4() { 65_535 - 20 - 8 } else { 65_535 - 8 };
        Ok(Ends {
            asker: End::of([asker, a]),
            answerer: End::of([answerer, b]),
            buffer: receive,
            sizes: Sizes::up_to(most, "the length field of UDP"),
            names: Vec::new(),
            gauge: Box::new(ReceiveQueue { socket: watched }),
        })
    }

    fn attach(&self, end: End, setup: &Setup, duty: Duty) -> io::Result<()> {
        let [socket, lifeline] = end.take()?;
        if setup.wait == Waiting::Spin {
            set_nonblocking(socket.as_fd())?;
        }
        let peer = Lifeline::new(lifeline);
        let receiver = UdpReceiver {
            socket: socket.try_clone()?,
            watch: Watch::of_receiver(&peer),
            peer: peer.clone(),
            over: false,
            quiet: 0,
        };
        duty.serve(UdpSender { socket, peer }, receiver)
    }
}

impl Udp {
    /// Two sockets that hear each other only.
    fn connected(&self, buffer: Option<u64>) -> io::Result<(OwnedFd, OwnedFd)> {
        let new = || -> io::Result<OwnedFd> {
            let socket = socket_of(self.host, SocketType::DGRAM)?;
            if let Some(bytes) = buffer {
                let size = usize::try_from(bytes).unwrap_or(usize::MAX).min(i32::MAX as usize);
                set_socket_send_buffer_size(&socket, size)?;
                set_socket_recv_buffer_size(&socket, size)?;
            }
            bind(&socket, &SocketAddr::new(self.host, 0))?;
            Ok(socket)
        };
        let (asker, answerer) = (new()?, new()?);
        connect(&asker, &getsockname(&answerer)?)?;
        connect(&answerer, &getsockname(&asker)?)?;
        Ok((asker, answerer))
    }
}

#[derive(Debug)]
struct UdpSender {
    socket: OwnedFd,
    peer: Lifeline,
}

impl Sender for UdpSender {
    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        loop {
            match send(&self.socket, message, SendFlags::NOSIGNAL) {
                Ok(sent) if sent == message.len() => return Ok(()),
                Ok(_) => return Err(cut()),
                Err(Errno::AGAIN) => std::hint::spin_loop(),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.peer.say()
    }
}

#[derive(Debug)]
struct UdpReceiver {
    socket: OwnedFd,
    watch: Watch,
    peer: Lifeline,
    /// The sender has sent the last message of this order.
    over: bool,
    /// For how many ticks nothing came.
    quiet: u32,
}

/// After this many ticks without a message one is given up, or after one tick
/// once it is known that no more was sent: loopback delivers at once.
const PATIENCE: u32 = 5;

impl UdpReceiver {
    /// A tick went by and nothing came.
    #[cold]
    fn waited(&mut self) -> io::Result<()> {
        self.quiet += 1;
        if self.over || self.quiet >= PATIENCE {
            self.quiet = 0;
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.over = self.peer.heard(false)?;
        Ok(())
    }
}

impl Receiver for UdpReceiver {
    const DEAF: bool = true;
    const LOSSY: bool = true;

    #[inline]
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()> {
        loop {
            match recv(&self.socket, &mut *message, RecvFlags::TRUNC) {
                Ok((_, size)) if size == message.len() => {
                    self.quiet = 0;
                    return Ok(());
                }
                Ok(_) => return Err(cut()),
                Err(Errno::AGAIN) => {
                    if self.watch.tried()? {
                        self.waited()?;
                    }
                }
                Err(Errno::INTR) => {
                    self.watch.interrupted()?;
                    self.waited()?;
                }
                // What was sent before found nobody: the peer is gone, or was
                // not there yet.
                Err(Errno::CONNREFUSED) => self.watch.interrupted()?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn conclude(&mut self) -> io::Result<()> {
        if !self.over {
            self.peer.heard(true)?;
        }
        (self.over, self.quiet) = (false, 0);
        Ok(())
    }
}

/// What waits for the receiver, in the kernel's own accounting.
#[derive(Debug)]
struct ReceiveQueue {
    socket: OwnedFd,
}

impl Gauge for ReceiveQueue {
    fn fill(&self) -> Option<Fill> {
        let memory = received(self.socket.as_fd()).ok()?;
        Some(Fill { queued: memory.queued, capacity: memory.limit, by: Measure::SoMeminfo })
    }
}
