//! An earlier run of the IPC lab, to compare a new one with: the JSON Lines that
//! it printed.

use std::path::Path;

use color_eyre::eyre::{WrapErr, eyre};

use crate::model::channel::{Change, IpcPoint};

/// The points of an earlier run.
#[derive(Debug)]
pub struct Baseline {
    points: Vec<IpcPoint>,
}

impl Baseline {
    /// Reads them.
    ///
    /// # Errors
    /// What could not be read, with the file, the line and the column.
    pub fn read(path: &Path) -> color_eyre::Result<Self> {
        let name = path.display();
        let text = std::fs::read_to_string(path).wrap_err_with(|| format!("cannot read the baseline {name}"))?;
        let mut points = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let place = |column: usize| format!("{name}:{}:{}", index + 1, column.max(1));
            let value: serde_json::Value =
                serde_json::from_str(line).map_err(|error| eyre!("{}: no JSON: {error}", place(error.column())))?;
            if value["schema"] != "syncscope.ipc/1" {
                return Err(eyre!("{}: not a result of `syncscope ipc --json`", place(1)));
            }
            let point = serde_json::from_value(value)
                .map_err(|error| eyre!("{}: not a result of `syncscope ipc --json`: {error}", place(1)))?;
            points.push(point);
        }
        if points.is_empty() {
            return Err(eyre!("the baseline {name} holds no results"));
        }
        Ok(Baseline { points })
    }

    /// How a point stands to the one that was measured in the same way; none
    /// where there is no such one with a figure, or the point has none itself.
    pub fn compare(&self, point: &IpcPoint) -> Option<Change> {
        let now = (point.figure()?, point.repeats);
        let like = self.points.iter().filter(|before| before.is_like(point));
        like.filter_map(|before| Some(Change::of((before.figure()?, before.repeats), now))).next_back()
    }
}
