//! The terminal: taken, written to, given back.
//!
//! Who writes to a terminal that nobody reads, or whose window hangs, waits in the
//! kernel, deaf to everything but a signal that interrupts the write. [`give_up`] and
//! interrupting the writer, [`tick::interrupt`](crate::sys::tick::interrupt), end that
//! wait: what was still to be drawn is lost, and so is what nobody has read yet, for
//! which the terminal finds room for the few bytes that give it back.

use std::io::{self, Write, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture};
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use parking_lot::{Mutex, MutexGuard};
use rustix::io::Errno;
use rustix::termios::{QueueSelector, tcflush};

/// Set by a panic on any thread before it gives the terminal back: nothing is to be
/// drawn over its message.
static LOST: AtomicBool = AtomicBool::new(false);
/// Set once the message stands: without that part the program must end soon.
static PANICKED: AtomicBool = AtomicBool::new(false);
/// Whether the terminal is as the dashboard has set it up.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether nothing more is to be written, since it does not get there.
static GIVEN_UP: AtomicBool = AtomicBool::new(false);
/// Held by whoever writes to the terminal.
static WRITING: Mutex<()> = Mutex::new(());
/// A panic waits so long for the frame that is being written. There may be no end of
/// it: the thread that writes may be the one that panics.
const ONE_FRAME: Duration = Duration::from_millis(100);
/// Ends a control sequence of which only the beginning got there, ECMA-48.
const CANCEL: u8 = 0x18;

/// What is written to the terminal: at once, and until [`give_up`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Output;

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            if GIVEN_UP.load(Ordering::Acquire) {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "nobody reads what is written to the terminal"));
            }
            match rustix::io::write(stdout(), bytes) {
                Err(Errno::INTR) => {}
                done => return Ok(done?),
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Nothing more is written from now on; a write that waits ends when it is interrupted.
pub(super) fn give_up() {
    GIVEN_UP.store(true, Ordering::Release);
}

/// Whether [`give_up`] was called.
pub(super) fn is_given_up() -> bool {
    GIVEN_UP.load(Ordering::Acquire)
}

/// Whether a thread has panicked and has said so.
pub(super) fn has_panicked() -> bool {
    PANICKED.load(Ordering::Acquire)
}

/// The terminal, to write to it; `None` where a panic has given it back.
pub(super) fn ours() -> Option<MutexGuard<'static, ()>> {
    let writing = WRITING.lock();
    (!LOST.load(Ordering::Acquire)).then_some(writing)
}

/// The terminal in our hands; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Session;

impl Session {
    /// Takes the terminal, and gives it back before a panic says what it has to say.
    ///
    /// # Errors
    /// What the terminal said.
    pub(super) fn enter() -> io::Result<Self> {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            LOST.store(true, Ordering::Release);
            let _writing = WRITING.try_lock_for(ONE_FRAME);
            restore();
            before(info);
            PANICKED.store(true, Ordering::Release);
        }));
        // What was set up before it failed is given back, too.
        let session = Session;
        set_up().map(|()| session)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        restore();
    }
}

/// Takes the terminal.
///
/// # Errors
/// What the terminal said.
pub(super) fn set_up() -> io::Result<()> {
    TAKEN.store(true, Ordering::Release);
    enable_raw_mode()?;
    execute!(Output, EnterAlternateScreen, EnableMouseCapture, EnableBracketedPaste, cursor::Hide)
}

/// Gives the terminal back as it was, once: doing so again would put the cursor back
/// over what has been written since. Nothing is left to do where that fails.
pub(super) fn restore() {
    if !TAKEN.swap(false, Ordering::AcqRel) {
        return;
    }
    let mut last = vec![CANCEL];
    let _ = execute!(last, DisableBracketedPaste, DisableMouseCapture, LeaveAlternateScreen, cursor::Show);
    if Output.write_all(&last[1..]).is_err() {
        // Where nobody reads, this needs no room, and makes some.
        let _ = disable_raw_mode();
        let _ = tcflush(stdout(), QueueSelector::OFlush);
        let _ = rustix::io::write(stdout(), &last);
    }
    let _ = disable_raw_mode();
}
