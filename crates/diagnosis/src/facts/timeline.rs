//! The timeline of the watch: samples of memory, and events.

use serde::{Deserialize, Serialize};

use super::bounded::{MAX_FEW, MAX_SAMPLES, at_most};
use super::goroutine_looks::GoroutineLooks;

/// The timeline of the watch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timeline {
    /// Samples, oldest first.
    #[serde(deserialize_with = "at_most::<_, _, MAX_SAMPLES>")]
    pub samples: Vec<Sample>,
    /// Events, oldest first.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub events: Vec<Event>,
    /// Looks at its goroutines; none in captures of before.
    #[serde(skip_serializing_if = "GoroutineLooks::is_empty")]
    pub goroutines: GoroutineLooks,
}

/// A sample of memory at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sample {
    /// Milliseconds since the watch began.
    pub t_ms: u64,
    /// Bytes that count against the limit.
    pub usage_bytes: u64,
    /// Resident bytes of the process.
    pub rss_bytes: u64,
    /// Bytes of the Go heap that are live: at the last mark, and allocated since.
    pub heap_live_bytes: u64,
    /// Goroutine structures; never fewer than before.
    pub goroutines: u64,
    /// Collections finished since the start.
    pub gc_cycles: u32,
}

/// An event of the watch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    /// Milliseconds since the watch began.
    pub t_ms: u64,
    /// Kind: `attach`, `freeze`, `oom-kill`, ... (docs/formats/report-json.md lists them).
    pub kind: String,
    /// Sentence for people.
    pub text: String,
}
