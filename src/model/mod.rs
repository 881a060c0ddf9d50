//! The ground floor: what the program talks about, as plain data.
//!
//! Nothing here does I/O or knows a screen. Durations are [`Nanos`], sizes are
//! [`Bytes`]; text from outside has passed [`text::visible`] before it gets
//! into any of these types, so that every face can print it as it is.

pub mod channel;
pub mod child;
pub mod contention;
pub mod detail;
pub mod fault;
pub mod finding;
pub mod graph;
pub mod histogram;
pub mod ink;
pub mod lab;
pub mod launch;
pub mod life;
pub mod litmus;
pub mod lock;
pub mod process;
pub mod settings;
pub mod signal;
pub mod sorting;
pub mod stamp;
pub mod system;
pub mod text;
pub mod units;
pub mod wait;

pub use fault::Fault;
pub use process::Pid;
pub use stamp::Stamped;
pub use units::{Bytes, Nanos};
