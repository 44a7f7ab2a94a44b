//! Goroutines: alike ones together, and one by one.

use serde::{Deserialize, Serialize};

use super::bounded::{MAX_SITES, at_most};
use super::goroutine_list::GoroutineList;
use super::goroutine_state::GoroutineState;
use super::key::Key;

/// The goroutines of the target, but the runtime's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Goroutines {
    /// Number of goroutines, without the runtime's own.
    pub total: u64,
    /// Of them on a thread.
    pub running: u64,
    /// Structures of goroutines that have ended: there were once as many more.
    pub dead: u64,
    /// Bytes of all stacks, the runtime's own goroutines included.
    pub stack_bytes: u64,
    /// Goroutines with the same stack, state and creator, the largest group first.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SITES>")]
    pub groups: Vec<Group>,
    /// One by one; empty in `lastgasp.facts/1`.
    pub list: GoroutineList,
}

/// A group of goroutines that do the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Group {
    /// Key of its stack and its `go` statement: the same in every capture of a build. Groups that differ in
    /// their state alone have the same.
    pub key: Key,
    /// Number of goroutines.
    pub count: u64,
    /// Status.
    pub state: GoroutineState,
    /// Reason why they wait, as Go names it; empty if they do not.
    pub wait_reason: String,
    /// Indices into `frames`, innermost first.
    pub stack: Vec<u32>,
    /// The `go` statement, an index into `frames`.
    pub created_by: Option<u32>,
    /// Whether a stack was reconstructed without registers.
    pub approximate: bool,
}

impl Group {
    /// The reason why they wait, or else their state.
    #[must_use]
    pub fn why(&self) -> &str {
        if self.wait_reason.is_empty() { self.state.name() } else { &self.wait_reason }
    }
}
