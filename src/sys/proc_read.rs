//! Reading `/proc` many times a second: paths without allocation, numeric
//! directories by raw getdents64(2), descriptors that stay open.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{Mode, OFlags, RawDir, fstat, openat};
use rustix::io::{Errno, pread, read};

use crate::model::Pid;

/// The longest path that [`Path`] holds, its NUL included: two ids of ten
/// digits, `/task/` and the longest file name.
const MAX_PATH: usize = 64;

/// A path below a proc root, `812`, `812/stat` or `812/task/815/stat`, built
/// on the stack.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    bytes: [u8; MAX_PATH],
    length: usize,
}

impl Path {
    /// A file at the top.
    pub fn top(name: &str) -> Self {
        let mut path = Path { bytes: [0; MAX_PATH], length: 0 };
        path.push(name.as_bytes());
        path
    }

    /// The directory of a process.
    pub fn process(pid: Pid) -> Self {
        let mut path = Path { bytes: [0; MAX_PATH], length: 0 };
        path.push_number(pid);
        path
    }

    /// The directory of a thread.
    pub fn thread(pid: Pid, tid: Pid) -> Self {
        let mut path = Path::process(pid);
        path.push(b"/task/");
        path.push_number(tid);
        path
    }

    /// A file in this directory.
    #[must_use]
    pub fn file(mut self, name: &str) -> Self {
        self.push(b"/");
        self.push(name.as_bytes());
        self
    }

    fn push(&mut self, bytes: &[u8]) {
        // One byte stays free for the NUL; a name that long is never asked for.
        let bytes = &bytes[..bytes.len().min(MAX_PATH - 1 - self.length)];
        self.bytes[self.length..][..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    fn push_number(&mut self, number: Pid) {
        let (mut digits, mut at, mut rest) = ([0; 10], 10, number.unsigned_abs());
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.push(&digits[at..]);
    }

    /// As the kernel wants it.
    pub fn as_c_str(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}

/// Reads a small file from its beginning with one read(2), as much as fits.
///
/// # Errors
/// Whatever openat(2) or read(2) say; `ESRCH` or `ENOENT` where the task is
/// gone.
pub fn read_once<'b>(root: BorrowedFd<'_>, path: &Path, buffer: &'b mut [u8]) -> Result<&'b [u8], Errno> {
    let file = openat(root, path.as_c_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let length = retry(|| read(&file, &mut *buffer))?;
    Ok(&buffer[..length])
}

/// Reads a small file, and its owner: the effective user of the task it belongs
/// to, or root where that task hides its memory (prctl(2), `PR_SET_DUMPABLE`).
///
/// # Errors
/// As [`read_once`].
pub fn read_once_with_owner<'b>(
    root: BorrowedFd<'_>,
    path: &Path,
    buffer: &'b mut [u8],
) -> Result<(u32, &'b [u8]), Errno> {
    let file = openat(root, path.as_c_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let length = retry(|| read(&file, &mut *buffer))?;
    Ok((fstat(&file)?.st_uid, &buffer[..length]))
}

/// Reads a file to its end, or until `buffer` is full.
///
/// # Errors
/// As [`read_once`].
pub fn read_whole<'b>(root: BorrowedFd<'_>, path: &Path, buffer: &'b mut [u8]) -> Result<&'b [u8], Errno> {
    let file = openat(root, path.as_c_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut length = 0;
    while length < buffer.len() {
        match retry(|| read(&file, &mut buffer[length..]))? {
            0 => break,
            more => length += more,
        }
    }
    Ok(&buffer[..length])
}

/// How many more descriptors may be kept open. Clones count together.
#[derive(Clone, Debug)]
pub struct Budget(Arc<AtomicUsize>);

impl Budget {
    /// A budget of so many descriptors.
    pub fn new(descriptors: usize) -> Self {
        Budget(Arc::new(AtomicUsize::new(descriptors)))
    }

    /// How many are left.
    pub fn left(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// A file that is read from its beginning again and again: its descriptor is
/// kept while the budget allows, else it is opened each time.
///
/// A kept descriptor stays with the task it was opened for: after that task's
/// end it answers `ESRCH`, whoever has the number then.
#[derive(Debug, Default)]
pub struct Kept(Option<(OwnedFd, Budget)>);

impl Kept {
    /// Reads the file at `path` with one read, as much as fits.
    ///
    /// # Errors
    /// As [`read_once`].
    pub fn read<'b>(
        &mut self,
        root: BorrowedFd<'_>,
        path: &Path,
        budget: &Budget,
        buffer: &'b mut [u8],
    ) -> Result<&'b [u8], Errno> {
        if self.0.is_none() {
            if budget.left() == 0 {
                return read_once(root, path, buffer);
            }
            let file = openat(root, path.as_c_str(), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
            budget.0.fetch_sub(1, Ordering::Relaxed);
            self.0 = Some((file, budget.clone()));
        }
        let Some((file, _)) = &self.0 else { return Err(Errno::BADF) };
        let length = match retry(|| pread(file, &mut *buffer, 0)) {
            // A test's FIFO cannot seek.
            Err(Errno::SPIPE) => retry(|| read(file, &mut *buffer))?,
            other => other?,
        };
        Ok(&buffer[..length])
    }

    /// Closes the descriptor, if there is one.
    pub fn close(&mut self) {
        if let Some((_, budget)) = self.0.take() {
            budget.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.close();
    }
}

/// A directory whose entries are numbers (`/proc`, `task`), listed with a
/// buffer that is used again.
#[derive(Debug)]
pub struct Listing {
    buffer: Vec<MaybeUninit<u8>>,
}

impl Default for Listing {
    fn default() -> Self {
        Listing { buffer: vec![MaybeUninit::uninit(); 32 << 10] }
    }
}

impl Listing {
    /// Replaces `ids` by the numeric entries of `directory`, ascending.
    ///
    /// # Errors
    /// Whatever openat(2) or getdents64(2) say.
    pub fn read(&mut self, root: BorrowedFd<'_>, directory: &CStr, ids: &mut Vec<Pid>) -> Result<(), Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let directory = openat(root, directory, flags, Mode::empty())?;
        ids.clear();
        let mut entries = RawDir::new(&directory, &mut self.buffer);
        while let Some(entry) = entries.next() {
            if let Some(id) = number(entry?.file_name().to_bytes()) {
                ids.push(id);
            }
        }
        // The kernel lists in order; a test's directory does not.
        if !ids.is_sorted() {
            ids.sort_unstable();
        }
        Ok(())
    }
}

fn number(name: &[u8]) -> Option<Pid> {
    if !name.first()?.is_ascii_digit() {
        return None;
    }
    name.iter().try_fold(0, |number: Pid, byte| {
        let digit = byte.is_ascii_digit().then(|| Pid::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

fn retry<T>(mut call: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::sys::procroot::ProcRoot;

    #[test]
    fn paths_are_built_on_the_stack() {
        assert_eq!(Path::top("loadavg").as_c_str(), c"loadavg");
        assert_eq!(Path::process(0).as_c_str(), c"0");
        assert_eq!(Path::process(812).file("stat").as_c_str(), c"812/stat");
        let longest = Path::thread(Pid::MAX, Pid::MAX).file("schedstat");
        assert_eq!(longest.as_c_str(), c"2147483647/task/2147483647/schedstat");
        assert_eq!(Path::process(1).file(&"x".repeat(99)).as_c_str().count_bytes(), MAX_PATH - 1);
    }

    #[test]
    fn only_numbers_are_listed() {
        let tree = tempfile::tempdir().unwrap();
        for name in ["10", "9", "self", "1x", "99999999999", "-3", "4"] {
            std::fs::write(tree.path().join(name), name).unwrap();
        }
        let root = ProcRoot::open(tree.path()).unwrap();
        let (mut listing, mut ids) = (Listing::default(), vec![77]);
        for _ in 0..2 {
            listing.read(root.directory().as_fd(), c".", &mut ids).unwrap();
            assert_eq!(ids, [4, 9, 10]);
        }
    }

    #[test]
    fn beyond_the_budget_files_are_opened_each_time() {
        let tree = tempfile::tempdir().unwrap();
        for pid in ["1", "2"] {
            std::fs::create_dir(tree.path().join(pid)).unwrap();
            std::fs::write(tree.path().join(pid).join("stat"), pid).unwrap();
        }
        let root = ProcRoot::open(tree.path()).unwrap();
        let budget = Budget::new(1);
        let mut kept: [Kept; 2] = Default::default();
        let mut buffer = [0; 16];
        for (file, pid) in kept.iter_mut().zip([1, 2]) {
            let content =
                file.read(root.directory().as_fd(), &Path::process(pid).file("stat"), &budget, &mut buffer).unwrap();
            assert_eq!(content, pid.to_string().as_bytes());
        }
        assert_eq!(budget.left(), 0);
        assert!(kept[0].0.is_some() && kept[1].0.is_none());
        drop(kept);
        assert_eq!(budget.left(), 1, "a closed descriptor is given back");
    }
}
