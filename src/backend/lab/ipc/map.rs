//! What each transport reached at each size, kept while the other settings
//! stay as they are; and the walk through all sizes that fills it.

use crate::model::channel::{Cell, IpcSpec, Losses, SIZES, Series, Spread};
use crate::model::lab::LabState;

/// So many slices at a size are enough to go on to the next.
const ENOUGH: usize = 6;
/// A figure is the median of at most so many slices.
const LATEST: usize = 9;

/// The cells seen so far.
#[derive(Debug, Default)]
pub(super) struct Map {
    cells: Vec<Cell>,
}

impl Map {
    /// Takes over what the series say about messages of this size.
    pub(super) fn note<'a>(&mut self, size: usize, all: impl IntoIterator<Item = &'a Series>) {
        for series in all {
            let Some(cell) = cell(size, series) else { continue };
            match self.cells.iter_mut().find(|known| known.size == size && known.transport == cell.transport) {
                Some(known) => *known = cell,
                None => self.cells.push(cell),
            }
        }
    }

    /// Other settings: nothing seen before belongs beside what comes.
    pub(super) fn forget(&mut self) {
        self.cells.clear();
    }

    pub(super) fn cells(&self) -> Vec<Cell> {
        self.cells.clone()
    }
}

fn cell(size: usize, series: &Series) -> Option<Cell> {
    let latest = series.throughput.iter().rev().take(LATEST).map(|point| point.bytes_per_s).collect();
    let blank = Cell { transport: series.transport.clone(), size, bytes_per_s: None, round_trip_p50: None, why: None };
    let because = |why: String| Some(Cell { why: Some(why.into()), ..blank.clone() });
    match &series.state {
        LabState::Failed(fault) => because(fault.what.to_string()),
        _ if series.losses.spoil(series.loses) => {
            let Losses { lost, corrupt } = series.losses;
            because(format!("{lost} lost, {corrupt} corrupt"))
        }
        _ => Some(Cell {
            bytes_per_s: Some(Spread::of(latest)?.median),
            round_trip_p50: series.round_trip.as_ref().map(|trips| trips.quantiles.p50),
            ..blank
        }),
    }
}

/// The size to go on to: the next larger, the smallest after the largest; none
/// while there is something still to be measured at this one.
pub(super) fn next_size<'a>(spec: &IpcSpec, mut all: impl Iterator<Item = &'a Series>) -> Option<usize> {
    let over = |series: &Series| {
        matches!(series.state, LabState::Failed(_))
            || series.losses.spoil(series.loses)
            || series.throughput.len() >= ENOUGH
    };
    let done = spec.walk && all.all(over);
    done.then(|| SIZES.iter().copied().find(|size| *size > spec.size).unwrap_or(SIZES[0]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::channel::RatePoint;
    use crate::model::{Fault, Nanos};

    fn series(key: &str, rates: &[f64]) -> Series {
        let point = |&bytes_per_s: &f64| RatePoint { at: Nanos::ZERO, messages_per_s: 1.0, bytes_per_s };
        Series { throughput: rates.iter().map(point).collect(), ..Series::new(key) }
    }

    fn failed(key: &str) -> Series {
        Series { state: LabState::Failed(Fault::new("x", "does not fit")), ..Series::new(key) }
    }

    #[test]
    fn a_cell_is_the_median_of_the_latest_slices() {
        let mut map = Map::default();
        map.note(64, [&series("pipe", &[]), &failed("udp_v4")]);
        assert_eq!(map.cells().len(), 1, "nothing measured is no cell; what cannot be measured is an empty one");
        assert_eq!(map.cells()[0].bytes_per_s, None);
        assert_eq!(map.cells()[0].why.as_deref(), Some("does not fit"));
        map.note(64, [&series("pipe", &[9.0, 1.0, 5.0])]);
        map.note(64, [&series("pipe", &[9.0, 1.0, 5.0, 7.0, 8.0])]);
        map.note(256, [&series("pipe", &[2.0])]);
        let found: Vec<_> = map.cells().iter().map(|cell| (cell.size, cell.bytes_per_s)).collect();
        assert_eq!(found, [(64, None), (64, Some(7.0)), (256, Some(2.0))]);
        map.forget();
        assert!(map.cells().is_empty());
    }

    #[test]
    fn the_walk_goes_on_when_everything_is_measured_or_failed() {
        let spec = |size, walk| IpcSpec { size, walk, ..IpcSpec::default() };
        let all = [series("pipe", &[1.0; ENOUGH]), failed("udp_v4")];
        assert_eq!(next_size(&spec(64, false), all.iter()), None, "nobody asked for a walk");
        assert_eq!(next_size(&spec(64, true), all.iter()), Some(256));
        assert_eq!(next_size(&spec(SIZES[SIZES.len() - 1], true), all.iter()), Some(SIZES[0]));
        let few = [series("pipe", &[1.0; ENOUGH]), series("fifo", &[1.0])];
        assert_eq!(next_size(&spec(64, true), few.iter()), None);
    }
}
