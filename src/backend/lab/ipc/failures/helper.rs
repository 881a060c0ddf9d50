//! What a worker process does for an experiment with shared memory: it does
//! the thing, says so, and waits to be killed.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::memory::Cell;
use crate::backend::lab::worker::{self, Boss};
use crate::sys::shm::SharedMap;
use crate::sys::sysv;

/// What it is to do.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Job {
    /// Lock the mutex in the memory that comes along.
    Hold,
    /// Write records into that memory, one after the other, without any
    /// synchronisation.
    Scribble,
    /// Make a System V segment under this key, and write into it and into the
    /// file that comes along.
    Leave(i32),
}

impl worker::Job for Job {
    const KIND: &'static str = "failure";

    fn work(self, mut boss: Boss, fds: Vec<OwnedFd>) -> io::Result<()> {
        let file = fds.first().ok_or(io::ErrorKind::InvalidInput)?;
        // The mutex must stay mapped: the kernel finds it through the list of
        // the thread that ends.
        let cell = Cell::of(file);
        let done = match self {
            Job::Hold => cell.as_ref().map_err(copy).and_then(Cell::hold),
            Job::Scribble => {
                boss.tell(&"at work")?;
                let cell = cell?;
                // Until it is killed, or its lab is gone.
                while !matches!(boss.hear::<()>(Some(std::time::Duration::ZERO)), Err(_) | Ok(Some(()))) {
                    (0..20_000).for_each(|number| cell.scribble(number));
                }
                return Ok(());
            }
            Job::Leave(key) => leave(key, file),
        };
        boss.tell(&done.map_or_else(|error| error.to_string(), |()| "done".to_owned()))?;
        // Killed while it waits here; or its lab is gone.
        let _ = boss.hear::<()>(None);
        Ok(())
    }
}

fn copy(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

fn leave(key: i32, file: &OwnedFd) -> io::Result<()> {
    let segment = sysv::make_segment(key, 4096)?;
    for map in [SharedMap::of_segment(segment)?, SharedMap::new(file)?] {
        Cell::at(&Arc::new(map)).scribble(super::memory::MARK);
    }
    Ok(())
}
