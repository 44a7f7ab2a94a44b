//! Taking evidence of a live or a dead process.

mod deadline;
pub(crate) mod keeper;
mod spans;
#[allow(clippy::module_inception)] // Its file is named after what it has.
mod take;

pub(crate) use take::from_the_flight_ring;
pub use take::{CaptureContext, take};
