//! Raw capture to facts: all decoding happens here, with the target running again or dead. No process is
//! read, and no file but the executable's image that the raw capture names.
//!
//! - `sites`: allocation stacks as pprof shows them, un-sampled, one site a visible stack.
//! - `goroutines`: goroutines by stack, state and who started them.
//! - `recursion`: stacks of recursions in few frames.
//! - `goroutine_list`: goroutines one by one.
//! - `last_look`: the profile as the flight ring saw it last, where nothing could be copied.
//! - `memory`: the runtime's gauges, the span table, what is resident, what is charged.
//! - `heap_graph`: who keeps the heap alive, where all of the memory is at hand.
//! - `standing_still`: a process that is too large for a copy, packed, to be looked at when it runs on.
//! - `dead_heap_copy`: the heap of the dead, before the kernel takes it.
//! - `blocked`: blocked goroutines one by one, and what they wait for.
//! - `why`: what keeps one object alive, by its address.
//! - `series`: what the top sites held at earlier looks.
//! - `baseline`: which earlier look at the profile the growth is measured from.
//! - `frames`: functions, files and lines by index.

mod baseline;
mod blocked;
mod census;
mod collections;
mod dead_heap_copy;
mod decode;
mod frames;
mod goroutine_list;
mod goroutine_looks;
mod goroutines;
mod heap_graph;
mod last_look;
mod memory;
mod recursion;
mod series;
mod sites;
mod standing_still;
#[cfg(test)]
mod synthetic;
mod why;

pub use blocked::{awaited_descriptors, describe_descriptors};
pub use dead_heap_copy::{HeapCopy, copy_of_the_dead};
pub use decode::{Decoded, Provenance, decode, decode_with_memory};
pub use heap_graph::{GraphStage, WholeMemory, code_types, graph_alone};
pub use lastgasp_goheap::ReadBefore;
pub use standing_still::{StoodStill, pack_standing_still};
pub use why::{ObjectAt, object_at};
