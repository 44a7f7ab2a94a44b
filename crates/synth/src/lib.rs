//! A make-believe Go process in memory, for tests and fuzzing: itself, its executable ([`Process::image`])
//! and its core file ([`Process::core`]).
//!
//! It shares no layout code with the decoder: every offset here was typed in by hand from the Go sources of
//! 1.22 and 1.27, so that a wrong table in `goruntime` cannot hide behind itself. What it builds is
//! consistent; what is made of it by [`Process::damage`] is not.

mod elf;
mod flavour;
mod heap;
mod layout;
mod pointed;
mod process;
mod tables;

pub use flavour::Flavour;
pub use heap::{Span, SpanState, Sweep, TypeSpec};
pub use process::{Addresses, FunctionSpec, Goroutine, Process, Record, Site};
pub use tables::return_address;
