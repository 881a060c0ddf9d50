//! What the IPC lab is asked and what it finds.
//!
//! ```text
//! settings   how a channel is used: placement, waiting, payload
//! spec       what a panel asks for
//! progress   how a run stands, transport by transport
//! cost       what a message costs, how full a channel is, what was lost
//! point      one result of a sweep
//! spread     repetitions, and how they stand to those of an earlier run
//! failure    how the experiments with broken channels stand
//! ```

mod cost;
mod failure;
mod point;
mod progress;
mod settings;
mod spec;
mod spread;

pub use self::cost::{Fill, Losses, Measure, MessageCost, SideNow, Sides};
pub use self::failure::FailureProgress;
pub use self::point::{APART, IpcPoint, Rate, Throughput};
pub use self::progress::{Cell, ChannelFacts, HISTORY, IpcProgress, RatePoint, Series};
pub use self::settings::{Mode, Payload, Placement, Waiting};
pub use self::spec::{IpcSpec, SIZES};
pub use self::spread::{Change, Spread};
