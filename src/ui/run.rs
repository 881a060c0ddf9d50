//! The loop.
//!
//! One thread waits for the terminal's events, one for signals; this one waits
//! for both and for the backend's bell, and draws. A key is drawn at once;
//! updates are drawn together, at most every 33 ms.

use std::io::{self, BufWriter, Write};
use std::time::{Duration, Instant};

use color_eyre::eyre::{WrapErr, bail};
use crossbeam_channel::{Receiver, bounded, never, select_biased};
use crossterm::event::Event;
use ratatui::Terminal;
use signal_hook::consts::SIGHUP;

use super::app::{After, App};
use super::painter::Painter;
use super::signals::{Heard, Signals};
use super::tty::{self, Output, Session};
use crate::backend::Backend;
use crate::sys::priority;
use crate::sys::spawn::gate;
use crate::sys::thread::start_thread;

/// The shortest time between two frames that only updates ask for.
const FRAME: Duration = Duration::from_millis(33);
/// How long the first of several updates waits for the others.
const GATHER: Duration = Duration::from_millis(2);
/// How often the backend is polled though nothing rings, to look after
/// readings that hang and to age what is on the screen.
const IDLE: Duration = Duration::from_secs(1);

type Screen = Terminal<Painter<BufWriter<Output>>>;

/// Why the dashboard ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A person quit.
    Quit,
    /// A signal ended it, or the terminal went away.
    Signal(i32),
}

/// Runs the dashboard until somebody quits.
///
/// # Errors
/// What the terminal said.
pub fn run(app: &mut App, backend: &mut Backend) -> color_eyre::Result<End> {
    priority::be_prompt();
    let signals = Signals::heed().wrap_err("cannot listen for signals")?;
    let session = Session::enter().wrap_err("cannot set up the terminal")?;
    let mut screen = Terminal::new(Painter::new(BufWriter::with_capacity(1 << 16, Output)))?;
    // What was on the alternate screen before is not known.
    let end = wipe(&mut screen).map_err(Into::into).and_then(|()| turn(app, backend, &mut screen, &signals.received));
    drop(session);
    end.or_else(|error| match signals.end() {
        Some(signal) if tty::is_given_up() => Ok(End::Signal(signal)),
        // The signal that tells of it may come later than the failure to draw.
        _ if is_hang_up(&error) => Ok(End::Signal(SIGHUP)),
        _ => Err(error),
    })
}

/// Whether this is what a terminal answers that has been closed, `tty(4)`.
fn is_hang_up(error: &color_eyre::Report) -> bool {
    let code = error.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error);
    matches!(code, Some(libc::EIO | libc::ENXIO | libc::EPIPE))
}

fn turn(
    app: &mut App,
    backend: &mut Backend,
    screen: &mut Screen,
    signals: &Receiver<Heard>,
) -> color_eyre::Result<End> {
    let events = listen()?;
    let bell = backend.bell().clone();
    // What is to be sampled follows from what the first, empty frame has room for.
    if let Some(_writing) = tty::ours() {
        draw(app, screen)?;
    }
    // The last frame that updates asked for. Others keep them at no distance: what
    // a key leads to, such as a child's answer, comes right behind it.
    let mut last_frame: Option<Instant> = None;
    let mut due: Option<Instant> = None;
    loop {
        if tty::has_panicked() {
            bail!("a part of the program has panicked; its message stands above");
        }
        obey(app, backend);
        let wait = due.map_or(IDLE, |d| d.saturating_duration_since(Instant::now()));
        let bell = if due.is_some() { &never() } else { &bell };
        let mut told = false;
        let after = select_biased! {
            recv(events) -> event => match event {
                Ok(event) => app.on_event(&event),
                Err(_) => return Ok(End::Signal(SIGHUP)),
            },
            recv(signals) -> signal => match signal {
                Ok(Heard::Continue) => After::Redraw,
                Ok(Heard::End(signal)) => return Ok(End::Signal(signal)),
                Err(_) => After::Nothing,
            },
            recv(bell) -> _ => {
                let soon = Instant::now() + GATHER;
                due = Some(last_frame.map_or(soon, |frame| soon.max(frame + FRAME)));
                After::Nothing
            },
            default(wait) => {
                due = None;
                backend.poll(|update| told |= app.on_update(&update));
                if told { After::Draw } else { After::Nothing }
            },
        };
        if after == After::Nothing {
            continue;
        }
        let Some(_writing) = tty::ours() else { continue };
        match after {
            After::Nothing | After::Draw => {}
            After::Redraw => wipe(screen)?,
            After::Suspend => suspend(screen)?,
            After::Quit => return Ok(End::Quit),
        }
        obey(app, backend);
        if let Some(text) = app.take_copied() {
            copy(&text)?;
        }
        let drawn = draw(app, screen)?;
        last_frame = if told { Some(drawn) } else { last_frame };
    }
}

/// Hands the backend what the dashboard asks for.
fn obey(app: &mut App, backend: &mut Backend) {
    for command in app.take_commands() {
        backend.send(command);
    }
}

/// Hands text to the terminal's clipboard by OSC 52, of which a terminal that
/// does not know it or must not do it takes no notice.
fn copy(text: &str) -> io::Result<()> {
    Output.write_all(format!("\x1b]52;c;{}\x07", base64(text.as_bytes())).as_bytes())
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = char::from(LETTERS[(word >> (18 - 6 * place) & 63) as usize]);
            out.push(if place <= chunk.len() { letter } else { '=' });
        }
    }
    out
}

fn draw(app: &mut App, screen: &mut Screen) -> io::Result<Instant> {
    screen.draw(|frame| app.draw(frame))?;
    Ok(Instant::now())
}

/// The terminal's events, read on a thread of their own. It ends with the
/// program; nothing can interrupt its read.
fn listen() -> io::Result<Receiver<Event>> {
    let (sender, events) = bounded(64);
    let read = move || {
        while let Ok(event) = crossterm::event::read() {
            if sender.send(event).is_err() {
                return;
            }
        }
    };
    start_thread("events", Box::new(read))?;
    Ok(events)
}

/// Gives the terminal back, stops as `Ctrl-Z` asks, and takes it again.
fn suspend(screen: &mut Screen) -> io::Result<()> {
    tty::restore();
    // The whole job stops here until the shell continues it.
    let stop = || rustix::process::kill_current_process_group(rustix::process::Signal::TSTP);
    gate::while_closed(stop)?;
    tty::set_up()?;
    wipe(screen)
}

/// Clears the terminal and forgets what stood there, so that the next frame is
/// drawn whole. [`Terminal::clear`] would ask the terminal for the cursor's
/// position first; the answer goes to the thread that reads events, and the
/// question fails after two seconds.
fn wipe(screen: &mut Screen) -> io::Result<()> {
    let size = screen.size()?;
    screen.resize(size.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clipboards_are_told_in_base64() {
        let cases = [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob\u{e4}r", "Zm9vYsOkcg==")];
        for (text, expected) in cases {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }
}
