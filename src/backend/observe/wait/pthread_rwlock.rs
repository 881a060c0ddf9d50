//! A pthread reader-writer lock of glibc
//! (`sysdeps/nptl/bits/struct_rwlock.h`, `nptl/pthread_rwlock_common.c`):
//!
//! ```text
//! +0   readers      1 write phase, 2 write-locked, 4 readers wait, count of readers << 3
//! +4   writers      waiting to be the next
//! +8   wrphase      a reader waits here while it is 3, the next writer while it is 2
//! +12  writers      a writer waits here while another is or will be the next
//! +24  cur_writer   thread id of the writer that holds it
//! +28  shared       0, or not private to the process
//! ```
//!
//! A reader that lets writers go first waits on the word at +0 itself.

use super::futex::{FutexCall, Operation, read_by, route};
use super::owner::{Dead, name};
use super::world::BY_CODE;
use super::{Decoder, Facts, World, glibc, glibc_nameless};
use crate::model::wait::{Certainty, Make, Mode, Wait, WaitKind};

const WRITE_PHASE: u32 = 1;
const WRITE_LOCKED: u32 = 2;
const READER_SHIFT: u32 = 3;

/// A thread that waits to read or to write.
#[derive(Debug)]
pub(super) struct PthreadRwlock;

impl Decoder for PthreadRwlock {
    fn key(&self) -> &'static str {
        "pthread_rwlock"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        &[WaitKind::PthreadRwlockRead, WaitKind::PthreadRwlockWrite]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a pthread reader-writer lock (pthread_rwlock_rdlock(3), std::shared_mutex of C++). It is \
         recognised by the function of glibc it is in and by the fields of the lock. A writer that holds the lock is \
         named: glibc writes its thread id there. Of readers glibc keeps only the count; those \
         whose own code would unlock it next are named, as inferred, by why, deadlocks and the Waits panel."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        if call.operation != Operation::WaitBitset {
            return None;
        }
        let site = world.call_site(facts)?;
        let function = glibc::function(facts, world, &site);
        let (kind, next) = match function.as_deref().map(|name| name.strip_prefix("pthread_rwlock_")) {
            Some(Some("rdlock" | "timedrdlock" | "clockrdlock")) => (WaitKind::PthreadRwlockRead, None),
            Some(Some("wrlock" | "timedwrlock" | "clockwrlock")) => (WaitKind::PthreadRwlockWrite, None),
            Some(_) => return None,
            None => {
                let (kind, next) = glibc_nameless::takes_rwlock(facts, world, &call, &site)?;
                (kind, Some(next))
            }
        };
        let lock = base(&call, kind)?;
        let fields: [u32; 8] = world.words(facts.pid, lock).ok()?;
        let [readers, _, _, _, _, _, writer, shared] = fields;
        if (shared == 0) != call.private {
            return None;
        }
        let mut wait = call.wait(kind, format!("rwlock in {}", world.place(facts.pid, lock)));
        wait.address = Some(lock);
        wait.mode = Mode::All;
        if let Some(next) = next {
            wait.make = Make::Nameless;
            wait.evidence.push(format!("{BY_CODE}: {next}"));
        }
        let function = function.map(|name| format!("in {name}, ")).unwrap_or_default();
        wait.evidence.push(format!("{function}futex at +{}, value {}", call.address - lock, call.value));
        wait.evidence.push(format!("readers word = {readers:#x}, cur_writer = {writer}"));
        wait.evidence.push(route(&site));
        let written = readers & WRITE_PHASE != 0 && readers & WRITE_LOCKED != 0 && writer != 0;
        if written {
            let lock_call = FutexCall { address: lock, ..call };
            name(facts, world, &lock_call, writer, (call.private, Dead::Orphaned), &mut wait);
        } else {
            count_readers(readers, &mut wait);
        }
        let unchanged = world.still_there(facts) && world.words(facts.pid, lock) == Ok(fields);
        unchanged.then_some(wait)
    }
}

/// The lock around the futex word, by which word it must be.
fn base(call: &FutexCall, kind: WaitKind) -> Option<u64> {
    let offset = match (kind, call.value) {
        (WaitKind::PthreadRwlockRead, 3) if call.address.is_multiple_of(8) => 8,
        (WaitKind::PthreadRwlockRead, _) => 0,
        (WaitKind::PthreadRwlockWrite, 2) => 8,
        (WaitKind::PthreadRwlockWrite, 3) => 12,
        _ => return None,
    };
    call.address.checked_sub(offset).filter(|base| base.is_multiple_of(8))
}

fn count_readers(readers: u32, wait: &mut Wait) {
    wait.partial = true;
    let count = readers >> READER_SHIFT;
    if readers & WRITE_PHASE == 0 && count > 0 {
        wait.certainty = Certainty::Derived;
        wait.evidence.push(format!("{}; glibc does not keep who", read_by(count)));
    } else {
        wait.certainty = Certainty::Unknown;
        wait.evidence.push("it is changing hands".to_owned());
    }
}
