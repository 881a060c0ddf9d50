//! Events of the kernel's tracepoints, counted for one CPU and written into a
//! ring: `perf_event_open(2)`.
//!
//! The attributes are those of `struct perf_event_attr` in its fifth version,
//! 112 bytes (`<linux/perf_event.h>`), which every kernel since 4.1 knows. All
//! stamps are of `CLOCK_MONOTONIC`, so that those of different CPUs compare.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;

use crate::model::Pid;

/// What a sample holds (`PERF_SAMPLE_*`).
pub mod sample {
    /// Process and thread.
    pub const TID: u64 = 1 << 1;
    /// When.
    pub const TIME: u64 = 1 << 2;
    /// Where in the kernel.
    pub const CALLCHAIN: u64 = 1 << 5;
    /// The tracepoint's own fields.
    pub const RAW: u64 = 1 << 10;
    /// The registers with which the thread entered the kernel.
    pub const REGS_USER: u64 = 1 << 12;
    /// The top of the thread's stack.
    pub const STACK_USER: u64 = 1 << 13;
    /// Which event it is of, first of all.
    pub const IDENTIFIER: u64 = 1 << 16;
}

const TYPE_TRACEPOINT: u32 = 2;
const FORMAT_LOST: u64 = 1 << 4;
const FLAG_CLOEXEC: libc::c_ulong = 8;
const DISABLED: u64 = 1;
const INHERIT: u64 = 1 << 1;
const TASK: u64 = 1 << 13;
const WATERMARK: u64 = 1 << 14;
const NO_USER_CHAIN: u64 = 1 << 22;
const OWN_CLOCK: u64 = 1 << 25;

const IOC_ENABLE: libc::c_ulong = 0x2400;
const IOC_DISABLE: libc::c_ulong = 0x2401;
const IOC_PERIOD: libc::c_ulong = 0x4008_2404;
const IOC_SET_OUTPUT: libc::c_ulong = 0x2405;
const IOC_SET_FILTER: libc::c_ulong = 0x4008_2406;
const IOC_ID: libc::c_ulong = 0x8008_2407;

/// `struct perf_event_attr`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup: u32,
    breakpoint_type: u32,
    config1: u64,
    config2: u64,
    branch_sample_type: u64,
    sample_regs_user: u64,
    sample_stack_user: u32,
    clock: i32,
    sample_regs_intr: u64,
    aux_watermark: u32,
    sample_max_stack: u16,
    reserved: u16,
}

const _: () = assert!(size_of::<Attributes>() == 112);

/// What is asked of an event.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request {
    /// The tracepoint's number.
    pub tracepoint: u64,
    /// What each sample holds, of [`sample`].
    pub holds: u64,
    /// Which registers, by the bits of `<asm/perf_regs.h>`.
    pub registers: u64,
    /// How much of the stack, a multiple of 8.
    pub stack: u32,
    /// How many places of the kernel's call chain.
    pub chain: u16,
    /// Whether births and ends of threads are told too.
    pub tasks: bool,
    /// One in how many events is told.
    pub period: u64,
    /// Whoever waits is woken when so many bytes stand in the ring.
    pub wakeup: u32,
}

/// An event on one CPU. Closing it ends it.
#[derive(Debug)]
pub struct Event {
    fd: OwnedFd,
    /// Whether the kernel counts what did not fit in the ring (since 6.0).
    counts_lost: bool,
}

impl Event {
    /// Opens one for a CPU, or for a thread on every CPU where `cpu` is `None`;
    /// it does not count yet.
    ///
    /// # Errors
    /// `EACCES` or `EPERM` without the permission, `ENOSYS` on a kernel without
    /// perf events, `EINVAL` where it lacks something that is asked for.
    pub fn open(thread: Option<Pid>, cpu: Option<usize>, request: &Request) -> Result<Self, Errno> {
        let attributes = Attributes {
            kind: TYPE_TRACEPOINT,
            size: size_of::<Attributes>() as u32,
            config: request.tracepoint,
            sample_period: request.period,
            sample_type: request.holds,
            read_format: FORMAT_LOST,
            flags: DISABLED | WATERMARK | NO_USER_CHAIN | OWN_CLOCK | if request.tasks { TASK } else { 0 },
            wakeup: request.wakeup,
            sample_regs_user: request.registers,
            sample_stack_user: request.stack,
            clock: libc::CLOCK_MONOTONIC,
            sample_max_stack: request.chain,
            ..Attributes::default()
        };
        let target = (thread.unwrap_or(-1), cpu.map_or(-1, |cpu| cpu as i32));
        match open(&attributes, target) {
            Ok(fd) => Ok(Event { fd, counts_lost: true }),
            Err(Errno::INVAL) => {
                let fd = open(&Attributes { read_format: 0, ..attributes }, target)?;
                Ok(Event { fd, counts_lost: false })
            }
            Err(error) => Err(error),
        }
    }

    /// The number by which its samples say whose they are.
    ///
    /// # Errors
    /// Whatever ioctl(2) says.
    pub fn identifier(&self) -> Result<u64, Errno> {
        let mut identifier = 0_u64;
        self.control(IOC_ID, (&raw mut identifier) as libc::c_ulong)?;
        Ok(identifier)
    }

    /// Lets only those through whose fields satisfy this.
    ///
    /// # Errors
    /// `EINVAL` for a filter that is not understood.
    pub fn filter(&self, filter: &CStr) -> Result<(), Errno> {
        self.control(IOC_SET_FILTER, filter.as_ptr() as libc::c_ulong)
    }

    /// One in how many events is told from now on.
    ///
    /// # Errors
    /// Whatever ioctl(2) says.
    pub fn period(&self, period: u64) -> Result<(), Errno> {
        self.control(IOC_PERIOD, (&raw const period) as libc::c_ulong)
    }

    /// Writes its samples into another's ring, which must be of the same CPU.
    ///
    /// # Errors
    /// Whatever ioctl(2) says.
    pub fn write_to(&self, other: &Event) -> Result<(), Errno> {
        self.control(IOC_SET_OUTPUT, other.fd.as_raw_fd() as libc::c_ulong)
    }

    /// Begins.
    ///
    /// # Errors
    /// Whatever ioctl(2) says.
    pub fn enable(&self) -> Result<(), Errno> {
        self.control(IOC_ENABLE, 0)
    }

    /// Ends; what stands in the ring stays.
    ///
    /// # Errors
    /// Whatever ioctl(2) says.
    pub fn disable(&self) -> Result<(), Errno> {
        self.control(IOC_DISABLE, 0)
    }

    /// How many of its samples did not fit in the ring; `None` on a kernel that
    /// does not count them.
    pub fn lost(&self) -> Option<u64> {
        self.counts().map(|(_, lost)| lost)
    }

    /// How many events there were that pass the filter, told or not, and how many did
    /// not fit in the ring; `None` on a kernel that does not count the latter.
    pub fn counts(&self) -> Option<(u64, u64)> {
        if !self.counts_lost {
            return None;
        }
        let mut counted = [0; 16];
        let number = |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        match rustix::io::read(&self.fd, &mut counted) {
            Ok(16) => Some((number(&counted[..8]), number(&counted[8..]))),
            _ => None,
        }
    }

    pub(super) fn raw(&self) -> RawFd {
        self.fd.as_raw_fd()
    }

    /// The descriptor, to wait on.
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    fn control(&self, request: libc::c_ulong, argument: libc::c_ulong) -> Result<(), Errno> {
        // SAFETY: the requests used take a number or the address of a u64 or of a
        // string, which lives in the caller for the time of the call.
        match unsafe { libc::ioctl(self.fd.as_raw_fd(), request, argument) } {
            -1 => Err(last()),
            _ => Ok(()),
        }
    }
}

/// Counts how often a tracepoint is passed, and tells nothing of each time.
#[derive(Debug)]
pub struct Counter {
    own: OwnedFd,
    all: OwnedFd,
}

impl Counter {
    /// Counts for the threads that the calling one starts from now on, and for those
    /// that they start.
    ///
    /// # Errors
    /// As [`Event::open`].
    pub fn of_threads_to_come(tracepoint: u64) -> Result<Self, Errno> {
        let of = |flags| {
            let size = size_of::<Attributes>() as u32;
            let attributes =
                Attributes { kind: TYPE_TRACEPOINT, size, config: tracepoint, flags, ..Default::default() };
            open(&attributes, (0, -1))
        };
        Ok(Counter { own: of(0)?, all: of(INHERIT)? })
    }

    /// How often so far; `None` where the kernel does not tell.
    pub fn count(&self) -> Option<u64> {
        let read = |fd: &OwnedFd| {
            let mut counted = [0; 8];
            (rustix::io::read(fd, &mut counted) == Ok(8)).then(|| u64::from_ne_bytes(counted))
        };
        let own = read(&self.own)?;
        Some(read(&self.all)?.saturating_sub(own))
    }
}

fn open(attributes: &Attributes, (thread, cpu): (Pid, i32)) -> Result<OwnedFd, Errno> {
    // SAFETY: the kernel reads 112 bytes, which is what `size` says and what there is.
    let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, &raw const *attributes, thread, cpu, -1, FLAG_CLOEXEC) };
    if fd < 0 {
        return Err(last());
    }
    // SAFETY: a new descriptor of our own.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

fn last() -> Errno {
    Errno::from_io_error(&io::Error::last_os_error()).unwrap_or(Errno::INVAL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::perf_tracefs::Tracefs;

    /// One call of futex(2) that wakes nobody.
    fn wake_nobody() {
        let word = 0_u32;
        // SAFETY: the address of a word that lives, and nobody sleeps there.
        unsafe { libc::syscall(libc::SYS_futex, &raw const word, libc::FUTEX_WAKE, 1) };
    }

    #[test]
    fn the_calls_of_threads_to_come_are_counted_and_no_others() {
        let opened = Tracefs::open().and_then(|tracefs| tracefs.tracepoint("syscalls", "sys_enter_futex"));
        let counter = match opened.and_then(|tracepoint| Counter::of_threads_to_come(tracepoint.id)) {
            Ok(counter) => counter,
            Err(error) => return println!("skipped: {error}"),
        };
        let calls = |n: u64| (0..n).for_each(|_| wake_nobody());
        calls(5_000);
        std::thread::spawn(move || calls(1_000)).join().unwrap();
        let counted = counter.count().unwrap();
        // Starting and ending a thread may take a few.
        assert!((1_000..1_100).contains(&counted), "{counted}");
    }
}
