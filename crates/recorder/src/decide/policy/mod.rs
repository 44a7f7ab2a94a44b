//! The state machine watch -> alert -> armed -> strike -> post, as pure functions: samples in, acts out.
//! Numbers: docs/adr/0003-when-to-strike.md.

mod exit;
mod step;
mod thresholds;

pub(crate) use exit::{Exit, Hold, after_exit};
pub(crate) use step::{Acts, BrakeAct, Memory, PinAct, Seen, State, Step};
pub(crate) use thresholds::Measured;
pub use thresholds::{Mode, Policy};

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod tests;
