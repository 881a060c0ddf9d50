//! Contention by the scheduler's own events: every block and every wake-up.
//!
//! ```text
//! rings ──records──► sorted by time ──► waits       the pairs of block and wake-up
//!                                   └─► reader      stacks and what the words are
//! ```
//!
//! Each CPU has a ring of its own, so what one tells may have happened before
//! what another has told already. Records are held back for a moment, until
//! nothing older can come.

use std::collections::{BTreeSet, HashMap};

use super::kernel::FutexCode;
use super::lens::{FIRST_PERIOD, Lens};
use super::needs::{newest_number, own_numbers, requirements};
use super::reader::Reader;
use super::record::{Record, Sample};
use super::refusal;
use super::set::{Points, Role, Set};
use super::tally::Tally;
use super::told::{Told, What, word};
use super::waits::{Waits, Wake, Word};
use crate::backend::observe::wait::Call;
use crate::model::sorting;
use crate::model::{Fault, Nanos, Pid};
use crate::sys::{clock, priority};

/// Between two looks at the rings.
const TURN_MS: u32 = 40;
/// A record of this age has no older ones behind it: the kernel writes it within
/// the switch itself.
const SETTLED: Nanos = Nanos(2_000_000);
/// So long, in one turn: the rings fill meanwhile.
const LOOKING: Nanos = Nanos(15_000_000);
/// Others' blocks in one turn that are worth a new filter, and how long that is
/// good for.
const STRANGE: u64 = 100;
const FILTER_LASTS: Nanos = Nanos(250_000_000);

/// The observation of one process.
#[derive(Debug)]
pub(super) struct Events {
    pid: Pid,
    points: Points,
    set: Set,
    code: FutexCode,
    waits: Waits,
    pending: Vec<Told>,
    ended: Vec<(Nanos, Pid)>,
    /// The threads that the filter names, and the number above which all pass;
    /// `None` where threads have other numbers in events than here.
    filter: Option<(BTreeSet<Pid>, Pid)>,
    /// From a thread's number in events to its number here, where they differ.
    numbers: HashMap<Pid, Pid>,
    lens: Lens,
    turn_blocks: u64,
    told_lost: u64,
    before: u64,
    /// Whether the kernel has held events back, and how many.
    holds_back: bool,
    held_back: u64,
    /// Samples of blocks and wake-ups that the present set has told.
    told: u64,
    /// Others' blocks in this turn.
    strange: u64,
    uncovered: bool,
    /// When the present events took over: what they tell of before, others have told.
    since: Nanos,
}

impl Events {
    /// Opens the events for the reader's process and begins.
    ///
    /// # Errors
    /// What refused, and which setting would change it.
    pub(super) fn open(reader: &mut Reader) -> Result<Self, Fault> {
        let (points, code) = requirements()?;
        let filter = own_numbers().then(|| {
            // The newest number first: whoever is made from here on has a higher one.
            let newest = newest_number();
            (sorting::set(reader.threads().into_iter()), newest)
        });
        let set = open(&points, filter.as_ref(), FIRST_PERIOD)?;
        let mut events = Events {
            pid: reader.pid,
            points,
            set,
            code,
            waits: Waits::new(reader.pid),
            pending: Vec::new(),
            ended: Vec::new(),
            filter,
            numbers: HashMap::new(),
            lens: Lens::new(clock::monotonic()),
            turn_blocks: 0,
            told_lost: 0,
            before: 0,
            holds_back: false,
            held_back: 0,
            told: 0,
            strange: 0,
            uncovered: false,
            since: Nanos::ZERO,
        };
        events.find_waiting(reader);
        // From here on decoders are asked of moments that have passed.
        reader.world.vouch();
        // Whom it observes goes first. Where that is refused it goes as others do.
        let _ = priority::give_way();
        Ok(events)
    }

    /// Who waits already when the observation begins.
    fn find_waiting(&mut self, reader: &mut Reader) {
        let began = clock::monotonic();
        let mut buffer = Vec::new();
        for tid in reader.threads() {
            let Ok(Some(Call::Blocked { call, sp, pc })) = reader.call(tid, &mut buffer) else { continue };
            if call.number != libc::SYS_futex {
                continue;
            }
            let [word, operation, value, limit, second, _] = call.args;
            let Some(found) = Word::waited_for([word, operation, value, limit, second]) else { continue };
            self.waits.found_waiting(tid, found, began);
            if reader.names.wants(word) {
                let blocked = super::names::Blocked { tid, arguments: call.args, place: (sp, pc), stack: None };
                reader.names.ask(&mut reader.world, reader.pid, &blocked);
            }
        }
    }

    /// Waits for a moment, and takes in what has happened.
    pub(super) fn turn(&mut self, reader: &mut Reader) {
        self.set.wait(TURN_MS);
        let settled = clock::monotonic().since(SETTLED);
        let happened = self.happened();
        self.read();
        self.count_held_back(happened);
        self.work(reader, settled);
        self.pace();
        if std::mem::take(&mut self.uncovered) {
            self.open_anew(reader);
        }
    }

    /// Takes in all that is left.
    pub(super) fn finish(&mut self, reader: &mut Reader) {
        self.set.stop();
        self.read();
        self.count_held_back(self.happened());
        self.work(reader, Nanos(u64::MAX));
    }

    /// How many blocks and wake-ups there were, told or not; asked only where some are
    /// held back.
    fn happened(&self) -> Option<u64> {
        self.holds_back.then(|| self.set.happened()).flatten()
    }

    /// What had happened before the rings were read, and was neither told nor lost, was
    /// held back.
    fn count_held_back(&mut self, happened: Option<u64>) {
        if let Some(missing) = happened.and_then(|all| all.checked_sub(self.told + self.set.lost()?)) {
            self.held_back = self.held_back.max(missing);
        }
    }

    fn read(&mut self) {
        let Events {
            set,
            pending,
            ended,
            told_lost,
            filter,
            pid: target,
            uncovered,
            since,
            lens,
            holds_back,
            told,
            ..
        } = self;
        let (points, code) = (&self.points, &self.code);
        set.drain(|role, record| match record {
            Record::Sample(sample) => {
                *told += u64::from(role != Some(Role::Stacks));
                if sample.time > *since {
                    pending.extend(role.and_then(|role| Told::of(role, sample, points, code)));
                }
            }
            Record::HeldBack if role == Some(Role::Stacks) => lens.thinned = true,
            Record::HeldBack => *holds_back = true,
            Record::Ended { pid, tid, time } if pid == *target => ended.push((time, tid)),
            Record::Born { pid, tid } if pid == *target => {
                let covered = |(known, newest): &(BTreeSet<Pid>, Pid)| tid > *newest || known.contains(&tid);
                *uncovered |= !filter.as_ref().is_none_or(covered);
            }
            Record::Lost(_) if role == Some(Role::Stacks) => lens.thinned = true,
            Record::Lost(count) => *told_lost += count,
            Record::Born { .. } | Record::Ended { .. } => {}
        });
    }

    /// Works off what is settled, in order.
    fn work(&mut self, reader: &mut Reader, settled: Nanos) {
        let mut pending = std::mem::take(&mut self.pending);
        pending.sort_by_key(|told| told.time);
        let now = pending.partition_point(|told| told.time <= settled);
        let began = clock::monotonic();
        for Told { time, by, what } in pending.drain(..now) {
            match what {
                What::Block(word, number) => self.block(reader, (by, time), word, number),
                What::Wake(woken, arguments) => self.wake(reader, woken, Wake { by, arguments, time }),
                What::Stack(sample) if clock::monotonic().since(began) < LOOKING => self.stack(reader, &sample),
                What::Stack(_) => self.lens.thinned = true,
            }
        }
        self.pending = pending;
        let Events { ended, waits, .. } = self;
        ended.retain(|&(time, tid)| {
            let later = time > settled;
            if !later {
                waits.ended(tid);
            }
            later
        });
    }

    fn block(
        &mut self,
        reader: &mut Reader,
        ((pid, tid), time): ((Pid, Pid), Nanos),
        word: Option<Word>,
        number: Option<Pid>,
    ) {
        if pid != self.pid {
            self.strange += 1;
            return;
        }
        self.turn_blocks += 1;
        if self.filter.is_none()
            && let Some(number) = number
        {
            self.numbers.insert(number, tid);
        }
        let (target, world) = (self.pid, &mut reader.world);
        self.waits.blocked(tid, word, time, |own, there| world.same_word((target, own), there));
    }

    fn wake(&mut self, reader: &mut Reader, number: Pid, wake: Wake) {
        let woken = if self.filter.is_some() {
            number
        } else {
            let Some(&woken) = self.numbers.get(&number) else { return };
            woken
        };
        let target = self.pid;
        let own = self.waits.word_of(woken);
        let world = &mut reader.world;
        self.waits.woken(woken, wake, |pid, address| {
            own.is_some_and(|own| world.same_word((target, own.address), (pid, address)))
        });
    }

    fn stack(&mut self, reader: &mut Reader, sample: &Sample) {
        if sample.pid != self.pid {
            return;
        }
        let Some(word) = word(sample, &self.code) else { return };
        if !self.lens.wants(word.address) {
            return;
        }
        let Some(way) = reader.look(sample) else { return };
        let weight = self.lens.weight(sample.time);
        if let Some(tally) = self.waits.tally(word) {
            *tally.stacks.entry(way).or_default() += weight;
        }
    }

    /// Opens the events once more, for the threads there are now.
    fn open_anew(&mut self, reader: &mut Reader) {
        let newest = newest_number();
        let threads = sorting::set(reader.threads().into_iter());
        let filter = Some((threads, newest));
        // Where it is refused now, the old ones go on.
        let Ok(set) = open(&self.points, filter.as_ref(), self.lens.period()) else { return };
        // Both are at work now. Up to this moment the old ones tell, from it on the new
        // ones: nothing is told twice or by neither.
        let moment = clock::monotonic();
        self.set.stop();
        self.read();
        self.pending.retain(|told| told.time <= moment);
        self.count_held_back(self.happened());
        self.before += self.set.lost().unwrap_or(0) + std::mem::take(&mut self.held_back);
        (self.set, self.filter, self.since) = (set, filter, moment);
        self.told = 0;
    }

    /// Sees to it that neither too many stacks are told nor too few: at once where
    /// the program blocks more often, for each takes much room.
    fn pace(&mut self) {
        let now = clock::monotonic();
        let (own, strange) = (std::mem::take(&mut self.turn_blocks), std::mem::take(&mut self.strange));
        // Processes that are younger than the filter get through it: a new one keeps
        // them out.
        if self.filter.is_some() && strange > STRANGE.max(own) && now.since(self.since) > FILTER_LASTS {
            self.uncovered = true;
        }
        // Until then their stacks take the same room.
        if let Some(period) = self.lens.turn(now, own + strange) {
            self.set.stack_period(period);
        }
    }

    /// Ends a second: what was counted in it.
    pub(super) fn close_second(&mut self) -> HashMap<u64, Tally> {
        let mut words = self.waits.take();
        if self.lens.close_second() {
            for tally in words.values_mut() {
                tally.thinned = true;
            }
        }
        words
    }

    /// How many threads wait for each word.
    pub(super) fn waiting(&self) -> HashMap<u64, (u64, bool)> {
        self.waits.waiting()
    }

    /// Samples that did not fit, or were held back.
    pub(super) fn lost(&self) -> u64 {
        self.set.lost().map_or(self.told_lost, |lost| self.before + lost) + self.held_back
    }

    /// Whether the kernel has held events back.
    pub(super) fn holds_back(&self) -> bool {
        self.holds_back
    }

    /// Blocks for something else than a futex.
    pub(super) fn other_blocks(&self) -> u64 {
        self.waits.other_blocks
    }

    /// Waits for words beyond those that are told apart.
    pub(super) fn crowded(&self) -> u64 {
        self.waits.crowded
    }

    /// One in how many blocks is told with its stack, and the memory of the rings.
    pub(super) fn scale(&self) -> (u64, usize) {
        (self.lens.period(), self.set.room())
    }
}

fn open(points: &Points, filter: Option<&(BTreeSet<Pid>, Pid)>, period: u64) -> Result<Set, Fault> {
    let threads: Option<(Vec<Pid>, Pid)> = filter.map(|(threads, newest)| (threads.iter().copied().collect(), *newest));
    Set::open(points, threads.as_ref().map(|(threads, newest)| (threads.as_slice(), *newest)), period)
        .map_err(refusal::perf)
}
