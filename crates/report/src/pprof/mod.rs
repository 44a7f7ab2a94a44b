//! Profiles as `go tool pprof` and every other pprof reader opens them.
//!
//! - its messages: `lastgasp_gosource::profile_proto`, which the reader of profiles has too.
//! - `draft`: a profile in the making, its strings and functions each once.
//! - `heap`: the memory profile. (`goroutine_profile`, `retained_profile` make the others.)

mod draft;
mod heap;

pub(crate) use draft::{Draft, value};
pub use heap::{heap_profile, published_profile};
#[cfg(test)]
pub(crate) use lastgasp_gosource::profile_proto::Profile;
pub(crate) use lastgasp_gosource::profile_proto::{Label, Line, Sample};
