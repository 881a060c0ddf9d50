//! Queues between two threads of one process, to compare the transports with:
//! nothing crosses a process, so nothing is attached. One worker process makes
//! both directions and serves both sides, each on a thread of its own.

pub mod crossbeam;
pub mod rtrb;
pub mod std_mpsc;

use std::io;

use super::datagram::cut;
use super::eventfd::Unseen;
use super::shared_ring::capacity;
use super::{End, Ends, Setup, Sizes};
use crate::model::Fault;

/// What the lab's process keeps of a queue that it cannot see: its size.
fn create(key: &'static str, setup: &Setup, sizes: Sizes) -> Result<Ends, Fault> {
    let buffer = capacity(key, setup.buffer)? as u64;
    Ok(Ends {
        asker: End::default(),
        answerer: End::default(),
        buffer,
        sizes,
        names: Vec::new(),
        gauge: Box::new(Unseen),
    })
}

/// The same for a queue of boxed messages, which is made for messages of one
/// size.
fn create_boxed(key: &'static str, setup: &Setup) -> Result<Ends, Fault> {
    create(key, setup, Sizes::between(setup.size, setup.size, "the number of its slots follows from the size"))
}

/// How many boxed messages fit into the buffer asked for: at least one.
fn slots(setup: &Setup) -> io::Result<usize> {
    let bytes = capacity("", setup.buffer).map_err(|fault| io::Error::other(fault.what))?;
    Ok((bytes / setup.size.max(1)).max(1))
}

/// Copies a boxed message out and frees it.
fn unpack(boxed: &[u8], message: &mut [u8]) -> io::Result<()> {
    if boxed.len() != message.len() {
        return Err(cut());
    }
    message.copy_from_slice(boxed);
    Ok(())
}
