//! What the collector begins from, beside package variables (`heap/variables.rs`): goroutines, and what the
//! runtime notes of single objects. Source: `runtime/mgcmark.go` (`markroot`): data, bss, due finalizers and
//! cleanups, the specials of spans, stacks. All else that the runtime keeps (timers, pools, threads, waiting
//! goroutines) hangs on its own package variables.
//!
//! Each root is told with its owner, so that whoever asks what would be garbage without one can leave it out.
//!
//! - `stacks`: what goroutines hold, by `frame`; `stack_maps` which words, `stack_objects` which variables
//!   that are pointed to, `stack_window` how a stack is read.
//! - `deferred`: calls that goroutines have deferred, with what is bound to them.
//! - `schedulers`: what threads hold that run no goroutine; `system_stacks` what any thread holds on its own
//!   stack.
//! - `specials`: finalizers, cleanups, weak handles that are set; `due` those that wait to be run.

mod deferred;
mod due;
mod frame;
mod schedulers;
mod specials;
mod stack_maps;
mod stack_objects;
mod stack_window;
mod stacks;
mod system_stacks;

pub use deferred::{DeferredWord, deferred_function};
pub use due::due_roots;
pub use frame::StackPlace;
pub use schedulers::scheduler_words;
pub use specials::{NotedRoot, RootNote, special_roots};
pub use stacks::{StackReader, StackRoot, StackTally, Unsure};
