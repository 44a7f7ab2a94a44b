//! The incident: many captures and the changes around them, told as one story with one verdict.
//!
//! Everything here is pure: no process, no disk, no clock. [`evidence`] is what an incident is told from; who
//! reads stores and feeds fills it.

mod clean;
pub mod cohorts;
pub mod evidence;
mod group;
mod jump;
mod life;
pub mod order;
pub mod series;
pub mod statistics;
mod summary;

pub use clean::clean;
pub use life::{Life, lives, services};
pub use summary::summary;
