//! Findings to terminal, HTML, JSON and pprof. With `cli` the only crate that formats for people.

mod document;
mod goroutines;
mod html;
mod memory;
mod pprof;
mod text;

pub use document::document;
pub use goroutines::traceback;
pub use html::page;
pub use pprof::{goroutine_profile, heap_profile, published_profile};
pub use text::terminal;
