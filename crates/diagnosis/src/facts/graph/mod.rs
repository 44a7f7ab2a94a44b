//! The heap as a graph: what is live, what keeps it, what is there twice, what is wasted.
//!
//! - `holders`: types, roots, sites, paths, and the tree of who dominates whom.
//! - `collections`: maps, slices, strings and channels: the largest (census), copies of one content, waste.

mod collections;
mod holders;

use serde::{Deserialize, Serialize};

use super::blocked::BlockedGoroutines;
use super::bounded::{MAX_FEW, at_most};

pub use collections::{CopyHolder, GraphCensus, GraphCopies, GraphWaste};
pub use holders::{
    GraphCalls, GraphLeader, GraphMade, GraphNode, GraphPath, GraphPlace, GraphRoot, GraphSite, GraphType,
};

/// The heap's graph, where one was made.
///
/// Of what a goroutine and a package variable both hold the variable is the holder: it stays when the
/// goroutine ends. What could not be read is said in `gaps` here and not among those of the capture: a
/// verdict that does not rest on the graph is none the weaker for them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GraphFacts {
    /// What it was read from: `core`; `live`, while it stood still; `dead`, after the kernel had killed it.
    pub source: String,
    /// Objects that something holds; several tiny ones in a slot count as one.
    pub objects: u64,
    /// Bytes of their slots.
    pub live_bytes: u64,
    /// Objects that nothing holds, as far as roots are known.
    pub garbage_objects: u64,
    /// Bytes of their slots.
    pub garbage_bytes: u64,
    /// Bytes of the live objects whose type is known.
    pub typed_bytes: u64,
    /// Whether what some goroutines hold was taken from every word of a frame, as no map says which are in
    /// use: a variable that is not used any more may hold something by it.
    pub conservative: bool,
    /// How many goroutines that is of.
    pub conservative_goroutines: u64,
    /// Whether all of it was read of one moment: else the split into live and garbage is not exact.
    pub of_one_moment: bool,
    /// How long the target stood still for it, in nanoseconds; 0 of cores and of the dead.
    pub stopped_ns: u64,
    /// How long it took in all, in nanoseconds.
    pub took_ns: u64,
    /// Time of processors that it took, in microseconds; 0 where a worker has not said it.
    pub processor_us: u64,
    /// Most bytes of memory that its worker had; 0 where it has not said it.
    pub peak_bytes: u64,
    /// How the time went, part by part, in the order in which they were done.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub phases: Vec<GraphPhase>,
    /// Roots that were not looked for: what they alone hold counts as garbage.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub roots_not_read: Vec<String>,
    /// What could not be read, or was left out as a budget had ended; in plain words.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub gaps: Vec<String>,
    /// Live objects that several roots of different names hold, and none of them alone.
    pub shared_objects: u64,
    /// Bytes of their slots.
    pub shared_bytes: u64,
    /// Where the program's code makes most of these, as of a root.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub shared_made: Vec<GraphMade>,
    /// Where the program calls what keeps something that no type tells of; only where few functions do.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub library_calls: Vec<GraphCalls>,
    /// Types of live objects: those of the most bytes.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub types: Vec<GraphType>,
    /// Who holds: those that keep the most bytes alive.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub roots: Vec<GraphRoot>,
    /// Where live sampled objects were allocated, and what keeps them.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub sites: Vec<GraphSite>,
    /// By which ways live bytes are kept, merged by the words of the way: those of the most bytes.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub paths: Vec<GraphPath>,
    /// The top of the dominator tree, each node behind its parent; the first is all that is live.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub tree: Vec<GraphNode>,
    /// The largest collections, by bytes and by elements.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub census: Vec<GraphCensus>,
    /// Collections of equal content: those that would save the most bytes as one.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub copies: Vec<GraphCopies>,
    /// Memory that is kept and not used: the most wasted bytes first.
    #[serde(deserialize_with = "at_most::<_, _, MAX_FEW>")]
    pub waste: Vec<GraphWaste>,
    /// Blocked goroutines: what each waits for, and whether anybody can still wake it; absent where that was
    /// not followed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<BlockedGoroutines>,
}

/// A part of the work at a graph, and how long it took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GraphPhase {
    /// What was done.
    pub what: String,
    /// How long it took, in microseconds.
    pub us: u64,
}

impl GraphFacts {
    /// Part of the live bytes whose type is known; 0 of an empty heap.
    #[must_use]
    pub fn typed_share(&self) -> f64 {
        self.typed_bytes as f64 / self.live_bytes.max(1) as f64
    }
}
