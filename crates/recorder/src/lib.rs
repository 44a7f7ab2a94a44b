//! Watch, forecast, arm, freeze, copy, thaw. The only crate that acts on a process or a cgroup.
//!
//! Invariants:
//! - Every act has an undo that survives our own death: what stops a target is undone by a separate process ([`watchdog`]) within 500 ms, by a ptrace
//!   detach that the kernel does itself, or at the next start with the same store from the [`journal`].
//! - Nothing is ever written into a target's memory.
//! - Between stop and go only bytes are copied ([`take`]): no decoding, no logging, no growth of memory in proportion to the target.
//! - Decisions ([`forecast`], [`policy`]) are pure functions of samples.

mod attend;
pub mod cgroup;
pub mod container;
pub mod coredump;
mod deadline;
pub mod discover;
mod ending;
pub mod flight;
pub mod forecast;
pub mod gauge;
pub mod journal;
pub mod locations;
pub mod machine;
pub mod pin;
pub mod pin_test;
pub mod pin_window;
pub mod policy;
pub mod profiling;
pub mod run;
pub mod sampler;
mod signals;
pub mod stop;
pub mod sys;
pub mod take;
pub mod target;
pub mod tripwire;
pub mod watch;
pub mod watchdog;
