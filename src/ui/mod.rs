//! A face: the dashboard.
//!
//! ```text
//! backend ──Update──► Store ──&Store──► panels draw
//!                        keys ──► panel ──► Effect ──► Command ──► backend
//! ```
//!
//! [`run`](mod@run) owns the loop, `tty` the terminal, [`app`] the state, and each
//! panel its own view. The drawing thread does no I/O and takes no lock.

pub mod alarm;
pub mod app;
pub mod ascii;
pub mod chains;
pub mod director;
pub mod help;
pub mod keymap;
pub mod layout;
pub mod painter;
pub mod panels;
pub mod run;
mod signals;
pub mod store;
pub mod theme;
mod tty;
pub mod widgets;
