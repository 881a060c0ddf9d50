//! POSIX message queues: `mq_overview(7)`, one for each direction.
//!
//! A queue's descriptor travels to the worker like any other, so its name is
//! gone as soon as it is made.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::io::Errno;

use super::datagram::cut;
use super::peer::{Lifeline, Watch};
use super::pipe::set_nonblocking;
use super::{About, Duty, End, Ends, Family, Gauge, Receiver, Sender, Setup, Sizes, Transport, namespace, private};
use crate::backend::janitor::{Name, register_name};
use crate::model::Fault;
use crate::model::channel::{Fill, Measure, Waiting};
use crate::sys::mq;

static ABOUT: About = About {
    key: "posix_mq",
    name: "POSIX queue",
    family: Family::Messages,
    model: "A bounded queue of whole messages with priorities, one way; of equal priority the oldest comes first. Its \
            depth and the longest message are fixed when it is made.",
    guarantees: &[
        "messages arrive whole, once, unharmed, in order of priority and age",
        "a sender sleeps while it is full, a receiver while it is empty, each with a time-out if wanted",
        "the queue lives in the kernel until it is unlinked and closed, whoever dies",
    ],
    failures: &[
        "the peer is gone: nothing tells; a full or empty queue blocks for ever",
        "a message longer than the queue was made for: EMSGSIZE",
        "all queues of a user share RLIMIT_MSGQUEUE, 800 KiB by default: EMFILE on making one",
        "the name outlives the processes: somebody has to unlink it",
    ],
    loses: false,
    waits: &[Waiting::Block, Waiting::Spin],
};

/// The transport.
#[derive(Debug)]
pub struct PosixMq;

/// Without a size of its own a queue takes no more than this of
/// `RLIMIT_MSGQUEUE`, a quarter of what is usual: there are two of them.
const OWN: usize = 200 << 10;

impl Transport for PosixMq {
    fn about(&self) -> &'static About {
        &ABOUT
    }

    fn create(&self, setup: &Setup) -> Result<Ends, Fault> {
        namespace::enter();
        let size = setup.size.max(1);
        let depth = match setup.buffer {
            Some(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX).div_ceil(size),
            None => (OWN / size).clamp(1, limit("msg_max").unwrap_or(10)),
        };
        let (there, back) = (make(depth, size)?, make(depth, size)?);
        let fault = |error: io::Error| Fault::new(ABOUT.key, format!("cannot make a queue: {error}"));
        let again = |fd: &OwnedFd| fd.try_clone().map_err(fault);
        let (a, b) = Lifeline::pair().map_err(fault)?;
        let gauge = Queued { queue: again(&there)? };
        Ok(Ends {
            asker: End::of([again(&there)?, again(&back)?, a]),
            answerer: End::of([back, there, b]),
            buffer: (depth * size) as u64,
            sizes: Sizes::up_to(size, "the size the queue was made for"),
            names: Vec::new(),
            gauge: Box::new(gauge),
        })
    }

    fn attach(&self, end: End, setup: &Setup, duty: Duty) -> io::Result<()> {
        let [out, inward, lifeline] = end.take()?;
        if setup.wait == Waiting::Spin {
            set_nonblocking(out.as_fd())?;
            set_nonblocking(inward.as_fd())?;
        }
        let peer = Lifeline::new(lifeline);
        let longest = mq::attributes(inward.as_fd())?.size;
        let sender = QueueSender { queue: out, watch: Watch::of_sender(&peer) };
        let receiver = QueueReceiver { queue: inward, watch: Watch::of_receiver(&peer), longest, whole: Vec::new() };
        duty.serve(sender, receiver)
    }
}

/// Makes a queue; its name is gone when it returns.
fn make(depth: usize, size: usize) -> Result<OwnedFd, Fault> {
    let name = format!("/{}", private::name());
    let _guard = register_name(Name::PosixQueue(name.clone().into()))?;
    mq::make(&name, depth, size).map_err(|error| refused(&error, depth, size))
}

/// Names the limit that a queue is above.
fn refused(error: &io::Error, depth: usize, size: usize) -> Fault {
    let above = |what: String, name: &str| {
        let most = limit(name).map_or("unknown".to_owned(), |most| most.to_string());
        Fault::new(ABOUT.key, format!("{what} is above the limit fs.mqueue.{name}, {most}"))
            .hint(format!("raise fs.mqueue.{name}, or run with CAP_SYS_RESOURCE"))
    };
    match error.raw_os_error() {
        // Beyond what even CAP_SYS_RESOURCE may, mq_overview(7).
        Some(libc::EINVAL | libc::EOVERFLOW | libc::ENOMEM) if size > 16 << 20 || depth > 65_536 => Fault::new(
            ABOUT.key,
            format!("{depth} messages of {size} bytes are above the kernel's own limit of 65536 of 16777216"),
        ),
        Some(libc::EINVAL) if limit("msgsize_max").is_some_and(|most| size > most) => {
            above(format!("a message of {size} bytes"), "msgsize_max")
        }
        Some(libc::EINVAL) => above(format!("a queue of {depth} messages"), "msg_max"),
        // The same error where no descriptor is left.
        Some(libc::EMFILE) if io::stdin().as_fd().try_clone_to_owned().is_ok() => Fault::new(
            ABOUT.key,
            format!("a queue of {depth} messages of {size} bytes is above the limit RLIMIT_MSGQUEUE"),
        )
        .hint("raise it: ulimit -q"),
        Some(libc::ENOSPC) => Fault::new(ABOUT.key, "there are more queues than the limit fs.mqueue.queues_max"),
        _ => Fault::new(ABOUT.key, format!("cannot make a queue: {error}")),
    }
}

/// A limit of `mq_overview(7)`.
fn limit(name: &str) -> Option<usize> {
    std::fs::read_to_string(format!("/proc/sys/fs/mqueue/{name}")).ok()?.trim().parse().ok()
}

#[derive(Debug)]
struct QueueSender {
    queue: OwnedFd,
    watch: Watch,
}

impl Sender for QueueSender {
    const DEAF: bool = true;

    #[inline]
    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        loop {
            match mq::send(self.queue.as_fd(), message) {
                Ok(()) => return Ok(()),
                Err(Errno::AGAIN) => drop(self.watch.tried()?),
                Err(Errno::INTR) => self.watch.interrupted()?,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[derive(Debug)]
struct QueueReceiver {
    queue: OwnedFd,
    watch: Watch,
    /// The kernel wants a buffer that holds the longest message.
    longest: usize,
    whole: Vec<u8>,
}

impl QueueReceiver {
    #[inline]
    fn take(&mut self, message: &mut [u8]) -> Result<usize, Errno> {
        if message.len() >= self.longest {
            return mq::receive(self.queue.as_fd(), message);
        }
        self.whole.resize(self.longest, 0);
        let got = mq::receive(self.queue.as_fd(), &mut self.whole)?;
        let both = got.min(message.len());
        message[..both].copy_from_slice(&self.whole[..both]);
        Ok(got)
    }
}

impl Receiver for QueueReceiver {
    const DEAF: bool = true;

    #[inline]
    fn receive(&mut self, message: &mut [u8]) -> io::Result<()> {
        loop {
            match self.take(message) {
                Ok(size) if size == message.len() => return Ok(()),
                Ok(_) => return Err(cut()),
                Err(Errno::AGAIN) => drop(self.watch.tried()?),
                Err(Errno::INTR) => self.watch.interrupted()?,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The kernel counts messages; each takes the room of the longest.
#[derive(Debug)]
struct Queued {
    queue: OwnedFd,
}

impl Gauge for Queued {
    fn fill(&self) -> Option<Fill> {
        let now = mq::attributes(self.queue.as_fd()).ok()?;
        let (queued, capacity) = ((now.queued * now.size) as u64, (now.depth * now.size) as u64);
        Some(Fill { queued, capacity, by: Measure::MqGetattr })
    }
}
