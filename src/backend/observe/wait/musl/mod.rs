//! The primitives of musl (`src/internal/pthread_impl.h`, `src/thread/`), which
//! have kept their shapes since 1.1.0; seen here: 1.2.3 on x86-64.
//!
//! ```text
//! mutex      +0 type   0 normal, 1 recursive, 2 error-checking | 4 robust | 8 PI | 0x80 shared
//!            +4 lock   the futex: normal: 16 (EBUSY); else the holder's thread id | 0x40000000 it died
//!                      | 0x80000000 waited for
//!            +8 waiters
//! rwlock     +0 lock   the futex: 0x7fffffff a writer, else how many readers | 0x80000000 waited for
//!            +4 waiters    +8 shared: 0 or 0x80
//! semaphore  +0 value  the futex: -1 waited for    +4 waiters    +8 0x80 private, 0 shared
//! once       1 being done, 3 and waited for
//! cond       +0 shared or 0
//!            private: +8 head +40 tail of a queue of nodes, each on its waiter's own stack:
//!            +0 before +8 behind +16 state, 0 waiting; +20 barrier, the futex: 2
//!            shared: +8 a counter
//! barrier    +24 the round, on the first one's stack: +0 count +4 last +8 waiters +12 finished: the first
//!            waits on finished while it is 1, the others on last while it is 0
//! thread     +0 its own address   +48 thread id   +56 state, the futex of a join: 2 joinable
//! ```
//!
//! All wait with `FUTEX_WAIT`, whether limited in time or not. Which one it is
//! says the function on the stack: musl has the names of those it exports, and
//! a program linked statically those of all, unless they are stripped: then its
//! code says it.

mod decoder;
mod nameless;
mod place;
mod refused;
mod shape;
mod stream;

pub(super) use decoder::Musl;
pub(super) use place::waits_in_mutex;
pub(in crate::backend::observe) use shape::THREAD_ID;
pub(in crate::backend::observe) use shape::rwlock_count;
pub(super) use stream::MuslStream;

#[cfg(test)]
mod tests;
