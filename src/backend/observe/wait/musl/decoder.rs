//! A wait for a primitive of musl.

use super::nameless;
use super::place::{Primitive, argument, primitive};
use super::shape::{
    DIED, JOIN_STATE, JOINABLE, Mutex, Owner, Rwlock, THREAD_ID, WAITED_FOR, counts, is_semaphore, rwlock_count,
};
use crate::backend::observe::target::stack::{CallSite, DEPTH};
use crate::backend::observe::wait::futex::{FutexCall, Operation, read_by, route};
use crate::backend::observe::wait::owner::{Dead, name};
use crate::backend::observe::wait::pthread_sync::who_acts;
use crate::backend::observe::wait::{Call, Decoder, Facts, World};
use crate::model::Pid;
use crate::model::wait::{Certainty, Holder, Make, Mode, Wait, WaitKind};

/// A thread that waits in musl.
#[derive(Debug)]
pub(in crate::backend::observe::wait) struct Musl;

impl Decoder for Musl {
    fn key(&self) -> &'static str {
        "musl"
    }

    fn kinds(&self) -> &'static [WaitKind] {
        use WaitKind::{PthreadBarrier, PthreadCond, PthreadMutex, PthreadMutexPi, PthreadMutexRobust, PthreadOnce};
        use WaitKind::{PthreadRwlockRead, PthreadRwlockWrite, Semaphore, ThreadJoin};
        &[
            PthreadMutex,
            PthreadMutexRobust,
            PthreadMutexPi,
            PthreadRwlockRead,
            PthreadRwlockWrite,
            PthreadCond,
            PthreadBarrier,
            PthreadOnce,
            Semaphore,
            ThreadJoin,
        ]
    }

    fn explain(&self) -> &'static str {
        "The thread waits for a mutex, reader-writer lock, condition variable, semaphore, barrier, one-time \
         initialisation or thread of the C library musl (pthread_mutex_lock(3) and its kin). It is recognised by the \
         function of musl it is in and by the fields of the primitive, which differ from glibc's. A recursive, \
         error-checking or robust mutex and a join tell who must act; a normal mutex and a reader-writer lock of musl \
         do not store their holder, and nobody holds the rest. In a stripped program that is linked statically the \
         functions have no names: there what the thread's own code would do next tells a mutex, a reader-writer lock or \
         a semaphore, and the ring of thread descriptors a join; the rest stays a futex."
    }

    fn decode(&self, facts: &Facts<'_>, world: &mut World) -> Option<Wait> {
        let call = FutexCall::of(facts)?;
        if call.operation != Operation::Wait {
            return None;
        }
        let site = world.call_site(facts)?;
        let named = primitive(facts, world, &site);
        let make = if named.is_some() { Make::Musl } else { Make::MuslNameless };
        let (primitive, function) = named.or_else(|| nameless::primitive(facts, world, &call, &site))?;
        let waiter = Waiter { facts, call, site: &site, function: &function, make };
        match primitive {
            Primitive::Mutex => waiter.mutex(world).or_else(|| waiter.refused(world)),
            Primitive::Read => waiter.rwlock(world, WaitKind::PthreadRwlockRead),
            Primitive::Write => waiter.rwlock(world, WaitKind::PthreadRwlockWrite),
            Primitive::Join => waiter.join(world),
            Primitive::Condition => waiter.condition(world),
            Primitive::Semaphore => waiter.semaphore(world),
            Primitive::Barrier => waiter.barrier(world),
            Primitive::Once => waiter.once(world),
        }
    }
}

/// A thread that waits in a function of musl.
pub(super) struct Waiter<'w> {
    pub(super) facts: &'w Facts<'w>,
    pub(super) call: FutexCall,
    pub(super) site: &'w CallSite,
    pub(super) function: &'w str,
    make: Make,
}

impl Waiter<'_> {
    fn mutex(&self, world: &mut World) -> Option<Wait> {
        let (facts, call, pid) = (self.facts, &self.call, self.facts.pid);
        let lock = call.address.checked_sub(4).filter(|lock| lock.is_multiple_of(8))?;
        let own_turns = world.times_run(pid, facts.tid);
        let fields = Mutex::read(world, pid, lock)?;
        let owner = fields.owner(call)?;
        let kind = if fields.is_robust() { WaitKind::PthreadMutexRobust } else { WaitKind::PthreadMutex };
        let mut wait = self.wait(world, kind, "mutex", Some(lock));
        wait.evidence.push(format!(
            "lock word = {:#x} at {:#x}, waiters = {}, type = {:#x} ({})",
            fields.word,
            call.address,
            fields.waiters,
            fields.kind,
            fields.kind_word()
        ));
        wait.evidence.push(route(self.site));
        let mut itself = false;
        match owner {
            Owner::Unsaid => {
                wait.partial = true;
                wait.certainty = Certainty::Derived;
                wait.evidence.push("a normal mutex of musl does not store who holds it".to_owned());
            }
            Owner::Thread(id) => {
                let dead = if fields.is_robust() { Dead::HandedOn } else { Dead::Orphaned };
                itself = world.has_inner_number(pid, facts.tid, id as Pid);
                let address = FutexCall { address: lock, ..*call };
                name(facts, world, &address, id, (call.private, dead), &mut wait);
            }
            Owner::Dead => {
                wait.orphaned = true;
                wait.certainty = Certainty::Derived;
                wait.evidence.push(format!("the holder has ended with it locked ({DIED:#x})"));
            }
        }
        let unchanged = world.still_there(facts)
            && Mutex::read(world, pid, lock).is_some_and(|now| same_holder(now, fields))
            && (!itself || world.times_run(pid, facts.tid) == own_turns);
        unchanged.then_some(wait)
    }

    fn rwlock(&self, world: &mut World, kind: WaitKind) -> Option<Wait> {
        let (pid, lock) = (self.facts.pid, self.call.address);
        let fields = Rwlock::read(world, pid, lock)?;
        if !lock.is_multiple_of(8) || !fields.plausible(&self.call, kind == WaitKind::PthreadRwlockRead) {
            return None;
        }
        let Rwlock([word, waiters, _]) = fields;
        let mut wait = self.nobodys(world, kind, "rwlock", Some(lock));
        wait.mode = Mode::All;
        wait.evidence.push(format!("lock word = {word:#x}, waiters = {waiters}"));
        wait.evidence.push(match rwlock_count(word) {
            Some(count) => format!("{}; musl does not keep who", read_by(count)),
            None => "a writer holds it; musl does not keep who it is".to_owned(),
        });
        let unchanged = Rwlock::read(world, pid, lock)
            .is_some_and(|Rwlock(now)| (now[0] | WAITED_FOR, now[2]) == (word | WAITED_FOR, fields.0[2]));
        (world.still_there(self.facts) && unchanged).then_some(wait)
    }

    fn join(&self, world: &mut World) -> Option<Wait> {
        let (facts, pid) = (self.facts, self.facts.pid);
        let descriptor = self.call.address.checked_sub(JOIN_STATE)?;
        let read = |world: &World| {
            let [itself] = world.longs(pid, descriptor).ok()?;
            let [id, _, state] = world.words(pid, descriptor + THREAD_ID).ok()?;
            Some((itself, id, state))
        };
        let (itself, id, state) = read(world)?;
        if itself != descriptor || (self.call.value, state) != (JOINABLE, JOINABLE) || !self.call.private {
            return None;
        }
        let tid = world.thread_by_inner_number(pid, id as Pid).filter(|&tid| tid != facts.tid)?;
        let mut wait = self.call.wait(WaitKind::ThreadJoin, format!("thread {tid}"));
        wait.holders.push(Holder { pid, tid: Some(tid) });
        wait.evidence.push(format!("thread id {id} stands in musl's thread descriptor at {descriptor:#x}"));
        wait.evidence.push(format!("in {}, state = {state} (joinable) at {:#x}", self.function, self.call.address));
        wait.evidence.push(route(self.site));
        (world.still_there(facts) && read(world) == Some((itself, id, state))).then_some(wait)
    }

    fn condition(&self, world: &mut World) -> Option<Wait> {
        let (pid, address) = (self.facts.pid, self.call.address);
        if self.call.private {
            // The node is a local variable of the function that waits.
            let [state, barrier] = world.words(pid, address.checked_sub(4)?).ok()?;
            if !self.is_above_stack_pointer() || (self.call.value, barrier, state) != (2, 2, 0) {
                return None;
            }
        } else {
            let start = address.checked_sub(8).filter(|start| start.is_multiple_of(8))?;
            let [shared, counter] = [world.words::<1>(pid, start).ok()?[0], world.words::<1>(pid, address).ok()?[0]];
            if shared == 0 || counter != self.call.value {
                return None;
            }
        }
        let start = if self.call.private { self.object(world, in_queue) } else { Some(address - 8) };
        let mut wait = self.nobodys(world, WaitKind::PthreadCond, "condition variable", start);
        if self.call.private {
            wait.evidence.push("the futex is its own node in the queue, not the condition variable itself".to_owned());
        }
        self.done(world, wait)
    }

    fn semaphore(&self, world: &mut World) -> Option<Wait> {
        let words = world.words(self.facts.pid, self.call.address).ok()?;
        if !is_semaphore(&self.call, words) {
            return None;
        }
        let wait = self.nobodys(world, WaitKind::Semaphore, "semaphore", Some(self.call.address));
        self.done(world, wait)
    }

    fn barrier(&self, world: &mut World) -> Option<Wait> {
        let (pid, address) = (self.facts.pid, self.call.address);
        if !self.call.private {
            return None;
        }
        let agrees = match self.call.value {
            1 => self.is_above_stack_pointer() && world.words(pid, address) == Ok([1]),
            0 => matches!(world.words(pid, address), Ok([0, waiters]) if counts(waiters)),
            _ => false,
        };
        if !agrees {
            return None;
        }
        let start = self.object(world, in_round);
        let mut wait = self.nobodys(world, WaitKind::PthreadBarrier, "barrier", start);
        wait.evidence
            .push("the futex is in the round, on the stack of the first thread, not in the barrier".to_owned());
        self.done(world, wait)
    }

    fn once(&self, world: &mut World) -> Option<Wait> {
        if self.call.value != 3 || !self.call.private || world.words(self.facts.pid, self.call.address) != Ok([3]) {
            return None;
        }
        let wait = self.nobodys(world, WaitKind::PthreadOnce, "once", Some(self.call.address));
        self.done(world, wait)
    }

    /// Whether the futex is near to the stack pointer, in a frame of this thread.
    pub(super) fn is_above_stack_pointer(&self) -> bool {
        let &Call::Blocked { sp, .. } = self.facts.call else { return false };
        (sp..sp.saturating_add(DEPTH as u64)).contains(&self.call.address)
    }

    /// The primitive that the function was called with, if it is the one that the futex
    /// belongs to: where that is on the stack of a thread that waits.
    pub(super) fn object(&self, world: &mut World, is_it: fn(&Self, &World, u64) -> bool) -> Option<u64> {
        argument(self.facts, world, self.site).filter(|&object| is_it(self, world, object))
    }

    /// A wait for what begins at `start`, if that is known.
    pub(super) fn wait(&self, world: &mut World, kind: WaitKind, what: &str, start: Option<u64>) -> Wait {
        let place = start.map(|start| format!(" in {}", world.place(self.facts.pid, start))).unwrap_or_default();
        let mut wait = self.call.wait(kind, format!("musl {what}{place}"));
        wait.make = self.make;
        wait.address = start;
        let Self { call, function, .. } = self;
        wait.evidence.push(format!("in {function}, futex at {:#x}, value {:#x}", call.address, call.value));
        wait
    }

    /// A wait for what does not say who must act.
    fn nobodys(&self, world: &mut World, kind: WaitKind, what: &str, start: Option<u64>) -> Wait {
        let mut wait = self.wait(world, kind, what, start);
        wait.partial = true;
        wait.certainty = Certainty::Derived;
        wait.evidence.push(route(self.site));
        wait
    }

    fn done(&self, world: &World, mut wait: Wait) -> Option<Wait> {
        wait.evidence.push(who_acts(wait.kind).to_owned());
        world.still_there(self.facts).then_some(wait)
    }
}

/// Whether the node that a thread waits in is in the queue of this condition variable: who
/// has none before it is the head, and who has none behind it is the tail.
fn in_queue(waiter: &Waiter<'_>, world: &World, condition: u64) -> bool {
    let pid = waiter.facts.pid;
    let node = waiter.call.address - 20;
    let long = |at: u64| world.longs(pid, at).map_or(0, |[long]: [u64; 1]| long);
    // Head and tail of the one, and the neighbours of the other.
    let ends = [(condition.wrapping_add(8), node), (condition.wrapping_add(40), node + 8)];
    let agrees = |&(end, neighbour): &(u64, u64)| {
        let (end, neighbour) = (long(end), long(neighbour));
        end != 0 && (neighbour == 0) == (end == node)
    };
    long(condition) == 0 && ends.iter().all(agrees)
}

/// Whether the round that a thread waits in is that of this barrier.
fn in_round(waiter: &Waiter<'_>, world: &World, barrier: u64) -> bool {
    let round = waiter.call.address.wrapping_sub(if waiter.call.value == 1 { 12 } else { 4 });
    world.longs(waiter.facts.pid, barrier.wrapping_add(24)) == Ok([round])
}

/// Whether a mutex is held by the same as before, whoever else waits by now.
fn same_holder(now: Mutex, before: Mutex) -> bool {
    (now.kind, now.word | WAITED_FOR) == (before.kind, before.word | WAITED_FOR)
}
