//! What a capture knows, in a form that outlives the process: no user data, and of addresses those of code
//! and of what blocked goroutines wait for. Stored in the capture as `facts.json`, which is lastgasp's own
//! working copy; the standard files beside it are for everybody else.

mod blocked;
mod bounded;
mod capture;
mod census;
mod death;
mod feeds;
mod frame;
mod goroutine_list;
mod goroutine_looks;
mod goroutine_state;
mod goroutines;
mod graph;
mod key;
mod last_look;
mod memory;
mod named;
mod neighbours;
mod profile;
mod stored;
mod timeline;
mod whole;

pub use blocked::{
    BlockedGoroutine, BlockedGoroutines, Descriptor, LockState, Referrer, ReferrerPlace, Wait, WaitObject,
    WaitObjectKind, WaitOperation, WaitReach, WakeUp,
};
pub use capture::{Capture, Code, Gap, HEAP_GRAPH, Module, Phase, Reason, Target, Vcs};
pub use death::{Death, DeathsBefore, Figure, GenerationBefore, Part};
pub use feeds::Feed;
pub use frame::Frame;
pub use goroutine_list::{
    Ancestor, Ancestry, Call, Each, Goroutine, GoroutineList, Kind, Label, LabelSet, Place, Stack,
};
pub use goroutine_looks::{GoroutineLook, GoroutineLooks, StartedAt};
pub use goroutine_state::GoroutineState;
pub use goroutines::{Goroutines, Group, Repeat, WaitsOn};
pub use graph::{
    CopyHolder, GraphCalls, GraphCensus, GraphCopies, GraphFacts, GraphLeader, GraphMade, GraphNode, GraphPath,
    GraphPhase, GraphPlace, GraphRoot, GraphSite, GraphType, GraphWaste,
};
pub use key::Key;
pub use last_look::LastLook;
pub use memory::{Charge, Gc, Heap, HeapClass, LargeObjects, LeftOut, Residency, Rss};
pub use neighbours::{Neighbour, Neighbours};
pub use profile::{Amount, Profile, Series, Site};
pub use stored::{FactsError, from_json};
pub use timeline::{Event, Sample, Timeline};
pub use whole::{Facts, SCHEMA};
