//! The ground floor towards the kernel: the only home of unsafe system calls.
//!
//! Each file wraps one facility in safe, typed functions; what it returns are
//! errors of the kernel ([`rustix::io::Errno`], [`std::io::Error`]), which the
//! floors above turn into sentences.

pub mod affinity;
pub mod aside;
pub mod brand;
pub mod cache;
pub mod clock;
mod clone3;
pub mod code;
pub mod diag;
pub mod fork;
pub mod frame;
pub mod futex;
pub mod heap;
pub mod in_flight;
pub mod kcmp;
pub mod lifeline;
pub mod limits;
pub mod memory;
pub mod mq;
pub mod names;
pub mod packet;
pub mod perf;
pub mod perf_ring;
pub mod perf_tracefs;
pub mod pidfd;
pub mod priority;
pub mod proc_read;
pub mod proc_tree;
pub mod procroot;
pub mod queued_signal;
pub mod reap;
pub mod robust_mutex;
pub mod semaphore;
pub mod shared_semaphore;
pub mod shm;
pub mod signals;
pub mod socket;
pub mod spawn;
pub mod stops;
pub mod syscalls;
pub mod sysv;
pub mod thread;
pub mod tick;
pub mod tsc;
pub mod uring;
pub mod vmsplice;
