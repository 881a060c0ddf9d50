//! A program in a pseudo-terminal, with a thread that reads along: every piece
//! of output with the moment it came, and answers to what programs ask a
//! terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::pty::{Winsize, openpty};
use vt100::Screen;

/// A running program and its terminal.
pub(crate) struct Pty {
    /// The program, which leads its session.
    pub(crate) child: Child,
    master: Arc<File>,
    /// Keeps the terminal open after the program has ended.
    slave: OwnedFd,
    heard: Arc<Heard>,
    reader: Option<JoinHandle<()>>,
    size: (u16, u16),
    /// Just before the program was started.
    pub(crate) started: Instant,
}

#[derive(Default)]
struct Heard {
    pieces: Mutex<Vec<Piece>>,
    more: Condvar,
}

/// What one read(2) brought.
struct Piece {
    at: Instant,
    bytes: Vec<u8>,
}

impl Pty {
    /// Starts a program as the leader of a session whose terminal has this
    /// many columns and rows.
    pub(crate) fn start(command: &mut Command, columns: u16, rows: u16) -> std::io::Result<Self> {
        let pty = openpty(&Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }, None)?;
        let stdio = || pty.slave.try_clone().map(Stdio::from);
        command.stdin(stdio()?).stdout(stdio()?).stderr(stdio()?);
        command.env("TERM", "xterm-256color").env("COLORTERM", "truecolor").env("LANG", "C.UTF-8");
        command.env_remove("NO_COLOR");
        // SAFETY: between fork and exec only these two system calls are made.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                match libc::ioctl(0, libc::TIOCSCTTY, 0) {
                    -1 => Err(std::io::Error::last_os_error()),
                    _ => Ok(()),
                }
            });
        }
        let heard = Arc::new(Heard::default());
        let master = Arc::new(File::from(pty.master));
        let started = Instant::now();
        let child = command.spawn()?;
        let reader = std::thread::spawn({
            let (master, heard) = (master.clone(), heard.clone());
            move || listen(&master, &heard)
        });
        Ok(Pty { child, master, slave: pty.slave, heard, reader: Some(reader), size: (columns, rows), started })
    }

    /// Types.
    pub(crate) fn send(&self, keys: &str) -> std::io::Result<()> {
        (&*self.master).write_all(keys.as_bytes())
    }

    /// The piece of output with this index and when it came, once it is there;
    /// waits for it so long at most.
    pub(crate) fn piece(&self, index: usize, limit: Duration) -> Option<(Instant, Vec<u8>)> {
        let deadline = Instant::now() + limit;
        let mut pieces = self.pieces();
        while pieces.len() <= index {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            pieces = self.heard.more.wait_timeout(pieces, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Some((pieces[index].at, pieces[index].bytes.clone()))
    }

    /// When the screen was first as `is` wants it, of all that has been heard.
    pub(crate) fn first(&self, is: impl Fn(&Screen) -> bool) -> Option<Duration> {
        let mut parser = vt100::Parser::new(cells(self.size.1), cells(self.size.0), 0);
        self.pieces().iter().find_map(|piece| {
            parser.process(&piece.bytes);
            is(parser.screen()).then(|| piece.at - self.started)
        })
    }

    /// How many rows of the screen hold text now.
    pub(crate) fn rows_in_use(&self) -> usize {
        let mut parser = vt100::Parser::new(cells(self.size.1), cells(self.size.0), 0);
        self.pieces().iter().for_each(|piece| parser.process(&piece.bytes));
        rows_in_use(parser.screen())
    }

    /// The text on the screen now.
    pub(crate) fn text(&self) -> String {
        let mut parser = vt100::Parser::new(cells(self.size.1), cells(self.size.0), 0);
        self.pieces().iter().for_each(|piece| parser.process(&piece.bytes));
        parser.screen().contents()
    }

    fn pieces(&self) -> MutexGuard<'_, Vec<Piece>> {
        self.heard.pieces.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        // Wakes the reader, which is to see a last message and go.
        *self.pieces() = Vec::new();
        if let Some(reader) = self.reader.take() {
            let _ = nix::unistd::write(&self.slave, &[LAST]);
            let _ = reader.join();
        }
    }
}

/// Tells the reader to end: no program writes it on its own.
const LAST: u8 = 0;

/// How many rows hold a letter or a digit.
pub(crate) fn rows_in_use(screen: &Screen) -> usize {
    let (_, columns) = screen.size();
    screen.rows(0, columns.get()).filter(|row| row.chars().any(char::is_alphanumeric)).count()
}

fn listen(master: &File, heard: &Heard) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length) = (&*master).read(&mut buffer) {
        let at = Instant::now();
        let bytes = buffer[..length].to_vec();
        answer(master, &bytes);
        let last = bytes.last() == Some(&LAST);
        heard.pieces.lock().unwrap_or_else(PoisonError::into_inner).push(Piece { at, bytes });
        heard.more.notify_all();
        if last {
            return;
        }
    }
}

/// Answers the queries of a program that asks what terminal it has.
fn answer(mut master: &File, bytes: &[u8]) {
    const ANSWERS: [(&[u8], &[u8]); 3] =
        [(b"\x1b[6n", b"\x1b[1;1R"), (b"\x1b[5n", b"\x1b[0n"), (b"\x1b[c", b"\x1b[?62;22c")];
    for (question, answer) in ANSWERS {
        if bytes.windows(question.len()).any(|window| window == question) {
            let _ = master.write_all(answer);
        }
    }
}

fn cells(count: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(count).unwrap_or(std::num::NonZeroU16::MIN)
}
