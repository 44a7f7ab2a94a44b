//! The heap of a Go program with meaning: its objects with their types, what holds them with its names in the
//! source, and who keeps what.
//!
//! Bytes come from memory of one moment; the runtime's structures from `goruntime`; numbers, dominators and
//! ways from `heapgraph`, which knows nothing of Go. What is found here is plain data that others make facts,
//! answers and pictures of. No process is touched.
//!
//! - `heap`: all of it together.
//! - `edges`: objects and pointers as they are read, two threads at once.
//! - `roots`: what holds objects from outside the heap, with names.
//! - `types`: types of objects.

mod edges;
mod heap;
mod roots;
mod types;

pub use heap::Heap;
pub use roots::{RootKind, RootName};
pub use types::{ObjectType, TypeTotal};
