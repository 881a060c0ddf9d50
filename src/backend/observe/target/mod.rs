//! A process from the inside, without stopping it: what it maps, which code
//! that is, and where on its stack it came from.
//!
//! ```text
//! maps     /proc/PID/maps: which file or memory an address belongs to
//! demangle names as their author wrote them
//! elf      an ELF file: sections and symbols, read in passing, nothing kept
//! module   a mapped file: names of its functions
//! runtime  which C library it is
//! stack    the return addresses above a blocked thread's stack pointer
//! lines    the lines of source that code comes from, by debug information
//! lsda     where a frame goes on when an exception passes through it
//! unwind   a blocked thread's live frames, by the tables made for exceptions
//! height   how far its stack pointer is below its caller's, by its own code
//! epilogue out of a function without such a table, by its own code
//! ```

pub mod demangle;
pub mod elf;
pub mod epilogue;
pub mod height;
pub mod lines;
pub mod lsda;
pub mod maps;
pub mod module;
pub mod runtime;
pub mod signal_frame;
pub mod stack;
pub mod unwind;
