//! What is read of a machine and its processes. It acts on nothing: no process is stopped, and nothing is
//! written but a cache of our own.
//!
//! - [`kernel`]: memory cgroups, limits, the machine, ends of processes; knows no Go.
//! - [`target`]: Go processes, found and opened, with what is remembered of them.
//! - [`raw_capture`]: evidence as it was taken, of a process or of a core file ([`core`]); how still it stood
//!   meanwhile ([`stillness`]).

mod bare_capture;
pub mod core;
pub mod kernel;
pub mod raw_capture;
pub mod stillness;
pub mod target;
