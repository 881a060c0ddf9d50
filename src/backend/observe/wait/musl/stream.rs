//! The lock of a stream of musl's stdio (`struct _IO_FILE` in `src/internal/stdio_impl.h`),
//! which every call of stdio takes and `flockfile(3)` keeps:
//!
//! ```text
//! +24 close   +64 read   +72 write   +80 seek     functions of musl; 0 where it is not to be read or written
//! +140 lock   the futex: the holder's thread id | 0x40000000 waited for
//! ```
//!
//! Waiters sleep in `futex(lock, FUTEX_WAIT | PRIVATE, id | 0x40000000)`. The look-alikes:
//! a mutex of musl, whose waiters set another bit, and any other word: around it are no
//! functions.

use super::nameless::takes_stream;
use crate::backend::observe::target::module::Runtime;
use crate::backend::observe::wait::futex::{FutexCall, Operation, route};
use crate::backend::observe::wait::owner::{Dead, name};
use crate::backend::observe::wait::{Decoder, Facts, World};
use crate::model::Pid;
use crate::model::wait::{Make, Wait, WaitKind};

const LOCK: u64 = 140;
/// Those that every stream has, and those of which it may lack one.
const ALWAYS: [u64; 2] = [24, 80];
const EITHER: [u64; 2] = [64, 72];
const WAITED_FOR: u32 = 1 << 30;

/// A thread that waits for a stream of musl.
#[derive(Debug)]
pub(in crate::backend::observe::wait) struct MuslStream;

impl Decoder for MuslStream {
    fn key(&self) -> &'static str {
        "musl_stream"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::StdioLock]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a stream of musl's stdio, which another uses or has locked (flockfile(3), printf(3) and \
         its kin). The lock of the stream stores the holder's thread id. It is recognised by the call, by the id being \
         that of a living thread, and by the functions of musl that a stream points to."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        let plain = call.operation == Operation::Wait && call.private && !call.timed;
        let owner = call.value & !WAITED_FOR;
        if !plain || call.value & WAITED_FOR == 0 || owner == 0 {
            return None;
        }
        let stream = call.address.checked_sub(LOCK).filter(|stream| stream.is_multiple_of(8))?;
        let word = |world: &World| world.words::<1>(facts.pid, call.address).ok().map(|[word]| word);
        if word(world)? != call.value {
            return None;
        }
        world.thread_by_inner_number(facts.pid, owner as Pid)?;
        let site = world.call_site(facts)?;
        let maps = world.maps(facts.pid)?;
        let own = maps.find(site.at.address)?.file?;
        let is_musls = |function: u64| {
            maps.is_code(function) && maps.find(function).is_some_and(|mapping| mapping.file == Some(own))
        };
        let functions = |offsets: [u64; 2]| {
            let read = |offset: u64| world.longs::<1>(facts.pid, stream + offset).ok().map(|[function]| function);
            Some([read(offsets[0])?, read(offsets[1])?])
        };
        let [read, write] = functions(EITHER)?;
        let either = (is_musls(read) && (write == 0 || is_musls(write))) || (read == 0 && is_musls(write));
        if !either || !functions(ALWAYS)?.into_iter().all(is_musls) {
            return None;
        }
        let is_musl = site.at.runtime == Runtime::Musl && site.at.name() != "syscall";
        if !is_musl && !takes_stream(facts, world, &call, &site) {
            return None;
        }
        let mut wait = call.wait(WaitKind::StdioLock, format!("musl stream in {}", world.place(facts.pid, stream)));
        wait.make = if is_musl { Make::Musl } else { Make::MuslNameless };
        wait.evidence
            .push(format!("lock word = {:#x} (thread {owner}, waited for) at {:#x}", call.value, call.address));
        wait.evidence.push("the stream points to functions of musl that close, seek, read or write".to_owned());
        wait.evidence.push(route(&site));
        name(facts, world, &call, owner, (true, Dead::Orphaned), &mut wait);
        (world.still_there(facts) && word(world) == Some(call.value)).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::observe::wait::fixture::{DATA, LIBC, Machine, PID, PROGRAM};
    use crate::model::wait::{Certainty, Holder};

    fn machine(value: u32, word: u32, functions: [u64; 4]) -> Machine {
        let machine = Machine::new(&format!("202 {:#x} 0x80 {value:#x} 0x0 0x0 0x0", DATA + LOCK), "futex_do_wait");
        machine.runtime(Runtime::Musl);
        machine.set_words(DATA, &[0; 64]);
        machine.set_words(DATA + LOCK, &[word]);
        for (offset, function) in ALWAYS.into_iter().chain(EITHER).zip(functions) {
            machine.set_words(DATA + offset, &[function as u32, (function >> 32) as u32]);
        }
        machine.stack("", &["", "flockfile", "!main"]);
        machine
    }

    const OWNED: u32 = PID as u32 | WAITED_FOR;
    /// No thread has this number.
    const NOBODY: u32 = 0x1025;
    const REAL: [u64; 4] = [LIBC + 0x20, LIBC + 0x40, LIBC + 0x60, LIBC + 0x80];

    #[test]
    fn who_has_locked_a_stream_is_named() {
        let [close, seek, read, write] = REAL;
        // One for both; one like stdout, and one like stdin.
        for functions in [REAL, [close, seek, 0, write], [close, seek, read, 0]] {
            let wait = machine(OWNED, OWNED, functions).decode().unwrap();
            assert_eq!((wait.kind, wait.certainty), (WaitKind::StdioLock, Certainty::Certain), "{wait:#?}");
            assert_eq!(wait.holders, [Holder { pid: PID, tid: Some(PID) }]);
            assert_eq!(&*wait.resource, "musl stream in [heap] +0x0");
        }
    }

    #[test]
    fn words_that_only_look_like_it_are_refused() {
        let elsewhere = |at: usize, function| {
            let mut functions = REAL;
            functions[at] = function;
            machine(OWNED, OWNED, functions)
        };
        let glibcs = machine(OWNED, OWNED, REAL);
        glibcs.runtime(Runtime::Glibc(36));
        let others = [
            machine(OWNED, PID as u32, REAL),
            machine(PID as u32, PID as u32, REAL),
            machine(NOBODY | WAITED_FOR, NOBODY | WAITED_FOR, REAL),
            machine(WAITED_FOR, WAITED_FOR, REAL),
            elsewhere(0, DATA),
            elsewhere(1, 0),
            elsewhere(2, PROGRAM + 0x10),
            elsewhere(3, 7),
            machine(OWNED, OWNED, [REAL[0], REAL[1], 0, 0]),
            glibcs,
        ];
        for machine in others {
            let wait = machine.decode().unwrap();
            assert!(wait.kind != WaitKind::StdioLock && wait.holders.is_empty(), "{wait:#?}");
        }
    }
}
