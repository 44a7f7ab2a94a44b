//! The heap of a Go program with meaning: its objects with their types, what holds them with its names in the
//! source, and who keeps what.
//!
//! Bytes come from memory of one moment; the runtime's structures from `goruntime`; numbers, dominators and
//! ways from `heapgraph`, which knows nothing of Go. What is found here is plain data that others make facts,
//! answers and pictures of. No process is touched.
//!
//! - `heap`: all of it together.
//! - `edges`: objects and pointers as they are read, two threads at once; `watched` those that lead to what
//!   goroutines wait for.
//! - `roots`: what holds objects from outside the heap, with names.
//! - `functions`: whose a function is, by its name.
//! - `side_by_side`: two pieces of work that need nothing of each other.
//! - `samples`: objects of which the memory profile knows the stack of their allocation; `sampled` what they
//!   are and keep, by stack.
//! - `types`: types of objects; `on_stacks` words of frames that speak of types too.
//! - `collections`: maps, slices, strings and channels, found by what they are.
//! - `census`, `copies`, `waste`: the largest of them, those of equal content, what is kept and not used.
//! - `at_hand`: which goroutines fill or empty what may be a queue.
//! - `liveness`: which blocked goroutines nothing can ever wake, and who leads to what they wait for.
//! - `made`: where the program's code makes what a root keeps.
//! - `phases`: how its time goes.
//! - `ways`: ways from roots to objects in words of the source, and the dominator tree.

mod at_hand;
mod census;
mod collections;
mod copies;
mod direct;
mod edges;
mod functions;
mod heap;
mod liveness;
mod made;
mod on_stacks;
mod phases;
mod roots;
mod sampled;
mod samples;
mod side_by_side;
mod survey;
mod types;
mod waste;
mod watched;
mod ways;

pub use census::{CollectionKind, Counted};
pub use copies::{BuiltAt, Copies, HeldCopies};
pub use heap::{Heap, ReadBefore};
pub use liveness::{By, Liveness, Reached, Referring, ReferringPlace, watched_addresses};
pub use made::{Made, MadeIn};
pub use phases::{Phase, Phases};
pub use roots::{RootKind, RootName};
pub use sampled::{Sampled, sampled};
pub use side_by_side::side_by_side;
pub use survey::{Seen, Survey, SurveyLimits};
pub use types::{Mostly, ObjectType, TypeTotal};
pub use waste::{Waste, WasteKind};
pub use ways::{Leader, MergedWay, Merging, TreeNode, Ways, dominator_tree};
