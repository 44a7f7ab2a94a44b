//! Which blocked goroutines nothing can ever wake, and who leads to what they wait for. Source of the idea:
//! `runtime/mgc.go` (`findGoroutineLeaks`, Go 1.26), "Dynamic Partial Deadlock Detection and Recovery via
//! Garbage Collection" (GOLF).
//!
//! It begins from what can run by itself: goroutines that run, are ready, are in system calls or sleep, or
//! wait for the poller; finalizers and cleanups; the runtime's own variables, on which timers hang. What
//! leads from there to a channel or a lock may wake who waits for it; then that one's stack leads on, and so
//! forth until no more are woken. Who is left waits for ever. Package variables are a second colour that is
//! added to the first: whatever runs may come by one, so what only they lead to is not proved to be lost.
//!
//! No pointers from a blocked goroutine's own structures count, nor from the runtime's lists of all
//! goroutines and of those that wait: by those the runtime wakes a goroutine that somebody has reached, and
//! none else. Weak pointers count as pointers, since what a blocked goroutine holds can be had through them.
//!
//! - `reached`: how far it is known, and from where.
//! - `fixpoint`: the reckoning, over the graph alone.
//! - `immortal`: who is woken for ever by its own timer, and nobody else leads to its way out.
//! - `referrers`: who has a pointer to what is waited for.
//! - `reckoned`: all of it together, of a heap.

mod fixpoint;
mod immortal;
mod reached;
mod reckoned;
mod referrers;

pub use reached::{By, Reached};
pub use reckoned::{Liveness, watched_addresses};
pub use referrers::{Referring, ReferringPlace};
