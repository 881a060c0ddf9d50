//! The records of the ring (`perf_event_open(2)`, "MMAP layout"), taken apart.
//!
//! ```text
//! sample   identifier 8 | pid 4, tid 4 | time 8 | [n 8, n places of the kernel's call chain]
//!          | [size 4, the tracepoint's fields] | convention 8, registers | [size 8, stack, filled 8]
//! birth    pid 4, parent's pid 4, tid 4, parent's tid 4, time 8; the same for an end
//! lost     identifier 8, how many 8
//! ```
//!
//! Registers come in the order of their bits; the user's are those with which
//! the thread entered the kernel, so they hold the arguments of its call.

use std::ops::Deref;

use crate::model::{Nanos, Pid};
use crate::sys::perf::sample;

/// `PERF_RECORD_LOST`, `_EXIT`, `_THROTTLE`, `_FORK`, `_SAMPLE`, `_LOST_SAMPLES`.
const LOST: u32 = 2;
const EXIT: u32 = 4;
const THROTTLE: u32 = 5;
const FORK: u32 = 7;
const SAMPLE: u32 = 9;
const LOST_SAMPLES: u32 = 13;

/// Numbers of `<asm/perf_regs.h>` for x86-64, and the DWARF numbers of the same.
const DX: u32 = 3;
const SI: u32 = 4;
const DI: u32 = 5;
const SP: u32 = 7;
const IP: u32 = 8;
const R8: u32 = 16;
const R10: u32 = 18;
/// Those that a function keeps for its caller: bx, bp, r12 to r15.
const KEPT: [(u32, u16); 6] = [(1, 3), (6, 6), (20, 12), (21, 13), (22, 14), (23, 15)];

/// The registers that hold a futex call's arguments.
pub(super) const ARGUMENTS: u64 = 1 << DX | 1 << SI | 1 << DI | 1 << R8 | 1 << R10;
/// Those and what the stack is walked with.
pub(super) const ALL: u64 = ARGUMENTS | 1 << SP | 1 << IP | 1 << 1 | 1 << 6 | 0b1111 << 20;
/// `PERF_SAMPLE_REGS_ABI_64`.
const CONVENTION_64: u64 = 2;

/// So many places of the kernel's call chain are asked for, with the mark before
/// them: as far as a wait for a PI lock goes.
pub(super) const CHAIN: usize = 10;

/// What is common to every kind of sample.
pub(super) const ALWAYS: u64 = sample::IDENTIFIER | sample::TID | sample::TIME | sample::REGS_USER;

/// A few values in place: fifty thousand samples a second take no memory anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Few<T, const N: usize> {
    values: [T; N],
    count: usize,
}

impl<T: Copy + Default, const N: usize> Few<T, N> {
    /// The first `N` of them.
    fn of(values: impl Iterator<Item = T>) -> Self {
        let mut few = Few::default();
        for (place, value) in few.values.iter_mut().zip(values) {
            *place = value;
            few.count += 1;
        }
        few
    }
}

impl<T: Copy + Default, const N: usize> Default for Few<T, N> {
    fn default() -> Self {
        Few { values: [T::default(); N], count: 0 }
    }
}

impl<T, const N: usize> Deref for Few<T, N> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.values[..self.count]
    }
}

/// The user's registers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UserRegisters {
    mask: u64,
    values: Few<u64, 16>,
}

impl UserRegisters {
    fn get(&self, number: u32) -> u64 {
        let index = (self.mask & ((1 << number) - 1)).count_ones() as usize;
        let known = self.mask >> number & 1 == 1;
        self.values.get(index).copied().filter(|_| known).unwrap_or(0)
    }

    /// The arguments of the system call: the first four and the fifth.
    pub(super) fn arguments(&self) -> [u64; 5] {
        [DI, SI, DX, R10, R8].map(|number| self.get(number))
    }

    /// Stack pointer and program counter.
    pub(super) fn place(&self) -> (u64, u64) {
        (self.get(SP), self.get(IP))
    }

    /// The registers that functions keep, by their DWARF numbers.
    pub(super) fn kept(&self) -> impl Iterator<Item = (u16, u64)> {
        KEPT.into_iter().map(|(number, dwarf)| (dwarf, self.get(number)))
    }
}

/// One sample.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sample {
    /// Which event it is of.
    pub(super) identifier: u64,
    /// The process and thread that ran.
    pub(super) pid: Pid,
    pub(super) tid: Pid,
    pub(super) time: Nanos,
    /// Places in the kernel, innermost first.
    pub(super) chain: Few<u64, CHAIN>,
    /// The fields of the tracepoint.
    pub(super) fields: Few<u8, 64>,
    /// `None` where the thread is one of the kernel, or of 32 bits.
    pub(super) registers: Option<UserRegisters>,
    /// The stack from its pointer upward.
    pub(super) stack: Vec<u8>,
}

impl Sample {
    /// A field of the tracepoint, of four bytes.
    pub(super) fn number(&self, offset: usize) -> Option<Pid> {
        let bytes = self.fields.get(offset..offset + 4)?;
        Some(Pid::from_le_bytes(bytes.try_into().ok()?))
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "nearly all are samples, and none is kept")]
pub(super) enum Record {
    Sample(Sample),
    /// A thread of this process was made.
    Born {
        pid: Pid,
        tid: Pid,
    },
    /// A thread of this process has ended.
    Ended {
        pid: Pid,
        tid: Pid,
        time: Nanos,
    },
    /// So many did not fit.
    Lost(u64),
    /// From here to its next tick the kernel tells nothing more on this CPU: there were
    /// more events than `kernel.perf_event_max_sample_rate` allows.
    HeldBack,
}

/// Takes a record apart; `layout` says for an identifier what its samples hold
/// and which registers. `None` for one that says nothing here.
pub(super) fn parse(kind: u32, body: &[u8], layout: impl Fn(u64) -> Option<(u64, u64)>) -> Option<Record> {
    let mut rest = Rest(body);
    match kind {
        LOST => Some(Record::Lost(rest.skip(8)?.long()?)),
        LOST_SAMPLES => Some(Record::Lost(rest.long()?)),
        THROTTLE => Some(Record::HeldBack),
        FORK | EXIT => {
            let [pid, _, tid, _] = [rest.word()?, rest.word()?, rest.word()?, rest.word()?].map(u32::cast_signed);
            let time = Nanos(rest.long()?);
            Some(if kind == FORK { Record::Born { pid, tid } } else { Record::Ended { pid, tid, time } })
        }
        SAMPLE => parse_sample(rest, layout).map(Record::Sample),
        _ => None,
    }
}

fn parse_sample(mut rest: Rest<'_>, layout: impl Fn(u64) -> Option<(u64, u64)>) -> Option<Sample> {
    let identifier = rest.long()?;
    let (holds, registers) = layout(identifier)?;
    let [pid, tid] = [rest.word()?, rest.word()?].map(u32::cast_signed);
    let mut sample = Sample { identifier, pid, tid, time: Nanos(rest.long()?), ..Sample::default() };
    if holds & sample::CALLCHAIN != 0 {
        let count = rest.long()?;
        sample.chain = rest.longs(count)?;
    }
    if holds & sample::RAW != 0 {
        let size = rest.word()? as usize;
        sample.fields = Few::of(rest.take(size)?.iter().copied());
    }
    let convention = rest.long()?;
    if convention != 0 {
        let values = rest.longs(u64::from(registers.count_ones()))?;
        // A call of 32 bits has its arguments elsewhere.
        let known = convention == CONVENTION_64;
        sample.registers = known.then_some(UserRegisters { mask: registers, values });
    }
    if holds & sample::STACK_USER != 0 {
        let size = rest.long()? as usize;
        let bytes = rest.take(size)?;
        let filled = if size == 0 { 0 } else { rest.long()? as usize };
        sample.stack = bytes.get(..filled)?.to_vec();
    }
    Some(sample)
}

/// What is left of a record.
#[derive(Clone, Copy)]
struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn take(&mut self, count: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn skip(mut self, count: usize) -> Option<Self> {
        self.take(count).map(|_| self)
    }

    fn word(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn long(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn longs<const N: usize>(&mut self, count: u64) -> Option<Few<u64, N>> {
        let bytes = self.take(usize::try_from(count).ok()?.checked_mul(8)?)?;
        let word = |chunk: &[u8]| chunk.iter().rev().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        Some(Few::of(bytes.chunks_exact(8).map(word)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOLDS: u64 = ALWAYS | sample::CALLCHAIN | sample::RAW | sample::STACK_USER;

    /// A sample as the kernel writes it.
    fn bytes() -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut long = |value: u64| bytes.extend(value.to_le_bytes());
        long(77);
        long(0x1019 | 0x1022 << 32);
        long(1_000_000);
        long(2);
        long(0xffff_ffff_8144_ea56);
        long(0xffff_ffff_8144_f26a);
        // Twelve bytes of fields: with their length a multiple of eight.
        long(0xc | 9 << 32);
        long(4_130);
        long(2);
        // dx, si, di, r8, r10
        for register in [2, 0x80, 0x7f00_0000_1000, 8, 0] {
            long(register);
        }
        long(16);
        long(0xaaaa);
        long(0xbbbb);
        long(8);
        bytes
    }

    #[test]
    fn a_sample_is_taken_apart() {
        let layout = |identifier| (identifier == 77).then_some((HOLDS, ARGUMENTS));
        let Some(Record::Sample(sample)) = parse(SAMPLE, &bytes(), layout) else { panic!("a sample") };
        assert_eq!((sample.pid, sample.tid, sample.time), (4_121, 4_130, Nanos(1_000_000)));
        assert_eq!(*sample.chain, [0xffff_ffff_8144_ea56, 0xffff_ffff_8144_f26a]);
        assert_eq!((sample.number(0), sample.number(4), sample.number(12)), (Some(9), Some(4_130), None));
        let registers = sample.registers.unwrap();
        assert_eq!(registers.arguments(), [0x7f00_0000_1000, 0x80, 2, 0, 8]);
        assert_eq!(registers.place(), (0, 0), "those were not asked for");
        assert_eq!(sample.stack, 0xaaaa_u64.to_le_bytes(), "no more than was filled");
    }

    #[test]
    fn what_is_cut_short_or_unknown_is_no_record() {
        let layout = |identifier| (identifier == 77).then_some((HOLDS, ARGUMENTS));
        let whole = bytes();
        for length in 0..whole.len() {
            assert_eq!(parse(SAMPLE, &whole[..length], layout), None, "{length}");
        }
        assert_eq!(parse(SAMPLE, &whole, |_| None), None);
        assert_eq!(parse(99, &whole, layout), None);
        let mut huge = whole.clone();
        huge[24..32].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(parse(SAMPLE, &huge, layout), None);
    }

    #[test]
    fn a_program_of_32_bits_has_no_registers_that_tell() {
        let mut bytes = bytes();
        let convention = bytes.windows(8).position(|part| part == 2_u64.to_le_bytes()).unwrap();
        let layout = |_| Some((HOLDS, ARGUMENTS));
        // The number of places is 2 too: the convention comes behind.
        let second =
            bytes[convention + 8..].windows(8).step_by(8).position(|part| part == 2_u64.to_le_bytes()).unwrap();
        bytes[convention + 8 + second * 8] = 1;
        let Some(Record::Sample(sample)) = parse(SAMPLE, &bytes, layout) else { panic!("a sample") };
        assert_eq!(sample.registers, None);
    }

    #[test]
    fn births_ends_and_losses_are_told() {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        let task = words(&[10, 1, 12, 1, 500, 0]);
        assert_eq!(parse(FORK, &task, |_| None), Some(Record::Born { pid: 10, tid: 12 }));
        assert_eq!(parse(EXIT, &task, |_| None), Some(Record::Ended { pid: 10, tid: 12, time: Nanos(500) }));
        assert_eq!(parse(LOST, &words(&[7, 0, 9, 0]), |_| None), Some(Record::Lost(9)));
        assert_eq!(parse(THROTTLE, &words(&[0; 6]), |_| None), Some(Record::HeldBack));
        assert_eq!(parse(LOST_SAMPLES, &words(&[3, 0]), |_| None), Some(Record::Lost(3)));
    }
}
