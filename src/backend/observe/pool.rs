//! Tables that are filled again once no face holds them any more: publishing
//! allocates nothing in steady state.

use std::sync::Arc;

use crate::model::Stamped;
use crate::model::process::ProcessTable;

/// One is being filled; the last one is kept for details and for a sampler that
/// takes over; one waits in the outlet; a face holds one or two.
const KEPT: usize = 5;

/// Published tables, kept to be used again.
#[derive(Debug, Default)]
pub struct Pool {
    tables: Vec<Arc<Stamped<ProcessTable>>>,
}

impl Pool {
    /// An empty table that nobody else holds.
    pub fn take(&mut self) -> Arc<Stamped<ProcessTable>> {
        self.empty();
        let free = self.tables.iter_mut().position(|table| Arc::get_mut(table).is_some());
        free.map(|at| self.tables.swap_remove(at)).unwrap_or_default()
    }

    /// Empties the tables that nobody else holds: what was in them only is not
    /// kept for ever.
    pub fn empty(&mut self) {
        for stamped in self.tables.iter_mut().filter_map(Arc::get_mut) {
            stamped.value.processes.clear();
            stamped.value.threads.clear();
        }
    }

    /// Remembers a table that is about to be published.
    pub fn keep(&mut self, table: &Arc<Stamped<ProcessTable>>) {
        if self.tables.len() == KEPT {
            self.tables.swap_remove(0);
        }
        self.tables.push(table.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_comes_back_when_it_has_been_dropped() {
        let mut pool = Pool::default();
        let first = pool.take();
        let address = Arc::as_ptr(&first);
        pool.keep(&first);
        assert_ne!(Arc::as_ptr(&pool.take()), address, "still held");
        drop(first);
        assert_eq!(Arc::as_ptr(&pool.take()), address);
        for _ in 0..20 {
            let held = pool.take();
            pool.keep(&held);
            std::mem::forget(held);
        }
        assert_eq!(pool.tables.len(), KEPT, "a face that holds all of them makes nothing grow");
    }
}
