//! The signals that end the dashboard, and the one that continues it.
//!
//! ```text
//! kernel ──► thread "signals" ──Heard──► the loop, which ends, or draws anew
//!                   └─ not ended within a second: give up the terminal,
//!                      interrupt the loop; not ended then either: exit
//! ```

use std::io;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM};

use super::tty;
use crate::model::Pid;
use crate::sys::thread::start_thread;
use crate::sys::tick;

/// So long the loop has to take a signal and to give the terminal back.
const PATIENCE: Duration = Duration::from_secs(1);
/// So long again, from when the terminal is given up.
const LAST: Duration = Duration::from_secs(3);
/// How often the loop is interrupted: a signal that comes just before a write starts
/// does not interrupt it.
const AGAIN: Duration = Duration::from_millis(50);

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// The program was stopped, and somebody may have written to the terminal.
    Continue,
    /// To end, with this signal's number.
    End(i32),
}

/// Signals as messages.
#[derive(Debug)]
pub(super) struct Signals {
    pub(super) received: Receiver<Heard>,
    /// Gone when the terminal has been given back.
    _alive: Sender<()>,
}

impl Signals {
    /// Listens from now on, on behalf of the calling thread.
    ///
    /// # Errors
    /// Whatever sigaction(2) says, or why there is no further thread.
    pub(super) fn heed() -> io::Result<Self> {
        let (sender, received) = bounded(2);
        let (alive, gone) = bounded(0);
        let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT, SIGHUP, SIGCONT])?;
        let writer = rustix::thread::gettid().as_raw_nonzero().get();
        let listen = move || {
            for signal in signals.forever() {
                let ends = signal != SIGCONT;
                let heard = if ends { Heard::End(signal) } else { Heard::Continue };
                // To be continued once is enough, and so there is always room for the end.
                if ends || sender.is_empty() {
                    let _ = sender.try_send(heard);
                }
                if ends {
                    return insist(writer, &gone, signal);
                }
            }
        };
        start_thread("signals", Box::new(listen))?;
        Ok(Signals { received, _alive: alive })
    }

    /// The signal that is to end the program, if one has come.
    pub(super) fn end(&self) -> Option<i32> {
        self.received.try_iter().find_map(|heard| match heard {
            Heard::End(signal) => Some(signal),
            Heard::Continue => None,
        })
    }
}

/// Sees to it that the program ends.
fn insist(writer: Pid, gone: &Receiver<()>, signal: i32) {
    if gone.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
        return;
    }
    tty::give_up();
    let until = Instant::now() + LAST;
    while Instant::now() < until {
        let _ = tick::interrupt(writer);
        if gone.recv_timeout(AGAIN) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
    // It waits for something else, and giving the terminal back may do so, too. What
    // we have started ends with us, by the janitor.
    let (done, restored) = bounded::<()>(0);
    let restore = move || {
        tty::restore();
        drop(done);
    };
    let _ = start_thread("restoring", Box::new(restore));
    let _ = restored.recv_timeout(PATIENCE);
    std::process::exit(128 + signal)
}
