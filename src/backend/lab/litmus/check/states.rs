//! The final states of a test, by their values.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// Final states, with which models allow them: a bit each.
pub type States = HashMap<Vec<i32>, u32, BuildHasherDefault<Mixer>>;

/// Mixes the values of a state. There is one lookup or more for each candidate,
/// and nobody gains by choosing values that collide: only the own test is slow.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..piece.len()].copy_from_slice(piece);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, word: usize) {
        self.write_u64(word as u64);
    }

    fn finish(&self) -> u64 {
        // The table looks at the highest and the lowest bits.
        self.0 ^ self.0 >> 32
    }
}
