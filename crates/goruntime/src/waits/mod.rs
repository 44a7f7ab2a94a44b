//! What every blocked goroutine waits for, and the state of that: channels, locks, timers, descriptors.
//! Source: `runtime/runtime2.go` (`g`, `sudog`), `chan.go`, `select.go`, `sema.go`, `time.go`, `netpoll.go`,
//! package `sync`.
//!
//! Memory of one moment is read, all of it at hand: a core file, a process that stands still, a dead one. All
//! that is foreign is bounded and checked against its counterpart: a `sudog` names its goroutine, a
//! descriptor itself. (Of what little a copy has of a process that ran on, `goroutine::waits_on` tells less.)
//!
//! - `found`: what there is to be found, as plain data.
//! - `gather`: all of it together.
//! - `sudogs`: what a goroutine itself points to.
//! - `channels`: what is in them, and who waits on both sides.
//! - `semaphores`: the runtime's table of them; `locks` what a semaphore is part of, and its words.
//! - `in_stacks`: what only the stacks of those that wait lead to.
//! - `timers`: those that are set.
//! - `read_many`: many structures in few kernel calls.

mod channels;
mod found;
mod gather;
mod in_stacks;
mod lock_sites;
mod locks;
mod read_many;
mod semaphores;
mod sudogs;
#[cfg(test)]
mod tests;
mod timers;

pub use crate::goroutine::wait_reason::Operation;
pub use found::{
    Awaited, Blocked, Case, Channel, ChannelTimer, MutexState, PendingTimer, PollState, RwMutexState, WaitGroupState,
    Waiting, What,
};
pub use gather::{waiting, waits_for_descriptors};
