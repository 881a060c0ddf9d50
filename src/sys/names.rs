//! Things that have a name in the system and outlive the process that made
//! them, unless somebody removes them.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Name {
    /// A file, a FIFO or the path of a Unix socket: unlink(2).
    Path(PathBuf),
    /// A directory with all that is in it.
    Directory(PathBuf),
    /// A POSIX message queue, with its leading slash: `mq_unlink(3)`.
    PosixQueue(OsString),
    /// A POSIX shared memory object, with its leading slash: `shm_unlink(3)`.
    PosixMemory(OsString),
    /// The id of a System V message queue: msgctl(2).
    SysvQueue(i32),
    /// The id of a System V semaphore set: semctl(2).
    SysvSemaphores(i32),
    /// The id of a System V shared memory segment: shmctl(2).
    SysvMemory(i32),
    /// The key of a System V message queue: known before there is an id.
    SysvQueueKey(i32),
    /// The key of a System V shared memory segment.
    SysvMemoryKey(i32),
}

impl Name {
    /// Removes what bears the name. That there is nothing is no error.
    ///
    /// # Errors
    /// Whatever the call of its kind says.
    pub fn remove(&self) -> io::Result<()> {
        let done = match self {
            Name::Path(path) => std::fs::remove_file(path),
            Name::Directory(path) => std::fs::remove_dir_all(path),
            Name::PosixQueue(name) => {
                let name = CString::new(name.as_bytes())?;
                // SAFETY: a C string.
                check(unsafe { libc::mq_unlink(name.as_ptr()) })
            }
            Name::PosixMemory(name) => {
                let name = CString::new(name.as_bytes())?;
                // SAFETY: a C string.
                check(unsafe { libc::shm_unlink(name.as_ptr()) })
            }
            // SAFETY: IPC_RMID uses no buffer.
            Name::SysvQueue(id) => check(unsafe { libc::msgctl(*id, libc::IPC_RMID, std::ptr::null_mut()) }),
            // SAFETY: IPC_RMID uses neither number nor argument.
            Name::SysvSemaphores(id) => check(unsafe { libc::semctl(*id, 0, libc::IPC_RMID) }),
            // SAFETY: IPC_RMID uses no buffer.
            Name::SysvMemory(id) => check(unsafe { libc::shmctl(*id, libc::IPC_RMID, std::ptr::null_mut()) }),
            // SAFETY: two numbers.
            Name::SysvQueueKey(key) => of_key(unsafe { libc::msgget(*key, 0) }, Name::SysvQueue),
            // SAFETY: three numbers.
            Name::SysvMemoryKey(key) => of_key(unsafe { libc::shmget(*key, 0, 0) }, Name::SysvMemory),
        };
        match done {
            Err(error) if gone(&error) => Ok(()),
            other => other,
        }
    }

    /// The name as bytes: one letter for the kind, then the path, the name, or
    /// the id in little-endian. The inverse of [`Name::from_bytes`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let (kind, rest) = match self {
            Name::Path(path) => (b'p', path.as_os_str().as_bytes().to_vec()),
            Name::Directory(path) => (b'd', path.as_os_str().as_bytes().to_vec()),
            Name::PosixQueue(name) => (b'q', name.as_bytes().to_vec()),
            Name::PosixMemory(name) => (b'm', name.as_bytes().to_vec()),
            Name::SysvQueue(id) => (b'Q', id.to_le_bytes().to_vec()),
            Name::SysvSemaphores(id) => (b'S', id.to_le_bytes().to_vec()),
            Name::SysvMemory(id) => (b'M', id.to_le_bytes().to_vec()),
            Name::SysvQueueKey(key) => (b'k', key.to_le_bytes().to_vec()),
            Name::SysvMemoryKey(key) => (b'K', key.to_le_bytes().to_vec()),
        };
        [vec![kind], rest].concat()
    }

    /// The name that [`Name::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Option<Name> {
        let (kind, rest) = bytes.split_first()?;
        let text = || OsStr::from_bytes(rest).to_owned();
        let id = || rest.try_into().ok().map(i32::from_le_bytes);
        Some(match kind {
            b'p' => Name::Path(text().into()),
            b'd' => Name::Directory(OsString::from_vec(rest.to_vec()).into()),
            b'q' => Name::PosixQueue(text()),
            b'm' => Name::PosixMemory(text()),
            b'Q' => Name::SysvQueue(id()?),
            b'S' => Name::SysvSemaphores(id()?),
            b'M' => Name::SysvMemory(id()?),
            b'k' => Name::SysvQueueKey(id()?),
            b'K' => Name::SysvMemoryKey(id()?),
            _ => return None,
        })
    }
}

fn check(result: i32) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Removes what has this id, which a look-up by key has found.
fn of_key(found: i32, name: impl Fn(i32) -> Name) -> io::Result<()> {
    if found == -1 { Err(io::Error::last_os_error()) } else { name(found).remove() }
}

/// `EINVAL` and `EIDRM` are what the System V calls say of an id that is gone.
fn gone(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINVAL | libc::EIDRM))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Name> {
        vec![
            Name::Path("/tmp/a b".into()),
            Name::Directory("/tmp/d".into()),
            Name::PosixQueue("/q".into()),
            Name::PosixMemory("/m".into()),
            Name::SysvQueue(65_538),
            Name::SysvSemaphores(0),
            Name::SysvMemory(i32::MAX),
            Name::SysvQueueKey(-5),
            Name::SysvMemoryKey(7),
        ]
    }

    #[test]
    fn names_survive_the_socket() {
        for name in all() {
            assert_eq!(Name::from_bytes(&name.to_bytes()), Some(name));
        }
        assert_eq!(Name::from_bytes(b"Q12"), None);
        assert_eq!(Name::from_bytes(b""), None);
    }

    #[test]
    fn removing_removes_and_is_content_with_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        std::fs::write(&file, "x").unwrap();
        for _ in 0..2 {
            Name::Path(file.clone()).remove().unwrap();
            assert!(!file.exists());
        }
        let inner = directory.path().join("d");
        std::fs::create_dir(&inner).unwrap();
        std::fs::write(inner.join("f"), "x").unwrap();
        Name::Directory(inner.clone()).remove().unwrap();
        assert!(!inner.exists());
        // SAFETY: plain numbers; the id is removed below.
        let id = unsafe { libc::msgget(libc::IPC_PRIVATE, 0o600) };
        assert!(id >= 0);
        for _ in 0..2 {
            Name::SysvQueue(id).remove().unwrap();
        }
    }
}
