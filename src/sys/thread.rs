//! Starting threads: a way that is compiled once, whatever they do.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread of this name (of which the kernel keeps fifteen bytes).
///
/// # Errors
/// Where there can be no more threads.
#[inline(never)]
pub fn start_thread(name: &str, life: Box<dyn FnOnce() + Send>) -> io::Result<JoinHandle<()>> {
    Builder::new().name(name.to_owned()).spawn(life)
}
