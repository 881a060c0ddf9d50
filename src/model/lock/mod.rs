//! What the lock lab is asked and what it finds.
//!
//! ```text
//! spec       the workload: which lock, how many threads, how long they hold
//! schedule   where the threads run and how urgent they are
//! several    several locks: which of them a thread takes, in which order
//! curve      throughput against the number of threads: asked and found
//! progress   how the experiment stands
//! figures    counts and durations          diagnosis   what they tell, by name
//! invariant  what is checked               lanes       a recent stretch of time
//! inverted   a priority inversion
//! steps      what happens in a wait on a condition variable
//! ```

mod curve;
mod diagnosis;
mod figures;
mod invariant;
mod inverted;
mod lanes;
mod progress;
mod schedule;
mod several;
mod spec;
mod steps;

pub use self::curve::{Curve, CurvePoint, Sweep};
pub use self::diagnosis::{Diagnosis, diagnose};
pub use self::figures::{Figures, LongestWait, OwnCount, Switches};
pub use self::invariant::{Invariant, Violation};
pub use self::inverted::{PriorityInversion, Ranked};
pub use self::lanes::{Acquisition, Lanes};
pub use self::progress::{LockProgress, Recording, Subject};
pub use self::schedule::{Pinning, Priority, Schedule};
pub use self::several::{Deadlocked, Inversion, LockOrder, Order, Several, Stuck, Taken};
pub use self::spec::{LockSetting, LockSpec, Measure, PerMille, Spread, Trace};
pub use self::steps::{STEPS, WaitSteps};
