//! The repetitions of one point, and the point that they make.

use crate::backend::lab::ipc::disturbance::Disturbance;
use crate::backend::lab::ipc::slice::Slice;
use crate::model::channel::{IpcPoint, Losses, Mode, Rate, Sides, Spread, Throughput};
use crate::model::histogram::Quantiles;

/// What the repetitions of one point came to.
#[derive(Default)]
pub(super) struct Repeats {
    messages_per_s: Vec<f64>,
    p50: Vec<f64>,
    round_trips: Option<Quantiles>,
    open_loop: Option<Quantiles>,
    reached: Vec<f64>,
    cpu_ns: Vec<Sides>,
    switches: Vec<Sides>,
    losses: Losses,
    sent: u64,
    /// What disturbed them.
    pub(super) disturbance: Disturbance,
}

impl Repeats {
    /// Takes a slice of a stream, or of a closed loop.
    pub(super) fn take(&mut self, slice: &Slice) {
        let losses = slice.losses();
        self.losses.lost += losses.lost;
        self.losses.corrupt += losses.corrupt;
        self.sent += slice.count;
        self.messages_per_s.extend(slice.messages_per_s());
        if let Some(round_trips) = &slice.asker.round_trips {
            self.p50.push(round_trips.these.p50.0 as f64);
            self.round_trips = Some(round_trips.all.quantiles);
        }
        let cost = slice.cost();
        self.cpu_ns.push(cost.cpu_ns);
        self.switches.push(cost.switches);
    }

    /// Takes a slice whose messages had intended times.
    pub(super) fn take_open(&mut self, slice: &Slice) {
        let losses = slice.losses();
        self.losses.lost += losses.lost;
        self.losses.corrupt += losses.corrupt;
        self.sent += slice.count;
        self.open_loop = slice.asker.round_trips.as_ref().map(|round_trips| round_trips.all.quantiles);
        self.reached.push(slice.rate_reached());
    }

    /// Puts the figures into a point; none where anything came otherwise than
    /// the transport promises.
    pub(super) fn fill(self, blank: IpcPoint, rate: Option<f64>, loses: bool) -> IpcPoint {
        let Losses { lost, corrupt } = self.losses;
        let mut point = IpcPoint { lost, corrupt, ..blank };
        point.flags.extend(self.disturbance.flags(point.placement, point.wait));
        let spoilt = self.losses.spoil(loses);
        if self.losses.any() {
            let said = if spoilt { "no figures" } else { "the figures are of those that came" };
            point.flags.push(format!("{}: {said}", self.losses.of(self.sent)));
        }
        if spoilt {
            return point;
        }
        if point.mode == Mode::Latency {
            point.flags.push("closed loop".to_owned());
        }
        if let (Some(intended), Some(reached)) = (rate, Spread::of(self.reached)) {
            point.open_loop_ns = self.open_loop;
            point.open_loop_rate = Some(Rate { intended, reached: reached.median });
            if reached.median < intended * 0.98 {
                let share = reached.median / intended * 100.0;
                point.flags.push(format!("open loop: {share:.0}% of the rate was reached"));
            }
        }
        point.round_trip_ns = self.round_trips;
        point.round_trip_p50_ns = Spread::of(self.p50);
        let size = point.size as f64;
        point.throughput = Spread::of(self.messages_per_s).map(|messages_per_s| Throughput {
            bytes_per_s: Spread {
                median: messages_per_s.median * size,
                min: messages_per_s.min * size,
                max: messages_per_s.max * size,
            },
            messages_per_s,
        });
        point.cpu_ns_per_message = middle(&self.cpu_ns);
        point.switches_per_message = middle(&self.switches);
        point
    }
}

/// The median of each side.
fn middle(values: &[Sides]) -> Option<Sides> {
    let side = |of: fn(&Sides) -> f64| Spread::of(values.iter().map(of).collect()).map(|spread| spread.median);
    Some(Sides { sender: side(|s| s.sender)?, receiver: side(|s| s.receiver)? })
}
