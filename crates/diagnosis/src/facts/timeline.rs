//! The timeline of the watch: samples of memory, and events.

use serde::{Deserialize, Serialize};

use super::bounded::{FEW, SAMPLES, at_most};

/// The watch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timeline {
    /// Oldest first.
    #[serde(deserialize_with = "at_most::<_, _, SAMPLES>")]
    pub samples: Vec<Sample>,
    /// Oldest first.
    #[serde(deserialize_with = "at_most::<_, _, FEW>")]
    pub events: Vec<Event>,
}

/// A look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// Milliseconds since the watch began.
    pub t_ms: u64,
    /// Bytes that count against the limit.
    pub usage_bytes: u64,
    /// Resident bytes.
    pub rss_bytes: u64,
    /// Go heap.
    pub heap_live_bytes: u64,
    /// Goroutine structures; never fewer than before.
    pub goroutines: u64,
    /// GC cycles.
    pub gc_cycles: u32,
}

/// Something that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    /// When.
    pub t_ms: u64,
    /// What.
    pub kind: String,
    /// For people.
    pub text: String,
}
