//! Where a program may be found, execvpe(3).

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::{SpawnError, Step};

/// What is searched where `PATH` is not set: `confstr(_CS_PATH)`.
const DEFAULT_PATH: &[u8] = b"/bin:/usr/bin";

/// The files to try, in order: the name itself where it has a slash, otherwise
/// below each directory of `path`, the child's `PATH`. An empty directory is the
/// working directory.
pub(super) fn candidates(program: &[u8], path: Option<&OsStr>) -> Result<Vec<PathBuf>, SpawnError> {
    if program.is_empty() {
        return Err(SpawnError::new(Step::Execute, Errno::NOENT));
    }
    let name = OsStr::from_bytes(program);
    if program.contains(&b'/') {
        return Ok(vec![PathBuf::from(name)]);
    }
    let path = path.map_or(DEFAULT_PATH, OsStr::as_bytes);
    let below = |directory: &[u8]| {
        let directory = if directory.is_empty() { b"." } else { directory };
        Path::new(OsStr::from_bytes(directory)).join(name)
    };
    Ok(path.split(|&byte| byte == b':').map(below).collect())
}

/// Whether a file that the kernel cannot execute may be a script without `#!`:
/// no NUL in its first line, as bash judges it.
pub(super) fn is_text(path: &Path) -> bool {
    let mut head = [0; 128];
    let Ok(read) = File::open(path).and_then(|mut file| file.read(&mut head)) else { return false };
    let first = head[..read].split(|&byte| byte == b'\n').next().unwrap_or_default();
    !first.contains(&0)
}

/// What the `#!` line of a script names.
pub(super) fn interpreter(path: &Path) -> Option<PathBuf> {
    let mut head = [0; 256];
    let read = File::open(path).and_then(|mut file| file.read(&mut head)).ok()?;
    let line = head[..read].strip_prefix(b"#!")?.split(|&byte| byte == b'\n').next()?;
    let name = line.trim_ascii().split(u8::is_ascii_whitespace).next()?;
    Some(PathBuf::from(OsStr::from_bytes(name)))
}
