//! A make-believe Go process in memory, for tests and fuzzing.
//!
//! It shares no layout code with the decoder: every offset here was typed in by hand from the Go sources of 1.22 and 1.27, so that a wrong table in
//! `goruntime` cannot hide behind itself. What it builds is consistent; what is made of it by [`Process::damage`] is not.

mod process;
mod tables;

pub use process::{Addresses, Flavour, FunctionSpec, Goroutine, Process, Record, Site};
