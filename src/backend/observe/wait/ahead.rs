//! Memory of a process read ahead, in few system calls for many threads.

use crate::model::{Pid, sorting};

/// Ranges of one process's memory.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    pid: Pid,
    /// From, to, and where that stands in `bytes`; by address, none overlapping.
    spans: Vec<(u64, u64, usize)>,
    bytes: Vec<u8>,
}

impl Ahead {
    /// Reads `ranges`, addresses and lengths, by `read`, which says for each
    /// whether it could be read.
    pub(super) fn read(
        pid: Pid,
        mut ranges: Vec<(u64, usize)>,
        read: impl FnOnce(&[(u64, usize)], &mut [u8]) -> Vec<bool>,
    ) -> Self {
        ranges.retain(|(address, length)| address.checked_add(*length as u64).is_some());
        sorting::by(&mut ranges, Ord::cmp);
        let mut apart: Vec<(u64, usize)> = Vec::with_capacity(ranges.len());
        for (from, length) in ranges {
            match apart.last_mut() {
                Some((start, known)) if from <= *start + *known as u64 => {
                    *known = (*known).max((from - *start) as usize + length);
                }
                _ => apart.push((from, length)),
            }
        }
        let mut bytes = vec![0; apart.iter().map(|(_, length)| length).sum()];
        let done = read(&apart, &mut bytes);
        let mut offset = 0;
        let mut spans = Vec::with_capacity(apart.len());
        for (&(from, length), done) in apart.iter().zip(done) {
            if done {
                spans.push((from, from + length as u64, offset));
            }
            offset += length;
        }
        Ahead { pid, spans, bytes }
    }

    /// Fills `buffer` if all of it has been read ahead.
    pub(super) fn fill(&self, pid: Pid, address: u64, buffer: &mut [u8]) -> bool {
        let before = self.spans.partition_point(|(from, ..)| *from <= address);
        let span = before.checked_sub(1).and_then(|at| self.spans.get(at)).filter(|_| pid == self.pid);
        let Some(&(from, to, offset)) = span else { return false };
        if address.checked_add(buffer.len() as u64).is_none_or(|end| end > to) {
            return false;
        }
        let start = offset + (address - from) as usize;
        buffer.copy_from_slice(&self.bytes[start..start + buffer.len()]);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_read_is_given() {
        let ranges = vec![(100, 10), (105, 10), (300, 4), (115, 2), (u64::MAX, 4)];
        let ahead = Ahead::read(7, ranges, |ranges, bytes| {
            assert_eq!(ranges, [(100, 17), (300, 4)], "joined where they touch");
            bytes.iter_mut().enumerate().for_each(|(at, byte)| *byte = at as u8);
            vec![true, false]
        });
        let mut buffer = [0; 4];
        assert!(ahead.fill(7, 113, &mut buffer));
        assert_eq!(buffer, [13, 14, 15, 16]);
        for (pid, address) in [(7, 99), (7, 114), (7, 300), (7, u64::MAX), (8, 100)] {
            assert!(!ahead.fill(pid, address, &mut buffer), "{address}");
        }
        assert!(!Ahead::default().fill(0, 0, &mut buffer));
    }
}
