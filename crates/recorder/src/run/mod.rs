//! `lastgasp run`: a command under the recorder.

#[allow(clippy::module_inception)] // Its file is named after what it has.
mod run;
mod signals;

pub use run::{Captured, Config, Outcome, run};
