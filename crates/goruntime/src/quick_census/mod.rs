//! The quick census: how many elements known collections have now, of a process that runs, in some hundred
//! microseconds and without a stop.
//!
//! What is known of a collection is no address but a *way*: a word that stays (of a package variable, or of a
//! frame of a goroutine that waits) and from there a few words to follow. A configuration is replaced as a
//! whole, by one with another address: at each look the way is followed anew. No type is needed: `find` knows
//! headers of maps and slices by what only they can be, walking from these words a bounded part of the heap
//! at a time; `follow` looks at them again; `way` is what a way is.

mod find;
mod follow;
mod way;

pub use find::{FindLimits, Finder};
pub use follow::{KnownWays, QuickReading};
pub use way::{Anchor, Hop, MAX_HOPS, StackAnchor, Way};
