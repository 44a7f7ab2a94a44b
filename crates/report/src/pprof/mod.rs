//! Profiles as `go tool pprof` and every other pprof reader opens them.
//!
//! - `message`: `profile.proto`, only the fields that are used.
//! - `draft`: a profile in the making, its strings and functions each once.
//! - `heap`: the memory profile. (`goroutine_profile`, `retained_profile` make the others.)

mod draft;
mod heap;
mod message;

pub(crate) use draft::{Draft, value};
pub use heap::{heap_profile, published_profile};
#[cfg(test)]
pub(crate) use message::Profile;
pub(crate) use message::{Label, Line, Sample};
