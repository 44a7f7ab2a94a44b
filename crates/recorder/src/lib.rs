//! Watch, forecast, arm, freeze, copy, thaw. The only crate that acts on a process or a cgroup.
//!
//! Invariants:
//! - Every act has an undo that survives our own death: what stops a target is undone by a separate process
//!   ([`watchdog`]) within 500 ms, by a ptrace detach that the kernel does itself, or at the next start with
//!   the same store from the [`journal`].
//! - Nothing is ever written into a target's memory.
//! - Between stop and go only bytes are copied ([`take`]): no decoding, no logging, no growth of memory in
//!   proportion to the target.
//! - Decisions ([`forecast`], [`policy`]) are pure functions of samples.
//! - A panic ends one piece of work and not the watch ([`guard`]).

mod act;
pub mod daemon;
mod decide;
pub mod guard;
pub mod own_process;
mod pin;
pub mod run;
pub mod take;
mod undo;
mod watch;

pub use act::{own_cgroup, pin_probe, profiling, stop};
pub use decide::graph_turn::GraphRules;
pub use decide::{forecast, pin_window, policy};
pub use undo::{journal, watchdog};
