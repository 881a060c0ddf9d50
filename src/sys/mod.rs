//! The ground floor towards the kernel: the only home of unsafe system calls.
//!
//! Each file wraps one facility in safe, typed functions; what it returns are
//! errors of the kernel ([`rustix::io::Errno`], [`std::io::Error`]), which the
//! floors above turn into sentences.

pub mod clock;
pub mod diag;
pub mod frame;
pub mod memory;
pub mod procroot;
pub mod syscalls;
