//! Real programs in known blocked states, decoded and compared with what they
//! themselves declare.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "waits/any_of.rs"]
mod any_of;
#[path = "waits/connections.rs"]
mod connections;
#[path = "waits/hidden.rs"]
mod hidden;
#[path = "waits/kernel.rs"]
mod kernel;
#[path = "waits/locks.rs"]
mod locks;
#[path = "waits/lookalikes.rs"]
mod lookalikes;
#[path = "waits/musl.rs"]
mod musl;
#[path = "waits/nameless.rs"]
mod nameless;
#[path = "waits/nested.rs"]
mod nested;
#[path = "waits/outsiders.rs"]
mod outsiders;
#[path = "waits/parking.rs"]
mod parking;
#[path = "waits/python.rs"]
mod python;
#[path = "waits/scripts.rs"]
mod scripts;
#[path = "waits/target.rs"]
mod target;
#[path = "waits/terminal.rs"]
mod terminal;
#[path = "waits/threads.rs"]
mod threads;
#[path = "waits/unseen.rs"]
mod unseen;
