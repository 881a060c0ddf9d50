//! What decoders ask beyond the files of `/proc`.

use std::fmt::Debug;
use std::sync::Arc;

use rustix::io::Errno;

use crate::backend::observe::target::lines::Line;
use crate::backend::observe::target::maps::{Mapping, Maps};
use crate::backend::observe::target::stack::Code;
use crate::backend::observe::target::unwind::FrameTable;
use crate::model::{Nanos, Pid};
use crate::sys::procroot::ProcRoot;
/// What is not in `/proc` as files: memory of a process, names of its code. A
/// test has its own.
pub(super) trait Source: Debug + Send {
    /// Fills `buffer` with the memory at these ranges, one behind the other.
    fn memory(&self, pid: Pid, ranges: &[(u64, usize)], buffer: &mut [u8]) -> Result<(), Errno>;

    /// Whether two processes share their memory; `None` where that is not told.
    fn shares_memory(&self, one: Pid, other: Pid) -> Option<bool>;

    /// Whether two processes share their table of descriptors; `None` where that is not told.
    fn shares_table(&self, _one: Pid, _other: Pid) -> Option<bool> {
        None
    }

    /// Whether two descriptors, each given by its thread and number, stand for the same
    /// open file; `None` where that is not told.
    fn shares_open_file(&self, _one: (Pid, i32), _other: (Pid, i32)) -> Option<bool> {
        None
    }

    /// Whether a descriptor, given by its thread and number, is what an epoll instance of
    /// the same thread has registered as the `nth` by that number; `None` where that is not
    /// told.
    fn is_registered(&self, _one: (Pid, i32), _epoll: i32, _nth: u32) -> Option<bool> {
        None
    }

    /// The time-out of a socket for receiving or sending, where that is asked for, else that
    /// of its connection; `None` for none, or where that is not told.
    fn socket_limit(&self, pid: Pid, fd: i32, receives: Option<bool>) -> Option<Nanos>;

    /// How long a read of a terminal may last; `None` for ever, or where that is not told.
    fn terminal_limit(&self, _pid: Pid, _fd: i32) -> Option<Nanos> {
        None
    }

    /// The inodes of the files in the first message with descriptors that waits in the
    /// queue of a Unix socket; `None` where that is not told.
    fn in_flight(&self, _pid: Pid, _fd: i32) -> Option<Vec<u64>> {
        None
    }

    /// Whether the file behind a mapping is a program of Go.
    fn is_go(&mut self, root: &ProcRoot, pid: Pid, mapping: &Mapping) -> bool;

    /// Whether the file behind a mapping has Rust's standard library in it.
    fn is_rust(&mut self, _root: &ProcRoot, _pid: Pid, _mapping: &Mapping) -> bool {
        false
    }

    /// Whether the file behind a mapping is linked to one of these functions of another file.
    fn is_linked_to(&mut self, _root: &ProcRoot, _pid: Pid, _mapping: &Mapping, _functions: &[&str]) -> bool {
        false
    }

    /// Whether the file behind a mapping has `parking_lot` in it.
    fn has_parking_lot(&mut self, _root: &ProcRoot, _pid: Pid, _mapping: &Mapping) -> bool {
        false
    }

    /// Fills `buffer` with those of these ranges that can be read, and says
    /// which.
    fn memory_each(&self, _pid: Pid, ranges: &[(u64, usize)], _buffer: &mut [u8]) -> Vec<bool> {
        vec![false; ranges.len()]
    }

    /// Names the code that ends directly before each address.
    fn code(&mut self, root: &ProcRoot, pid: Pid, maps: &Maps, addresses: &[u64]) -> Vec<Code>;

    /// The call frame table of the file that an address is in, and how far that
    /// file was moved when it was mapped.
    fn frames(&mut self, root: &ProcRoot, pid: Pid, maps: &Maps, address: u64) -> Option<(Arc<FrameTable>, u64)>;

    /// The lines of source that the code which ends at an address comes from,
    /// innermost first.
    fn lines(&mut self, root: &ProcRoot, pid: Pid, maps: &Maps, address: u64) -> Vec<Line>;

    /// The function whose address this place of a linkage table is for.
    fn import(&mut self, root: &ProcRoot, pid: Pid, maps: &Maps, slot: u64) -> Option<Arc<str>>;

    /// Names the memory at an address: symbol, section and file.
    fn place(&mut self, root: &ProcRoot, pid: Pid, maps: &Maps, address: u64) -> String;

    /// Lets go of what is large and can be read again.
    fn rest(&mut self) {}
}
