//! What is kept of the kernel's samples.

use super::kernel::FutexCode;
use super::record::{Sample, UserRegisters};
use super::set::{Points, Role};
use super::waits::Word;
use crate::model::{Nanos, Pid};
use crate::sys::perf_tracefs::Tracepoint;

/// What is kept of a sample until it is settled: tens of thousands a second are
/// sorted, so they are small.
#[derive(Debug)]
pub(super) struct Told {
    /// When.
    pub(super) time: Nanos,
    /// The process and thread that ran.
    pub(super) by: (Pid, Pid),
    /// What it did.
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// Blocked, for this futex if it was one; with its number in the event.
    Block(Option<Word>, Option<Pid>),
    /// Woke the thread of this number in the event, in a call with these arguments.
    Wake(Pid, Option<[u64; 5]>),
    /// Blocked, and shows its stack.
    Stack(Box<Sample>),
}

impl Told {
    /// Of a sample; `None` where it does not say what it should.
    pub(super) fn of(role: Role, sample: Sample, points: &Points, code: &FutexCode) -> Option<Self> {
        let (time, by) = (sample.time, (sample.pid, sample.tid));
        let what = match role {
            Role::Blocks => What::Block(word(&sample, code), number(&sample, &points.switch, "prev_pid")),
            Role::Wakes => What::Wake(
                number(&sample, &points.waking, "pid")?,
                sample.registers.as_ref().map(UserRegisters::arguments),
            ),
            Role::Stacks => What::Stack(Box::new(sample)),
        };
        Some(Told { time, by, what })
    }
}

/// The futex that a thread blocked for, if it is one.
pub(super) fn word(sample: &Sample, code: &FutexCode) -> Option<Word> {
    let arguments = sample.registers.as_ref()?.arguments();
    Word::waited_for(arguments).filter(|_| code.is_wait(&sample.chain))
}

/// A field of a tracepoint that holds the number of a thread.
fn number(sample: &Sample, point: &Tracepoint, field: &str) -> Option<Pid> {
    point.fields.get(field).and_then(|&(at, _)| sample.number(at))
}
