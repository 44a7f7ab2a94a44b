//! Taking evidence of a live or a dead process.

mod deadline;
pub(crate) mod keeper;
mod spans;
#[allow(clippy::module_inception)] // Its file is named after what it has.
mod take;

pub use take::{CaptureContext, take};
