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

    /// Says in a point how it stands to the one that was measured in the same
    /// way; nothing where there is no such one with a figure, or the point has
    /// none itself.
    pub fn compare(&self, point: &mut IpcPoint) {
        let like = self.points.iter().filter(|before| before.is_like(point));
        let Some((before, figure)) = like.filter_map(|before| Some((before, before.figure()?))).next_back() else {
            return;
        };
        let Some(now) = point.figure() else { return };
        point.baseline = Some(Change::of((figure, before.repeats), (now, point.repeats)));
        if let Some([then, now]) = point.other_regime(before) {
            point.flags.push(format!(
                "another regime than before: core to core {:.0} ns then, {:.0} ns now",
                then.median, now.median
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::{Mode, Spread};
    use crate::report::ipc::tests::point;

    #[test]
    fn another_regime_is_told_beside_the_difference() {
        let near = |ns: f64| Some(Spread { median: ns, min: ns, max: ns });
        let before = IpcPoint { core_to_core_ns: near(40.0), ..point(Mode::Throughput) };
        let baseline = Baseline { points: vec![before] };
        for (ns, said) in [(50.0, None), (150.0, Some("core to core 40 ns then, 150 ns now"))] {
            let mut now = IpcPoint { core_to_core_ns: near(ns), flags: Vec::new(), ..point(Mode::Throughput) };
            baseline.compare(&mut now);
            assert!(now.baseline.is_some());
            assert_eq!(now.flags.len(), usize::from(said.is_some()), "{:?}", now.flags);
            assert!(said.is_none_or(|said| now.flags[0].contains(said)), "{:?}", now.flags);
        }
        let mut other = IpcPoint { size: 128, flags: Vec::new(), ..point(Mode::Throughput) };
        baseline.compare(&mut other);
        assert!(other.baseline.is_none() && other.flags.is_empty(), "nothing was measured like that");
    }
}
