//! The calls by which threads came to wait, each way told apart once.

use std::collections::HashMap;
use std::sync::Arc;

use crate::backend::observe::target::unwind::{Registers, Walk};
use crate::backend::observe::wait::World;
use crate::model::Pid;

/// So many ways are told apart.
const WAYS: usize = 4_096;
/// So many frames of each are shown.
const FRAMES: usize = 48;

/// The calls by which threads came to wait.
#[derive(Debug, Default)]
pub(super) struct Stacks {
    /// By their return addresses.
    ways: HashMap<Vec<u64>, usize>,
    texts: Vec<Vec<Arc<str>>>,
    places: HashMap<u64, Vec<Arc<str>>>,
}

impl Stacks {
    /// The number of the way by which a thread with these registers and this
    /// stack came to where it is; `None` where nothing can be read of it.
    pub(super) fn way(&mut self, world: &mut World, pid: Pid, registers: Registers, stack: &[u8]) -> Option<usize> {
        let walk = world.sampled_frames(pid, registers, stack);
        self.number(world, pid, &walk)
    }

    /// The number of the way that was found.
    pub(super) fn number(&mut self, world: &mut World, pid: Pid, walk: &Walk) -> Option<usize> {
        let mut places: Vec<u64> = walk.frames.iter().map(|frame| frame.registers.pc).collect();
        if places.is_empty() {
            return None;
        }
        let complete = walk.complete && places.len() <= FRAMES;
        places.truncate(FRAMES);
        if let Some(&number) = self.ways.get(&places) {
            return Some(number);
        }
        if self.texts.len() == WAYS {
            return None;
        }
        let mut texts: Vec<Arc<str>> = Vec::new();
        for &place in &places {
            let text = self.places.entry(place).or_insert_with(|| world.frame_texts(pid, place));
            texts.extend(text.iter().cloned());
        }
        if !complete {
            texts.push("…".into());
        }
        let number = self.texts.len();
        self.texts.push(texts);
        self.ways.insert(places, number);
        Some(number)
    }

    /// A way in words.
    pub(super) fn text(&self, number: usize) -> &[Arc<str>] {
        self.texts.get(number).map_or(&[], Vec::as_slice)
    }
}
