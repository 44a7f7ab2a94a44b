//! Findings to terminal, HTML, JSON and pprof. With `cli` the only crate that formats for people.

mod document;
mod explain;
mod goroutine_profile;
mod goroutines;
mod html;
mod memory;
mod pprof;
mod printable;
mod text;

pub use document::document;
pub use explain::{UnknownCode, explain, explain_all};
pub use goroutine_profile::{Executable, goroutine_profile};
pub use goroutines::traceback;
pub use html::page;
pub use pprof::{heap_profile, published_profile};
pub use printable::printable;
pub use text::terminal;
