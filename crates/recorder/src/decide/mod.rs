//! Decisions: pure functions of samples and of what was measured.

pub(crate) mod collector;
pub mod forecast;
pub(crate) mod graph_turn;
pub(crate) mod leak;
pub mod pin_window;
pub mod policy;
