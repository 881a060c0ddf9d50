//! Contention by readings of `/proc`, where the scheduler's events cannot be had.
//!
//! ```text
//! reading      │   │   │   │   │   │       every few milliseconds, at most 3 % of a CPU and stacks
//! thread   ════╪───╪───╪═══╪═─═╪═══╪═─     ═ runs   ─ waits
//!              .   x   x   .   .   .       seen waiting: its time since the reading before is counted
//! ```
//!
//! What is seen is a share of the time, and as such right on the average however
//! short the waits are. How many waits there were is not: those between two
//! readings are missed, and how long each took is not told either. How many
//! blocks there were in all the kernel counts; that is said beside it. Who wakes
//! is never seen.

use std::collections::HashMap;
use std::time::Duration;

use rustix::io::Errno;

use super::names::Blocked;
use super::reader::Reader;
use super::tally::Tally;
use super::waits::Word;
use crate::backend::observe::privilege::explain;
use crate::backend::observe::target::unwind::Registers;
use crate::backend::observe::wait::Call;
use crate::model::units::grouped;
use crate::model::{Fault, Nanos, Pid};
use crate::sys::clock;

/// The least and the most time between two readings.
const SHORTEST: Nanos = Nanos(1_000_000);
const LONGEST: Nanos = Nanos(250_000_000);
/// The share of a CPU that readings may take: one in so many.
const SHARE: u64 = 33;
/// So many stacks are looked at between two ends of a second.
const STACKS: u32 = 100;

/// A thread in a wait, as it was seen last.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    call: Call,
    /// How often it has had a CPU; `None` where the kernel does not count.
    turns: Option<u64>,
}

/// The observation of one process.
#[derive(Debug, Default)]
pub(super) struct Sampling {
    seen: HashMap<Pid, (Seen, Word)>,
    words: HashMap<u64, Tally>,
    threads: Vec<Pid>,
    listed: Option<Nanos>,
    last: Option<Nanos>,
    due: Nanos,
    interval: Nanos,
    stacks: u32,
    spent_on_stacks: Nanos,
    refused: Option<Errno>,
    switches: Option<u64>,
    /// Blocks since the beginning, and waits that were seen.
    blocks: u64,
    waits: u64,
    buffer: Vec<u8>,
}

impl Sampling {
    /// Waits until the next reading is due, and reads.
    pub(super) fn turn(&mut self, reader: &mut Reader) {
        let now = clock::monotonic();
        std::thread::sleep(Duration::from(self.due.since(now)));
        let began = clock::monotonic();
        let spent = clock::thread_cpu();
        if self.listed.is_none_or(|at| began.since(at) > Nanos::from_millis(20)) {
            self.threads = reader.threads();
            self.listed = Some(began);
        }
        let passed = self.last.map_or(Nanos::ZERO, |last| began.since(last));
        self.last = Some(began);
        let threads = std::mem::take(&mut self.threads);
        let mut before = std::mem::take(&mut self.seen);
        for &tid in &threads {
            self.look(reader, tid, before.remove(&tid), passed);
        }
        self.threads = threads;
        // What the looks at stacks cost is no reason to look at the threads less often.
        let cost = clock::thread_cpu().since(spent + std::mem::take(&mut self.spent_on_stacks));
        let interval = Nanos(cost.0 * SHARE).max(SHORTEST).min(LONGEST);
        // Slowly: one dear reading, as the first is, which learns the names, is no
        // reason to look away.
        self.interval = Nanos((self.interval.max(SHORTEST).0 * 7 + interval.0) / 8);
        // Out of step with whatever the target does: between half and one and a half.
        let spread = Nanos(self.interval.0 / 2 + began.0 % self.interval.0.max(1));
        self.due = Nanos(began.0 + spread.0);
    }

    #[expect(clippy::needless_pass_by_value, reason = "whoever calls has taken it out")]
    fn look(&mut self, reader: &mut Reader, tid: Pid, before: Option<(Seen, Word)>, passed: Nanos) {
        let call = match reader.call(tid, &mut self.buffer) {
            Ok(Some(call)) => call,
            Err(error @ (Errno::ACCESS | Errno::PERM)) => {
                self.refused = Some(error);
                return;
            }
            _ => return,
        };
        let Call::Blocked { call: blocked, sp, pc } = &call else { return };
        if blocked.number != libc::SYS_futex {
            return;
        }
        let [word, operation, value, limit, second, _] = blocked.args;
        let Some(word) = Word::waited_for([word, operation, value, limit, second]) else { return };
        let (arguments, place) = (blocked.args, (*sp, *pc));
        let seen = Seen { call, turns: reader.world.times_run(reader.pid, tid) };
        let same = before.as_ref().is_some_and(|(before, _)| *before == seen);
        let tally = self.words.entry(word.address).or_default();
        tally.shared = word.shared;
        tally.wait(tid, passed);
        if same {
            // One wait that goes on.
            tally.waits -= 1;
            if let Some(known) = tally.waiters.get_mut(&tid) {
                known.0 -= 1;
            }
        } else {
            self.waits += 1;
        }
        if !same && self.stacks < STACKS {
            self.stacks += 1;
            let before = clock::thread_cpu();
            self.ask(reader, (tid, &seen), word, (arguments, place));
            self.spent_on_stacks += clock::thread_cpu().since(before);
        }
        self.seen.insert(tid, (seen, word));
    }

    /// Learns what the word is and by which calls the thread came there, if it can
    /// be read while the thread sleeps.
    fn ask(
        &mut self,
        reader: &mut Reader,
        (tid, seen): (Pid, &Seen),
        word: Word,
        (arguments, place): ([u64; 6], (u64, u64)),
    ) {
        let Some(stack) = reader.stack_now(place.0) else { return };
        // Only if it is there still, and was all the while: then that was its stack.
        let still = reader.call(tid, &mut self.buffer).ok().flatten();
        let turns = reader.world.times_run(reader.pid, tid);
        if still.as_ref() != Some(&seen.call) || turns != seen.turns {
            return;
        }
        let registers = Registers::new(place.0, place.1);
        let way = reader.stacks.way(&mut reader.world, reader.pid, registers, &stack);
        if let Some((way, tally)) = way.zip(self.words.get_mut(&word.address)) {
            *tally.stacks.entry(way).or_default() += 1;
        }
        if reader.names.wants(word.address) {
            let blocked = Blocked { tid, arguments, place, stack: Some(&stack) };
            reader.names.ask(&mut reader.world, reader.pid, &blocked);
        }
    }

    /// Ends a second: what was counted in it.
    pub(super) fn close_second(&mut self, reader: &Reader) -> HashMap<u64, Tally> {
        let switches = reader.voluntary_switches(&reader.threads());
        if let Some(before) = self.switches {
            // Threads that have ended took their counts with them.
            self.blocks += switches.saturating_sub(before);
        }
        self.switches = Some(switches);
        self.stacks = 0;
        std::mem::take(&mut self.words)
    }

    /// How many threads wait for each word.
    pub(super) fn waiting(&self) -> HashMap<u64, (u64, bool)> {
        let mut words = HashMap::new();
        for (_, word) in self.seen.values() {
            words.entry(word.address).or_insert((0, word.shared)).0 += 1;
        }
        words
    }

    /// What this way of looking cannot tell.
    pub(super) fn notes(&self) -> Vec<Fault> {
        let mut notes = Vec::new();
        let what = format!(
            "one reading each {}: time waited is estimated; of {} blocks of its threads for any reason {} waits \
             were seen, shorter ones mostly not; how long each lasted and who woke is not seen",
            self.interval.precise(),
            grouped(self.blocks),
            grouped(self.waits),
        );
        notes.push(Fault::new("sampling", what));
        if let Some(error) = self.refused {
            let fault = Fault::new("/proc/PID/task/TID/syscall", explain(error));
            notes.push(fault.hint("run as root or with CAP_SYS_PTRACE, or watch a process of your own"));
        }
        notes
    }

    /// Why nothing at all can be read of it, if so.
    pub(super) fn refused(&self) -> Option<Errno> {
        self.refused
    }
}

/// How much of a stack is read, less where it is not that high.
const DEPTHS: [usize; 5] = [8 << 10, 4 << 10, 2 << 10, 1 << 10, 512];

impl Reader {
    /// The top of a stack, from its pointer upward.
    fn stack_now(&self, pointer: u64) -> Option<Vec<u8>> {
        DEPTHS.into_iter().find_map(|depth| {
            let mut bytes = vec![0; depth];
            self.world.memory(self.pid, pointer, &mut bytes).is_ok().then_some(bytes)
        })
    }
}
