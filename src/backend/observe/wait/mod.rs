//! What a blocked thread waits for: the registry of decoders.
//!
//! The sampler gathers the cheap [`Facts`] of a blocked thread; [`decode`] asks
//! the decoders in order; the first that recognises the wait names it. What a
//! decoder needs beyond the facts (memory, descriptors, file locks) it gets
//! from the [`World`], which builds each index only when it is asked for.
//!
//! A decoder answers only on at least two facts that do not follow from each
//! other (the arguments of the call and the lock's own fields, a descriptor's
//! link and the place in the kernel, a word's value and the caller's name); a
//! wait that none of them is sure of stays `futex` or `other`.

mod address;
mod ahead;
mod anonymous;
mod any_of;
mod beyond_proc;
mod calls;
mod caught;
mod compat;
mod cxa_guard;
mod cxx_wait;
mod descriptor;
mod epoll;
mod facts;
mod file_lock;
mod flock;
mod frozen;
mod futex;
mod futex_waitv;
mod glibc;
mod glibc_nameless;
mod interest;
mod kernel_mutex;
mod kernel_object;
mod lease;
pub(super) mod left;
mod live;
pub(super) mod musl;
mod other;
mod owner;
mod parked;
pub(super) mod parking_lot;
mod parking_nameless;
mod path;
mod peer;
mod pi_futex;
mod pipe;
mod poll;
mod posix_mq;
mod pthread_mutex;
mod pthread_rwlock;
mod pthread_sync;
mod pty;
mod record_lock;
mod refused_mutex;
mod resource;
mod rust;
mod rust_mutex;
pub(super) mod rust_nameless;
mod rust_sync;
mod select;
mod shared;
pub(super) mod shared_space;
mod signal_sets;
mod sleep;
mod socket;
mod stdio_lock;
mod stopped;
mod sysv;
mod task;
mod terminal;
mod thread_join;
mod told;
mod unreadable;
mod vfork;
mod waitpid;
mod watched;
mod world;

#[cfg(test)]
mod conformance_tests;
#[cfg(test)]
mod fixture;

pub use facts::{Call, Facts};
pub use task::read_task;
pub use world::{Around, World};
pub(super) use world::{CodeOf, Sharer};

use crate::model::process::State;
use crate::model::wait::{Wait, WaitKind};

/// A reason why threads wait, and how it is recognised.
pub trait Decoder: Sync {
    /// A short name, unique among the decoders.
    fn key(&self) -> &'static str;

    /// The kinds of wait it may answer with.
    fn kinds(&self) -> &'static [WaitKind];

    /// A paragraph for people: what this wait is, how it is recognised, and
    /// what cannot be known of it.
    fn explain(&self) -> &'static str;

    /// The wait, if it is this one beyond doubt.
    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait>;
}

/// All decoders, in the order in which they are asked. The last two take what
/// is left: any futex, any system call.
pub const DECODERS: &[&dyn Decoder] = &[
    &stopped::Stopped,
    &pthread_mutex::PthreadMutex,
    &kernel_mutex::KernelMutex,
    &refused_mutex::RefusedMutex,
    &thread_join::ThreadJoin,
    &pthread_rwlock::PthreadRwlock,
    &pthread_sync::PthreadSync,
    &glibc_nameless::GlibcNameless,
    &stdio_lock::StdioLock,
    &cxa_guard::CxaGuard,
    &musl::Musl,
    &musl::MuslStream,
    &pi_futex::PiFutex,
    &rust_mutex::RustMutex,
    &rust_sync::RustSync,
    &rust_nameless::RustNameless,
    &parking_lot::ParkingLot,
    &flock::Flock,
    &record_lock::RecordLock,
    &socket::Unix,
    &socket::Inet,
    &pipe::PipeRead,
    &pipe::PipeWrite,
    &waitpid::Waitpid,
    &vfork::Vfork,
    &sysv::Semaphore,
    &sysv::Message,
    &posix_mq::PosixMq,
    &sleep::Sleep,
    &poll::Poll,
    &select::Select,
    &epoll::Epoll,
    &terminal::TtyRead,
    &terminal::TtyWrite,
    &kernel_object::Eventfd,
    &kernel_object::Signal,
    &kernel_object::FifoOpen,
    &lease::Lease,
    &anonymous::AnonymousRead,
    &anonymous::IoUring,
    &cxx_wait::CxxWait,
    &futex::Futex,
    &futex_waitv::FutexWaitv,
    &compat::Compat,
    &other::Other,
];

/// Those that are asked of a call that has not come to what it is for.
const LAST: [&str; 2] = ["stopped", "other"];

/// What a thread waited for at a moment that has passed: its registers and its
/// stack are of then ([`World::remember`]), what a lock says of itself is of now.
/// Nobody is named as its holder.
pub(super) fn decode_past(facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
    let mut wait = decode(facts, world)?;
    if wait.kind == WaitKind::Futex {
        world.begin_thread();
        let past = pthread_mutex::past(facts, world).or_else(|| thread_join::past(facts, world));
        wait = past.unwrap_or(wait);
    }
    wait.holders.clear();
    Some(wait)
}

/// The call that a thread of a 32-bit program is in, as this machine numbers it; `None`
/// for any other thread.
pub(super) fn native_call(facts: &Facts<'_>, world: &mut World) -> Option<Call> {
    compat::native(facts, world)
}

/// What the thread waits for; `None` for one that does not wait.
pub fn decode(facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
    if matches!(facts.state, State::Running | State::Zombie | State::Dead | State::Idle | State::Parked) {
        return None;
    }
    world.begin_thread();
    if let Some(call) = compat::native(facts, world) {
        return decode_native(&Facts { call: &call, ..facts.clone() }, world);
    }
    decode_native(facts, world)
}

/// As [`decode`], of a call that is numbered as this machine does.
fn decode_native(facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
    let mut wait = match facts.call {
        Call::Running => return None,
        Call::Unreadable(error) => match stopped::Stopped.decode(facts, world) {
            Some(wait) => wait,
            None => unreadable::from_wchan(facts, *error),
        },
        Call::Blocked { .. } | Call::Outside | Call::Kernel => {
            let asked = |decoder: &&&dyn Decoder| !facts.is_held_back() || LAST.contains(&decoder.key());
            let mut wait = DECODERS.iter().filter(asked).find_map(|decoder| decoder.decode(facts, world))?;
            // Asked only before somebody is called stuck.
            if world.is_thorough() {
                caught::and_outsiders(facts, world, &mut wait);
            }
            futex::and_private(facts, world, &mut wait);
            shared_space::and_shared(facts, world, &mut wait);
            frozen::and_frozen(facts, world, wait)
        }
    };
    wait.since = wait.since.or(facts.since);
    Some(wait)
}
