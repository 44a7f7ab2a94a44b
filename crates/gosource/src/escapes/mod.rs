//! What Go's compiler says of where values live: its `-gcflags=-m=2` text, and how to have it said.
//!
//! - `message`: one line of that text. `record`: an allocation with the flow that made it one.
//! - `read`: a whole text, line by line, bounded.
//! - `reason`: why a value is on the heap, in the words of the five causes that people know, and others.
//! - `compile`: the user's own toolchain asked for the text of some packages, replayed from its build cache.
//! - `packages`: what `go list` says of where packages stand.

mod compile;
mod message;
mod packages;
mod read;
mod reason;
mod record;

pub use compile::{Ask, CompileError, Told, ask};
pub use packages::{Package, Packages};
pub use read::{Bounds, Stopped, Text, Wanted, read};
pub use reason::Reason;
pub use record::{Allocation, Flow, Inlined, Position, Stays, Step, Subject};
