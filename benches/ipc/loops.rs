//! The lab's loops beside minimal loops of the same calls.
//!
//! For each kernel transport and size, in turns: the lab's own measurement
//! (payload untouched, as the minimal loop's is), and, over a channel made in
//! the same way, nothing but the two calls between two processes. Both are
//! pinned alike and warmed up. Where messages are lost there is no throughput.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use io_uring::{IoUring, opcode, types};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};
use syncscope::backend::lab::ipc::placement::Seats;
use syncscope::backend::lab::ipc::{End, Ends, Setup, transport};
use syncscope::model::channel::Mode;
use syncscope::sys::affinity;

use super::Options;
use super::lab::{Asked, lab, middle, placement, ratio, show};
use super::remote::{Memory, Remote};

/// What is measured: each kind of call once.
const KEYS: &[&str] = &[
    "pipe",
    "pipe_vmsplice",
    "fifo",
    "unix_stream",
    "unix_datagram",
    "unix_seqpacket",
    "tcp4",
    "tcp6",
    "udp4",
    "udp6",
    "posix_mq",
    "sysv_mq",
    "eventfd",
    "signal",
    "io_uring",
    "process_vm",
];
const SIZES: [usize; 4] = [8, 64, 4096, 65_536];

/// The ratio is lab to minimal of messages a second, or of round-trip p50.
pub(crate) fn run(options: &Options) {
    println!("{:<14} {:<10} {:>7} {:>12} {:>12}  ratio", "transport", "what", "size", "lab", "minimal");
    let wanted = |key: &&&str| options.only.is_empty() || options.only.iter().any(|name| name == **key);
    for key in KEYS.iter().filter(wanted) {
        let transport = transport(key).unwrap();
        let wait = transport.about().waits[0];
        for mode in [Mode::Throughput, Mode::Latency] {
            for size in SIZES.into_iter().filter(|size| options.wants(*size)) {
                let carries = |ends: Ends| ends.sizes.refuse(size).is_none();
                let fits = transport.create(&Setup { buffer: None, wait, size }).is_ok_and(carries);
                if fits && !(transport.about().loses && mode == Mode::Throughput) {
                    compare(key, mode, size, options);
                }
            }
        }
    }
}

fn compare(key: &str, mode: Mode, size: usize, options: &Options) {
    let asked = Asked { key, mode, size, buffer: None, wait: None, seconds: options.seconds };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let count = |figure: f64| {
        let rate = if mode == Mode::Throughput { figure } else { 1e9 / figure };
        ((rate * options.seconds) as u64).max(16)
    };
    // Neither is always the first.
    while ours.len() < options.rounds as usize {
        let known = ours.last().copied().filter(|_| ours.len() % 2 == 1);
        theirs.extend(known.map(|figure| minimal(asked, count(figure))));
        ours.push(lab(asked));
        if known.is_none() {
            theirs.push(minimal(asked, count(ours[ours.len() - 1])));
        }
    }
    let unit = if mode == Mode::Throughput { "/s" } else { " ns" };
    let (own, floor) = (middle(&ours, unit), middle(&theirs, unit));
    println!("{key:<14} {mode:<10} {size:>7} {own:>12} {floor:>12}  {}", show(ratio(&ours, &theirs)));
}

/// Messages a second at the receiver, or the median round trip in ns.
pub(crate) fn minimal(asked: Asked<'_>, count: u64) -> f64 {
    let Asked { key, mode, size, buffer, .. } = asked;
    let seats = Seats::take(placement()).unwrap();
    let transport = transport(key).unwrap();
    let setup = Setup { buffer, wait: transport.about().waits[0], size };
    let ends = transport.create(&setup).unwrap();
    let memory = Memory::new(256 << 10);
    block_signals();
    let (mut told, mut tells) = UnixStream::pair().unwrap();
    let parent = std::process::id() as i32;
    // SAFETY: the child calls nothing but `peer`, which makes system calls and
    // allocates; glibc keeps its allocator usable across its own fork.
    let child = match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            affinity::bind(&seats.answerer).unwrap();
            let nanos =
                peer(&mut Calls::of(key, &ends.answerer, Remote::new(memory, parent, false)), mode, size, count);
            tells.write_all(&nanos.to_le_bytes()).unwrap();
            // SAFETY: ends the child without running what belongs to the parent.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => child,
    };
    // This process goes to its own CPU and back.
    let before = affinity::allowed().unwrap();
    affinity::bind(&seats.asker).unwrap();
    let mut calls = Calls::of(key, &ends.asker, Remote::new(memory, child.as_raw(), true));
    // An eventfd that holds such a number has no room for a second one.
    let message = vec![0x80; size];
    let mut answer = vec![0; size.max(calls.longest)];
    let warm_up = count / 5;
    let mut trips = Vec::with_capacity(count as usize);
    for i in 0..count + warm_up {
        let start = Instant::now();
        calls.send(&message);
        if mode == Mode::Latency {
            calls.receive(&mut answer, size);
            if i >= warm_up {
                trips.push(start.elapsed().as_nanos() as u64);
            }
        }
    }
    let mut nanos = [0; 8];
    told.read_exact(&mut nanos).unwrap();
    affinity::bind(&before).unwrap();
    waitpid(child, None).unwrap();
    memory.free();
    if mode == Mode::Throughput {
        return (count - 1) as f64 * 1e9 / u64::from_le_bytes(nanos) as f64;
    }
    trips.sort_unstable();
    trips[trips.len() / 2] as f64
}

/// The other process: answers, or receives and says how long it took.
fn peer(calls: &mut Calls, mode: Mode, size: usize, count: u64) -> u64 {
    let mut message = vec![0; size.max(calls.longest)];
    if mode == Mode::Latency {
        for _ in 0..count + count / 5 {
            calls.receive(&mut message, size);
            calls.send(&message[..size]);
        }
        return 0;
    }
    for _ in 0..=count / 5 {
        calls.receive(&mut message, size);
    }
    let start = Instant::now();
    for _ in 1..count {
        calls.receive(&mut message, size);
    }
    start.elapsed().as_nanos() as u64
}

/// How an end is spoken to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Stream,
    Splice,
    Socket,
    PosixQueue,
    SysvQueue,
    Signal,
    Ring,
    Remote,
}

/// The signal with which the first side speaks; the other's is the next.
fn first_signal() -> i32 {
    libc::SIGRTMIN() + 8
}

/// Both are waited for, never delivered.
fn block_signals() {
    // SAFETY: a set of our own.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, first_signal());
        libc::sigaddset(&raw mut set, first_signal() + 1);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut());
    }
}

/// The calls of one end.
struct Calls {
    way: Way,
    out: i32,
    inward: i32,
    /// What a buffer to receive into has at least to hold.
    longest: usize,
    /// A System V message: its type, then its text.
    typed: Vec<u8>,
    ring: Option<IoUring>,
    remote: Remote,
    /// What a message is given away in, and the next page to use of it.
    pages: Vec<Page>,
    next: usize,
}

#[derive(Clone, Copy)]
#[repr(C, align(4096))]
struct Page([u8; 4096]);

impl Calls {
    fn of(key: &str, end: &End, remote: Remote) -> Self {
        let fd = |index: usize| end.fds[index].as_raw_fd();
        let (way, out, inward): (Way, RawFd, RawFd) = match key {
            "pipe" | "fifo" | "eventfd" => (Way::Stream, fd(0), fd(1)),
            "pipe_vmsplice" => (Way::Splice, fd(0), fd(1)),
            "unix_stream" | "tcp4" | "tcp6" => (Way::Stream, fd(0), fd(0)),
            "posix_mq" => (Way::PosixQueue, fd(0), fd(1)),
            "io_uring" => (Way::Ring, fd(0), fd(0)),
            "process_vm" => (Way::Remote, 0, 0),
            "signal" if remote.asks() => (Way::Signal, first_signal(), first_signal() + 1),
            "signal" => (Way::Signal, first_signal() + 1, first_signal()),
            "sysv_mq" => (Way::SysvQueue, end.ids[0], end.ids[1]),
            _ => (Way::Socket, fd(0), fd(0)),
        };
        let longest = match way {
            Way::PosixQueue => {
                use std::os::fd::AsFd;
                syncscope::sys::mq::attributes(end.fds[1].as_fd()).unwrap().size
            }
            // The type stands before the text.
            Way::SysvQueue => 8192 + size_of::<i64>(),
            _ => 0,
        };
        let mut typed = vec![0; 8192 + 8];
        typed[..8].copy_from_slice(&1_i64.to_ne_bytes());
        let ring = (way == Way::Ring).then(|| {
            let mut builder = IoUring::builder();
            builder.setup_single_issuer().setup_coop_taskrun().build(2).unwrap()
        });
        Calls { way, out, inward, longest, typed, ring, remote, pages: vec![Page([0; 4096]); 32], next: 0 }
    }

    fn send(&mut self, message: &[u8]) {
        if self.way == Way::Remote {
            return self.remote.send(message);
        }
        let mut rest = message;
        while !rest.is_empty() {
            let (at, len) = (rest.as_ptr().cast::<libc::c_void>(), rest.len());
            // SAFETY: `at` is valid for `len` bytes, and what the kernel is
            // handed besides lives until the call returns.
            let sent = unsafe {
                match self.way {
                    Way::Stream => libc::write(self.out, at, len),
                    Way::Splice => self.splice(rest),
                    Way::Socket => libc::send(self.out, at, len, libc::MSG_NOSIGNAL),
                    Way::PosixQueue => whole(libc::mq_send(self.out, at.cast(), len, 0), len),
                    Way::SysvQueue => {
                        self.typed[8..8 + len].copy_from_slice(rest);
                        whole(libc::msgsnd(self.out, self.typed.as_ptr().cast(), len, 0), len)
                    }
                    Way::Signal => self.remote.signal(self.out, len),
                    Way::Ring => {
                        let entry = opcode::Send::new(types::Fd(self.out), at.cast(), len as u32);
                        complete(self.ring.as_mut().unwrap(), &entry.build())
                    }
                    Way::Remote => unreachable!(),
                }
            };
            rest = &rest[count(sent)..];
        }
    }

    /// Pages that the pipe may still refer to must not change: a message is
    /// written into those that follow, twice as many as a pipe holds.
    fn splice(&mut self, rest: &[u8]) -> isize {
        let start = self.next % self.pages.len();
        let room = (self.pages.len() - start).min(self.pages.len() / 2) * size_of::<Page>();
        let now = &rest[..rest.len().min(room)];
        let at = self.pages[start..].as_mut_ptr().cast::<u8>();
        // SAFETY: `now` is no longer than the pages from `start` on.
        let given = unsafe {
            at.copy_from_nonoverlapping(now.as_ptr(), now.len());
            let piece = libc::iovec { iov_base: at.cast(), iov_len: now.len() };
            libc::vmsplice(self.out, &raw const piece, 1, 0)
        };
        self.next = start + count(given).div_ceil(size_of::<Page>());
        given
    }

    fn receive(&mut self, message: &mut [u8], size: usize) {
        if self.way == Way::Remote {
            return self.remote.receive(&mut message[..size]);
        }
        let mut filled = 0;
        while filled < size {
            let (at, room) = (message[filled..].as_mut_ptr().cast::<libc::c_void>(), size - filled);
            // SAFETY: `at` is valid for `room` bytes, and for `longest` where
            // a queue asks for that.
            let got = unsafe {
                match self.way {
                    Way::Stream | Way::Splice => libc::read(self.inward, at, room),
                    Way::Socket => libc::recv(self.inward, at, room, 0),
                    Way::PosixQueue => libc::mq_receive(self.inward, at.cast(), self.longest, std::ptr::null_mut()),
                    Way::SysvQueue => libc::msgrcv(self.inward, at, self.longest - 8, 0, 0),
                    Way::Signal => {
                        let (mut set, mut info) = std::mem::zeroed();
                        libc::sigemptyset(&raw mut set);
                        libc::sigaddset(&raw mut set, self.inward);
                        whole(libc::sigwaitinfo(&raw const set, &raw mut info) - self.inward, room)
                    }
                    Way::Ring => {
                        let entry = opcode::Recv::new(types::Fd(self.inward), at.cast(), room as u32);
                        complete(self.ring.as_mut().unwrap(), &entry.build())
                    }
                    Way::Remote => unreachable!(),
                }
            };
            filled += count(got);
        }
    }
}

/// Hands one operation over and waits for it.
///
/// # Safety
/// What it refers to stays until then.
unsafe fn complete(ring: &mut IoUring, entry: &io_uring::squeue::Entry) -> isize {
    // SAFETY: the caller says so.
    unsafe { ring.submission().push(entry).unwrap() };
    ring.submit_and_wait(1).unwrap();
    ring.completion().next().unwrap().result() as isize
}

/// A call that sends all or nothing.
fn whole(code: i32, len: usize) -> isize {
    if code == 0 { len as isize } else { -1 }
}

fn count(result: isize) -> usize {
    assert!(result > 0, "{}", std::io::Error::last_os_error());
    result as usize
}
