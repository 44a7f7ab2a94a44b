//! Taking evidence of a live or a dead process.

pub(crate) mod dead_heap;
mod deadline;
pub(crate) mod keeper;
pub(crate) mod leak_look;
pub(crate) mod places;
mod spans;
#[allow(clippy::module_inception)] // Its file is named after what it has.
mod take;

pub use places::Places;
pub(crate) use take::from_the_flight_ring;
pub use take::{CaptureContext, take, take_and};
