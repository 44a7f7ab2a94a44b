//! Decisions: pure functions of samples and of what was measured.

pub mod forecast;
pub mod pin_window;
pub mod policy;
