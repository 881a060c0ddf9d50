//! syncscope: see processes, the channels between them and the locks inside
//! them.
//!
//! Imports run downward only:
//!
//! ```text
//! main            install hooks, parse, dispatch
//! cli             a face: one file a subcommand
//! ui    report    faces: the dashboard; JSON, CSV and text
//! backend         the work: Command in, Update out
//!   observe       reads other processes (wait: one file a wait reason)
//!   children      spawns and supervises
//!   lab           experiments in worker processes (ipc, locks, litmus)
//! model   sys     ground floor: plain data; system calls
//! ```

pub mod backend;
pub mod cli;
pub mod model;
pub mod report;
pub mod sys;
pub mod ui;
