//! A face without a screen: what the backend publishes, as JSON Lines, CSV or
//! plain text.

mod alike;
pub mod baseline;
pub mod chains;
pub mod contention;
pub mod csv;
pub mod experiments;
pub mod failures;
mod fold;
pub mod ipc;
pub mod ipc_table;
pub mod litmus;
pub mod lock;
pub mod lock_experiments;
pub mod ps;
pub mod run;
pub mod wait;
pub mod why;
