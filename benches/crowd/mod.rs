//! Many sleeping processes and threads, for a while.

use std::io::{BufRead, BufReader, Error, ErrorKind, Result};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// A crowd; dropping it ends all of it.
pub(crate) struct Crowd {
    first: Child,
}

impl Crowd {
    /// Starts so many processes, and a process with so many threads.
    pub(crate) fn gather(processes: u32, threads: u32) -> Result<Self> {
        let mut first = Command::new(program()?)
            .args([processes.to_string(), threads.to_string()])
            .process_group(0)
            // It ends when this does, whatever becomes of us.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = first.stdout.take().ok_or(ErrorKind::BrokenPipe)?;
        let crowd = Crowd { first };
        BufReader::new(output).read_line(&mut line)?;
        match line.as_str() {
            "ready\n" => Ok(crowd),
            _ => Err(Error::other("the crowd could not be started: too many processes or threads")),
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // The first buries the others: where this is the init of a pid namespace,
        // nobody else would.
        drop(self.first.stdin.take());
        let _ = self.first.wait();
    }
}

/// Compiles the program that forks.
fn program() -> Result<PathBuf> {
    let binary = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("crowd");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/crowd/crowd.c");
    let status = Command::new("cc").args(["-O1", "-pthread", "-o"]).arg(&binary).arg(source).status()?;
    if status.success() { Ok(binary) } else { Err(Error::other("cc could not compile benches/crowd/crowd.c")) }
}
