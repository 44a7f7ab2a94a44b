//! Goroutines, alike ones together.

use serde::{Deserialize, Serialize};

use super::bounded::{SITES, at_most};

/// Goroutines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Goroutines {
    /// Without the runtime's own.
    pub total: u64,
    /// On a thread.
    pub running: u64,
    /// Slots of goroutines that have ended: there were once as many more.
    pub dead: u64,
    /// Bytes of their stacks now.
    pub stack_bytes: u64,
    /// Same stack, state and creator, the largest first.
    #[serde(deserialize_with = "at_most::<_, _, SITES>")]
    pub groups: Vec<Group>,
}

/// Goroutines that do the same.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Group {
    /// How many.
    pub count: u64,
    /// `running`, `waiting`, ...
    pub state: String,
    /// Why they wait.
    pub wait_reason: String,
    /// Indices into `frames`, innermost first.
    pub stack: Vec<u32>,
    /// The `go` statement, an index into `frames`.
    pub created_by: Option<u32>,
    /// Whether a stack was reconstructed without registers.
    pub approximate: bool,
}
