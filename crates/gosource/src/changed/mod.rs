//! What changed in the code that a verdict is about, between the last revision known to be good and the one
//! that died.
//!
//! - `repository`: the user's own `git`, which is asked and never told to do anything.
//! - `hunks`: its differences, read. `functions`: where functions stand in a file, and what they call.
//! - `lines`: the three together.

mod functions;
mod hunks;
mod lines;
mod repository;

pub use lines::{Between, ChangedLines, Changes, changed_lines, unix_seconds};
pub use repository::{NotKnown, Repository};
