//! System V message queues: sysvipc(7), one for each direction.
//!
//! A queue has no descriptor: it goes when it is removed, and not before. So
//! its key, chosen at random, is registered with the janitor before it is
//! made, and kept until both workers are gone.

use std::io;

use rustix::io::Errno;

use super::datagram::cut;
use super::peer::{Lifeline, Watch};
use super::{About, Duty, End, Ends, Family, Gauge, Receiver, Sender, Setup, Sizes, Transport, namespace, private};
use crate::backend::janitor::{Name, NameGuard, register_name};
use crate::model::Fault;
use crate::model::channel::{Fill, Measure, Waiting};
use crate::sys::sysv::{self, Envelope};

static ABOUT: About = About {
    key: "sysv_mq",
    name: "System V queue",
    family: Family::Messages,
    model: "A bounded queue of whole messages with types, one way. A receiver may ask for a type; otherwise the \
            oldest comes first. The bound is a number of bytes (kernel.msgmnb).",
    guarantees: &[
        "messages arrive whole, once, in order, unharmed",
        "a sender sleeps while it is full, a receiver while it is empty",
        "removing the queue wakes everybody who waits in it (EIDRM)",
    ],
    failures: &[
        "the peer is gone: nothing tells; a full or empty queue blocks for ever",
        "a message longer than kernel.msgmax, 8 KiB by default: EINVAL",
        "no descriptor: it cannot be polled, and it outlives every process until somebody removes it by its id",
    ],
    loses: false,
    waits: &[Waiting::Block, Waiting::Spin],
};

/// The transport.
#[derive(Debug)]
pub struct SysvMq;

impl Transport for SysvMq {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        namespace::enter();
        let fault = |error: io::Error| Fault::new(ABOUT.key, format!("cannot make a queue: {error}"));
        let ((there, there_name), (back, back_name)) = (make(setup.buffer)?, make(setup.buffer)?);
        let (_, buffer) = sysv::queue_fill(there).map_err(fault)?;
        let (a, b) = Lifeline::pair().map_err(fault)?;
        let longest = limit("msgmax").unwrap_or(8192).min(buffer as usize);
        let why = if longest == buffer as usize { "the queue's own size" } else { "kernel.msgmax" };
        Ok(Ends {
            asker: End { fds: vec![a], ids: vec![there, back], ..End::default() },
            answerer: End { fds: vec![b], ids: vec![back, there], ..End::default() },
            buffer,
            sizes: Sizes::up_to(longest, why),
            names: vec![there_name, back_name],
            gauge: Box::new(Queued(there)),
        })
    }

    fn attach(&self, end: End, setup: &Setup, duty: Duty) -> io::Result<()> {
        let [out, inward] = <[i32; 2]>::try_from(&*end.ids).map_err(|_| io::ErrorKind::InvalidInput)?;
        let [lifeline] = end.take()?;
        let peer = Lifeline::new(lifeline);
        let waits = setup.wait != Waiting::Spin;
        let longest = limit("msgmax").unwrap_or(8192);
        let envelope = || Envelope::new(longest);
        let sender = QueueEnd { queue: out, envelope: envelope(), waits, watch: Watch::of_sender(&peer) };
        let receiver = QueueEnd { queue: inward, envelope: envelope(), waits, watch: Watch::of_receiver(&peer) };
        duty.serve(sender, receiver)
    }
}

/// Makes a queue; the guard removes it.
fn make(buffer: Option<u64>) -> Result<(i32, NameGuard), Fault> {
    let fault = |error: io::Error| {
        let fault = Fault::new(ABOUT.key, format!("cannot make a queue: {error}"));
        match error.raw_os_error() {
            Some(libc::ENOSPC) => fault.hint("there are more than kernel.msgmni allows"),
            _ => fault,
        }
    };
    let (queue, name) = under_key(Name::SysvQueueKey, sysv::make_queue, fault)?;
    let Some(bytes) = buffer else { return Ok((queue, name)) };
    // The kernel keeps the size in an int and cuts off what does not fit.
    if i32::try_from(bytes).is_err() {
        return Err(Fault::new(
            ABOUT.key,
            format!("a buffer of {bytes} bytes is above the kernel's limit of 2147483647"),
        ));
    }
    match sysv::resize_queue(queue, bytes) {
        Ok(()) => Ok((queue, name)),
        Err(error) => {
            let most = limit("msgmnb").unwrap_or_default();
            Err(Fault::new(
                ABOUT.key,
                format!("a buffer of {bytes} bytes is above the limit kernel.msgmnb, {most}: {error}"),
            )
            .hint("raise kernel.msgmnb, or run with CAP_SYS_RESOURCE"))
        }
    }
}

/// Makes something under a random key that is registered first. A key that is
/// in use is given back untouched.
pub(super) fn under_key(
    name: fn(i32) -> Name,
    make: impl Fn(i32) -> io::Result<i32>,
    fault: impl Fn(io::Error) -> Fault,
) -> Result<(i32, NameGuard), Fault> {
    loop {
        // Positive, and not IPC_PRIVATE.
        let key = (private::random() >> 33) as i32 | 1;
        let guard = register_name(name(key))?;
        match make(key) {
            Ok(id) => return Ok((id, guard)),
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => guard.not_ours(),
            Err(error) => {
                guard.not_ours();
                return Err(fault(error));
            }
        }
    }
}

/// A limit of sysvipc(7).
pub(super) fn limit(name: &str) -> Option<usize> {
    std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()?.trim().parse().ok()
}

#[derive(Debug)]
struct QueueEnd {
    queue: i32,
    envelope: Envelope,
    waits: bool,
    watch: Watch,
}

impl Sender for QueueEnd {
    const DEAF: bool = true;

    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        loop {
            match self.envelope.send(self.queue, message, self.waits) {
                Ok(()) => return Ok(()),
                Err(Errno::AGAIN) => drop(self.watch.tried()?),
                Err(Errno::INTR) => self.watch.interrupted()?,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Receiver for QueueEnd {
    const DEAF: bool = true;

    #[inline]
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()> {
        loop {
            match self.envelope.receive(self.queue, message, self.waits) {
                Ok(size) if size == message.len() => return Ok(()),
                Ok(_) => return Err(cut()),
                Err(Errno::AGAIN) => drop(self.watch.tried()?),
                Err(Errno::INTR) => self.watch.interrupted()?,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[derive(Debug)]
struct Queued(i32);

impl Gauge for Queued {
    fn fill(&self) -> Option<Fill> {
        let (queued, capacity) = sysv::queue_fill(self.0).ok()?;
        Some(Fill { queued, capacity, by: Measure::Msgctl })
    }
}
