//! Blocked goroutines one by one: what each waits for, who could wake it, and whether anybody still can.
//!
//! These are observations; which of them is a leak and why is decided from them by `goroutine_verdicts`, so
//! that an old capture is judged by the newest rules.

mod compact;
mod each;
mod object;

use serde::{Deserialize, Serialize};

pub use each::{BlockedGoroutine, Wait, WaitOperation, WakeUp};
pub use object::{Descriptor, LockState, Referrer, ReferrerPlace, WaitObject, WaitObjectKind, WaitReach};

use super::bounded::{MAX_GOROUTINES, MAX_SITES, at_most};

/// The blocked goroutines of a process at one moment, and what they wait for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BlockedGoroutines {
    /// Blocked goroutines, the runtime's own left out, by number.
    #[serde(deserialize_with = "at_most::<_, _, MAX_GOROUTINES>")]
    pub each: Vec<BlockedGoroutine>,
    /// What they wait for, by address: named by index in [`Wait::object`].
    #[serde(deserialize_with = "at_most::<_, _, MAX_SITES>")]
    pub objects: Vec<WaitObject>,
    /// Goroutines that are blocked; more than `each` has where there are more than are followed.
    pub total: u64,
    /// Why nothing is proved: a gap of the graph that could matter, or that there is no graph. Empty: what
    /// nobody can wake was reckoned with all references of the process.
    pub no_proof: Vec<String>,
    /// Rounds of the reckoning until no more goroutines could be woken.
    pub rounds: u32,
    /// Nanoseconds that the reckoning took, the graph not counted.
    pub took_ns: u64,
}
