//! The real program in a pseudo-terminal, with an emulator that reads along.
//!
//! ```text
//! test ──keys, mouse──► master ═ pty ═ slave ──► program (leads its session)
//!   ▲                     │
//!   └── screen ◄─ vt100 ◄─┴─ reader thread, which also answers the queries
//! ```
//!
//! Nothing here sleeps for luck: every wait is for a condition, with a deadline
//! after which the test fails and shows the screen it saw.

pub(crate) mod relatives;

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::fcntl::{OFlag, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::stat::Mode;
use nix::sys::termios::{Termios, tcgetattr};
use vt100::{MouseProtocolMode, Screen};

nix::ioctl_write_ptr_bad!(set_window_size, libc::TIOCSWINSZ, Winsize);

/// How long anything may take. Only a failing test waits that long.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// How often a condition is looked at though the screen stands still.
const GLANCE: Duration = Duration::from_millis(20);

pub(crate) const ENTER: &str = "\r";
pub(crate) const ESCAPE: &str = "\x1b";
pub(crate) const UP: &str = "\x1b[A";
pub(crate) const DOWN: &str = "\x1b[B";
pub(crate) const TAB: &str = "\t";
pub(crate) const BACK_TAB: &str = "\x1b[Z";
pub(crate) const CTRL_C: &str = "\x03";
pub(crate) const CTRL_Z: &str = "\x1a";

/// A program that runs in a pseudo-terminal.
pub(crate) struct Terminal {
    child: Child,
    status: Option<ExitStatus>,
    master: Arc<File>,
    slave: OwnedFd,
    before: Termios,
    seen: Arc<Seen>,
    reader: Option<JoinHandle<()>>,
    /// Marks the environment of the program and of all that it starts.
    pub(crate) mark: relatives::Mark,
}

/// What the reader thread has read.
struct Seen {
    state: Mutex<State>,
    changed: Condvar,
    ended: AtomicBool,
}

struct State {
    parser: vt100::Parser<Queries>,
    bytes: u64,
    at: Instant,
}

/// Answers to what programs ask a terminal.
#[derive(Default)]
struct Queries {
    answers: Vec<u8>,
}

impl vt100::Callbacks for Queries {
    fn unhandled_csi(&mut self, screen: &mut Screen, i1: Option<u8>, _: Option<u8>, params: &[&[u16]], c: char) {
        let first = params.first().and_then(|p| p.first()).copied();
        match (i1, c, first) {
            (None, 'n', Some(5)) => self.answers.extend(b"\x1b[0n"),
            (None, 'n', Some(6)) => {
                let (row, column) = screen.cursor_position();
                self.answers.extend(format!("\x1b[{};{}R", row + 1, column + 1).bytes());
            }
            // Primary device attributes: a VT220 with colours.
            (None, 'c', _) => self.answers.extend(b"\x1b[?62;22c"),
            // No mode that is asked about is known (DECRQM).
            (Some(b'?'), 'p', Some(mode)) => self.answers.extend(format!("\x1b[?{mode};0$y").bytes()),
            _ => {}
        }
    }
}

impl Terminal {
    /// Starts `command` as the leader of a session whose terminal has this
    /// size. Its environment is ours but for what a terminal sets.
    pub(crate) fn start(mut command: Command, columns: u16, rows: u16) -> Self {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let (master, slave) = open_pty(&size);
        let mark = relatives::Mark::new();
        let stdio = || Stdio::from(slave.try_clone().unwrap());
        command.stdin(stdio()).stdout(stdio()).stderr(stdio());
        command
            .env("TERM", "xterm-256color")
            .env("COLORTERM", "truecolor")
            .env("LANG", "C.UTF-8")
            .env_remove("NO_COLOR");
        command.env(relatives::VARIABLE, mark.value());
        // SAFETY: between fork and exec only these two system calls are made.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                if libc::ioctl(0, libc::TIOCSCTTY, 0) == -1 {
                    return Err(std::io::Error::last_os_error());
                }
                Ok(())
            });
        }
        let before = tcgetattr(&slave).unwrap();
        let child = command.spawn().unwrap();
        // Its copies of the slave, which would keep the terminal open.
        drop(command);
        let parser = vt100::Parser::new_with_callbacks(cells(rows), cells(columns), 0, Queries::default());
        let state = Mutex::new(State { parser, bytes: 0, at: Instant::now() });
        let seen = Arc::new(Seen { state, changed: Condvar::new(), ended: AtomicBool::new(false) });
        let master = Arc::new(master);
        let mut terminal = Terminal { child, status: None, master, slave, before, seen, reader: None, mark };
        terminal.read_on();
        terminal
    }

    /// Reads what the program writes, from now on.
    pub(crate) fn read_on(&mut self) {
        self.seen.ended.store(false, Ordering::Release);
        let (master, seen) = (self.master.clone(), self.seen.clone());
        self.reader = Some(std::thread::spawn(move || read_along(&master, &seen)));
    }

    /// The program's pid, which is its session's and process group's as well.
    pub(crate) fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Types.
    pub(crate) fn send_keys(&self, keys: &str) {
        (&*self.master).write_all(keys.as_bytes()).unwrap();
    }

    /// Presses and releases the left button on a cell, counted from 0, as
    /// terminals report it in SGR mode.
    pub(crate) fn click(&self, column: usize, row: usize) {
        let (column, row) = (column + 1, row + 1);
        self.send_keys(&format!("\x1b[<0;{column};{row}M\x1b[<0;{column};{row}m"));
    }

    /// Clicks on the middle of the first place where `text` stands.
    pub(crate) fn click_on(&self, text: &str) {
        let lines = self.lines();
        let place = lines.iter().enumerate().find_map(|(row, line)| {
            let byte = line.find(text)?;
            Some((line[..byte].chars().count() + text.chars().count() / 2, row))
        });
        let Some((column, row)) = place else { panic!("{text:?} is not on the screen:\n{}", lines.join("\n")) };
        self.click(column, row);
    }

    /// Gives the terminal another size; the kernel signals SIGWINCH.
    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let mut state = self.seen.state.lock().unwrap();
        state.parser.screen_mut().set_size(cells(rows), cells(columns));
        // SAFETY: the descriptor is open and `size` outlives the call.
        unsafe { set_window_size(self.master.as_raw_fd(), &raw const size) }.unwrap();
    }

    /// Waits until `text` stands on the screen.
    #[track_caller]
    pub(crate) fn wait_for(&self, text: &str) {
        self.wait_until(&format!("{text:?} on the screen"), |screen| lines_of(screen).iter().any(|l| l.contains(text)));
    }

    /// Waits until `text` is gone from the screen.
    #[track_caller]
    pub(crate) fn wait_gone(&self, text: &str) {
        self.wait_until(&format!("{text:?} gone from the screen"), |screen| {
            !lines_of(screen).iter().any(|l| l.contains(text))
        });
    }

    /// Waits until the screen is as `is` wants it; `what` says so in words.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, is: impl Fn(&Screen) -> bool) {
        let deadline = Instant::now() + DEADLINE;
        let mut state = self.seen.state.lock().unwrap();
        while !is(state.parser.screen()) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let screen = lines_of(state.parser.screen()).join("\n");
                drop(state);
                panic!("not within {DEADLINE:?}: {what}. The screen:\n{screen}");
            }
            // What is waited for may be something beside the screen.
            state = self.seen.changed.wait_timeout(state, left.min(GLANCE)).unwrap().0;
        }
    }

    /// Waits until nothing has been written for `quiet`.
    pub(crate) fn settle(&self, quiet: Duration) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let at = self.seen.state.lock().unwrap().at;
            let left = quiet.saturating_sub(at.elapsed());
            if left.is_zero() || Instant::now() >= deadline {
                return;
            }
            std::thread::sleep(left);
        }
    }

    /// The screen as it is, line by line, without trailing blanks.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.with_screen(lines_of)
    }

    /// Looks at the screen.
    pub(crate) fn with_screen<T>(&self, look: impl FnOnce(&Screen) -> T) -> T {
        look(self.seen.state.lock().unwrap().parser.screen())
    }

    /// Bytes that the program has written so far.
    pub(crate) fn bytes(&self) -> u64 {
        self.seen.state.lock().unwrap().bytes
    }

    /// Closes the terminal, as somebody closes a window: the kernel hangs it up.
    pub(crate) fn close(&mut self) {
        self.stop_reading();
        self.master = Arc::new(File::options().read(true).write(true).open("/dev/null").unwrap());
    }

    /// Waits until the program ends: its code, or 128 + n for signal n, as a
    /// shell has it.
    #[track_caller]
    pub(crate) fn exit_code(&mut self) -> i32 {
        let deadline = Instant::now() + DEADLINE;
        let pidfd = syncscope::sys::pidfd::Pidfd::open(self.pid()).unwrap();
        let ended = pidfd.ended(Some(deadline.saturating_duration_since(Instant::now()))).unwrap();
        assert!(ended, "still running after {DEADLINE:?}. The screen:\n{}", self.lines().join("\n"));
        let status = self.child.wait().unwrap();
        self.status = Some(status);
        self.stop_reading();
        status.code().or(status.signal().map(|signal| 128 + signal)).unwrap()
    }

    /// Fails unless the terminal is as it was before the program: main screen,
    /// cursor shown, no mouse or paste reports, line discipline untouched.
    #[track_caller]
    pub(crate) fn assert_restored(&self) {
        self.with_screen(|screen| {
            assert!(!screen.alternate_screen(), "left on the alternate screen");
            assert!(!screen.hide_cursor(), "the cursor is hidden");
            assert_eq!(screen.mouse_protocol_mode(), MouseProtocolMode::None, "the mouse is still reported");
            assert!(!screen.bracketed_paste(), "pastes are still bracketed");
        });
        assert_eq!(tcgetattr(&self.slave).unwrap(), self.before, "the line discipline is another than before");
    }

    /// Fails unless the program has the terminal to itself.
    #[track_caller]
    pub(crate) fn assert_taken(&self) {
        assert!(self.with_screen(Screen::alternate_screen), "not on the alternate screen");
        assert_ne!(tcgetattr(&self.slave).unwrap(), self.before, "not in raw mode");
    }

    /// Reads what is there, and nothing more from then on.
    pub(crate) fn stop_reading(&mut self) {
        self.seen.ended.store(true, Ordering::Release);
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.status.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        self.seen.ended.store(true, Ordering::Release);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}

/// A pseudo-terminal of this size, both ends closed on exec: a program that had its
/// own terminal's master open would never see it close. openpty(3) leaves them open.
fn open_pty(size: &Winsize) -> (File, OwnedFd) {
    let master = posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname_r(&master).unwrap();
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let slave = open(name.as_str(), flags, Mode::empty()).unwrap();
    // SAFETY: the descriptor is open and `size` outlives the call.
    unsafe { set_window_size(slave.as_raw_fd(), std::ptr::from_ref(size)) }.unwrap();
    (File::from(OwnedFd::from(master)), slave)
}

fn read_along(master: &File, seen: &Seen) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        // What was written before the end is still to be read.
        let last = seen.ended.load(Ordering::Acquire);
        let mut ready = [PollFd::new(master.as_fd(), PollFlags::POLLIN)];
        let timeout = PollTimeout::from(if last { 0_u8 } else { 20 });
        let readable = poll(&mut ready, timeout).is_ok_and(|n| n > 0);
        if !readable && last {
            return;
        }
        if !readable {
            continue;
        }
        let Ok(length) = (&*master).read(&mut buffer) else { return };
        let mut state = seen.state.lock().unwrap();
        state.bytes += length as u64;
        state.at = Instant::now();
        state.parser.process(&buffer[..length]);
        let answers = std::mem::take(&mut state.parser.callbacks_mut().answers);
        drop(state);
        seen.changed.notify_all();
        if !answers.is_empty() {
            // A program that is gone wants no answer.
            let _ = (&*master).write_all(&answers);
        }
    }
}

fn lines_of(screen: &Screen) -> Vec<String> {
    let (_, columns) = screen.size();
    screen.rows(0, columns.get()).map(|line| line.trim_end().to_owned()).collect()
}

fn cells(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap()
}
