//! Worker processes: the program itself, started again with the hidden
//! subcommand `worker` and a [framed socket](crate::sys::frame) on descriptor 3.
//!
//! The first frame is the [`Job`]; what follows is the lab's own protocol. A
//! worker ends when its job is done or the socket closes.
