//! A thread as it was at a moment that has passed: with its registers and the
//! top of its stack, as a sample has kept them.

use std::sync::Arc;

use rustix::io::Errno;

use super::{Ahead, World};
use crate::backend::observe::rehearsal::Memory;
use crate::backend::observe::target::demangle::readable;
use crate::backend::observe::target::unwind::{Registers, Walk};
use crate::backend::observe::wait::shared;
use crate::model::Pid;

/// The granularity in which the memory that frames are found in is read.
const PAGE: u64 = 4096;

impl World {
    /// From now on, until the next call, these parts of a process's memory are
    /// what they were.
    pub(in crate::backend::observe) fn remember(&mut self, pid: Pid, parts: &[(u64, &[u8])]) {
        let ranges = parts.iter().map(|&(address, bytes)| (address, bytes.len())).collect();
        self.ahead = Ahead::read(pid, ranges, |ranges, buffer| {
            let mut filled = 0;
            let each = ranges.iter().map(|&(from, length)| {
                let room = &mut buffer[filled..filled + length];
                filled += length;
                // Where two parts touch, they are asked for as one.
                for &(address, bytes) in parts {
                    let Some(at) = address.checked_sub(from).filter(|&at| (at as usize) < length) else { continue };
                    let at = at as usize;
                    let count = bytes.len().min(length - at);
                    room[at..at + count].copy_from_slice(&bytes[..count]);
                }
                true
            });
            each.collect()
        });
    }

    /// The frames of a thread that had these registers, and this on its stack
    /// from the stack pointer upward.
    pub(in crate::backend::observe) fn sampled_frames(&mut self, pid: Pid, registers: Registers, stack: &[u8]) -> Walk {
        let bottom = registers.sp;
        let top = bottom + stack.len() as u64;
        let stage = self.stage(pid);
        let read = |address: u64, page: &mut [u8]| {
            let end = address + page.len() as u64;
            if end <= bottom & !(PAGE - 1) || address >= top {
                return stage.read(address, page);
            }
            // What lies around the sampled part was overwritten since: zero, which is no
            // return address.
            page.fill(0);
            let from = address.max(bottom);
            let to = end.min(top);
            if from >= to {
                return false;
            }
            let (at, part) = ((from - address) as usize, (from - bottom) as usize..(to - bottom) as usize);
            page[at..at + part.len()].copy_from_slice(&stack[part]);
            true
        };
        stage.frames_from(&Memory::new(&read), registers)
    }

    /// What there is around a futex now; `None` where it cannot be read.
    pub(in crate::backend::observe) fn lock_now(&self, pid: Pid, address: u64) -> Result<(u64, super::Around), Errno> {
        let mut bytes = [0; 2 * super::AROUND as usize];
        let from = address.saturating_sub(super::AROUND);
        match self.source.memory(pid, &[(from, bytes.len())], &mut bytes) {
            Ok(()) => Ok((from, bytes)),
            Err(error) => {
                // At the very beginning or end of a mapping.
                let half = super::AROUND as usize;
                let mut part = [0; super::AROUND as usize];
                self.source.memory(pid, &[(address, half)], &mut part).map_err(|_| error)?;
                bytes[..half].copy_from_slice(&part);
                Ok((address, bytes))
            }
        }
    }

    /// The functions that the call before a return address stands in, innermost
    /// first: with their lines of source where there is debug information.
    pub(in crate::backend::observe) fn frame_texts(&mut self, pid: Pid, address: u64) -> Vec<Arc<str>> {
        let Some(maps) = self.maps(pid) else { return vec![format!("{address:#x}").into()] };
        let code = self.source.code(&self.root, pid, &maps, &[address]).pop();
        let name = code.as_ref().and_then(|code| code.function.as_deref()).map(readable);
        let mut texts: Vec<Arc<str>> = Vec::new();
        for line in self.source.lines(&self.root, pid, &maps, address) {
            let file = line.file.rsplit('/').next().unwrap_or(&line.file);
            // Where the lines name no function, it is the one of the symbol.
            if let Some(function) = line.function.as_ref().or(name.as_ref()) {
                texts.push(format!("{function} ({file}:{})", line.line).into());
            }
        }
        if texts.is_empty() {
            texts.push(match (name, code) {
                (Some(name), _) => name.into(),
                (None, Some(code)) if !code.file.is_empty() => {
                    let file = code.file.rsplit('/').next().unwrap_or(&code.file);
                    let mapping = maps.find(address.wrapping_sub(1));
                    let into = mapping.map_or(address, |mapping| address - mapping.range.start + mapping.offset);
                    format!("{file}+{into:#x}").into()
                }
                _ => format!("{address:#x}").into(),
            });
        }
        texts
    }

    /// Whether an address is in memory that processes may share.
    pub(in crate::backend::observe) fn is_shared(&mut self, pid: Pid, address: u64) -> bool {
        self.maps(pid).is_some_and(|maps| maps.find(address).is_some_and(|mapping| mapping.shared))
    }

    /// Whether two words of two processes are one, in memory that both share.
    pub(in crate::backend::observe) fn same_word(&mut self, one: (Pid, u64), other: (Pid, u64)) -> bool {
        let Some(identity) = shared::identity(self, one.0, one.1) else { return false };
        shared::identity(self, other.0, other.1) == Some(identity)
    }
}
