//! A face without a screen: what the backend publishes, as JSON Lines, CSV or
//! plain text.

pub mod lock;
