//! Go processes: found, opened, and what is remembered of them.

pub mod baselines;
pub mod census;
pub mod discover;
pub mod goroutine_looks;
pub mod identity;
pub mod inspect;
pub mod runtime_cache;
#[allow(clippy::module_inception)] // Its file is named after what it has.
mod target;
pub mod timeline;
pub mod wanted_constants;

pub use target::{AttachError, COPY_CAP, Target, open};
