//! What tests, benches and the demo need to put real Go programs under observation: a Go toolchain of a
//! wished version (found or fetched), the lab's programs built with it, and a folder for what was built.
//!
//! Nothing here is part of the product.

pub mod big;
pub mod build;
#[cfg(feature = "play")]
pub mod contract;
pub mod experiments;
#[cfg(feature = "play")]
pub mod goroutines;
pub mod group;
#[cfg(feature = "hook")]
pub mod hook;
#[cfg(feature = "play")]
pub mod incident;
#[cfg(feature = "play")]
pub mod incident_graph;
#[cfg(feature = "play")]
pub mod incident_restart;
#[cfg(feature = "play")]
pub mod leaks;
#[cfg(feature = "play")]
pub mod lying_files;
pub mod machine;
#[cfg(feature = "play")]
pub mod oracle;
#[cfg(feature = "play")]
pub mod page;
pub mod progress;
#[cfg(feature = "play")]
pub mod silent_storage;
pub mod toolchain;
