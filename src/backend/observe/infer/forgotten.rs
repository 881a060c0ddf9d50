//! What of the memory tells what a thread does once it has been woken, and what does not.
//!
//! Others may have written to all that they can reach by then: a command that a thread waits
//! for is not the one it had last. Believed is what they hardly ever reach, its own stack and of which kind the locks are; but
//! not what its call will have put there:
//!
//! ```text
//! read(fd, buffer, length)      forgotten: length bytes at buffer
//! recvmsg(fd, header)           forgotten: where the vector of the header says
//! fgets(buffer, size, stream)   a function of the C library: nobody tells where it writes, so
//!                               of the stack no branch is believed
//! ```

use super::Sleeper;
use crate::backend::observe::rehearsal::{Belief, Memory, Stage};
use crate::backend::observe::target::unwind::Walk;
use crate::backend::observe::wait::CodeOf;
use crate::model::wait::{Wait, WaitKind};

/// So much of a buffer is forgotten, and so many parts of a vector.
const LONGEST: u64 = 64 << 10;
const PARTS: u64 = 64;
/// `struct msghdr`, and the same with its length (`struct mmsghdr`), as recvmmsg(2) has it.
const HEADER: u64 = 56;
const HEADER_AND_LENGTH: u64 = 64;
/// `siginfo_t`, `struct rusage`.
const SIGNAL: u64 = 128;
const USAGE: u64 = 144;

/// Functions of the C library that write nowhere but where their system call does.
const PLAIN: &[&str] = &[
    "accept",
    "accept4",
    "clock_nanosleep",
    "close",
    "connect",
    "epoll_pwait",
    "epoll_wait",
    "fcntl",
    "fdatasync",
    "fflush",
    "flock",
    "fputs",
    "fsync",
    "fwrite",
    "futex",
    "lockf",
    "mq_receive",
    "mq_send",
    "mq_timedreceive",
    "mq_timedsend",
    "msgrcv",
    "msgsnd",
    "nanosleep",
    "open",
    "openat",
    "pause",
    "poll",
    "ppoll",
    "pread",
    "preadv",
    "printf",
    "fprintf",
    "pselect",
    "puts",
    "pwrite",
    "read",
    "readv",
    "recv",
    "recvfrom",
    "recvmmsg",
    "recvmsg",
    "select",
    "sem_timedwait",
    "sem_wait",
    "semop",
    "semtimedop",
    "send",
    "sendmsg",
    "sendto",
    "sigsuspend",
    "sigtimedwait",
    "sigwaitinfo",
    "sleep",
    "syscall",
    "tcdrain",
    "thrd_sleep",
    "usleep",
    "wait",
    "wait4",
    "waitid",
    "waitpid",
    "write",
    "writev",
];

/// Whether it is a lock of the C library, which looks at what kind of lock it is.
pub(super) fn is_of_c(wait: &Wait) -> bool {
    use WaitKind::{PthreadMutex, PthreadRwlockRead, PthreadRwlockWrite};
    matches!(wait.kind, PthreadMutex | PthreadRwlockRead | PthreadRwlockWrite)
}

/// What is believed of the memory of a thread that sleeps.
pub(super) fn belief(code: &CodeOf<'_>, sleeper: &Sleeper<'_>, walk: &Walk) -> Belief {
    let stage: &dyn Stage = code.stage;
    let outermost = walk.frames.last().map_or(sleeper.sp, |frame| frame.cfa);
    let library = walk.frames.iter().map(|frame| stage.function(frame.registers.pc - 1));
    let last = library.take_while(|function| function.library).last();
    let is_plain = last.is_none_or(|function| is_plain(function.name.as_deref().unwrap_or("")));
    let stack = if is_plain { sleeper.sp & !0xfff..outermost.saturating_add(0x100) } else { 0..0 };
    Belief { stack, locks: code.locks.clone() }
}

fn is_plain(name: &str) -> bool {
    let name = name.trim_start_matches("__libc_").trim_start_matches('_');
    let name = name.trim_end_matches("_nocancel").trim_end_matches("64");
    let waits = ["pthread_mutex_", "pthread_rwlock_", "pthread_cond_", "pthread_barrier_", "mtx_", "cnd_"];
    PLAIN.contains(&name) || waits.iter().any(|family| name.starts_with(family))
}

/// What the call of a thread may have written when it returns, as addresses and lengths.
pub(super) fn outputs(sleeper: &Sleeper<'_>, memory: &Memory<'_>) -> Vec<(u64, u64)> {
    let [first, second, third, fourth, fifth, sixth] = sleeper.call.args;
    let mut places = match sleeper.call.number {
        libc::SYS_read | libc::SYS_pread64 | libc::SYS_recvfrom | libc::SYS_mq_timedreceive => vec![(second, third)],
        // The type of the message stands before its text.
        libc::SYS_msgrcv => vec![(second, third.saturating_add(8))],
        libc::SYS_readv | libc::SYS_preadv | libc::SYS_preadv2 => vector(memory, second, third),
        libc::SYS_recvmsg => message(memory, second),
        libc::SYS_recvmmsg => {
            let headers = (0..third.min(PARTS)).map(|at| second.wrapping_add(at * HEADER_AND_LENGTH));
            headers.flat_map(|header| message(memory, header)).collect()
        }
        libc::SYS_poll | libc::SYS_ppoll => vec![(first, second.saturating_mul(8))],
        libc::SYS_select | libc::SYS_pselect6 => {
            let set = first.saturating_add(63) / 64 * 8;
            vec![(second, set), (third, set), (fourth, set), (fifth, 16)]
        }
        libc::SYS_epoll_wait | libc::SYS_epoll_pwait | libc::SYS_epoll_pwait2 => {
            vec![(second, third.saturating_mul(12))]
        }
        libc::SYS_rt_sigtimedwait => vec![(second, SIGNAL)],
        libc::SYS_wait4 => vec![(second, 4), (fourth, USAGE)],
        libc::SYS_waitid => vec![(third, SIGNAL), (fifth, USAGE)],
        libc::SYS_accept | libc::SYS_accept4 => vec![(second, length_at(memory, third)), (third, 4)],
        libc::SYS_nanosleep => vec![(second, 16)],
        libc::SYS_clock_nanosleep => vec![(fourth, 16)],
        libc::SYS_getrandom => vec![(first, second)],
        libc::SYS_io_getevents => vec![(fourth, third.saturating_mul(32))],
        _ => Vec::new(),
    };
    match sleeper.call.number {
        libc::SYS_recvfrom => places.extend([(fifth, length_at(memory, sixth)), (sixth, 4)]),
        libc::SYS_mq_timedreceive => places.push((fourth, 4)),
        _ => {}
    }
    places.retain(|&(address, length)| address != 0 && length > 0);
    places.into_iter().map(|(address, length)| (address, length.min(LONGEST))).collect()
}

/// The parts of a vector: `struct iovec`, an address and a length each.
fn vector(memory: &Memory<'_>, at: u64, count: u64) -> Vec<(u64, u64)> {
    let parts = (0..count.min(PARTS)).map_while(|part| {
        let [address, length] = words(memory, at.wrapping_add(16 * part))?;
        Some((address, length))
    });
    parts.collect()
}

/// What a message is received into: `struct msghdr`, which begins with the sender's address
/// and its length, and goes on with a vector, and with what comes beside the data.
fn message(memory: &Memory<'_>, header: u64) -> Vec<(u64, u64)> {
    let Some([name, size, parts, count, beside, length]) = words(memory, header) else { return Vec::new() };
    let mut places = vector(memory, parts, count);
    places.extend([(name, size & 0xffff_ffff), (beside, length)]);
    // How long they are, and what was received, stands in the header then.
    places.extend([(header + 8, 4), (header + 40, HEADER - 40)]);
    places
}

/// How long an address of a socket may be, as stands here.
fn length_at(memory: &Memory<'_>, at: u64) -> u64 {
    words(memory, at).map_or(0, |[length]| length & 0xffff_ffff)
}

fn words<const N: usize>(memory: &Memory<'_>, at: u64) -> Option<[u64; N]> {
    let mut bytes = vec![0; 8 * N];
    let filled = memory.fill(at, &mut bytes) == bytes.len();
    let mut words = bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap_or_default()));
    filled.then(|| std::array::from_fn(|_| words.next().unwrap_or(0)))
}
