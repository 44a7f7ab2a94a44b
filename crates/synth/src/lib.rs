//! A make-believe Go process in memory, for tests and fuzzing: itself, its executable ([`Process::image`])
//! and its core file ([`Process::core`]).
//!
//! It shares no layout code with the decoder: every offset here was typed in by hand from the Go sources of
//! 1.22 and 1.27, so that a wrong table in `goruntime` cannot hide behind itself. What it builds is
//! consistent; what is made of it by [`Process::damage`] is not.
//!
//! ```
//! use lastgasp_inferior::Memory as _;
//! use lastgasp_synth::{Flavour, Goroutine, Process, Site};
//!
//! // Name, first line, frame size, whether stacks begin there, what is inlined.
//! let functions = [("main.main", 10, 40, true, None)];
//! let site = Site { stack: vec![0], size: 64, ..Site::default() };
//! let waiting = Goroutine { goid: 1, status: 4, stack: vec![0], ..Goroutine::default() };
//! let process = Process::build(Flavour::Go27, &functions, &[site], &[waiting]);
//!
//! assert_eq!(process.u64(process.at.allglen)?, 1);
//! let bucket = process.ptr(process.at.mbuckets)?;
//! assert_eq!(process.u64(bucket.plus(32))?, 64, "`bucket.size`");
//! # Ok::<(), lastgasp_inferior::ReadError>(())
//! ```

mod elf;
mod flavour;
mod heap;
mod layout;
mod pointed;
mod process;
mod service;
mod tables;

pub use flavour::Flavour;
pub use heap::{Span, SpanState, Sweep, TypeSpec};
pub use process::{Addresses, FunctionSpec, Goroutine, Process, Record, Site};
pub use service::{service, write_service};
pub use tables::return_address;
