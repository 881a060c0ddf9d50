//! What reading a task needs: the proc root, the buffer, the descriptor
//! budget, the units, and the tables that turn numbers into shared names.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags, openat, statx};
use rustix::io::Errno;

use super::names::Names;
use super::parse::Units;
use super::scheduler_clock::SchedulerClock;
use super::users::Users;
use super::wait::World;
use crate::model::{Pid, text};
use crate::sys::limits;
use crate::sys::proc_read::{Budget, Kept, Listing, Path, read_once, read_once_with_owner, read_whole};
use crate::sys::procroot::ProcRoot;

/// The longest command line that is shown; what is beyond is cut.
const LONGEST_CMDLINE: usize = 32 << 10;

/// What reading a task needs.
#[derive(Debug)]
pub struct Source {
    root: Arc<ProcRoot>,
    buffer: Box<[u8]>,
    budget: Budget,
    listing: Listing,
    /// Clock ticks and pages.
    pub units: Units,
    /// Whether the processes listed here have CPU clocks: not those of a
    /// test's tree, nor of a proc file system of another pid namespace.
    pub clocks: bool,
    /// Whether this kernel counts I/O by process.
    pub counts_io: bool,
    /// The scheduler's clock, to date waits with.
    pub scheduler_clock: SchedulerClock,
    /// The same of each CPU that was asked.
    pub clocks_of_cpus: BTreeMap<u32, SchedulerClock>,
    /// What decoders look things up in.
    pub world: World,
    /// User names.
    pub users: Users,
    /// Kernel symbols.
    pub symbols: Symbols,
    /// Names and arguments.
    pub names: Names,
}

impl Source {
    /// Raises the descriptor limit and gets ready to read from `root`.
    pub fn new(root: Arc<ProcRoot>) -> Self {
        Source {
            buffer: vec![0; LONGEST_CMDLINE].into_boxed_slice(),
            budget: Budget::new((limits::raise_nofile() / 2) as usize),
            listing: Listing::default(),
            units: Units::of_kernel(),
            clocks: root.has_our_numbers(),
            counts_io: !root.is_real() || root.file("self/io").is_ok(),
            scheduler_clock: SchedulerClock::default(),
            clocks_of_cpus: BTreeMap::new(),
            world: World::new(root.clone()),
            users: Users::default(),
            symbols: Symbols::default(),
            names: Names::default(),
            root,
        }
    }

    /// The root.
    pub fn root(&self) -> &Arc<ProcRoot> {
        &self.root
    }

    /// Reads a small file that is read again and again.
    ///
    /// # Errors
    /// Those of [`Kept::read`].
    pub fn kept(&mut self, file: &mut Kept, path: &Path) -> Result<&[u8], Errno> {
        file.read(self.root.directory().as_fd(), path, &self.budget, &mut self.buffer)
    }

    /// Reads a small file.
    ///
    /// # Errors
    /// Those of [`read_once`].
    pub fn once(&mut self, path: &Path) -> Result<&[u8], Errno> {
        read_once(self.root.directory().as_fd(), path, &mut self.buffer)
    }

    /// Reads a small file below an open directory.
    ///
    /// # Errors
    /// Those of [`read_once`].
    pub fn once_in(&mut self, directory: &OwnedFd, path: &Path) -> Result<&[u8], Errno> {
        read_once(directory.as_fd(), path, &mut self.buffer)
    }

    /// Opens a directory, to read several files in it: then the way to it is
    /// walked once.
    ///
    /// # Errors
    /// Whatever openat(2) says.
    pub fn directory(&self, path: &Path) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat(self.root.directory(), path.as_c_str(), flags, Mode::empty())
    }

    /// Reads a small file and says who owns it.
    ///
    /// # Errors
    /// Those of [`read_once_with_owner`].
    pub fn once_with_owner(&mut self, path: &Path, owner: &mut Option<u32>) -> Result<&[u8], Errno> {
        let root = self.root.directory().as_fd();
        let (uid, content) = read_once_with_owner(root, path, &mut self.buffer)?;
        *owner = Some(uid);
        Ok(content)
    }

    /// Lists the threads of a process into `tids`, ascending.
    ///
    /// # Errors
    /// Those of [`Listing::read`].
    pub fn list_threads(&mut self, pid: Pid, tids: &mut Vec<Pid>) -> Result<(), Errno> {
        let path = Path::process(pid).file("task");
        self.listing.read(self.root.directory().as_fd(), path.as_c_str(), tids)
    }

    /// Lists the processes into `pids`, ascending.
    ///
    /// # Errors
    /// Those of [`Listing::read`].
    pub fn list_processes(&mut self, pids: &mut Vec<Pid>) -> Result<(), Errno> {
        self.listing.read(self.root.directory().as_fd(), c".", pids)
    }

    /// Reads the command line of a process. Trailing NULs are no arguments: a
    /// title written over the arguments is padded with them.
    ///
    /// # Errors
    /// Those of [`read_whole`].
    pub fn cmdline(&mut self, pid: Pid) -> Result<Arc<[Arc<str>]>, Errno> {
        let path = Path::process(pid).file("cmdline");
        let content = read_whole(self.root.directory().as_fd(), &path, &mut self.buffer)?;
        let cut = content.len() == LONGEST_CMDLINE;
        let length = content.iter().rposition(|&b| b != 0).map_or(0, |last| last + 1);
        if length == 0 {
            return Ok(Arc::from([]));
        }
        let names = &mut self.names;
        let arguments = content[..length].split(|&b| b == 0).map(|argument| names.get(argument));
        Ok(arguments.chain(cut.then(|| Arc::from("…"))).collect())
    }

    /// The effective user id of a process: the owner of its directory, which
    /// the kernel keeps at the effective one whatever else it hides.
    ///
    /// # Errors
    /// Whatever statx(2) says.
    pub fn uid(&self, pid: Pid) -> Result<u32, Errno> {
        let path = Path::process(pid);
        Ok(statx(self.root.directory(), path.as_c_str(), AtFlags::empty(), StatxFlags::UID)?.stx_uid)
    }
}

/// Shared strings of kernel symbols: a few dozen, so a sorted list.
#[derive(Debug, Default)]
pub struct Symbols(Vec<Arc<str>>);

impl Symbols {
    /// The content of a `wchan` file; `None` where the kernel does not tell.
    pub fn get(&mut self, content: &[u8]) -> Option<Arc<str>> {
        let content = content.trim_ascii();
        if content.is_empty() || content == b"0" {
            return None;
        }
        match self.0.binary_search_by(|known| known.as_bytes().cmp(content)) {
            Ok(at) => Some(self.0[at].clone()),
            Err(at) => {
                let symbol = text::visible_arc(content);
                // A symbol that had to be escaped is none of the kernel's.
                if symbol.as_bytes() == content {
                    self.0.insert(at, symbol.clone());
                }
                Some(symbol)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_shared() {
        let mut symbols = Symbols::default();
        let one = symbols.get(b"pipe_read").unwrap();
        symbols.get(b"do_wait").unwrap();
        assert!(Arc::ptr_eq(&one, &symbols.get(b"pipe_read\n").unwrap()));
        assert_eq!((symbols.get(b"0"), symbols.get(b"")), (None, None));
        assert_eq!(&*symbols.get(b"\x1b[2J").unwrap(), "\\x1b[2J");
        assert_eq!(symbols.0.len(), 2);
    }

    #[test]
    fn command_lines_of_every_shape() {
        let tree = tempfile::tempdir().unwrap();
        std::fs::create_dir(tree.path().join("7")).unwrap();
        let mut source = Source::new(Arc::new(ProcRoot::open(tree.path()).unwrap()));
        assert!(!source.clocks, "a test's tree has no clocks");
        let cases: &[(&[u8], &[&str])] = &[
            (b"", &[]),
            (b"\0\0", &[]),
            (b"sleep\x001\0", &["sleep", "1"]),
            (b"a\0\0b\0", &["a", "", "b"]),
            (b"title: padded\0\0\0\0", &["title: padded"]),
            (b"no end", &["no end"]),
            (b"\x1b[2J\0\xff\0", &["\\x1b[2J", "\\xff"]),
        ];
        for (content, expected) in cases {
            std::fs::write(tree.path().join("7/cmdline"), content).unwrap();
            let arguments = source.cmdline(7).unwrap();
            assert_eq!(arguments.iter().map(|a| &**a).collect::<Vec<_>>(), *expected);
        }
        std::fs::write(tree.path().join("7/cmdline"), "x".repeat(LONGEST_CMDLINE + 1)).unwrap();
        assert_eq!(&*source.cmdline(7).unwrap()[1], "…");
        assert_eq!(source.cmdline(8), Err(Errno::NOENT));
        assert_eq!(source.uid(7), Ok(rustix::process::getuid().as_raw()));
    }
}
