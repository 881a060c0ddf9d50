//! A child's standard streams: their ends, and ours.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};

use nix::pty::{Winsize, openpty};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, tee};

use crate::model::Fault;
use crate::model::launch::Redirect;
use crate::sys::spawn::Stdio;

/// A pipe that holds more makes fewer turns of the loop; what an unprivileged
/// user may have of them is limited (`pipe-user-pages-soft`), and then it
/// stays as it is.
const PIPE: usize = 256 << 10;
/// What a program in a pseudo-terminal is told of its size.
const WINDOW: Winsize = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };

/// The ends of a child's streams.
#[derive(Debug, Default)]
pub(super) struct Streams {
    theirs: [Theirs; 3],
    /// Our end of its standard input.
    pub(super) input: Option<File>,
    /// Our ends of its two outputs.
    pub(super) outputs: [Option<File>; 2],
    /// Whether its standard input is a pseudo-terminal.
    pub(super) terminal: bool,
}

#[derive(Debug, Default)]
enum Theirs {
    #[default]
    Null,
    Inherit,
    Open(OwnedFd),
}

impl Streams {
    /// Makes what is wanted for input, output and error output.
    pub(super) fn open(wanted: &[Redirect; 3]) -> Result<Self, Fault> {
        let mut streams = Streams::default();
        let mut pty: Option<(OwnedFd, OwnedFd)> = None;
        for (index, redirect) in wanted.iter().enumerate() {
            streams.theirs[index] = match redirect {
                Redirect::Null => Theirs::Null,
                Redirect::Inherit => inherit(index)?,
                Redirect::Pipe => Theirs::Open(streams.pipe(index).map_err(|e| fault("cannot make its pipes", &e))?),
                Redirect::File { path, append } => {
                    let opened = open_file(index, path, *append);
                    let what = format!("cannot open {}", path.display());
                    Theirs::Open(opened.map_err(|error| fault(&what, &error))?)
                }
                Redirect::Pty => {
                    let opened = match &pty {
                        Some((ours, theirs)) => Ok((ours, theirs)),
                        None => open_pty().map(|pair| &*pty.insert(pair)).map(|(ours, theirs)| (ours, theirs)),
                    };
                    let copied = opened.and_then(|(ours, theirs)| Ok((ours.try_clone()?, theirs.try_clone()?)));
                    let (ours, theirs) = copied.map_err(|error| fault("cannot make its pseudo-terminal", &error))?;
                    streams.take_terminal(index, File::from(ours));
                    Theirs::Open(theirs)
                }
            };
        }
        Ok(streams)
    }

    /// What its three streams are to be connected to.
    pub(super) fn stdio(&self) -> [Stdio<'_>; 3] {
        [0, 1, 2].map(|index| match &self.theirs[index] {
            Theirs::Null => Stdio::Null,
            Theirs::Inherit => Stdio::Inherit,
            Theirs::Open(fd) => Stdio::Fd(fd.as_fd()),
        })
    }

    /// Our end; theirs is returned.
    fn pipe(&mut self, index: usize) -> io::Result<OwnedFd> {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
        let (ours, theirs) = if index == 0 { (writer, reader) } else { (reader, writer) };
        fcntl_setfl(&ours, OFlags::NONBLOCK)?;
        if index == 0 {
            self.input = Some(File::from(ours));
        } else {
            // A smaller one is as good, only slower.
            let _ = fcntl_setpipe_size(&ours, PIPE);
            self.outputs[index - 1] = Some(File::from(ours));
        }
        Ok(theirs)
    }

    /// Both outputs into one terminal come out of it once.
    fn take_terminal(&mut self, index: usize, ours: File) {
        match index {
            0 => (self.input, self.terminal) = (Some(ours), true),
            1 => self.outputs[0] = Some(ours),
            _ if self.reads_terminal() => {}
            _ => self.outputs[1] = Some(ours),
        }
    }

    fn reads_terminal(&self) -> bool {
        self.outputs[0].as_ref().is_some_and(IsTerminal::is_terminal)
    }
}

/// Ours, where that is not the screen that the dashboard draws on: the child
/// would write across it, or take its keys.
fn inherit(index: usize) -> Result<Theirs, Fault> {
    let (name, is_terminal) = match index {
        0 => ("input", io::stdin().is_terminal()),
        1 => ("output", io::stdout().is_terminal()),
        _ => ("error output", io::stderr().is_terminal()),
    };
    if !is_terminal {
        return Ok(Theirs::Inherit);
    }
    let what = format!("our standard {name} is the terminal that this screen is on: the child would disturb it");
    Err(Fault::new("spawn", what).hint("give it a pty, a pipe or a file instead"))
}

/// Never waits: a FIFO is opened only where somebody has its other end, for this
/// thread serves all children. No terminal becomes ours by it.
fn open_file(index: usize, path: &std::path::Path, append: bool) -> io::Result<OwnedFd> {
    let mut options = OpenOptions::new();
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    if index == 0 {
        options.read(true);
    } else {
        options.create(true).append(append).write(true).truncate(!append);
    }
    let opened = options.open(path);
    let lonely = |end: &str| io::Error::other(format!("nobody has this FIFO open for {end} yet, and we cannot wait"));
    let file = match opened {
        // A writer is told so by open(2) itself, see fifo(7).
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) && is_fifo(path) => return Err(lonely("reading")),
        other => other?,
    };
    if index == 0 && file.metadata()?.file_type().is_fifo() && !is_written(&file)? {
        return Err(lonely("writing"));
    }
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    Ok(file.into())
}

fn is_fifo(path: &std::path::Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo())
}

/// Whether somebody has a FIFO open for writing, or what was written is still in
/// it: tee(2) takes nothing out.
fn is_written(fifo: &File) -> io::Result<bool> {
    let (_reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    match tee(fifo, &writer, 1, SpliceFlags::NONBLOCK) {
        Ok(copied) => Ok(copied > 0),
        Err(Errno::AGAIN) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Our side, which does not block, and theirs; neither survives execve.
fn open_pty() -> io::Result<(OwnedFd, OwnedFd)> {
    let pair = openpty(Some(&WINDOW), None)?;
    for fd in [&pair.master, &pair.slave] {
        rustix::io::fcntl_setfd(fd, rustix::io::FdFlags::CLOEXEC)?;
    }
    fcntl_setfl(&pair.master, OFlags::NONBLOCK | OFlags::RDWR)?;
    Ok((pair.master, pair.slave))
}

fn fault(what: &str, error: &io::Error) -> Fault {
    Fault::new("spawn", format!("{what}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A start that waits would stop all children's input and output.
    #[test]
    fn a_fifo_is_never_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let refused = |index| open_file(index, &fifo, false).unwrap_err().to_string();
        assert!(refused(0).contains("open for writing yet") && refused(1).contains("open for reading yet"));
        // Each end can be opened once the other is there.
        let both = OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
        for index in [0, 1] {
            let opened = open_file(index, &fifo, false).unwrap();
            assert!(!fcntl_getfl(&opened).unwrap().contains(OFlags::NONBLOCK));
        }
        // What a writer left behind that is gone can be read.
        let reader = open_file(0, &fifo, false).unwrap();
        rustix::io::write(&both, b"x").unwrap();
        drop(both);
        assert!(open_file(0, &fifo, false).is_ok());
        assert_eq!(rustix::io::read(&reader, &mut [0; 2]).unwrap(), 1, "looking took nothing out");
    }
}
