//! Which child is selected.

use std::sync::Arc;

use super::side::Pane;
use super::{Children, children};
use crate::model::child::{ChildId, ChildView};
use crate::ui::panels::Look;

impl Children {
    /// The selected child, the latest where none was selected.
    pub(super) fn child<'a>(&self, look: &Look<'a>) -> Option<&'a Arc<ChildView>> {
        let all = children(look);
        self.selected.and_then(|id| all.iter().find(|child| child.id == id)).or(all.last())
    }

    pub(super) fn choose(&mut self, id: ChildId) {
        if self.selected != Some(id) {
            self.selected = Some(id);
            self.log.follow();
            self.pane = Pane::default();
            // The process in depth is that of the one before.
            self.detail = None;
        }
    }

    pub(super) fn select_newest(&mut self, children: &[Arc<ChildView>]) {
        if let Some(last) = children.last().filter(|last| last.id > self.newest) {
            self.newest = last.id;
            self.choose(last.id);
        }
    }

    pub(super) fn move_by(&mut self, by: isize, look: &Look<'_>) {
        let all = children(look);
        let Some(child) = self.child(look) else { return };
        let index = all.iter().position(|other| other.id == child.id).unwrap_or(0);
        // Down the list is back in time.
        let index = index.saturating_add_signed(-by).min(all.len() - 1);
        self.choose(all[index].id);
    }
}
