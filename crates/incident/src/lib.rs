//! The incident: many captures and the changes around them, told as one story with one verdict.
//!
//! Everything here is pure: no process, no disk, no clock. [`evidence`] is what an incident is told from; who
//! reads stores and feeds fills it.

pub mod evidence;
