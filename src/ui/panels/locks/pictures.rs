//! The pictures of a run that are kept, and which of them is on the screen: the newest,
//! or one that is held.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::model::Stamped;
use crate::model::lock::LockProgress;

/// How many pictures are kept to scroll back to: each is a stretch of the lanes
/// with all figures, at most some 100 kB.
const KEPT: usize = 64;

/// Where the cursor begins: in the middle of a narrow screen. Drawing keeps it inside.
const BEGIN: u16 = 30;

/// A progress with its stamp.
type Picture = Arc<Stamped<LockProgress>>;

/// The pictures.
#[derive(Debug, Default)]
pub(super) struct Pictures {
    /// The last one with figures: it stays on the screen after a stop.
    newest: Option<Picture>,
    /// The one that is held.
    held: Option<Picture>,
    /// The last ones, oldest first; none are added while one is held.
    kept: VecDeque<Picture>,
    /// How many pictures back the held one is.
    pub(super) back: usize,
    /// The column of the lanes that is read out while a picture is held.
    pub(super) cursor: Option<u16>,
}

impl Pictures {
    /// A run has come so far.
    pub(super) fn take(&mut self, picture: &Picture) {
        self.newest = Some(picture.clone());
        if self.held.is_none() {
            if self.kept.len() == KEPT {
                self.kept.pop_front();
            }
            self.kept.push_back(picture.clone());
        }
    }

    /// The newest one.
    pub(super) fn newest(&self) -> Option<&LockProgress> {
        self.newest.as_ref().map(|picture| &picture.value)
    }

    /// The one on the screen.
    pub(super) fn shown(&self) -> Option<&LockProgress> {
        self.held.as_ref().or(self.newest.as_ref()).map(|picture| &picture.value)
    }

    /// Whether one is held.
    pub(super) fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Holds the newest one, or lets the held one go.
    pub(super) fn hold_or_go_on(&mut self) {
        if self.is_held() {
            (self.held, self.back, self.cursor) = (None, 0, None);
        } else {
            self.held.clone_from(&self.newest);
        }
    }

    /// Holds one so many pictures further back.
    pub(super) fn look_back(&mut self, by: isize) {
        let newest = self.kept.len().saturating_sub(1);
        self.back = self.back.saturating_add_signed(by).min(newest);
        self.held = self.kept.get(newest - self.back).or(self.newest.as_ref()).cloned();
    }

    /// Moves the cursor by so many columns, over a picture that is held from now on.
    pub(super) fn move_cursor(&mut self, by: isize) {
        if self.held.is_none() {
            self.held.clone_from(&self.newest);
        }
        self.cursor = Some(self.cursor.map_or(BEGIN, |cursor| cursor.saturating_add_signed(by as i16)));
    }
}
